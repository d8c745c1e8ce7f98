"""Scenario files in TOML: reading names file, key and line of every mistake.

A file holds the fields of :class:`Scenario` at the top, ``[[faults]]``, and optionally a table
``[cluster]`` with fields of :class:`ClusterSpec` for the local cluster to run it on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import msgspec

from ..environment import ClusterSpec
from ..toml_file import TomlFile
from .scenario import Scenario, scenario_mistakes, spec_mistakes


class ScenarioFile(msgspec.Struct, frozen=True):
    """What a scenario file says; ``cluster`` is None when it has no such table."""

    scenario: Scenario
    cluster: ClusterSpec | None = None


def load_scenario(path: str | Path) -> ScenarioFile:
    """Read a scenario file.

    Raises:
        ScenarioError: it cannot be read or says something that makes no sense; names file, key
            and line.
    """
    return _understand(TomlFile.read(path))


def parse_scenario(text: str, *, file: str = "scenario.toml") -> ScenarioFile:
    """Understand the text of a scenario file; ``file`` is its name for messages.

    Raises:
        ScenarioError: as :func:`load_scenario`.
    """
    return _understand(TomlFile(text, file))


def _understand(source: TomlFile) -> ScenarioFile:
    values = source.values()
    cluster = values.pop("cluster", None)
    scenario = source.convert(values, Scenario, besides=("cluster",))
    source.refuse(scenario_mistakes(scenario))
    if cluster is None:
        return ScenarioFile(scenario)
    if not isinstance(cluster, dict):
        source.fail("must be a table", ("cluster",), "write [cluster] on a line of its own")
    spec = source.convert(cast(dict[str, Any], cluster), ClusterSpec, ("cluster",))
    source.refuse(spec_mistakes(spec), ("cluster",))
    return ScenarioFile(scenario, spec)


def format_scenario(scenario: Scenario, cluster: ClusterSpec | None = None) -> str:
    """The text of a scenario file; what is at its default is left out, except what everybody
    wants to see."""
    lines = _fields(scenario, always=("name", "users", "rate", "duration"), skip=("faults",))
    if cluster is not None:
        lines += ["", "[cluster]", *_fields(cluster, always=("instances", "strategy", "broker"), skip=())]
    for fault in scenario.faults:
        lines += ["", "[[faults]]", *_fields(fault, always=("at", "action"), skip=())]
    return "\n".join(lines) + "\n"


def _fields(value: msgspec.Struct, *, always: tuple[str, ...], skip: tuple[str, ...]) -> list[str]:
    lines: list[str] = []
    for field in msgspec.structs.fields(value):
        now = getattr(value, field.name)
        usual = field.default_factory() if callable(field.default_factory) else field.default
        if field.name in skip or now is None or (now == usual and field.name not in always):
            continue
        lines.append(f"{field.name} = {_toml(now)}")
    return lines


def _toml(value: object) -> str:
    """A value in TOML's notation: JSON's, except that TOML wants DEL escaped (TOML 1.0, "String")."""
    if isinstance(value, tuple):
        items: tuple[object, ...] = value  # pyright: ignore[reportUnknownVariableType]
        return "[" + ", ".join(_toml(item) for item in items) + "]"
    if isinstance(value, dict):
        table: dict[str, object] = value  # pyright: ignore[reportUnknownVariableType]
        return "{ " + ", ".join(f"{_toml(key)} = {_toml(item)}" for key, item in table.items()) + " }"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")

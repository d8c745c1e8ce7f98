"""Scenario files in TOML: reading names file, key and line of every mistake.

A file holds the fields of :class:`Scenario` at the top, ``[[faults]]``, and optionally a table
``[cluster]`` with fields of :class:`ClusterSpec` for the local cluster to run it on.
"""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from pathlib import Path as FilePath
from typing import Any, Final, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from ..environment import ClusterSpec
from ..errors import ScenarioError
from .scenario import Fault, Path, Scenario, scenario_mistakes, spec_mistakes

_KEY: Final = re.compile(r"\s*([A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')\s*=")
_TABLE: Final = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\"'-]+)\s*\]\]?")
_AT_LINE: Final = re.compile(r"\(at line (\d+), column (\d+)\)")
_AT_PATH: Final = re.compile(r"^(?P<message>.*?)(?: - at `\$?(?P<path>[^`]*)`)?$", re.DOTALL)
_PATH_PART: Final = re.compile(r"\.([A-Za-z_][\w-]*)|\[(\d+)\]")
_TYPES: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text in quotes",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}

_T = TypeVar("_T")


class ScenarioFile(msgspec.Struct, frozen=True):
    """What a scenario file says; ``cluster`` is None when it has no such table."""

    scenario: Scenario
    cluster: ClusterSpec | None = None


def load_scenario(path: str | FilePath) -> ScenarioFile:
    """Read a scenario file.

    Raises:
        ScenarioError: it cannot be read or says something that makes no sense; names file, key
            and line.
    """
    try:
        text = FilePath(path).read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise ScenarioError(
            reason, file=str(path), key="", line=None, hint="give an existing file"
        ) from error
    except UnicodeDecodeError as error:
        raise ScenarioError("is not UTF-8 text", file=str(path), key="", line=None) from error
    return parse_scenario(text, file=str(path))


def parse_scenario(text: str, *, file: str = "scenario.toml") -> ScenarioFile:
    """Understand the text of a scenario file; ``file`` is its name for messages.

    Raises:
        ScenarioError: as :func:`load_scenario`.
    """
    return _Reader(text, file).read()


class _Reader:
    """One file being understood; knows the line of every key."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._lines = _lines_of_keys(text)

    def read(self) -> ScenarioFile:
        values = self._parse()
        cluster = values.pop("cluster", None)
        scenario = self._convert(values, Scenario, ())
        for mistake in scenario_mistakes(scenario):
            self._fail(mistake.message, mistake.path, mistake.hint)
        if cluster is None:
            return ScenarioFile(scenario)
        if not isinstance(cluster, dict):
            self._fail("must be a table", ("cluster",), "write [cluster] on a line of its own")
        spec = self._convert(cluster, ClusterSpec, ("cluster",))  # pyright: ignore[reportUnknownArgumentType]
        for mistake in spec_mistakes(spec):
            self._fail(mistake.message, ("cluster", *mistake.path), mistake.hint)
        return ScenarioFile(scenario, spec)

    def _parse(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            place = _AT_LINE.search(str(error))
            message = _AT_LINE.sub("", str(error)).strip()
            if place:
                message += f" (column {place[2]})"
            line = int(place[1]) if place else len(self._text.splitlines())
            raise ScenarioError(
                message, file=self._file, key="", line=line, hint="the file is TOML"
            ) from None

    def _convert(self, values: dict[str, Any], kind: type[_T], under: Path) -> _T:
        self._no_unknown(values, kind, under)
        if kind is Scenario:
            for number, fault in enumerate(_tables(values.get("faults"))):
                self._no_unknown(fault, Fault, ("faults", number))
        try:
            return msgspec.convert(values, kind)
        except msgspec.ValidationError as error:
            match = _AT_PATH.match(str(error))
            message, place = (match["message"], match["path"] or "") if match else (str(error), "")
            path = tuple(int(digits) if digits else name for name, digits in _PATH_PART.findall(place))
            self._fail(_in_words(message), (*under, *path), _choices(kind, path))

    def _no_unknown(self, values: dict[str, Any], kind: type, under: Path) -> None:
        known = [*get_type_hints(kind), *(["cluster"] if kind is Scenario else [])]
        for key in values:
            if key not in known:
                close = get_close_matches(key, known, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
                self._fail("unknown key", (*under, key), hint)

    def _fail(self, message: str, path: Path, hint: str = "") -> NoReturn:
        line = None
        for length in range(len(path), 0, -1):
            line = self._lines.get(path[:length])
            if line is not None:
                break
        raise ScenarioError(message, file=self._file, key=_written(path), line=line, hint=hint)


def _tables(value: object) -> list[dict[str, Any]]:
    """The tables of an array of tables; empty for anything else, which is refused later."""
    items: list[Any] = value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]
    return [item for item in items if isinstance(item, dict)]


def _in_words(message: str) -> str:
    """A message of msgspec in words for people."""
    message = re.sub(r"`(\w+)`", lambda match: _TYPES.get(match[1], f"'{match[1]}'"), message)
    return message.replace("Object missing required field", "lacks the key").replace("Expected", "expected")


def _choices(kind: type, path: Path) -> str:
    """The choices of the field at ``path``, if it has a fixed set of them."""
    hint: Any = kind
    for part in path:
        if isinstance(part, int):
            hint = get_args(hint)[0]
        elif isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            hint = get_type_hints(hint).get(part)
    if get_origin(hint) is Literal:
        return f"choose one of {', '.join(get_args(hint))}"
    return ""


def _written(path: Path) -> str:
    """``faults[0].at``"""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _lines_of_keys(text: str) -> dict[Path, int]:
    """The line (from 1) of every key and table that has a line of its own.

    A value within an inline table or list has none; its key's line is used for it.
    """
    lines: dict[Path, int] = {}
    counts: dict[str, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _TABLE.match(line)
        if header and "=" not in line.split("#")[0]:
            name = header[2].strip("\"'")
            table = (name,)
            if header[1] == "[[":
                table = (name, counts.get(name, 0))
                counts[name] = counts.get(name, 0) + 1
            lines.setdefault((name,), number)
            lines.setdefault(table, number)
            continue
        key = _KEY.match(line)
        if key:
            lines.setdefault((*table, key[1].strip("\"'")), number)
    return lines


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
        if field.name in skip or now is None or (now == field.default and field.name not in always):
            continue
        lines.append(f"{field.name} = {_toml(now)}")
    return lines


def _toml(value: object) -> str:
    """A value in TOML's notation: JSON's, except that TOML wants DEL escaped (TOML 1.0, "String")."""
    if isinstance(value, tuple):
        items: tuple[object, ...] = value  # pyright: ignore[reportUnknownVariableType]
        return "[" + ", ".join(_toml(item) for item in items) + "]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")

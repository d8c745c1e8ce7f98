"""Configuration as Spring Boot reads it: YAML documents as dotted keys, with their lines.

Nested and dotted keys are the same, and so are camel case and dashes (relaxed binding). Documents
for a profile do not count here, as no profile is active. Values may be placeholders
(``${PORT:8080}``), which the environment fills.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from core.errors import UsageError

_PLACEHOLDER: Final = re.compile(r"\$\{([^:{}]+)(?::([^{}]*))?\}")
_LARGEST: Final = 1024 * 1024
#: Aliases can make a small file a tree of any size, or one without an end.
_DEEPEST: Final = 50
_MOST: Final = 20_000
_MERGES: Final = 3
_MERGE: Final = "tag:yaml.org,2002:merge"
_PROFILES: Final = ("spring.config.activate.onprofile", "spring.profiles")


@dataclass(frozen=True, slots=True)
class Setting:
    """One value or list of a file.

    Attributes:
        key: Dotted, as written.
        plain: The key in the one spelling that all others are brought to: lower case, no dashes.
        node: A scalar or a list.
    """

    key: str
    plain: str
    node: Node


def plain_key(key: str) -> str:
    """The spelling that relaxed binding compares."""
    return key.lower().replace("-", "").replace("_", "")


def line_of(node: Node) -> int:
    """The line where ``node`` begins, from 1."""
    return int(node.start_mark.line) + 1


def read_settings(text: str, source: str) -> tuple[list[Setting], list[str]]:
    """All settings of a file in their order, and warnings about documents that do not count.

    Raises:
        UsageError: it is no YAML, too large, or nested too deeply; names file and line.
    """
    if len(text) > _LARGEST:
        raise UsageError(f"{source}: is larger than 1 MiB", tried=f"read {source}")
    settings: list[Setting] = []
    warnings: list[str] = []
    for document in _documents(text, source):
        found = list(_flat(document, "", source, [0], 0))
        profile = next((x for x in found if x.plain in _PROFILES), None)
        if profile is None:
            settings += found
        else:
            where = f"{source}:{line_of(profile.node)}"
            warnings.append(f"{where}: {profile.key}: no profile is active, this document is ignored")
    return settings, warnings


def mapping_items(node: MappingNode, source: str) -> Iterator[tuple[str, Node]]:
    """Keys and values of a mapping, with what ``<<`` merges into it.

    Raises:
        UsageError: a key is there twice, or is none.
    """
    yield from _items(node, source, 0).items()


def _items(node: MappingNode, source: str, depth: int) -> dict[str, Node]:
    own: dict[str, Node] = {}
    merged: dict[str, Node] = {}
    for key, value in cast("list[tuple[Node, Node]]", node.value):
        if not isinstance(key, ScalarNode):
            raise UsageError(f"{source}:{line_of(key)}: a key is a single value", tried=f"read {source}")
        if key.tag == _MERGE:
            bases = cast("list[Node]", value.value) if isinstance(value, SequenceNode) else [value]
            if depth == _MERGES or len(bases) > _MERGES:
                where = f"{source}:{line_of(key)}"
                raise UsageError(f"{where}: '<<' merges too much for a configuration", tried=f"read {source}")
            for base in bases:
                if isinstance(base, MappingNode):
                    merged = _items(base, source, depth + 1) | merged
            continue  # what comes first wins, and the mapping's own keys in any case
        name = str(key.value)
        if name in own:
            raise UsageError(f"{source}:{line_of(key)}: {name!r} is there twice", tried=f"read {source}")
        own[name] = value
    return merged | own


def fill_placeholders(value: str, environment: Mapping[str, str], where: str) -> str:
    """``value`` with its placeholders filled; ``where`` begins the message if one cannot be.

    Raises:
        UsageError: nothing fills a placeholder.
    """

    def fill(match: re.Match[str]) -> str:
        name, default = match[1].strip(), cast("str | None", match[2])
        # Spring finds server.port in SERVER_PORT too.
        filled = environment.get(name, environment.get(re.sub(r"[.-]", "_", name).upper(), default))
        if filled is None:
            raise UsageError(f"{where}: nothing fills ${{{name}}}", hint=f"set the variable {name}")
        return filled

    return _PLACEHOLDER.sub(fill, value)


def _documents(text: str, source: str) -> Iterator[Node]:
    try:
        documents = yaml.compose_all(text, Loader=yaml.SafeLoader)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        for document in cast("Iterator[Node | None]", documents):
            if document is not None:
                yield document
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark is not None else ""
        raise UsageError(f"{source}{line}: not YAML: {error.problem}", tried=f"read {source}") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the latter two for wrong escapes
        raise UsageError(f"{source}: not YAML: {error}", tried=f"read {source}") from error
    except RecursionError as error:
        raise UsageError(f"{source}: is nested too deeply", tried=f"read {source}") from error


def _flat(node: Node, prefix: str, source: str, count: list[int], depth: int) -> Iterator[Setting]:
    count[0] += 1
    if depth > _DEEPEST or count[0] > _MOST:
        where = f"{source}:{line_of(node)}"
        raise UsageError(f"{where}: is nested too deeply, or has too many keys", tried=f"read {source}")
    if not isinstance(node, MappingNode):
        if prefix:
            yield Setting(prefix, plain_key(prefix), node)
        return
    for name, value in mapping_items(node, source):
        yield from _flat(value, f"{prefix}.{name}" if prefix else name, source, count, depth + 1)

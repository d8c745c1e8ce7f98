"""Values of a configuration under keys as Spring binds them.

Nested and dotted keys are the same, and so are camel case, dashes and underscores (relaxed binding);
``a[0]`` is the first element of the list ``a``, and ``[/**]`` is a key that is taken as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, cast

from yaml.error import Mark
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_ELEMENT: Final = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")
_STR: Final = "tag:yaml.org,2002:str"
_MAP: Final = "tag:yaml.org,2002:map"
_SEQ: Final = "tag:yaml.org,2002:seq"
#: Where a list would have to be filled up: nobody means that.
_LONGEST_LIST: Final = 10_000

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One single value of a file: where it belongs (numbers are places in lists), and what it is."""

    path: Path
    node: ScalarNode


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


@dataclass(slots=True)
class Document:
    """What one document of a file says, in its order."""

    settings: list[Setting] = field(default_factory=list[Setting])
    values: dict[str, str] = field(default_factory=dict[str, str])


def plain_key(key: str) -> str:
    """The spelling that relaxed binding compares."""
    return key.lower().replace("-", "").replace("_", "")


def line_of(node: Node) -> int:
    """The line where ``node`` begins, from 1."""
    return int(node.start_mark.line) + 1


def place_of(node: Node) -> str:
    """``file:line`` of a node."""
    return f"{node.start_mark.name}:{line_of(node)}"


def scalar(text: str, source: str, line: int) -> ScalarNode:
    """A value that stands on a line (from 0) of a file."""
    mark = Mark(source, 0, line, 0, None, 0)
    return ScalarNode(_STR, text, mark, mark)


def elements_of(key: str) -> Path:
    """The elements of a key: ``a.b[0].[/**]`` has four."""
    found: list[str | int] = []
    for bracketed, plain in _ELEMENT.findall(key):
        if plain:
            found.append(str(plain))
        elif bracketed.isascii() and bracketed.isdigit() and len(bracketed) < 6:
            found.append(int(bracketed))
        else:
            found.append(f"[{bracketed}]")
    return tuple(found)


def document_of(leaves: Iterable[Leaf]) -> Document:
    """Leaves as settings: lists are put together from their elements.

    Raises:
        ValueError: an element of a list has an absurd place.
    """
    root: dict[str | int, object] = {}
    values: dict[str, str] = {}
    for leaf in leaves:
        _put(root, leaf)
        values[_dotted(leaf.path)] = str(leaf.node.value)
    return Document(list(_settings(root, "")), values)


def _put(root: dict[str | int, object], leaf: Leaf) -> None:
    place = root
    for element in leaf.path[:-1]:
        inside = place.get(element)
        if not isinstance(inside, dict):
            inside = place[element] = dict[str | int, object]()
        place = cast("dict[str | int, object]", inside)
    place[leaf.path[-1]] = leaf.node


def _settings(tree: dict[str | int, object], prefix: str) -> Iterator[Setting]:
    for element, value in tree.items():
        key = f"{prefix}.{element}" if prefix else str(element)
        if isinstance(value, dict):
            inside = cast("dict[str | int, object]", value)
            if not any(isinstance(x, int) for x in inside):
                yield from _settings(inside, key)
                continue
            value = _node(inside)
        yield Setting(key, plain_key(key), cast("Node", value))


def _node(value: object) -> Node:
    if isinstance(value, Node):
        return value
    inside = cast("dict[str | int, object]", value)
    numbers = sorted(x for x in inside if isinstance(x, int))
    if numbers:
        if numbers[-1] > _LONGEST_LIST:
            raise ValueError(f"[{numbers[-1]}] is no place in a list")
        items = [_node(inside[x]) for x in numbers]
        return SequenceNode(_SEQ, items, items[0].start_mark, items[-1].end_mark)
    pairs: list[tuple[Node, Node]] = []
    for name, each in inside.items():
        node = _node(each)
        plain = str(name).removeprefix("[").removesuffix("]") if str(name).startswith("[") else str(name)
        pairs.append((ScalarNode(_STR, plain, node.start_mark, node.start_mark), node))
    return MappingNode(_MAP, pairs, pairs[0][1].start_mark, pairs[-1][1].end_mark)


def _dotted(path: Path) -> str:
    return "".join(f"[{x}]" if isinstance(x, int) else f".{x}" for x in path).removeprefix(".")

"""YAML as Spring Boot reads it: documents of single values under keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from core.errors import UsageError

from .settings import Document, Leaf, Path, document_of, elements_of, line_of

#: Aliases can make a small file a tree of any size, or one without an end.
_DEEPEST: Final = 50
_MOST: Final = 20_000
_MERGES: Final = 3
_MERGE: Final = "tag:yaml.org,2002:merge"


def read_yaml(text: str, source: str) -> list[Document]:
    """The documents of a file.

    Raises:
        UsageError: it is no YAML, or nested too deeply; names file and line.
    """
    return [_document(node, source) for node in _documents(text, source)]


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
        name = f"[{key.value}]" if key.tag.endswith(":int") else str(key.value)
        if name in own:
            raise UsageError(f"{source}:{line_of(key)}: {name!r} is there twice", tried=f"read {source}")
        own[name] = value
    return merged | own


def _documents(text: str, source: str) -> Iterator[Node]:
    loader: yaml.SafeLoader | None = None
    try:
        loader = yaml.SafeLoader(text)
        loader.name = source  # so that every node knows where it comes from
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                yield node
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark is not None else ""
        maven = "cannot start any token" in str(error.problem) and "'@'" in str(error.problem)
        hint = "Maven and Gradle fill @…@: give the file that they have made" if maven else ""
        raise UsageError(
            f"{source}{line}: not YAML: {error.problem}", tried=f"read {source}", hint=hint
        ) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the latter two for wrong escapes
        raise UsageError(f"{source}: not YAML: {error}", tried=f"read {source}") from error
    except RecursionError as error:
        raise UsageError(f"{source}: is nested too deeply", tried=f"read {source}") from error
    finally:
        if loader is not None:
            loader.dispose()  # pyright: ignore[reportUnknownMemberType]


def _document(node: Node, source: str) -> Document:
    try:
        return document_of(_leaves(node, (), source, [0], 0))
    except ValueError as error:
        raise UsageError(f"{source}: {error}", tried=f"read {source}") from error


def _leaves(node: Node, path: Path, source: str, count: list[int], depth: int) -> Iterator[Leaf]:
    count[0] += 1
    if depth > _DEEPEST or count[0] > _MOST:
        where = f"{source}:{line_of(node)}"
        raise UsageError(f"{where}: is nested too deeply, or has too many keys", tried=f"read {source}")
    children: list[tuple[Path, Node]]
    if isinstance(node, MappingNode):
        children = [(elements_of(name), each) for name, each in mapping_items(node, source)]
    elif isinstance(node, SequenceNode):
        children = [((number,), each) for number, each in enumerate(cast("list[Node]", node.value))]
    else:
        children = []
    for names, each in children:
        yield from _leaves(each, (*path, *names), source, count, depth + 1)
    if not children and path:
        # An empty list or mapping is nothing, which is said: it takes the place of another.
        yield Leaf(path, node if isinstance(node, ScalarNode) else _nothing(node))


def _nothing(node: Node) -> ScalarNode:
    return ScalarNode("tag:yaml.org,2002:null", "", node.start_mark, node.end_mark)

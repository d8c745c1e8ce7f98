"""Values of a Spring configuration's nodes, and errors and warnings that name file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ...spring.placeholders import Placeholders
from ...spring.profiles import names_in
from ...spring.settings import place_of
from ...spring.yaml_text import mapping_items
from ..routing.definition import RouteError

#: Aliases can make much out of little.
_MOST_VALUES = 20_000
_DEEPEST = 20


class NodeReader:
    """Values of nodes, and errors and warnings that name file and line."""

    def __init__(self, source: str, placeholders: Placeholders) -> None:
        self.source = source
        self.warnings: list[str] = []
        self._placeholders = placeholders
        self._left = _MOST_VALUES

    def text(self, node: Node, *, keep: Callable[[str], bool] | None = None) -> str:
        """A single value, placeholders filled but for those that ``keep`` says are none.

        Raises:
            UnfilledError: nothing fills one.
        """
        if not isinstance(node, ScalarNode):
            raise self.error(node, "a single value is expected here")
        return self._placeholders.fill(str(node.value), self.place(node), keep)

    def items(self, node: Node) -> list[Node]:
        """The elements of a list; nothing is an empty one, and one text is split at its commas."""
        if isinstance(node, ScalarNode):
            words = (word.strip() for word in str(node.value).split(","))
            return [ScalarNode(node.tag, word, node.start_mark, node.end_mark) for word in words if word]
        if not isinstance(node, SequenceNode):
            raise self.error(node, "a list is expected here")
        return cast("list[Node]", node.value)

    def texts(self, node: Node) -> tuple[str, ...]:
        """The values of a list."""
        return tuple(word for each in self.items(node) for word in names_in(self.text(each)))

    def pairs(self, node: Node, what: str) -> dict[str, Node]:
        """The keys and values of a mapping."""
        if not isinstance(node, MappingNode):
            raise self.error(node, f"{what} is written as 'key: value' lines")
        return dict(mapping_items(node, self.source))

    def leaves(
        self, node: Node, key: str = "", depth: int = 0, *, keep: Callable[[str], bool] | None = None
    ) -> Iterator[tuple[str, str]]:
        """All values under a node with their dotted keys; elements of lists have numbers."""
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            raise self.error(node, "is nested too deeply, or has too many values")
        if isinstance(node, SequenceNode):
            children = [(str(n), child) for n, child in enumerate(cast("list[Node]", node.value))]
        elif isinstance(node, MappingNode):
            children = list(mapping_items(node, self.source))
        else:
            yield key, self.text(node, keep=keep)
            return
        for name, child in children:
            yield from self.leaves(child, f"{key}.{name}" if key else name, depth + 1, keep=keep)

    def place(self, node: Node) -> str:
        """``file:line``."""
        return place_of(node)

    def warn(self, node: Node, message: str) -> None:
        """Remember something for people."""
        self.warnings.append(f"{self.place(node)}: {message}")

    def error(self, node: Node, message: str, hint: str = "") -> RouteError:
        """An error at a node."""
        return RouteError(f"{self.place(node)}: {message}", tried=f"read {self.source}", hint=hint)

"""Routes of a Spring configuration, from the nodes of its YAML (docs/wire/gateway.md §1).

Predicates and filters in the shortcut or the long form. Placeholders are filled everywhere but
in RewritePath, whose ``${name}`` is a group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar, cast

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ...spring_yaml import fill_placeholders, line_of, mapping_items, plain_key
from ..routing.arguments import duration, truth, whole
from ..routing.definition import Part, RouteError, RouteSpec, with_defaults

_T = TypeVar("_T")
_ROUTE_KEYS = ("id", "uri", "predicates", "filters", "order", "enabled", "metadata")
#: Aliases can make much out of little.
_MOST_VALUES = 20_000
_DEEPEST = 20


class NodeReader:
    """Values of nodes, and errors and warnings that name their lines."""

    def __init__(self, source: str, environment: Mapping[str, str]) -> None:
        self.source = source
        self.warnings: list[str] = []
        self._environment = environment
        self._left = _MOST_VALUES

    def text(self, node: Node, *, fill: bool = True) -> str:
        """A single value, placeholders filled if wanted."""
        if not isinstance(node, ScalarNode):
            raise self.error(node, "a single value is expected here")
        value = str(node.value)
        return fill_placeholders(value, self._environment, self.place(node)) if fill else value

    def items(self, node: Node) -> list[Node]:
        """The elements of a list; nothing is an empty one."""
        if isinstance(node, ScalarNode) and not node.value:
            return []
        if not isinstance(node, SequenceNode):
            raise self.error(node, "a list is expected here")
        return cast("list[Node]", node.value)

    def pairs(self, node: Node, what: str) -> dict[str, Node]:
        """The keys and values of a mapping."""
        if not isinstance(node, MappingNode):
            raise self.error(node, f"{what} is written as 'key: value' lines")
        return dict(mapping_items(node, self.source))

    def leaves(
        self, node: Node, key: str = "", depth: int = 0, *, fill: bool = True
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
            yield key, self.text(node, fill=fill)
            return
        for name, child in children:
            yield from self.leaves(child, f"{key}.{name}" if key else name, depth + 1, fill=fill)

    def place(self, node: Node) -> str:
        """``file:line``."""
        return f"{self.source}:{line_of(node)}"

    def warn(self, node: Node, message: str) -> None:
        """Remember something for people."""
        self.warnings.append(f"{self.place(node)}: {message}")

    def error(self, node: Node, message: str, hint: str = "") -> RouteError:
        """An error at a node."""
        return RouteError(f"{self.place(node)}: {message}", tried=f"read {self.source}", hint=hint)


class RouteReader:
    """Routes and their parts from nodes."""

    def __init__(self, nodes: NodeReader) -> None:
        self._nodes = nodes

    def routes(self, node: Node, defaults: Sequence[Part]) -> tuple[RouteSpec, ...]:
        """The routes of a list that are enabled."""
        nodes = self._nodes
        if not isinstance(node, SequenceNode) and not (isinstance(node, ScalarNode) and not node.value):
            raise nodes.error(node, "routes is a list: every route begins with '- id: name'")
        found = (self._route(item, n, defaults) for n, item in enumerate(nodes.items(node)))
        return tuple(route for route in found if route is not None)

    def parts(self, node: Node | None, where: str, what: str) -> tuple[Part, ...]:
        """Predicates or filters; ``where`` begins the message about a wrong one."""
        if node is None or (isinstance(node, ScalarNode) and not node.value):
            return ()
        if not isinstance(node, SequenceNode):
            raise self._nodes.error(node, f"{where}{what}s is a list")
        return tuple(self._part(item, where, what) for item in self._nodes.items(node))

    def _route(self, node: Node, number: int, defaults: Sequence[Part]) -> RouteSpec | None:
        nodes = self._nodes
        fields = {plain_key(key): (key, value) for key, value in nodes.pairs(node, "a route").items()}
        route_id = nodes.text(fields["id"][1]) if "id" in fields else f"route-{number}"
        where = f"route {route_id!r}: "
        for plain, (key, value) in fields.items():
            if plain not in _ROUTE_KEYS:
                raise nodes.error(
                    value, f"{where}key {key!r} is not known", f"known: {', '.join(_ROUTE_KEYS)}"
                )
        given = {plain: value for plain, (_, value) in fields.items()}
        if "uri" not in given:
            raise nodes.error(node, f"{where}has no uri", "uri: lb://service-name")
        if "enabled" in given and not self._checked(given["enabled"], where, "enabled", truth):
            nodes.warn(given["enabled"], f"route {route_id!r} is disabled")
            return None
        timeouts, metadata = self._metadata(given.get("metadata"), where)
        return RouteSpec(
            route_id,
            nodes.text(given["uri"]),
            self.parts(given.get("predicates"), where, "predicate"),
            with_defaults(defaults, self.parts(given.get("filters"), where, "filter")),
            self._checked(given["order"], where, "order", _order) if "order" in given else 0,
            nodes.source,
            line_of(node),
            connect_timeout_s=timeouts.get("connecttimeout"),
            response_timeout_s=timeouts.get("responsetimeout"),
            idle_timeout_s=timeouts.get("idletimeout", 0.0),
            metadata=metadata,
        )

    def _part(self, node: Node, where: str, what: str) -> Part:
        nodes = self._nodes
        if isinstance(node, ScalarNode):
            text = str(node.value)
            if what == "predicate" and "=" not in text:
                raise nodes.error(node, f"{where}predicate {text!r} has no '='", "Path=/name/**")
            if text.partition("=")[0].strip() != "RewritePath":
                text = nodes.text(node)
            return Part.shortcut(text, line_of(node))
        fields = nodes.pairs(node, f"a {what}")
        if "name" not in fields:
            raise nodes.error(node, f"{where}a {what} without a name")
        if unknown := sorted(set(fields) - {"name", "args"}):
            raise nodes.error(
                fields[unknown[0]],
                f"{where}key {unknown[0]!r} of a {what} is not known",
                "known: name, args",
            )
        name = nodes.text(fields["name"])
        named: dict[str, str] = {}
        args = fields.get("args")
        if args is not None and (not isinstance(args, ScalarNode) or args.value):
            nodes.pairs(args, "args")
            named = dict(nodes.leaves(args, fill=name != "RewritePath"))
        return Part(name, named=named, line=line_of(node))

    def _metadata(self, node: Node | None, where: str) -> tuple[dict[str, float], dict[str, str]]:
        """Seconds of the timeouts in it by plain key, and everything."""
        nodes = self._nodes
        timeouts: dict[str, float] = {}
        metadata: dict[str, str] = {}
        if node is None or (isinstance(node, ScalarNode) and not node.value):
            return timeouts, metadata
        for name, value in nodes.pairs(node, f"{where}metadata").items():
            metadata |= nodes.leaves(value, name)
            plain = plain_key(name)
            if plain in ("connecttimeout", "responsetimeout", "idletimeout"):
                timeouts[plain] = self._checked(value, where, name, duration)
                if plain == "connecttimeout" and timeouts[plain] <= 0:
                    raise nodes.error(value, f"{where}{name} is more than 0")
                timeouts[plain] = max(0.0, timeouts[plain])  # -1 is off (docs/wire/gateway.md §1)
            else:
                nodes.warn(value, f"{where}metadata {name!r} has no meaning here; /routes shows it")
        return timeouts, metadata

    def _checked(self, node: Node, where: str, name: str, read: Callable[[str, str], _T]) -> _T:
        try:
            return read(self._nodes.text(node), name)
        except ValueError as error:
            raise self._nodes.error(node, f"{where}{error}") from error


def _order(text: str, name: str) -> int:
    return whole(text, name, least=-(2**31), most=2**31 - 1)

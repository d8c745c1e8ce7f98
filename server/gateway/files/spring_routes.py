"""Routes of a Spring configuration, from the nodes of its YAML (docs/wire/gateway.md §1).

Predicates and filters in the shortcut or the long form. Placeholders are filled everywhere but
in RewritePath, whose ``${name}`` is a group.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ...spring.placeholders import UnfilledError
from ...spring.settings import line_of, place_of, plain_key
from ..routing.arguments import duration, truth, whole
from ..routing.cors import CorsRule
from ..routing.definition import LeftOut, Part, RouteError, RouteSpec, with_defaults
from ..routing.filters import SPRINGS_ALONE, check_defaults, knows_filter
from ..routing.routes import RouteTable
from .cors_file import route_rule
from .spring_nodes import NodeReader
from .wishes import Wishes

_T = TypeVar("_T")
_ROUTE_KEYS = ("id", "uri", "predicates", "filters", "order", "enabled", "metadata")
_SWITCHES = ("enable", "disable")
_GROUP = re.compile(r"\(\?<([A-Za-z][A-Za-z0-9]*)>")


class RouteReader:
    """Routes and their parts from nodes.

    Args:
        nodes: Reads values.
        wishes: What becomes of filters that are not known.
    """

    def __init__(self, nodes: NodeReader, wishes: Wishes) -> None:
        self._nodes = nodes
        self._wishes = wishes
        self.default_parts: tuple[Part, ...] = ()
        self.secure: dict[str, str] = {}
        self.closing = ""
        self._ids: set[str] = set()
        self.left_out: list[LeftOut] = []

    def defaults(self, node: Node) -> None:
        """``default-filters``: one that is not known closes every route.

        Raises:
            RouteError: with ``--strict``, one is wrong.
        """
        found = self.parts(node, "default-filters: ", "filter")
        kept = self.kept(found, "default-filters", "")
        try:
            check_defaults(kept, self._nodes.source)
        except RouteError as error:
            if self._wishes.strict:
                raise
            self.closing = without_known(error)
            unknown = next((part.name for part in kept if not knows_filter(part.name)), "")
            without = f" (--ignore-filter {unknown} goes without it)" if unknown else ""
            self._nodes.warnings.append(
                f"{self.closing}: every route is left out, as each would have it{without}"
            )
            kept = ()
        self.default_parts = kept

    def routes(self, node: Node) -> tuple[RouteSpec, ...]:
        """The routes of a list that are enabled; those that are left out are closed."""
        if not isinstance(node, SequenceNode) and not (isinstance(node, ScalarNode) and not node.value):
            raise self._nodes.error(node, "routes is a list: every route begins with '- id: name'")
        found = (self._route(item, n) for n, item in enumerate(self._nodes.items(node)))
        return tuple(route for route in found if route is not None)

    def parts(self, node: Node | None, where: str, what: str) -> tuple[Part, ...]:
        """Predicates or filters; ``where`` begins the message about a wrong one."""
        if node is None:
            return ()
        if isinstance(node, MappingNode):
            raise self._nodes.error(node, f"{where}{what}s is a list")
        return tuple(self._part(item, where, what) for item in self._nodes.items(node))

    def _route(self, node: Node, number: int) -> RouteSpec | None:
        nodes = self._nodes
        pairs = _route_of_text(node) or nodes.pairs(node, "a route")
        fields = {plain_key(key): (key, value) for key, value in pairs.items()}
        route_id = self._id(fields["id"][1]) if "id" in fields else f"route-{number}"
        where = f"route {route_id!r}: "
        for plain, (key, value) in fields.items():
            if plain not in _ROUTE_KEYS:
                nodes.warn(value, f"{where}{key} has no meaning here and is ignored")
        given = {plain: value for plain, (_, value) in fields.items()}
        if "uri" not in given:
            raise nodes.error(node, f"{where}has no uri", "uri: lb://service-name")
        if "enabled" in given and not self._checked(given["enabled"], where, "enabled", truth):
            nodes.warn(given["enabled"], f"route {route_id!r} is disabled")
            return None
        try:
            return self._spec(route_id, node, given, where)
        except UnfilledError as error:
            if self._wishes.strict:
                raise
            reason = f"{error} ({error.hint})"
            self._leave_out(route_id, reason, "")
            return None

    def _spec(self, route_id: str, node: Node, given: Mapping[str, Node], where: str) -> RouteSpec:
        nodes = self._nodes
        timeouts, metadata = self._metadata(given.get("metadata"), where)
        filters = self.kept(
            self.parts(given.get("filters"), where, "filter"), f"route {route_id!r}", route_id
        )
        spec = RouteSpec(
            route_id,
            nodes.text(given["uri"]).strip(),
            self.parts(given.get("predicates"), where, "predicate"),
            with_defaults(self.default_parts, filters),
            self._checked(given["order"], where, "order", _order) if "order" in given else 0,
            str(node.start_mark.name),
            line_of(node),
            connect_timeout_s=timeouts.get("connecttimeout"),
            response_timeout_s=timeouts.get("responsetimeout"),
            idle_timeout_s=timeouts.get("idletimeout", 0.0),
            metadata=metadata,
            cors=self._cors(given.get("metadata"), where),
        )
        return self._checked_whole(spec)

    def _id(self, node: Node) -> str:
        """The route's id; of several routes of one id each is a route, as in Spring."""
        said = route_id = self._nodes.text(node, keep=lambda name: False)
        number = 1
        while route_id in self._ids:
            number += 1
            route_id = f"{said}-{number}"
        if route_id != said:
            self._nodes.warn(
                node, f"there is another route with the id {said!r}; this one is {route_id!r} here"
            )
        self._ids.add(route_id)
        return route_id

    def _checked_whole(self, spec: RouteSpec) -> RouteSpec:
        """``spec``, or closed if something in it is not to be had here.

        Closed, not forgotten: what it would have taken is not for the routes behind it.
        """
        reason = self.closing
        if not reason:
            try:
                RouteTable([spec])
                return spec
            except RouteError as error:
                if self._wishes.strict:
                    raise
                reason = without_known(error)
        does = f"{', '.join(map(str, spec.predicates)) or 'everything'} to {spec.uri}"
        self._leave_out(spec.id, reason, does)
        return msgspec.structs.replace(spec, closed=reason)

    def _leave_out(self, route_id: str, reason: str, does: str) -> None:
        self.left_out.append(LeftOut(route_id, reason))
        if reason != self.closing:
            what = f", which was to lead {does}" if does else ""
            self._nodes.warnings.append(f"{reason}: route {route_id!r}{what}, is left out")

    def kept(self, parts: Sequence[Part], where: str, route_id: str) -> tuple[Part, ...]:
        """Without what only Spring can do, and without what is to be ignored."""
        if self._wishes.strict:
            return tuple(self._secured(x) for x in parts if x.name not in self._wishes.ignored)
        kept: list[Part] = []
        for part in map(self._secured, parts):
            purpose = SPRINGS_ALONE.get(part.name, "")
            if part.name in self._wishes.ignored:
                purpose = "it is ignored as asked for"
            if not purpose:
                kept.append(part)
                continue
            reason = (
                f"{part.place or self._nodes.source}: {where}: filter {str(part)!r} is left out: {purpose}"
            )
            self._nodes.warnings.append(reason)
            self.left_out.append(LeftOut(route_id, reason, part.name))
        return tuple(kept)

    def _secured(self, part: Part) -> Part:
        """SecureHeaders with the values of the whole gateway; its switches unless the route has its own."""
        if part.name != "SecureHeaders" or not self.secure:
            return part
        own = any(plain_key(name).rstrip(".0123456789") in _SWITCHES for name in part.named)
        general = {key: x for key, x in self.secure.items() if not (own and key in _SWITCHES)}
        given = {plain_key(name) for name in part.named}
        added = {key: x for key, x in general.items() if key not in given and f"{key}value" not in given}
        return msgspec.structs.replace(part, named=added | part.named)

    def _part(self, node: Node, where: str, what: str) -> Part:
        nodes = self._nodes
        if isinstance(node, ScalarNode):
            text = str(node.value)
            if what == "predicate" and "=" not in text:
                raise nodes.error(node, f"{where}predicate {text!r} has no '='", "Path=/name/**")
            name = text.partition("=")[0].strip()
            return msgspec.structs.replace(
                Part.shortcut(nodes.text(node, keep=_groups_of(name, text)), line_of(node)),
                place=place_of(node),
            )
        fields = nodes.pairs(node, f"a {what}")
        if "name" not in fields:
            raise nodes.error(node, f"{where}a {what} without a name")
        for unknown in sorted(set(fields) - {"name", "args"}):
            nodes.warn(
                fields[unknown], f"{where}key {unknown!r} of a {what} has no meaning; known: name, args"
            )
        name = nodes.text(fields["name"]).strip()
        named: dict[str, str] = {}
        args = fields.get("args")
        if args is not None and (not isinstance(args, ScalarNode) or args.value):
            nodes.pairs(args, "args")
            every = " ".join(text for _, text in nodes.leaves(args, keep=lambda name: True))
            named = dict(nodes.leaves(args, keep=_groups_of(name, every)))
        return Part(name, named=named, line=line_of(node), place=place_of(node))

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
                seconds = self._timeout(value, where, name)
                if seconds is not None:
                    timeouts[plain] = max(0.0, seconds)  # -1 is off (docs/wire/gateway.md §1)
            elif plain != "cors":
                nodes.warn(value, f"{where}metadata {name!r} has no meaning here; /routes shows it")
        return timeouts, metadata

    def _timeout(self, node: Node, where: str, name: str) -> float | None:
        """Seconds; None if it makes no sense, as Spring goes on without it too."""
        try:
            seconds = self._checked(node, where, name, duration)
            if plain_key(name) == "connecttimeout" and seconds <= 0:
                raise self._nodes.error(node, f"{where}{name} is more than 0")
        except RouteError as error:
            if self._wishes.strict:
                raise
            self._nodes.warnings.append(f"{error}; it is ignored, and the gateway's counts")
            return None
        return seconds

    def _cors(self, metadata: Node | None, where: str) -> CorsRule | None:
        if not isinstance(metadata, MappingNode):
            return None
        found = self._nodes.pairs(metadata, f"{where}metadata").get("cors")
        return None if found is None else route_rule(self._nodes, found, where)

    def _checked(self, node: Node, where: str, name: str, read: Callable[[str, str], _T]) -> _T:
        try:
            return read(self._nodes.text(node), name)
        except ValueError as error:
            raise self._nodes.error(node, f"{where}{error}") from error


def _route_of_text(node: Node) -> dict[str, Node]:
    """The fields of Spring's shortest form, ``id=uri, Path=/a/**, …``; none if it is not one."""
    if not isinstance(node, ScalarNode):
        return {}
    route_id, equals, rest = str(node.value).partition("=")
    uri, _, predicates = rest.partition(",")
    if not equals or not uri.strip():
        return {}
    texts = {"id": route_id.strip(), "uri": uri.strip(), "predicates": predicates}
    return {
        key: ScalarNode(node.tag, text, node.start_mark, node.end_mark) for key, text in texts.items() if text
    }


def _groups_of(name: str, text: str) -> Callable[[str], bool] | None:
    """For RewritePath: which names are groups of its expression. Elsewhere none are."""
    if not name.startswith("Rewrite"):
        return None
    groups = frozenset(_GROUP.findall(text))
    return groups.__contains__


def without_known(error: RouteError) -> str:
    """The message without the list of what is known."""
    return str(error).partition("; known:")[0]


def _order(text: str, name: str) -> int:
    return whole(text, name, least=-(2**31), most=2**31 - 1)

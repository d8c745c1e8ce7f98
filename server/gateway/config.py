"""Reads routes from files: Spring's YAML as it is, or our TOML.

Every error and warning names file and line. Keys of a Spring configuration that mean nothing
here are named in a warning; an unknown predicate, filter or key of a route is an error, because
ignoring it would route differently.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from core.errors import UsageError

from .balance import Balancing
from .balance_file import PREFIX, SpringBalance, read_toml_balance
from .definition import Part, RouteError, RouteSpec
from .routes import RouteTable

_ROUTES = ("spring.cloud.gateway.routes", "spring.cloud.gateway.server.webflux.routes")
_DEFAULT_FILTERS = (
    "spring.cloud.gateway.default-filters",
    "spring.cloud.gateway.server.webflux.default-filters",
)
_ROUTE_KEYS = ("id", "uri", "predicates", "filters", "order", "enabled", "metadata")


class GatewayFile(msgspec.Struct, frozen=True):
    """What a configuration file says about a gateway.

    Attributes:
        routes: As written, in order.
        port: ``server.port``, if it is there.
        name: ``spring.application.name``, if it is there.
        warnings: For people: what was ignored. (What is never reached, the gateway says itself.)
        balancing: How the instances of services are chosen and checked.
    """

    routes: tuple[RouteSpec, ...]
    port: int | None = None
    name: str | None = None
    warnings: tuple[str, ...] = ()
    balancing: Balancing = Balancing()


def load_gateway_file(path: Path) -> GatewayFile:
    """Read a ``.yml``, ``.yaml`` or ``.toml`` file.

    Raises:
        RouteError: the file is not there, is not understood, or a route in it is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RouteError(f"{path}: cannot be read: {error}", tried=f"read {path}") from error
    if path.suffix == ".toml":
        return parse_toml(text, str(path))
    return parse_spring_yaml(text, str(path))


def parse_spring_yaml(text: str, source: str = "application.yml") -> GatewayFile:
    """Read a Spring configuration with ``spring.cloud.gateway.routes`` (or the newer key).

    Raises:
        RouteError: names file and line.
    """
    reader = _SpringReader(source)
    try:
        documents = yaml.compose_all(text, Loader=yaml.SafeLoader)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        for document in cast("Iterator[Node]", documents):
            reader.read(document)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f":{mark.line + 1}" if mark is not None else ""
        raise RouteError(f"{source}{line}: not YAML: {error.problem}", tried=f"read {source}") from error
    except yaml.YAMLError as error:
        raise RouteError(f"{source}: not YAML: {error}", tried=f"read {source}") from error
    return reader.result()


class _SpringReader:
    """Collects what the documents of one file say."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._routes: dict[str, tuple[RouteSpec, ...]] = {}
        self._port: int | None = None
        self._name: str | None = None
        self._warnings: list[str] = []
        self._balance = SpringBalance()

    def read(self, document: Node) -> None:
        for key, node in _flatten(document):
            if key in _ROUTES:
                self._routes[key] = tuple(self._read_routes(node))
            elif key in _DEFAULT_FILTERS or key.startswith(_DEFAULT_FILTERS):
                raise self._error(node, f"{key} is not supported", "give each route its filters")
            elif key == "server.port" and isinstance(node, ScalarNode) and str(node.value).isdigit():
                self._port = int(node.value)
            elif key == "spring.application.name" and isinstance(node, ScalarNode):
                self._name = str(node.value)
            elif not self._takes_balance(key, node):
                self._warnings.append(f"{self._place(node)}: {key} has no meaning here and is ignored")

    def _takes_balance(self, key: str, node: Node) -> bool:
        if not key.startswith(PREFIX) or not isinstance(node, ScalarNode):
            return False
        try:
            return self._balance.take(key.removeprefix(PREFIX), str(node.value))
        except UsageError as error:
            raise self._error(node, f"{key}: {error}", error.hint) from error

    def result(self) -> GatewayFile:
        found = [self._routes[key] for key in _ROUTES if key in self._routes]
        routes = found[-1] if found else ()  # the newer key wins (spec A1)
        RouteTable(routes)  # a wrong route is an error of the file
        return GatewayFile(routes, self._port, self._name, tuple(self._warnings), self._balance.result())

    def _read_routes(self, node: Node) -> Iterator[RouteSpec]:
        if not isinstance(node, SequenceNode):
            raise self._error(node, "routes is a list: every route begins with '- id: name'")
        for number, item in enumerate(cast("list[Node]", node.value)):
            spec = self._read_route(item, number)
            if spec is not None:
                yield spec

    def _read_route(self, node: Node, number: int) -> RouteSpec | None:
        fields = dict(self._pairs(node, "a route"))
        route_id = self._scalar(fields["id"]) if "id" in fields else f"route-{number}"
        for key, value in fields.items():
            if key not in _ROUTE_KEYS:
                raise self._error(
                    value, f"route {route_id!r}: key {key!r} is not known", f"known: {', '.join(_ROUTE_KEYS)}"
                )
        if "uri" not in fields:
            raise self._error(node, f"route {route_id!r}: has no uri", "uri: lb://service-name")
        if "metadata" in fields:
            self._warnings.append(
                f"{self._place(fields['metadata'])}: route {route_id!r}: metadata is ignored"
            )
        if "enabled" in fields and self._scalar(fields["enabled"]).lower() == "false":
            self._warnings.append(f"{self._place(fields['enabled'])}: route {route_id!r} is disabled")
            return None
        order = self._scalar(fields["order"]) if "order" in fields else "0"
        if not re.fullmatch(r"-?\d+", order):
            raise self._error(fields["order"], f"route {route_id!r}: order is a number, not {order!r}")
        return RouteSpec(
            route_id,
            self._scalar(fields["uri"]),
            self._parts(fields.get("predicates"), route_id, "predicate"),
            self._parts(fields.get("filters"), route_id, "filter"),
            int(order),
            self._source,
            _line(node),
        )

    def _parts(self, node: Node | None, route_id: str, what: str) -> tuple[Part, ...]:
        if node is None or (isinstance(node, ScalarNode) and not node.value):
            return ()
        if not isinstance(node, SequenceNode):
            raise self._error(node, f"route {route_id!r}: {what}s is a list")
        return tuple(self._part(item, route_id, what) for item in cast("list[Node]", node.value))

    def _part(self, node: Node, route_id: str, what: str) -> Part:
        if isinstance(node, ScalarNode):
            text = str(node.value)
            if what == "predicate" and "=" not in text:
                raise self._error(node, f"route {route_id!r}: predicate {text!r} has no '='", "Path=/name/**")
            return Part.shortcut(text, _line(node))
        fields = dict(self._pairs(node, f"a {what}"))
        if "name" not in fields:
            raise self._error(node, f"route {route_id!r}: a {what} without a name")
        named: dict[str, str] = {}
        if "args" in fields:
            for key, value in self._pairs(fields["args"], "args"):
                for suffix, scalar in self._values(value):
                    named[key + suffix] = scalar
        return Part(self._scalar(fields["name"]), named=named, line=_line(node))

    def _values(self, node: Node) -> Iterator[tuple[str, str]]:
        if isinstance(node, SequenceNode):
            for number, item in enumerate(cast("list[Node]", node.value)):
                yield f".{number}", self._scalar(item)
        else:
            yield "", self._scalar(node)

    def _pairs(self, node: Node, what: str) -> Iterator[tuple[str, Node]]:
        if not isinstance(node, MappingNode):
            raise self._error(node, f"{what} is written as 'key: value' lines")
        for key, value in cast("list[tuple[Node, Node]]", node.value):
            yield self._scalar(key), value

    def _scalar(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            raise self._error(node, "a single value is expected here")
        return str(node.value)

    def _place(self, node: Node) -> str:
        return f"{self._source}:{_line(node)}"

    def _error(self, node: Node, message: str, hint: str = "") -> RouteError:
        return RouteError(f"{self._place(node)}: {message}", tried=f"read {self._source}", hint=hint)


def _flatten(node: Node, prefix: str = "") -> Iterator[tuple[str, Node]]:
    """Dotted keys and their nodes; nested and dotted spelling are the same to Spring."""
    if not isinstance(node, MappingNode):
        if prefix:
            yield prefix, node
        return
    for key, value in cast("list[tuple[Node, Node]]", node.value):
        name = str(getattr(key, "value", ""))
        yield from _flatten(value, f"{prefix}.{name}" if prefix else name)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def parse_toml(text: str, source: str = "gateway.toml") -> GatewayFile:
    """Read our TOML: ``port``, ``[[routes]]`` with id, uri, predicates, filters, order, and ``[balance]``.

    Raises:
        RouteError: names file and line.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RouteError(f"{source}: not TOML: {error}", tried=f"read {source}") from error
    unknown = sorted(set(data) - {"port", "routes", "balance"})
    if unknown:
        raise RouteError(f"{source}: key {unknown[0]!r} is not known", hint="known: port, routes, balance")
    try:
        balancing = read_toml_balance(data.get("balance", {}))
    except UsageError as error:
        raise RouteError(f"{source}: {error}", tried=f"read {source}", hint=error.hint) from error
    lines = [n for n, line in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[\s*routes\s*\]\]", line)]
    routes: list[RouteSpec] = []
    for number, item in enumerate(cast("list[dict[str, Any]]", data.get("routes", []))):
        line = lines[number] if number < len(lines) else None
        routes.append(_toml_route(item, number, source, line))
    RouteTable(routes)  # a wrong route is an error of the file
    port = data.get("port")
    return GatewayFile(tuple(routes), port if isinstance(port, int) else None, balancing=balancing)


class _TomlRoute(msgspec.Struct, forbid_unknown_fields=True):
    uri: str
    predicates: list[str]
    id: str = ""
    filters: list[str] = []
    order: int = 0


def _toml_route(item: dict[str, Any], number: int, source: str, line: int | None) -> RouteSpec:
    name = str(item.get("id", f"route-{number}"))
    try:
        route = msgspec.convert(item, _TomlRoute)
    except msgspec.ValidationError as error:
        place = f"{source}:{line}" if line is not None else source
        raise RouteError(f"{place}: route {name!r}: {error}", tried=f"read {source}") from error
    return RouteSpec(
        name,
        route.uri,
        tuple(Part.shortcut(text, line) for text in route.predicates),
        tuple(Part.shortcut(text, line) for text in route.filters),
        route.order,
        source,
        line,
    )

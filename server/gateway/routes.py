"""Routes: from their definition to "which one takes this path, and what becomes of it".

A definition is what Spring's ``spring.cloud.gateway.routes`` holds; :mod:`.config` reads it from
files. What is not known here is an error that names route and line; what can never be reached
is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import msgspec

from core.errors import UsageError

from .heads import Header
from .paths import PathFilter, PathPattern, rewrite_path, strip_prefix
from .request import RouteRequest
from .retry import Retry

_SERVICE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_SCHEMES = ("http", "https", "ws", "wss")


class RouteError(UsageError):
    """A route definition is wrong; names the route and, where known, file and line."""


class Part(msgspec.Struct, frozen=True):
    """A predicate or filter: name and arguments, by position (shortcut form) or by name."""

    name: str
    arguments: tuple[str, ...] = ()
    named: dict[str, str] = {}
    line: int | None = None

    @classmethod
    def shortcut(cls, text: str, line: int | None = None) -> Part:
        """Read ``Name=a,b``: tokens are trimmed, empty ones dropped (spec A1)."""
        name, _, rest = text.partition("=")
        tokens = tuple(token.strip() for token in rest.split(",") if token.strip())
        return cls(name.strip(), tokens, line=line)


class RouteSpec(msgspec.Struct, frozen=True):
    """One route as written.

    Attributes:
        id: Name, for messages; must be unique.
        uri: ``lb://service``, ``lb:ws://service``, or ``http(s)://host:port``, ``ws(s)://host:port``.
        predicates: At least one; all must hold.
        filters: Applied in order.
        order: Lower first; ties keep their order.
        source: File, for messages.
        line: Line in it, for messages.
    """

    id: str
    uri: str
    predicates: tuple[Part, ...]
    filters: tuple[Part, ...] = ()
    order: int = 0
    source: str = ""
    line: int | None = None


def route_spec(id: str, uri: str, predicates: Iterable[str], filters: Iterable[str] = ()) -> RouteSpec:
    """A route from shortcuts: ``route_spec("a", "lb://a", ["Path=/a/**"], ["StripPrefix=1"])``."""
    return RouteSpec(
        id, uri, tuple(Part.shortcut(x) for x in predicates), tuple(Part.shortcut(x) for x in filters)
    )


#: The article's route, with the prefix rewritten away.
DEFAULT_ROUTES: tuple[RouteSpec, ...] = (
    route_spec(
        "web-socket",
        "lb://web-socket",
        ["Path=/web-socket/**"],
        [r"RewritePath=/web-socket/?(?<path>.*), /$\{path}"],
    ),
)


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a route leads: a service of the registry, or a fixed address.

    ``websocket_only`` is a fixed ``ws:`` address: plain requests do not go there (spec A5).
    """

    service: str = ""
    host: str = ""
    port: int = 0
    secure: bool = False
    websocket_only: bool = False


@dataclass(frozen=True, slots=True)
class Timeouts:
    """A route's own limits in seconds; None: those of the gateway, 0: none."""

    connect_s: float | None = None
    response_s: float | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """A route, ready for use.

    ``idle_timeout`` is in seconds; 0 is off.
    """

    id: str
    uri: str
    upstream: Upstream
    patterns: tuple[tuple[PathPattern, ...], ...]
    filters: tuple[PathFilter, ...]
    spec: RouteSpec = field(repr=False)
    preserve_host: bool = False
    retry: Retry | None = None
    timeouts: Timeouts = Timeouts()
    idle_timeout: float = 0.0

    def matches(self, request: RouteRequest) -> bool:
        """Whether all predicates hold; within one Path predicate any pattern will do."""
        return all(any(x.match(request.path) is not None for x in anyof) for anyof in self.patterns)

    def path_for(self, request: RouteRequest) -> str:
        """The raw path that upstream is asked for."""
        path = request.path
        for apply in self.filters:
            path = apply(path)
        return path

    def request_headers(self, request: RouteRequest, headers: list[Header]) -> list[Header]:
        """What the filters make of the headers for upstream, which are already end to end."""
        return headers

    def response_headers(self, request: RouteRequest, headers: list[Header]) -> list[Header]:
        """What the filters make of the headers of upstream's answer, which are already end to end."""
        return headers


class RouteTable:
    """The routes in the order in which they are tried.

    Raises:
        RouteError: the first definition that is wrong.
    """

    def __init__(self, specs: Sequence[RouteSpec]) -> None:
        seen: dict[str, RouteSpec] = {}
        for spec in specs:
            if spec.id in seen:
                raise _error(spec, f"there is another route with the id {spec.id!r}")
            seen[spec.id] = spec
        self.routes = tuple(_build(spec) for spec in sorted(specs, key=lambda spec: spec.order))
        self.warnings = tuple(_shadowed(self.routes))

    def find(self, request: RouteRequest) -> Route | None:
        """The first route that takes ``request``."""
        for route in self.routes:
            if route.matches(request):
                return route
        return None


def _shadowed(routes: Sequence[Route]) -> Iterable[str]:
    for index, route in enumerate(routes):
        for earlier in routes[:index]:
            if _covers(earlier, route):
                where = _where(route.spec)
                yield (
                    f"{where}route {route.id!r} is never reached: {earlier.id!r} before it takes "
                    f"everything that it would take"
                )
                break


def _covers(earlier: Route, later: Route) -> bool:
    if len(earlier.patterns) != 1 or not later.patterns:
        return False
    first = earlier.patterns[0]
    return any(all(any(x.covers(y) for x in first) for y in anyof) for anyof in later.patterns)


def _build(spec: RouteSpec) -> Route:
    if not spec.predicates:
        raise _error(spec, "has no predicate", hint="give it one, such as Path=/name/**")
    patterns = tuple(_predicate(spec, part) for part in spec.predicates)
    filters = tuple(_filter(spec, part) for part in spec.filters)
    return Route(spec.id, spec.uri, _upstream(spec), patterns, filters, spec)


def _predicate(spec: RouteSpec, part: Part) -> tuple[PathPattern, ...]:
    if part.name != "Path":
        raise _error(spec, f"predicate {part.name!r} is not known here", part, "known: Path")
    patterns = part.arguments or _values(part, "patterns", "pattern")
    # A last token of true or false is matchTrailingSlash (spec A1); we always accept the slash.
    if len(patterns) > 1 and patterns[-1] in ("true", "false"):
        patterns = patterns[:-1]
    if not patterns:
        raise _error(spec, "Path needs a pattern", part, "write Path=/name/**")
    try:
        return tuple(PathPattern(pattern) for pattern in patterns)
    except ValueError as error:
        raise _error(spec, str(error), part) from error


def _filter(spec: RouteSpec, part: Part) -> PathFilter:
    build = _FILTERS.get(part.name)
    if build is None:
        raise _error(
            spec, f"filter {part.name!r} is not known here", part, f"known: {', '.join(sorted(_FILTERS))}"
        )
    try:
        return build(part)
    except ValueError as error:
        raise _error(spec, f"{part.name}: {error}", part) from error


def _build_rewrite(part: Part) -> PathFilter:
    arguments = part.arguments or _values(part, "regexp") + _values(part, "replacement")
    if len(arguments) != 2:
        raise ValueError("takes a regular expression and a replacement, separated by one comma")
    return rewrite_path(*arguments)


def _build_strip(part: Part) -> PathFilter:
    arguments = part.arguments or _values(part, "parts") or ("1",)
    if len(arguments) != 1 or not arguments[0].isdigit():
        raise ValueError(f"takes a number of segments, not {', '.join(arguments)!r}")
    return strip_prefix(int(arguments[0]))


_FILTERS: Mapping[str, Callable[[Part], PathFilter]] = {
    "RewritePath": _build_rewrite,
    "StripPrefix": _build_strip,
}


def _values(part: Part, *names: str) -> tuple[str, ...]:
    """Named arguments: ``name``, ``name.0``, ``name.1``, and Spring's ``_genkey_0``."""
    wanted = {re.sub(r"\W", "", name).lower() for name in names}
    return tuple(
        value
        for key, value in part.named.items()
        if key.partition(".")[0].replace("-", "").lower() in wanted or key.startswith("_genkey_")
    )


def _upstream(spec: RouteSpec) -> Upstream:
    uri = spec.uri
    balanced = uri.startswith("lb:")
    # "lb://name", or "lb:ws://name" where the scheme behind lb is a wish that the registry decides.
    rest = uri[3:] if balanced and not uri.startswith("lb://") else uri
    try:
        parts = urlsplit(rest)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _error(spec, f"uri {uri!r}: {error}") from error
    if balanced:
        service = parts.netloc
        if parts.scheme not in ("lb", *_SCHEMES) or not _SERVICE.fullmatch(service):
            raise _error(
                spec,
                f"invalid host in uri {uri!r}",
                hint="lb://service-name: letters, digits, '-' and '.'",
            )
        return Upstream(service=service)
    if parts.scheme not in _SCHEMES or not host:
        raise _error(spec, f"uri {uri!r} is not understood", hint="write lb://service or http://host:port")
    secure = parts.scheme in ("https", "wss")
    return Upstream(
        host=host,
        port=port or (443 if secure else 80),
        secure=secure,
        websocket_only=parts.scheme in ("ws", "wss"),
    )


def _where(spec: RouteSpec, line: int | None = None) -> str:
    at = line if line is not None else spec.line
    if not spec.source:
        return ""
    return f"{spec.source}:{at}: " if at is not None else f"{spec.source}: "


def _error(spec: RouteSpec, message: str, part: Part | None = None, hint: str = "") -> RouteError:
    where = _where(spec, part.line if part is not None else None)
    return RouteError(f"{where}route {spec.id!r}: {message}", tried="build the routes", hint=hint)

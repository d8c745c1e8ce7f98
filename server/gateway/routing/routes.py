"""Routes: which one takes a request, and what becomes of it on the way.

:mod:`.definition` is what is written, :mod:`..files` reads it. All is compiled when a
table is built: an error names route and line, what can never be reached is a warning. Finding is
a pure function of the request but for the clock and, where routes have weights, chance.
"""

from __future__ import annotations

import random
import re
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeVar
from urllib.parse import urlsplit

from ..heads import Header
from .conditions import Condition, Host, Path, Time
from .definition import DEFAULT_ROUTES, Part, RouteError, RouteSpec, route_spec
from .filters import Filters, build_filter, join_filters
from .predicates import Clock, Weight, build_predicate, explosive
from .request import RouteRequest
from .retry import Retry
from .shadows import takes_all_of
from .templates import NO_VARIABLES, Variables

__all__ = [
    "DEFAULT_ROUTES",
    "Route",
    "RouteError",
    "RouteRequest",
    "RouteSpec",
    "RouteTable",
    "Timeouts",
    "Upstream",
    "route_spec",
]

_SERVICE = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?")
_T = TypeVar("_T")
_SCHEMES = ("http", "https", "ws", "wss")


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a route leads: a service of the registry, or a fixed address.

    ``websocket_only`` is a fixed ``ws:`` address: plain requests do not go there (docs/wire/gateway.md §5).
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

    ``conditions`` stand in the order in which they are asked, the cheap ones first.
    """

    id: str
    uri: str
    upstream: Upstream
    conditions: tuple[Condition, ...]
    weights: tuple[Weight, ...]
    filters: Filters
    spec: RouteSpec = field(repr=False)

    @property
    def closed(self) -> str:
        """Why nothing may go this way, or ""."""
        return self.spec.closed

    @property
    def retry(self) -> Retry | None:
        """When plain requests are asked again."""
        return self.filters.retry

    @property
    def timeouts(self) -> Timeouts:
        """The route's own limits."""
        return Timeouts(self.spec.connect_timeout_s, self.spec.response_timeout_s)

    @property
    def idle_timeout(self) -> float:
        """Seconds after which a silent WebSocket is cut; 0 is off."""
        return self.spec.idle_timeout_s

    def matches(self, request: RouteRequest) -> bool:
        """Whether all predicates but Weight hold; one that fails with an error does not.

        See docs/wire/gateway.md §1.
        """
        if self.closed and not self.conditions:
            return False
        try:
            for condition in self.conditions:
                if not condition.holds(request):
                    return False
        except ValueError:
            return False
        return True

    def path_for(self, request: RouteRequest) -> str:
        """The raw path that upstream is asked for."""
        path = request.path
        variables = self._variables(request)
        for apply in self.filters.path:
            path = apply(path, variables)
        return path

    def target_for(self, request: RouteRequest, path: str) -> bytes:
        """The request target that upstream is asked for: ``path`` with the query that filters make."""
        query = request.query
        for apply in self.filters.query:
            query = apply(query, self._variables(request))
        wanted = path.encode("latin-1")
        return wanted + b"?" + query if query else wanted

    def host_for(self, request: RouteRequest, authority: str) -> bytes:
        """The Host header for upstream: that of its own address unless a filter wants another."""
        if self.filters.host is not None:
            return self.filters.host.fill_bytes(self._variables(request))
        theirs = request.values(b"host") if self.filters.preserve_host else []
        return theirs[0] if theirs else authority.encode()

    def request_headers(self, request: RouteRequest, headers: list[Header]) -> list[Header]:
        """What the filters make of the headers for upstream, which are already end to end."""
        return self._changed(self.filters.request, request, headers)

    def response_headers(self, request: RouteRequest, headers: list[Header]) -> list[Header]:
        """What the filters make of the headers of upstream's answer, which are already end to end."""
        return self._changed(self.filters.response, request, headers)

    def _changed(
        self,
        filters: Sequence[Callable[[list[Header], Variables], list[Header]]],
        request: RouteRequest,
        headers: list[Header],
    ) -> list[Header]:
        if not filters:
            return headers
        variables = self._variables(request)
        for apply in filters:
            headers = apply(headers, variables)
        return headers

    def _variables(self, request: RouteRequest) -> Variables:
        if not self.filters.names:
            return NO_VARIABLES
        variables: dict[str, str] = {}
        for condition in self.conditions:
            if isinstance(condition, Path | Host):
                variables |= condition.captured(request)
        return variables


class RouteTable:
    """The routes in the order in which they are tried.

    Args:
        specs: As written.
        clock: Tells the time in epoch seconds.
        chance: A number from 0 to 1 without 1, for weights.

    Raises:
        RouteError: the first definition that is wrong.
    """

    def __init__(
        self,
        specs: Sequence[RouteSpec],
        clock: Clock = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        seen: dict[str, RouteSpec] = {}
        for spec in specs:
            if spec.id in seen:
                raise spec.error(f"there is another route with the id {spec.id!r}")
            seen[spec.id] = spec
        self.routes = tuple(_build(spec, clock) for spec in sorted(specs, key=lambda spec: spec.order))
        self.warnings = (*_shadowed(self.routes), *_over(self.routes), *_explosive(self.routes))
        self._chance = chance
        self._groups = _groups(self.routes)

    def find(self, request: RouteRequest) -> Route | None:
        """The first route that takes ``request``."""
        chosen: dict[str, str] = {}  # the route of each group whose turn it is for this request
        for route in self.routes:
            if route.matches(request) and (not route.weights or self._has_turn(route, chosen)):
                return route
        return None

    def _has_turn(self, route: Route, chosen: dict[str, str]) -> bool:
        """Whether the one random number per request and group falls to ``route``.

        See docs/wire/gateway.md §2.
        """
        for weight in route.weights:
            if weight.group not in chosen:
                chosen[weight.group] = self._groups[weight.group].pick(self._chance())
            if chosen[weight.group] != route.id:
                return False
        return True


@dataclass(frozen=True, slots=True)
class _Group:
    """The routes of one group and where the share of each ends, of a whole of 1."""

    ids: tuple[str, ...]
    ends: tuple[float, ...]

    def pick(self, number: float) -> str:
        # The last sum may be a little less than 1.
        return self.ids[min(bisect_right(self.ends, number), len(self.ids) - 1)]


def _groups(routes: Iterable[Route]) -> dict[str, _Group]:
    members: dict[str, list[tuple[str, int]]] = {}
    for route in routes:
        for weight in route.weights:
            members.setdefault(weight.group, []).append((route.id, weight.weight))
    groups: dict[str, _Group] = {}
    for name, listed in members.items():
        listed = [(id, weight) for id, weight in listed if weight] or listed
        total = sum(weight for _, weight in listed) or 1
        ends = accumulate(weight / total for _, weight in listed)
        groups[name] = _Group(tuple(id for id, _ in listed), tuple(ends))
    return groups


def _shadowed(routes: Sequence[Route]) -> Iterable[str]:
    for index, route in enumerate(routes):
        for earlier in () if route.closed else routes[:index]:
            if earlier.closed and not earlier.conditions:
                continue
            if not earlier.weights and takes_all_of(earlier.conditions, route.conditions):
                line = f" (line {earlier.spec.line})" if earlier.spec.line is not None else ""
                yield (
                    f"{route.spec.where()}route {route.id!r} is never reached: {earlier.id!r}{line} "
                    f"before it takes everything that it would take"
                )
                break


def _over(routes: Sequence[Route]) -> Iterable[str]:
    for route in routes:
        if any(isinstance(x, Time) and x.before <= x.clock() for x in route.conditions):
            yield f"{route.spec.where()}route {route.id!r} is never reached: its time is over"


def _explosive(routes: Sequence[Route]) -> Iterable[str]:
    for route in routes:
        for part in (*route.spec.predicates, *route.spec.filters):
            if expression := explosive(part):
                yield (
                    f"{route.spec.where(part.line)}route {route.id!r}: {part.name}: {expression!r} "
                    f"repeats a repetition: on some texts it can take very long"
                )


def _build(spec: RouteSpec, clock: Clock) -> Route:
    if spec.closed:
        return _closed(spec, clock)
    if not spec.predicates:
        raise spec.error("has no predicate", hint="give it one, such as Path=/name/**")
    predicates = [
        _with_place(spec, part, lambda part: build_predicate(part, clock)) for part in spec.predicates
    ]
    weights = tuple(x for x in predicates if isinstance(x, Weight))
    conditions = [x for x in predicates if not isinstance(x, Weight)]
    if len({weight.group for weight in weights}) < len(weights):
        raise spec.error("has two weights in one group")
    captured = _captured(conditions)
    steps = [_with_place(spec, part, build_filter) for part in spec.filters]
    for part, step in zip(spec.filters, steps, strict=True):
        if missing := sorted(step.names - captured):
            raise spec.error(
                f"{part.name}: not every pattern of the route captures {{{missing[0]}}}",
                part,
                f"captured: {', '.join(sorted(captured)) or 'nothing'}",
            )
    return Route(
        spec.id,
        spec.uri,
        _upstream(spec),
        tuple(sorted(conditions, key=lambda condition: condition.rank)),
        weights,
        join_filters(steps),
        spec,
    )


def _closed(spec: RouteSpec, clock: Clock) -> Route:
    """A route that takes what it would have taken and leads nowhere; without predicates it takes nothing."""
    conditions: list[Condition] = []
    for part in spec.predicates:
        try:
            condition = build_predicate(part, clock)
        except ValueError:
            conditions.clear()  # nobody knows what it would have taken
            break
        if not isinstance(condition, Weight):
            conditions.append(condition)
    ranked = tuple(sorted(conditions, key=lambda condition: condition.rank))
    return Route(spec.id, spec.uri, Upstream(), ranked, (), join_filters(()), spec)


def _with_place(spec: RouteSpec, part: Part, build: Callable[[Part], _T]) -> _T:
    try:
        return build(part)
    except ValueError as error:
        raise spec.error(str(error), part) from error


def _captured(conditions: Iterable[Condition]) -> frozenset[str]:
    """The variables that are there whenever the conditions hold."""
    names: set[str] = set()
    for condition in conditions:
        if isinstance(condition, Path | Host):
            first, *others = (pattern.names for pattern in condition.patterns)
            names |= first.intersection(*others)
    return frozenset(names)


def _upstream(spec: RouteSpec) -> Upstream:
    uri = spec.uri
    scheme = uri.partition(":")[0]
    uri = uri if scheme.islower() else scheme.lower() + uri[len(scheme) :]
    balanced = uri.startswith("lb:")
    # "lb://name", or "lb:ws://name" where the scheme behind lb is a wish that the registry decides.
    rest = uri[3:] if balanced and not uri.startswith("lb://") else uri
    try:
        parts = urlsplit(rest)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise spec.error(f"uri {uri!r}: {error}") from error
    if balanced:
        service = parts.netloc.rpartition("@")[2].partition(":")[0]  # its port is the registry's affair
        if parts.scheme not in ("lb", *_SCHEMES) or not _SERVICE.fullmatch(service):
            raise spec.error(
                f"invalid host in uri {uri!r}", hint="lb://service-name: letters, digits, '-', '_' and '.'"
            )
        return Upstream(service=service)
    if parts.scheme not in _SCHEMES or not host:
        raise spec.error(f"uri {uri!r} is not understood", hint="write lb://service or http://host:port")
    secure = parts.scheme in ("https", "wss")
    return Upstream(
        host=host,
        port=port or (443 if secure else 80),
        secure=secure,
        websocket_only=parts.scheme in ("ws", "wss"),
    )

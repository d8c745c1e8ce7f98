"""Routes as they are written: Spring's ``RouteDefinition`` as values, and the error about one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest

import msgspec

from core.errors import UsageError

from .cors import CorsRule

_HEADER_VALUE = re.compile(r"(?:Add|Set)(?:Request|Response)Header")
_SECRET = re.compile(r"(?i)auth|token|secret|passw|key|cookie")


class RouteError(UsageError):
    """A route definition is wrong; names the route and, where known, file and line."""


class LeftOut(msgspec.Struct, frozen=True):
    """Something of a file that has no effect: a filter of a route, or a whole route.

    Attributes:
        route: Its id; "" for ``default-filters``.
        reason: What it is, where it stands, and why.
        filter: The filter's name; "" if the whole route is left out.
    """

    route: str
    reason: str
    filter: str = ""


class Part(msgspec.Struct, frozen=True):
    """A predicate or filter: name and arguments, by position (shortcut form) or by name."""

    name: str
    arguments: tuple[str, ...] = ()
    named: dict[str, str] = {}
    line: int | None = None
    place: str = ""

    @classmethod
    def shortcut(cls, text: str, line: int | None = None) -> Part:
        """Read ``Name=a,b``: tokens are trimmed, empty ones dropped (docs/wire/gateway.md §1)."""
        name, _, rest = text.partition("=")
        tokens = tuple(token.strip() for token in rest.split(",") if token.strip())
        return cls(name.strip(), tokens, line=line)

    def __str__(self) -> str:
        """For people; without the values of headers that seem to hold secrets."""
        header = self.named.get("name", self.arguments[0] if self.arguments else "")
        secret = _HEADER_VALUE.fullmatch(self.name) is not None and _SECRET.search(header) is not None
        values = [header, "***"] if secret and self.arguments else self.arguments
        named = (f"{key}: {'***' if secret and key != 'name' else x}" for key, x in self.named.items())
        shown = [*values, *named]
        return f"{self.name}={', '.join(shown)}" if shown else self.name


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
        connect_timeout_s: For one instance; None: the gateway's.
        response_timeout_s: Until the head of the answer; None: the gateway's, 0: no limit.
        idle_timeout_s: After which a silent WebSocket is cut; 0: never.
        metadata: Whatever else the file says about the route, for people.
        cors: Which pages may ask; None: what the gateway says of the path.
        closed: Why nothing may go this way; what it takes is answered 404, and not by a route behind it.
    """

    id: str
    uri: str
    predicates: tuple[Part, ...]
    filters: tuple[Part, ...] = ()
    order: int = 0
    source: str = ""
    line: int | None = None
    connect_timeout_s: float | None = None
    response_timeout_s: float | None = None
    idle_timeout_s: float = 0.0
    metadata: dict[str, str] = {}
    cors: CorsRule | None = None
    closed: str = ""

    def where(self, line: int | None = None) -> str:
        """``file:line: `` of the route, or of the line given; empty if it comes from no file."""
        at = line if line is not None else self.line
        if not self.source:
            return ""
        return f"{self.source}:{at}: " if at is not None else f"{self.source}: "

    def error(self, message: str, part: Part | None = None, hint: str = "") -> RouteError:
        """An error about this route, at the line of ``part`` if that is known."""
        where = self.where(part.line if part is not None else None)
        if part is not None and part.place:
            where = f"{part.place}: "
        return RouteError(f"{where}route {self.id!r}: {message}", tried="build the routes", hint=hint)


def route_spec(
    id: str,
    uri: str,
    predicates: Iterable[str],
    filters: Iterable[str] = (),
    *,
    connect_timeout_s: float | None = None,
    response_timeout_s: float | None = None,
    idle_timeout_s: float = 0.0,
) -> RouteSpec:
    """A route from shortcuts: ``route_spec("a", "lb://a", ["Path=/a/**"], ["StripPrefix=1"])``."""
    return RouteSpec(
        id,
        uri,
        tuple(Part.shortcut(x) for x in predicates),
        tuple(Part.shortcut(x) for x in filters),
        connect_timeout_s=connect_timeout_s,
        response_timeout_s=response_timeout_s,
        idle_timeout_s=idle_timeout_s,
    )


def with_defaults(defaults: Sequence[Part], filters: Sequence[Part]) -> tuple[Part, ...]:
    """``default-filters`` and a route's own, merged by number, the default first.

    See docs/wire/gateway.md §3.
    """
    pairs = zip_longest(defaults, filters)
    return tuple(part for pair in pairs for part in pair if part is not None)


#: The article's route, with the prefix stripped away, whatever parameters it has.
DEFAULT_ROUTES: tuple[RouteSpec, ...] = (
    route_spec(
        "web-socket",
        "lb://web-socket",
        ["Path=/web-socket/**"],
        ["StripPrefix=1"],
    ),
)

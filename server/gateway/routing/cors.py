"""Which pages may ask through the gateway, and what their browsers are told (Fetch standard, CORS; pure).

As Spring's ``DefaultCorsProcessor``: a preflight is answered by the gateway, whether a route's service knows
CORS or not; a request of a page that may not is 403, a WebSocket's handshake too. Where the files say nothing
of CORS nothing is done, and services answer for themselves. (Spring refuses every preflight then.)
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from ...access.origins import Origins
from ..heads import Header
from .paths import PathPattern
from .request import RouteRequest

ANY = "*"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_VARY: tuple[Header, ...] = (
    (b"vary", b"Origin"),
    (b"vary", b"Access-Control-Request-Method"),
    (b"vary", b"Access-Control-Request-Headers"),
)


class CorsRule(msgspec.Struct, frozen=True, kw_only=True):
    """What pages may do: Spring's ``CorsConfiguration``.

    Attributes:
        origins: Pages' origins; ``*`` is any.
        origin_patterns: The same with ``*`` within them, as ``https://*.example.org``.
        methods: ``*`` is any.
        headers: That a page may send; ``*`` is any.
        exposed: Headers of answers that it may read.
        credentials: Whether its requests may carry cookies.
        max_age: Seconds for which a browser may remember a preflight's answer.
    """

    origins: tuple[str, ...] = ()
    origin_patterns: tuple[str, ...] = ()
    methods: tuple[str, ...] = ("GET", "HEAD")
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    credentials: bool = False
    max_age: int | None = None

    def allowed_origin(self, origin: str) -> str:
        """What Access-Control-Allow-Origin says to a page; "" if it may not."""
        if ANY in self.origins:
            return ANY
        if Origins(self.origins).lists(origin) or ANY in self.origin_patterns:
            return origin
        return origin if Origins(self.origin_patterns).lists(origin) else ""


class CorsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the files say of CORS besides the routes' own.

    Attributes:
        rules: By patterns of paths, the first that fits counts.
        unrouted: Whether preflights are answered for paths that no route takes
            (Spring's ``add-to-simple-url-handler-mapping``).
    """

    rules: tuple[tuple[str, CorsRule], ...] = ()
    unrouted: bool = False


class CorsVerdict(msgspec.Struct, frozen=True):
    """What becomes of a request.

    Attributes:
        status: 200 or 403 if it is answered here, else 0.
        headers: For its answer, whoever answers.
    """

    status: int = 0
    headers: tuple[Header, ...] = ()


UNTOUCHED = CorsVerdict()


class Cors:
    """The rules of one gateway.

    Args:
        settings: Those for all routes.
        any_route: Whether a route has rules of its own.

    Raises:
        ValueError: a pattern of paths is none.
    """

    def __init__(self, settings: CorsSettings, *, any_route: bool) -> None:
        self._rules = tuple((PathPattern(pattern), rule) for pattern, rule in settings.rules)
        self._unrouted = settings.unrouted
        self._on = bool(settings.rules) or any_route

    def judge(self, request: RouteRequest, own: CorsRule | None, *, routed: bool) -> CorsVerdict:
        """What becomes of ``request``, whose route has the rule ``own`` (or none)."""
        if not self._on:
            return UNTOUCHED
        origin = _one(request, b"origin")
        preflight = bool(
            request.method == "OPTIONS" and origin and _one(request, b"access-control-request-method")
        )
        if not routed and not preflight:
            return UNTOUCHED
        if not origin or _same_origin(request, origin):
            return CorsVerdict(200 if preflight else 0, _VARY)
        rule = own
        if rule is None and (routed or self._unrouted):
            rule = next((rule for pattern, rule in self._rules if pattern.takes(request.path)), None)
        if rule is None:
            return CorsVerdict(403 if preflight else 0, _VARY)
        return _judge(rule, request, origin, preflight=preflight)


def _judge(rule: CorsRule, request: RouteRequest, origin: str, *, preflight: bool) -> CorsVerdict:
    allowed = rule.allowed_origin(origin)
    method = _one(request, b"access-control-request-method") if preflight else request.method
    methods = (method,) if ANY in rule.methods else rule.methods
    asked = _listed(request, b"access-control-request-headers") if preflight else ()
    headers = [x for x in asked if ANY in rule.headers or x.lower() in {y.lower() for y in rule.headers}]
    if not allowed or method not in methods or (asked and not headers):
        return CorsVerdict(403, _VARY)
    found: list[tuple[str, str]] = [("access-control-allow-origin", allowed)]
    if preflight:
        found.append(("access-control-allow-methods", ",".join(methods)))
    if headers:
        found.append(("access-control-allow-headers", ", ".join(headers)))
    if rule.exposed:
        found.append(("access-control-expose-headers", ", ".join(rule.exposed)))
    if rule.credentials:
        found.append(("access-control-allow-credentials", "true"))
    if preflight and rule.max_age is not None:
        found.append(("access-control-max-age", str(rule.max_age)))
    lines = [(name.encode(), value.encode("latin-1")) for name, value in found]
    return CorsVerdict(200 if preflight else 0, (*_VARY, *lines))


def with_cors(ours: Sequence[Header], theirs: list[Header]) -> list[Header]:
    """The headers of an answer: ours in front of the service's, but for what both say in the same words.

    A browser refuses two values; a filter DedupeResponseHeader of the route chooses, as with Spring.
    """
    if not ours:
        return theirs
    said = frozenset(ours)
    return [*ours, *(item for item in theirs if item not in said)]


def _same_origin(request: RouteRequest, origin: str) -> bool:
    scheme = "https" if request.secure else "http"
    try:
        page, here = urlsplit(origin), urlsplit(f"{scheme}://{_one(request, b'host')}")
        places = [(x.scheme, x.hostname, x.port or _DEFAULT_PORTS.get(x.scheme)) for x in (page, here)]
    except ValueError:
        return False
    return places[0] == places[1]


def _one(request: RouteRequest, name: bytes) -> str:
    return next((value.decode("latin-1") for value in request.values(name)), "")


def _listed(request: RouteRequest, name: bytes) -> tuple[str, ...]:
    text = ",".join(value.decode("latin-1") for value in request.values(name))
    return tuple(word for word in (word.strip() for word in text.split(",")) if word)

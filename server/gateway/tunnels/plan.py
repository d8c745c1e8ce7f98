"""Where a WebSocket upgrade goes, and whether it is one (pure).

Upgrades with a body are refused: two servers could disagree about where it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..balancing.targets import Target
from ..edge import Edge
from ..heads import Header, accept_key, request_head, values
from ..routing.request import MAX_PATH, RouteRequest
from ..routing.routes import Route

_DROPPED = frozenset((b"host", b"content-length"))


@dataclass(frozen=True, slots=True)
class Refusal:
    """An upgrade that goes nowhere: the status and the words of the answer."""

    status: int
    message: str
    route: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Where an upgrade goes."""

    route: Route
    targets: tuple[Target, ...]
    head: Callable[[Target], bytes]
    accept: bytes
    cors: Sequence[Header] = ()


def plan_upgrade(edge: Edge, request: RouteRequest) -> Plan | Refusal:
    """Check an upgrade and decide where it goes; sends nothing.

    A client may offer other protocols besides (``Upgrade: h2c, websocket``): websocket is the one that is
    chosen, and the only one that upstream is asked for (RFC 9110 §7.8).
    """
    refusal = _check(edge, request)
    if refusal is not None:
        return refusal
    route = edge.routes.find(request)
    if route is None:
        return Refusal(404, f"no route takes {request.path}")
    if route.closed:
        return Refusal(404, f"route {route.id!r} is left out: see /routes")
    verdict = edge.cors.judge(request, route.spec.cors, routed=True)
    if verdict.status:
        return Refusal(403, "the gateway's CORS rules (globalcors) do not allow this page", route.id)
    targets = edge.balancer.candidates(route.upstream, request)
    if not targets:
        return Refusal(503, edge.balancer.why_nobody(route.upstream), route.id, route.upstream.service)
    path = route.path_for(request)
    target = route.target_for(request, path)

    def head(instance: Target) -> bytes:
        kept = edge.headers_for(route, request, instance, path, _DROPPED)
        return request_head(b"GET", target, [*kept, (b"connection", b"Upgrade"), (b"upgrade", b"websocket")])

    return Plan(
        route, targets, head, accept_key(values(request.headers, b"sec-websocket-key")[0]), verdict.headers
    )


def _check(edge: Edge, request: RouteRequest) -> Refusal | None:
    headers = request.headers
    if len(request.path) > MAX_PATH:
        return Refusal(414, f"a path has {MAX_PATH} bytes at most")
    if request.method != "GET":
        return Refusal(405, "a WebSocket is opened with GET")
    lengths = values(headers, b"content-length")
    if values(headers, b"transfer-encoding") or any(value.strip(b"0") for value in lengths):
        return Refusal(400, "an upgrade must not have a body")
    if len(values(headers, b"sec-websocket-key")) != 1:
        return Refusal(400, "an upgrade has one Sec-WebSocket-Key")
    if reason := edge.refuse_host(values(headers, b"host")):
        return Refusal(403, reason)
    return None

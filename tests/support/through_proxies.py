"""Asks an instance on loopback for everything that it guards, through proxies, in a network of its own.

Run inside of one (:mod:`.namespace`): ``python -m tests.support.through_proxies NAME…``, the outermost
proxy first, of ``gateway``, ``nginx``, ``HAProxy``. Only that one listens on every address. Prints one JSON
object: an :class:`Outcome`. With ``PUSHSCOPE_TOKEN`` in the environment everybody has that token, and says so
where that is told.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import msgspec

from core.push_token import push_headers
from server.gateway.edge import GatewaySettings
from server.gateway.gateway import Gateway
from server.gateway.routing.routes import RouteSpec, route_spec
from server.instance import Instance
from server.settings.instance import InstanceSettings

from ..benchmarks.reverse_proxies import running
from .namespace import OUTSIDE

#: What a client may say of itself to pass for one of this machine.
DISGUISES: tuple[dict[str, str], ...] = (
    {},
    {"pushscope-client": "loopback"},
    {"Pushscope-Client": "loopback", "Connection": "pushscope-client"},
    {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"},
    {"Host": "127.0.0.1:8080"},
)
_PUSH = {"destination": "/topic/a", "payload": "x"}
#: Method, path and JSON body of what is guarded.
GUARDED: tuple[tuple[str, str, object], ...] = (
    ("POST", "/push", _PUSH),
    ("POST", "/push", _PUSH),  # once more: heads of pushes that were taken are remembered
    ("GET", "/test?username=joe", None),
    ("GET", "/info", None),
    ("GET", "/metrics", None),
    ("POST", "/stages", {"ids": []}),
)


class Outcome(msgspec.Struct):
    """Statuses by method and path, over all disguises.

    Attributes:
        outside: Of a client on another address.
        outside_with_token: Of one that has the token.
        inside: Of a program on this machine that comes through the proxies.
        direct: Of a program on this machine that asks the instance itself.
        direct_with_token: Of one that has the token.
        health: What the client on another address reads at ``/health``.
        websocket: Whether it may open a WebSocket.
        pushes: Pushes that the instance took of the client on another address without a token.
    """

    outside: dict[str, list[int]] = {}
    outside_with_token: dict[str, list[int]] = {}
    inside: dict[str, list[int]] = {}
    direct: dict[str, list[int]] = {}
    direct_with_token: dict[str, list[int]] = {}
    health: dict[str, Any] = {}
    websocket: bool = False
    pushes: int = 0


async def ask_all(proxies: Sequence[str]) -> Outcome:
    """Start the proxies in front of an instance and ask."""
    outcome = Outcome()
    async with AsyncExitStack() as stack:
        instance = await stack.enter_async_context(Instance(InstanceSettings(allowed_hosts=(OUTSIDE,))))
        port = instance.port
        for depth, name in reversed(list(enumerate(proxies))):
            port = await _start(stack, name, port, "0.0.0.0" if depth == 0 else "127.0.0.1")
        http = await stack.enter_async_context(aiohttp.ClientSession())
        token = push_headers()
        path = "/web-socket" * len(proxies)  # each cuts one off
        there, here = f"http://{OUTSIDE}:{port}{path}", f"http://127.0.0.1:{port}{path}"
        outcome.outside = await _statuses(http, there, {})
        outcome.pushes = instance.counters.pushes
        outcome.inside = await _statuses(http, here, {}, DISGUISES[:1])
        outcome.direct = await _statuses(http, instance.url, {}, DISGUISES[:1])
        if token:
            outcome.outside_with_token = await _statuses(http, there, token, DISGUISES[:1])
            outcome.direct_with_token = await _statuses(http, instance.url, token, DISGUISES[:1])
        async with http.get(f"{there}/health") as response:
            outcome.health = await response.json()
        async with http.ws_connect(f"{there}/ws") as websocket:
            outcome.websocket = not websocket.closed
    return outcome


async def _start(stack: AsyncExitStack, name: str, upstream: int, host: str) -> int:
    """Start one proxy for ``/web-socket/…``, which it cuts off; returns its port."""
    if name != "gateway":
        return (await stack.enter_async_context(running(name, upstream, host))).port
    settings = GatewaySettings(
        host=host, routes=(_route(upstream),), allowed_hosts=(OUTSIDE,), access_log=False
    )
    gateway = Gateway(settings)
    return (await stack.enter_async_context(gateway)).port


def _route(upstream: int) -> RouteSpec:
    filters = ["StripPrefix=1", "RemoveRequestHeader=pushscope-client"]
    return route_spec("all", f"http://127.0.0.1:{upstream}", ["Path=/web-socket/**"], filters)


async def _statuses(
    http: aiohttp.ClientSession,
    base: str,
    token: Mapping[str, str],
    disguises: Sequence[Mapping[str, str]] = DISGUISES,
) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for disguise in disguises:
        for method, path, body in GUARDED:
            headers = {**disguise, **token}
            async with http.request(method, base + path, json=body, headers=headers) as response:
                found.setdefault(f"{method} {path}", []).append(response.status)
    return found


if __name__ == "__main__":
    sys.stdout.write(msgspec.json.encode(asyncio.run(ask_all(sys.argv[1:]))).decode() + "\n")

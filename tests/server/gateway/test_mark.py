"""What a gateway tells upstream of where its client is, on the wire."""

from __future__ import annotations

import pytest

from server.gateway.edge import GatewaySettings
from server.gateway.gateway import Gateway
from server.gateway.routing.routes import route_spec

from ...support.upstream import exchange, say_and_close, scripted_upstream

ANSWER = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
PLAIN = b"GET /web-socket/push HTTP/1.1\r\nConnection: close\r\n"
UPGRADE = (
    b"GET /web-socket/ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
both = pytest.mark.parametrize("kind", [PLAIN, UPGRADE], ids=["plain", "upgrade"])


def gateway(port: int, *filters: str, prefix: str = "/web-socket") -> Gateway:
    """A gateway before an upstream on this machine."""
    route = route_spec("r", f"http://127.0.0.1:{port}", [f"Path={prefix}/**"], list(filters))
    return Gateway(GatewaySettings(routes=(route,), allowed_hosts=("push.example",)))


def marks(head: bytes) -> list[bytes]:
    """The values of all marks of a request."""
    lines = (line.partition(b": ") for line in head.split(b"\r\n")[1:])
    return [value for name, _, value in lines if name.lower() == b"pushscope-client"]


@both
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (b"Host: localhost\r\n", b"loopback"),
        (b"Host: localhost\r\nPushscope-Client: loopback\r\nPUSHSCOPE-CLIENT: loopback\r\n", b"loopback"),
        (b"Host: localhost\r\nPushscope-Client: elsewhere\r\npushscope-client: loopback\r\n", b"elsewhere"),
        (b"Host: localhost\r\npushscope-client: loopback\r\nPushscope-Client: x\r\n", b"elsewhere"),
        (b"Host: push.example\r\nPushscope-Client: loopback\r\n", b"elsewhere"),
        (b"Host: localhost\r\nX-Forwarded-For: 203.0.113.7\r\n", b"elsewhere"),
    ],
)
async def test_upstream_gets_one_mark_and_it_is_ours(kind: bytes, headers: bytes, expected: bytes) -> None:
    async with scripted_upstream(say_and_close(ANSWER)) as upstream, gateway(upstream.port) as one:
        await exchange(one.port, kind + headers + b"\r\n")
    assert marks(upstream.heads[0]) == [expected]


@both
async def test_no_filter_and_no_header_of_the_connection_takes_it_away(kind: bytes) -> None:
    filters = [
        "RemoveRequestHeader=Pushscope-Client",
        "SetRequestHeader=pushscope-client, loopback",
        "AddRequestHeader=Pushscope-Client, loopback",
    ]
    named = kind + b"Host: push.example\r\nConnection: pushscope-client\r\n\r\n"
    async with scripted_upstream(say_and_close(ANSWER)) as upstream, gateway(upstream.port, *filters) as one:
        await exchange(one.port, named)
    assert marks(upstream.heads[0]) == [b"elsewhere"]


@both
async def test_it_survives_a_chain(kind: bytes) -> None:
    async with (
        scripted_upstream(say_and_close(ANSWER)) as upstream,
        gateway(upstream.port) as inner,
        gateway(inner.port, "RemoveRequestHeader=pushscope-client") as outer,
    ):
        await exchange(outer.port, kind + b"Host: push.example\r\n\r\n")
        await exchange(outer.port, kind + b"Host: localhost\r\n\r\n")
    assert [marks(head) for head in upstream.heads] == [[b"elsewhere"], [b"loopback"]]


async def test_the_pages_of_a_gateway_behind_another_are_not_open_either() -> None:
    async with gateway(9) as inner, gateway(inner.port, "StripPrefix=1", prefix="/inner") as outer:
        for path, opened in ((b"/inner/routes", b"200"), (b"/inner/metrics", b"200")):
            head = b"GET %b HTTP/1.1\r\nConnection: close\r\nHost: " % path
            from_there = await exchange(outer.port, head + b"push.example\r\n\r\n")
            assert from_there.startswith(b"HTTP/1.1 401 ") and b"Bearer" in from_there
            assert (await exchange(outer.port, head + b"localhost\r\n\r\n")).split()[1] == opened
        health = b"GET /inner/health HTTP/1.1\r\nConnection: close\r\nHost: push.example\r\n\r\n"
        assert (await exchange(outer.port, health)).endswith(b'{"status":"up","role":"gateway"}')

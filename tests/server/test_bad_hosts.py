"""Every role refuses a request whose Host header is none, or that has two (RFC 9112 §3.2)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from server.discovery import Discovery
from server.gateway.edge import GatewaySettings
from server.gateway.gateway import Gateway
from server.sockets.targets import host_trouble

from ..support.instances import one_instance
from ..support.upstream import exchange

BAD = [
    b"Host: 127.0.0.1#evil\r\n",
    b"Host: evil@127.0.0.1\r\n",
    b"Host: evil:x@127.0.0.1\r\n",
    b"Host: 127.0.0.1/evil\r\n",
    b"Host: 127.0.0.1?evil\r\n",
    b"Host: 127.0.0.1\\evil\r\n",
    b"Host: 127.0.0.1 evil\r\n",
    b"Host: 127.0.0.1:80:80\r\n",
    b"Host: 127.0.0.1:port\r\n",
    b"Host: [::1\r\n",
    b"Host: \xff\r\n",
    b"Host: 127.0.0.1\r\nHost: 127.0.0.1\r\n",
    b"Host: 127.0.0.1\r\nhOST: evil.example\r\n",
    b"",
]
PUSH = b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PLAIN = b"Connection: close\r\n\r\n"
ASKED = {
    "instance": [
        (b"POST /push", PUSH),
        (b"GET /test?username=a", PLAIN),
        (b"GET /info", PLAIN),
        (b"GET /health", PLAIN),
        (b"GET /ws/info", PLAIN),
        (b"GET /ws", UPGRADE),
        (b"GET http://127.0.0.1/info", PLAIN),
    ],
    "discovery": [(b"GET /info", PLAIN), (b"GET /eureka/apps", PLAIN), (b"GET /watch", UPGRADE)],
    "gateway": [(b"GET /health", PLAIN), (b"GET /web-socket/a", PLAIN), (b"GET /web-socket/ws", UPGRADE)],
}


@asynccontextmanager
async def role(name: str) -> AsyncGenerator[int]:
    """The port of a running role."""
    if name == "instance":
        async with one_instance() as instance:
            yield instance.port
    elif name == "discovery":
        async with Discovery() as discovery:
            yield discovery.port
    else:
        async with Gateway(GatewaySettings()) as gateway:
            yield gateway.port


@pytest.mark.parametrize("name", ASKED)
async def test_bad_hosts(name: str) -> None:
    async with role(name) as port:
        for line, rest in ASKED[name]:
            for host in BAD:
                answer = await exchange(port, line + b" HTTP/1.1\r\n" + host + rest)
                assert answer.startswith(b"HTTP/1.1 400 "), (line, host, answer)
                assert b"Host" in answer or b"not HTTP" in answer


@pytest.mark.parametrize(
    ("version", "hosts", "good"),
    [
        ("1.1", [b"localhost"], True),
        ("1.1", [b"[::1]:80"], True),
        ("1.1", [b""], True),
        ("1.1", [], False),
        ("1.0", [], True),
        ("1.0", [b"a", b"a"], False),
    ],
)
def test_what_is_a_host(version: str, hosts: list[bytes], good: bool) -> None:
    assert (host_trouble(version, hosts) == "") is good

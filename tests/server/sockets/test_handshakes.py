"""Handshakes of any length and shape: each is answered, by whichever role it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.types import Receive, Scope, Send

from server.connections.fast_websocket import FastWebSocketProtocol
from server.discovery.app import Discovery
from server.gateway import Gateway, GatewaySettings
from server.sockets.listener import Listener
from server.sockets.websocket import WebSocketProtocol
from tests.support.instances import one_instance
from tests.support.upstream import exchange, read_all

UPGRADE = (
    b"Host: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
#: A masked, empty close frame, for a server that has accepted.
CLOSE = b"\x88\x80\0\0\0\0"


@pytest.fixture(params=["instance", "sockjs", "raw", "discovery", "gateway"])
async def door(request: pytest.FixtureRequest) -> AsyncGenerator[tuple[int, bytes]]:
    """A port that takes WebSockets, and the path."""
    if request.param == "discovery":
        async with Discovery() as discovery:
            yield discovery.port, b"/watch"
        return
    async with one_instance() as instance:
        if request.param == "gateway":
            services = {"web-socket": (f"127.0.0.1:{instance.port}",)}
            async with Gateway(GatewaySettings(services=services)) as gateway:
                yield gateway.port, b"/web-socket/ws"
        else:
            path = {"instance": b"/ws", "sockjs": b"/ws/0/a/websocket", "raw": b"/ws/websocket"}[
                request.param
            ]
            yield instance.port, path


def handshake(path: bytes, query: bytes = b"", headers: bytes = b"") -> bytes:
    return b"GET %b?a=%b HTTP/1.1\r\n%b%b\r\n" % (path, query, UPGRADE, headers)


async def answer(port: int, data: bytes) -> bytes:
    """The first line of the answer."""
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        line = await reader.readline()
        writer.close()
        return line


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        (b"", b""),
        (b"", b"Cookie: " + b"c" * 9_000 + b"\r\n"),
        (b"", b"Authorization: Bearer " + b"t" * 20_000 + b"\r\n"),
        (b"q" * 9_000, b""),
        (b"", b"Cookie: " + b"c" * 60_000 + b"\r\n"),
        (b"", b"X: a\r\n" * 90),
        (b"", "X: ä\r\n".encode()),
        (b"", b"X:\r\n"),
    ],
)
async def test_heads_of_up_to_64_kib_are_accepted(
    door: tuple[int, bytes], query: bytes, headers: bytes
) -> None:
    port, path = door
    assert (await answer(port, handshake(path, query, headers))).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    ("query", "headers", "statuses", "limit"),
    [
        (b"", b"Cookie: " + b"c" * 70_000 + b"\r\n", (431,), b"65536"),
        (b"q" * 70_000, b"", (414, 431), b"65536"),
        (b"", b"X: a\r\n" * 200, (431,), b"100"),
        (b"", b"Content-Length: 5\r\n", (400,), b"body"),
        (b"", b"Transfer-Encoding: chunked\r\n", (400,), b"body"),
        (b"\xc3\xa4", b"", (400,), b""),
        (b"", b"X : a\r\n", (400,), b""),
    ],
)
async def test_what_is_refused_is_refused_at_once_and_in_words(
    door: tuple[int, bytes], query: bytes, headers: bytes, statuses: tuple[int, ...], limit: bytes
) -> None:
    port, path = door
    async with asyncio.timeout(5):
        got = await exchange(port, handshake(path, query, headers) + b"hello")
    assert int(got.split(b" ")[1]) in statuses, got
    assert limit in got.partition(b"\r\n\r\n")[2]


async def test_an_upgrade_in_small_pieces_and_frames_before_the_answer(door: tuple[int, bytes]) -> None:
    port, path = door
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    data = handshake(path, headers=b"Cookie: " + b"c" * 9_000 + b"\r\n") + CLOSE
    for begin in range(0, len(data), 997):
        writer.write(data[begin : begin + 997])
        await writer.drain()
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        got = await read_all(reader)
    writer.close()
    head, _, frames = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"\x88" in frames  # the close is answered


async def test_no_text_and_a_close_in_one_read_are_no_error_of_ours(
    door: tuple[int, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    port, path = door
    no_text = b"\x81\x81\0\0\0\0\xff"
    async with asyncio.timeout(10):
        got = await exchange(port, handshake(path) + no_text + CLOSE)
    assert got.startswith(b"HTTP/1.1 101 ")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    assert (await receive())["type"] == "websocket.disconnect"


async def half_refused(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
    assert (await receive())["type"] == "websocket.disconnect"


@pytest.mark.parametrize("app", [silent, half_refused])
@pytest.mark.parametrize("kind", [WebSocketProtocol, FastWebSocketProtocol])
async def test_an_application_that_says_nothing_costs_a_client_its_deadline_only(
    app: object, kind: type[WebSocketProtocol], caplog: pytest.LogCaptureFixture
) -> None:
    class Prompt(kind):
        handshake_s = 0.1

    async with Listener(app, ws=Prompt) as listener, asyncio.timeout(5):
        got = await exchange(listener.port, handshake(b"/"))
    assert got.startswith(b"HTTP/1.1 503 ")
    assert b"within 0.1 s" in got
    assert not caplog.records

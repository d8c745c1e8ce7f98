"""Who is refused while sending hears why: the answer comes, then the end, and no reset before the limit."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator

import pytest

from server.brokers.embedded import EmbeddedBroker
from server.discovery.app import Discovery
from server.gateway import Gateway, GatewaySettings
from server.sockets import lingering
from server.sockets.lingering import Lingering
from tests.support.instances import one_instance
from tests.support.processes import until
from tests.support.upstream import read_all

MIB = 1024 * 1024
HOST = b"Host: 127.0.0.1\r\nContent-Type: application/json\r\n"
HANDSHAKE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.fixture(params=["instance", "gateway"])
async def door(request: pytest.FixtureRequest) -> AsyncGenerator[tuple[int, bytes]]:
    """A port, and what goes before the paths of an instance."""
    async with one_instance() as instance:
        if request.param == "instance":
            yield instance.port, b""
            return
        services = {"web-socket": (f"127.0.0.1:{instance.port}",)}
        async with Gateway(GatewaySettings(services=services)) as gateway:
            yield gateway.port, b"/web-socket"


async def send_all(port: int, first: bytes, rest: bytes, behind: bytes = b"") -> bytes:
    """Send everything before a byte is read, in the way of clients that cannot do both; then read.

    What comes before ``behind`` is waited for first.
    """
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(first)
        got = await reader.readuntil(behind) if behind else b""
        for begin in range(0, len(rest), MIB):
            writer.write(rest[begin : begin + MIB])
            await writer.drain()
        got += await read_all(reader)
        writer.close()
        return got


def frame(size: int) -> bytes:
    """The head of a masked text frame, and so much of its payload."""
    return b"\x81\xff" + struct.pack("!Q", size) + b"\0\0\0\0" + b"x" * size


@pytest.mark.parametrize("path", [b"/ws", b"/ws/0/a/websocket", b"/ws/websocket"])
@pytest.mark.parametrize("size", [300_000, 20 * MIB])
async def test_a_frame_that_is_too_big_is_1009(door: tuple[int, bytes], path: bytes, size: int) -> None:
    port, prefix = door
    head = b"GET %b%b HTTP/1.1\r\n%b%b" % (prefix, path, HOST, HANDSHAKE)
    got = await send_all(port, head, frame(size), b"\r\n\r\n")
    assert struct.pack("!H", 1009) in got


async def test_a_message_in_too_many_fragments_is_1009(door: tuple[int, bytes]) -> None:
    port, prefix = door
    head = b"GET %b/ws HTTP/1.1\r\n%b%b" % (prefix, HOST, HANDSHAKE)
    piece = b"\xff" + struct.pack("!Q", 200_000) + b"\0\0\0\0" + b"x" * 200_000
    got = await send_all(port, head, b"\x01" + piece + (b"\x00" + piece) * 50, b"\r\n\r\n")
    assert struct.pack("!H", 1009) in got


async def test_a_watcher_s_frame_that_is_too_big_is_1009() -> None:
    async with Discovery() as discovery:
        head = b"GET /watch HTTP/1.1\r\n%b%b" % (HOST, HANDSHAKE)
        got = await send_all(discovery.port, head, frame(20 * MIB), b"\r\n\r\n")
    assert struct.pack("!H", 1009) in got


@pytest.mark.parametrize("path", [b"/push", b"/ws/0/a/xhr_send"])
@pytest.mark.parametrize("size", [2 * MIB, 20 * MIB])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large_is_413(
    door: tuple[int, bytes], path: bytes, size: int, chunked: bool
) -> None:
    port, prefix = door
    head = b"POST %b%b HTTP/1.1\r\n%bConnection: close\r\n" % (prefix, path, HOST)
    body = b"x" * size
    if chunked:
        got = await send_all(
            port, head + b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (size, body)
        )
    else:
        got = await send_all(port, head + b"Content-Length: %d\r\n\r\n" % size, body)
    assert got.startswith(b"HTTP/1.1 413 ")


async def test_a_registration_that_is_too_large_is_413() -> None:
    async with Discovery() as discovery:
        head = b"POST /eureka/apps/A HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n" % (HOST, 20 * MIB)
        assert (await send_all(discovery.port, head, b"x" * 20 * MIB)).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("head", [b"POST /x HTTP/1.1\r\nX: ", b"POST /x HTTP/1.1\r\nX : a\r\n\r\n"])
async def test_a_head_that_is_refused_is_answered_whatever_follows(
    door: tuple[int, bytes], head: bytes
) -> None:
    got = await send_all(door[0], head, b"x" * 20 * MIB)
    assert got.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))


@pytest.mark.parametrize("connected", [False, True])
async def test_the_broker_s_error_for_a_frame_that_is_too_big_is_seen(connected: bool) -> None:
    async with EmbeddedBroker() as broker:
        connect = b"CONNECT\naccept-version:1.2\nhost:/\n\n\0"
        first, behind = (connect, b"\0") if connected else (b"", b"")
        rest = b"SEND\ndestination:/topic/a\n\n" + b"x" * 20 * MIB + b"\0"
        got = await send_all(broker.port, first, rest, behind)
        await until(lambda: not broker.peers, "the peer is gone")
    assert b"ERROR\n" in got


async def test_nobody_is_listened_to_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "DRAIN_BYTES", MIB)
    async with EmbeddedBroker() as broker:
        reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
        writer.write(b"SEND\n\n\0")
        assert b"ERROR\n" in await read_all(reader)
        assert len(broker.peers) == 1
        with pytest.raises(ConnectionError):
            while True:
                writer.write(b"x" * MIB)
                await writer.drain()
        writer.close()
        await until(lambda: not broker.peers, "the peer is gone")


class Told(asyncio.Protocol):
    """Says something and ends its connections in order, in no time at all."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        transport = self.transport
        transport.write(b"last")
        lingering.linger(transport, 0.1)
        lingering.linger(transport)  # once is enough
        assert isinstance(transport.get_protocol(), Lingering)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


async def test_a_peer_that_does_not_close_has_its_time_and_no_more() -> None:
    told = Told()
    server = await asyncio.get_running_loop().create_server(lambda: told, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
    writer.write(b"x")
    async with asyncio.timeout(10):
        assert await reader.read() == b"last"
        assert not told.lost.is_set()
        await told.lost.wait()
    writer.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("path", [b"/ws", b"/ws/websocket"])
async def test_nothing_is_closed_in_the_midst_of_a_client_s_frame(path: bytes) -> None:
    """A proxy takes half of a WebSocket for its end, and cuts its client, who then never sees the code."""
    async with one_instance() as instance, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", instance.port)
        writer.write(b"GET %b HTTP/1.1\r\n%b%b" % (path, HOST, HANDSHAKE))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(frame(2 * MIB)[:MIB])
        await reader.readuntil(struct.pack("!H", 1009))
        for _ in range(8):
            writer.write(b"x" * 1000)
            await asyncio.sleep(lingering.QUIET_S / 4)
        assert not reader.at_eof()
        await read_all(reader)
        writer.close()

"""A WebSocket passes through the gateway byte by byte, both ways, whatever it says (RFC 6455).

Both ends are the test's own sockets, so that what arrives can be held against what was sent: right or wrong,
compressed or not, whole or in pieces. And when one end goes, however it goes, the other one hears of it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress

import pytest

from server.gateway import Gateway, GatewaySettings
from tests.support.rfc6455 import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    SWITCH,
    TEXT,
    RawSocket,
    close,
    fragments,
    frame,
    raw_socket,
    upgrade,
)
from tests.support.server_thread import in_thread

MIB = 1024 * 1024
PATH = "/web-socket/ws"
_LOOPS = ("asyncio",) if sys.platform == "win32" else ("asyncio", "uvloop")


class Passage:
    """A gateway, and the listening socket of the upstream that it has.

    Args:
        port: Of the gateway.
        listening: Upstream's socket; who tests accepts from it.
    """

    def __init__(self, port: int, listening: socket.socket) -> None:
        self.port = port
        self._listening = listening

    async def accept(self) -> RawSocket:
        """The gateway's next connection to upstream."""
        sock, _ = await asyncio.get_running_loop().sock_accept(self._listening)
        return RawSocket(*await asyncio.open_connection(sock=sock, limit=MIB))

    @asynccontextmanager
    async def joined(self) -> AsyncGenerator[tuple[RawSocket, RawSocket]]:
        """Both ends of a WebSocket: the client's and upstream's."""
        async with raw_socket(self.port) as client:
            await client.send(upgrade(PATH))
            upstream = await self.accept()
            try:
                await upstream.head()
                await upstream.send(SWITCH)
                assert await client.head() == SWITCH
                yield client, upstream
            finally:
                upstream.writer.close()


@pytest.fixture(scope="module", params=_LOOPS)
def passage(request: pytest.FixtureRequest) -> Iterator[Passage]:
    """One gateway for all tests of this module, on each kind of loop."""
    factory = asyncio.new_event_loop
    if request.param == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        settings = GatewaySettings(services={"web-socket": (f"127.0.0.1:{listening.getsockname()[1]}",)})
        with in_thread(lambda: Gateway(settings), factory) as gateway:
            yield Passage(gateway.port, listening)


#: What clients may send, masked; upstream sends the same unmasked.
SAID: dict[str, tuple[bytes, ...]] = {
    "5.2 lengths": tuple(
        frame(opcode, b"\x81" * size)
        for opcode in (TEXT, BINARY)
        for size in (0, 1, 125, 126, 127, 65535, 65536, 65537)
    ),
    "5.4 fragments with control frames between": (
        frame(TEXT, b"a", fin=False),
        frame(PING, b"1"),
        frame(CONTINUATION, b"", fin=False),
        frame(PONG, b"2" * 125),
        frame(CONTINUATION, b"c"),
        *fragments(BINARY, *[b"ab"] * 500),
    ),
    "5.5 pings and pongs that nobody answers here": (
        frame(PING),
        frame(PING, b"\xff" * 125),
        frame(PONG, b"x"),
    ),
    "7.4 close codes": tuple(
        close(code, b"reason" if code is not None else b"")
        for code in (None, *range(1000, 1004), *range(1007, 1016), 2999, 3000, 4999)
    ),
    "7692 compressed": (
        frame(TEXT, bytes.fromhex("f248cdc9c90700"), rsv=4),
        frame(TEXT, bytes.fromhex("f200110000"), rsv=4),
        frame(TEXT, bytes.fromhex("f248"), rsv=4, fin=False),
        frame(CONTINUATION, bytes.fromhex("cdc9c90700")),
    ),
    "what breaks the protocol": (
        frame(TEXT, b"unmasked or masked", mask=None),
        frame(TEXT, b"\xff\xfe"),
        frame(3, b"x"),
        frame(15, b"x", rsv=7),
        frame(PING, b"x" * 126),
        frame(CONTINUATION, b"of nothing"),
        b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff",
    ),
    "what looks like HTTP": (b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"\r\n\r\n", bytes(300)),
}


@pytest.mark.parametrize("name", SAID)
async def test_what_is_said_arrives_untouched(passage: Passage, name: str) -> None:
    pieces = SAID[name]
    sent = b"".join(pieces)
    async with passage.joined() as (client, upstream):
        for one, other in ((client, upstream), (upstream, client)):
            await one.send(sent)
            assert await other.exactly(len(sent)) == sent
            await one.send(*pieces)
            assert await other.exactly(len(sent)) == sent
        # Both at once, and nothing follows that was not sent.
        await client.send(sent)
        await upstream.send(sent)
        assert await client.exactly(len(sent)) == sent
        assert await upstream.exactly(len(sent)) == sent
        client.writer.close()
        assert await upstream.end() == b""


async def test_one_byte_at_a_time(passage: Passage) -> None:
    sent = b"".join(SAID["5.4 fragments with control frames between"][:5])
    async with passage.joined() as (client, upstream):
        for one, other in ((client, upstream), (upstream, client)):
            for at in range(len(sent)):
                await one.send(sent[at : at + 1])
                assert await other.exactly(1) == sent[at : at + 1]


async def test_a_message_is_not_collected(passage: Passage) -> None:
    """What has come of a message of 16 MiB goes on before the rest is there."""
    head = frame(BINARY, bytes(16 * MIB))[:1000]
    async with passage.joined() as (client, upstream):
        for one, other in ((client, upstream), (upstream, client)):
            await one.send(head)
            assert await other.exactly(1000) == head


async def test_16_mib_both_ways_at_once(passage: Passage) -> None:
    sent = frame(BINARY, bytes(range(256)) * (16 * MIB // 256))
    async with passage.joined() as (client, upstream), asyncio.TaskGroup() as group:
        group.create_task(client.send(sent))
        group.create_task(upstream.send(sent))
        forth = group.create_task(upstream.exactly(len(sent)))
        assert await client.exactly(len(sent)) == sent
        assert await forth == sent


# The handshake's edges


async def test_bytes_right_behind_the_101_and_right_behind_the_request(passage: Passage) -> None:
    early, greeting = frame(TEXT, b"early"), frame(TEXT, b"hello", mask=None)
    async with raw_socket(passage.port) as client:
        await client.send(upgrade(PATH) + early)
        upstream = await passage.accept()
        await upstream.head()
        await upstream.send(SWITCH + greeting)
        assert await client.exactly(len(SWITCH + greeting)) == SWITCH + greeting
        await client.send(b"late")
        assert await upstream.exactly(len(early) + 4) == early + b"late"
        upstream.writer.close()


async def test_subprotocols_and_extensions_are_the_two_ends_business(passage: Passage) -> None:
    offers = (
        "Sec-WebSocket-Protocol: v12.stomp, v11.stomp",
        "Sec-WebSocket-Protocol: mqtt",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-unknown",
    )
    chosen = "Sec-WebSocket-Protocol: v11.stomp", "Sec-WebSocket-Extensions: permessage-deflate"
    async with raw_socket(passage.port) as client:
        await client.send(upgrade(PATH, *offers))
        upstream = await passage.accept()
        asked = (await upstream.head()).decode().lower().split("\r\n")
        assert [line for line in asked if line.startswith(("sec-websocket-p", "sec-websocket-e"))] == [
            offer.lower() for offer in offers
        ]
        answer = SWITCH[:-2] + "\r\n".join([*chosen, "", ""]).encode()
        await upstream.send(answer)
        assert await client.head() == answer
        upstream.writer.close()


# One end goes


@pytest.mark.parametrize("who", ["client", "upstream"])
@pytest.mark.parametrize("how", ["close", "half-close", "reset"])
async def test_when_one_end_goes_the_other_one_ends(passage: Passage, who: str, how: str) -> None:
    async with passage.joined() as (client, upstream):
        one, other = (client, upstream) if who == "client" else (upstream, client)
        if how == "reset":  # what was under way may be lost with it
            linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
            one.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            one.writer.close()
            await other.end()
            return
        await one.send(b"last words")
        if how == "close":
            one.writer.close()
        else:
            one.writer.write_eof()
        assert await other.end() == b"last words"
        if how == "half-close":  # half a WebSocket is none
            assert await one.end() == b""


@pytest.mark.parametrize("who", ["client", "upstream"])
async def test_a_slow_reader_gets_everything_also_when_the_writer_has_gone(
    passage: Passage, who: str
) -> None:
    sent = bytes(range(256)) * (4 * MIB // 256) + close(1000)
    async with passage.joined() as (client, upstream), asyncio.TaskGroup() as group:
        one, other = (client, upstream) if who == "client" else (upstream, client)

        async def write() -> None:
            await one.send(sent)
            one.writer.close()

        group.create_task(write())
        assert await other.exactly(1) == sent[:1]
        assert await other.end() == sent[1:]


@pytest.mark.parametrize("who", ["client", "upstream"])
async def test_last_words_arrive_although_the_other_end_is_talking(passage: Passage, who: str) -> None:
    """What an end says before it closes is not lost because the other one says something meanwhile."""
    sent = bytes(range(256)) * (MIB // 256) + close(1008)
    async with passage.joined() as (client, upstream), asyncio.TaskGroup() as group:
        one, other = (client, upstream) if who == "client" else (upstream, client)

        async def leave() -> None:
            await one.send(sent)
            one.writer.write_eof()
            await one.end()

        async def talk() -> None:
            with suppress(ConnectionError):
                for _ in range(200):
                    await other.send(bytes(1000))

        group.create_task(leave())
        group.create_task(talk())
        assert await other.end() == sent


@pytest.mark.parametrize("who", ["client", "upstream"])
async def test_a_writer_is_held_back_by_a_slow_reader(passage: Passage, who: str) -> None:
    """Nothing piles up between: with 64 MiB to say, one who is not heard must stop early."""
    async with passage.joined() as (client, upstream):
        one, other = (client, upstream) if who == "client" else (upstream, client)
        one.writer.transport.set_write_buffer_limits(0)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 64 * MIB:
                one.writer.write(bytes(65536))
                async with asyncio.timeout(0.5):
                    await one.writer.drain()
                sent += 65536
        assert sent < 32 * MIB
        one.writer.write(b"end")
        # What was written when nobody took it any more goes with the rest.
        assert (await other.exactly(sent + 65536 + 3)).endswith(b"end")

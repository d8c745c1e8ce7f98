"""WebSocket cases of RFC 6455 against an echo that judges: through the gateway, and straight at SockJS's.

Behind the gateway stands the echo of ``websockets``: what breaks the protocol must reach it, and its verdict
must reach the client. The raw WebSocket of our own test service (``/echo/websocket``) judges itself.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from websockets.asyncio.client import connect

from server.gateway import Gateway, GatewaySettings
from server.settings.sockjs import LARGEST_MESSAGE
from server.sockjs.suite import SuiteServer
from tests.support.rfc6455 import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    RawSocket,
    Received,
    close,
    fragments,
    frame,
    raw_socket,
    upgrade,
)
from tests.support.server_thread import in_thread
from tests.support.upstream import echo_upstream

MIB = 1024 * 1024
HELLO = "Hällö 😀".encode()


@dataclass(frozen=True, slots=True)
class Place:
    """Where an echo answers.

    Attributes:
        port: On loopback.
        path: Of the WebSocket.
        largest: Bytes of a message that it takes.
    """

    port: int
    path: str
    largest: int


@asynccontextmanager
async def _through_gateway() -> AsyncGenerator[Place]:
    async with echo_upstream() as echo:
        settings = GatewaySettings(services={"web-socket": (f"127.0.0.1:{echo.port}",)})
        async with Gateway(settings) as gateway:
            yield Place(gateway.port, "/web-socket/ws", 16 * MIB)


@asynccontextmanager
async def _sockjs() -> AsyncGenerator[Place]:
    async with SuiteServer() as server:
        yield Place(int(server.url.rpartition(":")[2]), "/echo/websocket", LARGEST_MESSAGE)


_LOOPS = ("asyncio",) if sys.platform == "win32" else ("asyncio", "uvloop")


@pytest.fixture(scope="module", params=[*(f"gateway on {loop}" for loop in _LOOPS), "sockjs"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each echo, for all tests of this module."""
    factory = asyncio.new_event_loop
    if request.param == "gateway on uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    make = _sockjs if request.param == "sockjs" else _through_gateway
    with in_thread(make, factory) as place:
        yield place


@asynccontextmanager
async def opened(place: Place, *headers: str) -> AsyncGenerator[RawSocket]:
    async with raw_socket(place.port) as client:
        await client.send(upgrade(place.path, *headers))
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        yield client


async def message(client: RawSocket) -> Received:
    """The next message, or control frame, whole."""
    first = await client.frame()
    payload, last = first.payload, first
    while not last.fin:
        last = await client.frame()
        assert last.opcode == CONTINUATION
        payload += last.payload
    return Received(first.opcode, payload)


async def verdict(client: RawSocket) -> int | None:
    """The code of the close frame that comes next; then the connection must end."""
    last = await client.frame()
    assert last.opcode == CLOSE, last
    assert await client.end() == b""
    return int.from_bytes(last.payload[:2], "big") if last.payload else None


async def echoes(client: RawSocket, sent: list[bytes], expected: list[Received]) -> None:
    """What is sent comes back, and then the connection closes as it should.

    Pongs may overtake messages: an echo answers pings as they come, messages when it gets to them.
    """
    await client.send(*sent)
    got = [await message(client) for _ in expected]
    for kinds in ((TEXT, BINARY), (PONG,)):
        assert [x for x in got if x.opcode in kinds] == [x for x in expected if x.opcode in kinds]
    await client.send(close(1000, b"bye"))
    assert await verdict(client) == 1000


# RFC 6455 §5.2: lengths


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 65535, 65536, 65537])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_5_2_each_way_of_writing_a_length(place: Place, opcode: int, size: int) -> None:
    payload = b"*" * size if opcode == TEXT else bytes(range(256)) * (size // 256) + bytes(size % 256)
    async with opened(place) as client:
        await echoes(client, [frame(opcode, payload)], [Received(opcode, payload)])


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_5_2_the_largest_message_both_ways(place: Place, opcode: int) -> None:
    payload = b"*" * place.largest  # 16 MiB through the gateway
    async with opened(place) as client:
        async with asyncio.TaskGroup() as group:
            group.create_task(client.send(frame(opcode, payload)))
            assert await message(client) == Received(opcode, payload)
        await client.send(close(1000))
        assert await verdict(client) == 1000


async def test_5_4_the_largest_message_in_fragments(place: Place) -> None:
    payload = bytes(range(256)) * (place.largest // 256)
    pieces = [payload[at : at + 65_537] for at in range(0, len(payload), 65_537)]
    async with opened(place) as client:
        async with asyncio.TaskGroup() as group:
            group.create_task(client.send(*fragments(BINARY, *pieces)))
            assert await message(client) == Received(BINARY, payload)
        await client.send(close(1000))
        assert await verdict(client) == 1000


async def test_5_2_many_messages_in_one_piece_keep_their_order(place: Place) -> None:
    texts = [b"%d" % number for number in range(1000)]
    async with opened(place) as client:
        sent = b"".join(frame(TEXT, text) for text in texts)
        await echoes(client, [sent], [Received(TEXT, text) for text in texts])


async def test_5_2_one_byte_at_a_time(place: Place) -> None:
    sent = b"".join([frame(TEXT, HELLO), frame(PING, b"p"), *fragments(BINARY, b"a", b"", b"b" * 130)])
    expected = [Received(TEXT, HELLO), Received(PONG, b"p"), Received(BINARY, b"a" + b"b" * 130)]
    async with opened(place) as client:
        await echoes(client, [bytes([byte]) for byte in sent], expected)


# RFC 6455 §5.4, §5.5: fragments, control frames


#: name: what is sent, what must come back
ECHOED: dict[str, tuple[list[bytes], list[Received]]] = {
    "5.4 two fragments": (fragments(TEXT, b"frag", b"ment"), [Received(TEXT, b"fragment")]),
    "5.4 an empty first and last": (fragments(TEXT, b"", b"x", b""), [Received(TEXT, b"x")]),
    "5.4 only empty ones": (fragments(BINARY, b"", b"", b""), [Received(BINARY, b"")]),
    "5.4 five hundred": (fragments(BINARY, *[b"ab"] * 500), [Received(BINARY, b"ab" * 500)]),
    "5.4 a character over two": (
        fragments(TEXT, HELLO[:2], HELLO[2:9], HELLO[9:]),
        [Received(TEXT, HELLO)],
    ),
    "5.4 control frames between": (
        [
            frame(TEXT, b"a", fin=False),
            frame(PING, b"1"),
            frame(CONTINUATION, b"b", fin=False),
            frame(PONG, b"nobody asked"),
            frame(PING, b"2"),
            frame(CONTINUATION, b"c"),
        ],
        [Received(PONG, b"1"), Received(PONG, b"2"), Received(TEXT, b"abc")],
    ),
    "5.4 one message after another": (
        [*fragments(TEXT, b"a", b"b"), *fragments(BINARY, b"c", b"d"), frame(TEXT, b"e")],
        [Received(TEXT, b"ab"), Received(BINARY, b"cd"), Received(TEXT, b"e")],
    ),
    "5.5.2 an empty ping": ([frame(PING)], [Received(PONG, b"")]),
    "5.5.2 a ping of 125 bytes": ([frame(PING, b"\xfe" * 125)], [Received(PONG, b"\xfe" * 125)]),
    "5.5.2 ten pings": (
        [frame(PING, b"%d" % number) for number in range(10)],
        [Received(PONG, b"%d" % number) for number in range(10)],
    ),
    "5.5.3 a pong that nobody asked for": (
        [frame(PONG, b"x"), frame(PING, b"y")],
        [Received(PONG, b"y")],
    ),
    "5.3 a mask of zeros": ([frame(TEXT, b"plain", mask=bytes(4))], [Received(TEXT, b"plain")]),
    "8.1 the edges of UTF-8": (
        [frame(TEXT, "\x00\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff".encode())],
        [Received(TEXT, "\x00\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff".encode())],
    ),
}


@pytest.mark.parametrize("name", ECHOED)
async def test_what_comes_back(place: Place, name: str) -> None:
    sent, expected = ECHOED[name]
    async with opened(place) as client:
        await echoes(client, sent, expected)


# What breaks the protocol: name: what is sent, the code of the verdict


BROKEN: dict[str, tuple[list[bytes], int]] = {
    "5.1 a client that does not mask": ([frame(TEXT, b"plain", mask=None)], 1002),
    "5.2 a reserved bit": ([frame(TEXT, b"x", rsv=4)], 1002),
    "5.2 all reserved bits": ([frame(BINARY, b"x", rsv=7)], 1002),
    "5.2 a reserved bit of a ping": ([frame(PING, b"x", rsv=2)], 1002),
    **{f"5.2 opcode {opcode}": ([frame(opcode, b"x")], 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 15)},
    "5.4 a continuation of nothing": ([frame(CONTINUATION, b"x")], 1002),
    "5.4 a continuation after the end": ([*fragments(TEXT, b"a", b"b"), frame(CONTINUATION, b"c")], 1002),
    "5.4 a message within another": ([frame(TEXT, b"a", fin=False), frame(TEXT, b"b")], 1002),
    "5.5 a ping of 126 bytes": ([frame(PING, b"x" * 126)], 1002),
    "5.5 a fragmented ping": ([frame(PING, b"x", fin=False), frame(CONTINUATION, b"y")], 1002),
    "5.5 a fragmented pong": ([frame(PONG, b"x", fin=False), frame(CONTINUATION, b"y")], 1002),
    "5.5.1 a close of one byte": ([frame(CLOSE, b"x")], 1002),
    "5.5.1 a close of 126 bytes": ([close(1000, b"x" * 124)], 1002),
    "5.5.1 a reason that is no text": ([close(1000, b"\xce\xba\xe1\xbd")], 1007),
    **{
        f"7.4 the code {code}": ([close(code)], 1002)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
    "8.1 no text": ([frame(TEXT, b"\xff")], 1007),
    "8.1 a surrogate": ([frame(TEXT, b"ab\xed\xa0\x80")], 1007),
    "8.1 a character cut short": ([frame(TEXT, HELLO[:-1])], 1007),
    "8.1 no text in fragments": (fragments(TEXT, b"a\xf4\x90", b"\x80\x80b"), 1007),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_the_verdict_on_what_is_broken(place: Place, name: str) -> None:
    sent, code = BROKEN[name]
    async with opened(place) as client:
        await client.send(*sent)
        # What came before the fault may have been echoed.
        got = await message(client)
        while got.opcode != CLOSE:
            assert got.opcode in (TEXT, BINARY)
            got = await message(client)
        assert int.from_bytes(got.payload[:2], "big") == code, got
        assert await client.end() == b""


# RFC 6455 §7: closing


@pytest.mark.parametrize(
    "code",
    [None, 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999],
)
async def test_7_4_a_close_is_answered_with_its_code(place: Place, code: int | None) -> None:
    async with opened(place) as client:
        await client.send(close(code, b"" if code is None else "grün".encode()))
        assert await verdict(client) == code


async def test_5_5_1_the_longest_reason(place: Place) -> None:
    async with opened(place) as client:
        await client.send(close(4321, b"r" * 123))
        answer = await client.frame()
        assert answer.opcode == CLOSE
        assert answer.payload[:2] == (4321).to_bytes(2, "big")
        assert await client.end() == b""


async def test_5_5_1_nothing_counts_behind_a_close(place: Place) -> None:
    async with opened(place) as client:
        await client.send(close(1000) + frame(TEXT, b"late") + frame(PING, b"late"))
        assert await verdict(client) == 1000


async def test_7_1_7_a_client_that_is_cut_off_leaves_the_others_alone(place: Place) -> None:
    async with opened(place) as first, opened(place) as second:
        await first.send(frame(TEXT, b"never wh", fin=False))
        first.cut()
        await echoes(second, [frame(TEXT, b"still")], [Received(TEXT, b"still")])


# RFC 6455 §9: compression


@pytest.mark.parametrize("compression", [None, "deflate"])
async def test_9_a_real_client_gets_what_it_sent(place: Place, compression: str | None) -> None:
    url = f"ws://127.0.0.1:{place.port}{place.path}"
    async with connect(url, proxy=None, max_size=None, compression=compression) as client:
        offered = client.response and client.response.headers.get("Sec-WebSocket-Extensions", "")
        assert bool(offered) == (compression is not None)
        for sent in ("", HELLO.decode() * 5000, bytes(range(256)) * 500, "a" * place.largest):
            await client.send(sent)
            assert await client.recv() == sent
        await (await client.ping())


async def test_9_plain_frames_on_a_connection_with_compression(place: Place) -> None:
    """Allowed by RFC 7692 §6; the answer may be compressed or not."""
    async with opened(place, "Sec-WebSocket-Extensions: permessage-deflate") as client:
        await client.send(frame(TEXT, b"plain"))
        got = await client.frame()
        assert (got.opcode, got.rsv in (0, 4)) == (TEXT, True)
        await client.send(close(1000))
        assert await verdict(client) == 1000

"""What clients may get wrong, on the wire of a real instance: ERROR, close 1002, nobody else disturbed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from core.errors import CloseCode
from core.protocol import Frame, StompParser, encode
from server.instance import Instance
from server.settings.instance import InstanceSettings

CONNECT = encode("CONNECT", {"accept-version": "1.1,1.2", "host": "test"})
GREETINGS = "/user/topic/greetings"


@pytest.fixture
async def instance() -> AsyncIterator[Instance]:
    async with Instance(InstanceSettings(broker_url="memory:")) as instance:
        yield instance


class Wire:
    """One connection, bytes out and frames in."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._parser = StompParser()
        self._frames: list[Frame] = []

    async def send(self, *chunks: bytes, text: bool = False) -> None:
        for chunk in chunks:
            await self._connection.send(chunk.decode() if text else chunk)

    async def frame(self) -> Frame:
        """The next frame."""
        while not self._frames:
            data = await self._connection.recv(decode=False)
            for event in self._parser.feed(data):
                if isinstance(event, Frame):
                    self._frames.append(event)
        return self._frames.pop(0)

    async def end(self) -> tuple[int, str]:
        """Code and reason of the close; nothing else may come before it."""
        with pytest.raises(ConnectionClosed) as closed:
            await self.frame()
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code, closed.value.rcvd.reason

    async def refused(self) -> Frame:
        """The ERROR that comes, and that the connection is closed for it."""
        frame = await self.frame()
        assert frame.command == "ERROR"
        code, _ = await self.end()
        assert code == CloseCode.PROTOCOL_ERROR
        return frame


@asynccontextmanager
async def opened(instance: Instance, user: str = "mallory") -> AsyncGenerator[Wire]:
    """A WebSocket connection without any frame so far."""
    url = f"ws://127.0.0.1:{instance.port}/ws?user={user}"
    async with connect(url, subprotocols=None, compression=None) as connection:
        yield Wire(connection)


@asynccontextmanager
async def subscriber(instance: Instance) -> AsyncGenerator[Wire]:
    """Somebody well-behaved, who must notice nothing."""
    async with opened(instance, "alice") as wire:
        subscribe = encode("SUBSCRIBE", {"id": "0", "destination": GREETINGS, "receipt": "r"})
        await wire.send(CONNECT, subscribe)
        assert (await wire.frame()).command == "CONNECTED"
        assert (await wire.frame()).command == "RECEIPT"
        yield wire
        for _ in range(2):
            async with aiohttp.ClientSession() as http:
                await http.get(f"http://127.0.0.1:{instance.port}/test?username=alice")
            message = await wire.frame()
            assert (message.command, message.body) == ("MESSAGE", b"hello:alice")


BEFORE_CONNECT = {
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00 this is no STOMP at all",
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "json": b'{"type":"connect"}\n\n\0',
    "unknown command": b"FOO\n\n\0",
    "lower case": b"connect\naccept-version:1.2\n\n\0",
    "send first": encode("SEND", {"destination": "/topic/a"}, b"x"),
    "subscribe first": encode("SUBSCRIBE", {"id": "0", "destination": "/topic/a"}),
    "heart-beat first": b"\n",
    "no blank line": b"CONNECT\naccept-version:1.2\0",
    "no common version": encode("CONNECT", {"accept-version": "3.0"}),
    "bad heart-beat": encode("CONNECT", {"accept-version": "1.2", "heart-beat": "a,b"}),
    "body": b"CONNECT\naccept-version:1.2\n\nbody\0",
    "server's command": encode("CONNECTED", {"version": "1.2"}),
}


@pytest.mark.parametrize("name", BEFORE_CONNECT)
async def test_instead_of_connect(instance: Instance, name: str) -> None:
    async with subscriber(instance), opened(instance) as wire:
        await wire.send(BEFORE_CONNECT[name])
        error = await wire.refused()
        assert error.headers["message"]


AFTER_CONNECT = {
    "unknown command": (b"FOO\n\n\0", "unknown command 'FOO'"),
    "bad escape": (b"SEND\ndestination:/topic/a\nx:\\t\n\n\0", "undefined escape"),
    "escape at the end": (b"SEND\ndestination:/topic/a\\\n\n\0", "undefined escape"),
    "no colon": (b"SEND\ndestination\n\n\0", "not of the form name:value"),
    "not UTF-8": (b"SEND\ndestination:/topic/\xff\n\n\0", "not UTF-8"),
    "no end": (b"SEND\ndestination:/topic/a\ncontent-length:1\n\nabc\0", "null octet"),
    "second CONNECT": (CONNECT, "already connected"),
    "SEND without destination": (encode("SEND", {}, b"x"), "'destination'"),
    "SUBSCRIBE without id": (encode("SUBSCRIBE", {"destination": "/topic/a"}), "'id'"),
    "SUBSCRIBE without destination": (encode("SUBSCRIBE", {"id": "0"}), "'destination'"),
    "SUBSCRIBE with a body": (b"SUBSCRIBE\nid:0\ndestination:/topic/a\n\nx\0", "must not have a body"),
    "UNSUBSCRIBE without id": (encode("UNSUBSCRIBE", {}), "'id'"),
    "announced oversize": (b"SEND\ndestination:/topic/a\ncontent-length:9999999\n\n", "65536 bytes a body"),
    "oversize": (b"SEND\ndestination:/topic/a\n\n" + b"x" * 70_000, "65536 bytes a frame"),
    "long header": (b"SEND\nx:" + b"y" * 20_000, "longer than 16384 bytes"),
    "many headers": (b"SEND\n" + b"".join(b"x%d:y\n" % i for i in range(101)), "more than 100 headers"),
    "unknown transaction": (encode("COMMIT", {"transaction": "t"}), "no transaction 't'"),
    "MESSAGE": (encode("MESSAGE", {"destination": "/topic/a"}), "sent by servers only"),
}


@pytest.mark.parametrize("name", AFTER_CONNECT)
async def test_after_connect(instance: Instance, name: str) -> None:
    wrong, words = AFTER_CONNECT[name]
    async with subscriber(instance), opened(instance) as wire:
        await wire.send(CONNECT)
        assert (await wire.frame()).command == "CONNECTED"
        await wire.send(wrong)
        assert words in (await wire.refused()).headers["message"]
    assert instance.counters.protocol_errors == 1


async def test_a_second_subscription_of_the_same_id(instance: Instance) -> None:
    subscribe = {"id": "0", "destination": GREETINGS, "receipt": "again"}
    async with subscriber(instance), opened(instance) as wire:
        await wire.send(CONNECT, encode("SUBSCRIBE", subscribe))
        assert [(await wire.frame()).command for _ in range(2)] == ["CONNECTED", "RECEIPT"]
        await wire.send(encode("SUBSCRIBE", subscribe))
        error = await wire.refused()
        assert error.headers["message"] == "subscription id '0' is in use"
        assert error.headers["receipt-id"] == "again"


async def test_what_came_before_the_fault_is_done(instance: Instance) -> None:
    """Also within one chunk; and what came after it is not."""
    async with subscriber(instance), opened(instance, "bob") as other, opened(instance) as wire:
        await other.send(CONNECT, encode("SUBSCRIBE", {"id": "0", "destination": "/topic/a", "receipt": "r"}))
        assert [(await other.frame()).command for _ in range(2)] == ["CONNECTED", "RECEIPT"]
        sends = [encode("SEND", {"destination": "/topic/a"}, body) for body in (b"before", b"after", b"last")]
        await wire.send(CONNECT + sends[0] + b"SEND\nbroken\n\n\0" + sends[1])
        assert (await wire.frame()).command == "CONNECTED"
        assert "name:value" in (await wire.refused()).headers["message"]
        await other.send(sends[2])
        assert [(await other.frame()).body for _ in range(2)] == [b"before", b"last"]


@pytest.mark.parametrize("text", [True, False])
@pytest.mark.parametrize("size", [1, 7, 64])
async def test_frames_in_many_messages_and_many_frames_in_one_are_no_fault(
    instance: Instance, size: int, text: bool
) -> None:
    stream = b"\n".join(
        [
            CONNECT.replace(b"\n", b"\r\n"),
            encode("SUBSCRIBE", {"id": "0", "destination": "/topic/b", "receipt": "1"}),
            b"\n\0" + encode("SEND", {"destination": "/topic/b"}, b"a\0b"),
            encode("DISCONNECT", {"receipt": "2"}),
        ]
    )
    async with opened(instance) as wire:
        await wire.send(*[stream[i : i + size] for i in range(0, len(stream), size)], text=text)
        commands = [(await wire.frame()).command for _ in range(4)]
        assert sorted(commands) == ["CONNECTED", "MESSAGE", "RECEIPT", "RECEIPT"]


async def test_random_bytes_from_many_clients(instance: Instance) -> None:
    async with subscriber(instance):

        async def attack() -> None:
            async with opened(instance) as wire:
                try:
                    await wire.send(CONNECT, os.urandom(300), os.urandom(70_000), b"\n\n\0" * 100)
                    while (await wire.frame()).command != "ERROR":
                        pass
                    assert (await wire.end())[0] == CloseCode.PROTOCOL_ERROR
                except ConnectionClosed as closed:  # while we were still sending
                    assert closed.rcvd is None or closed.rcvd.code == CloseCode.PROTOCOL_ERROR

        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(attack())


async def test_a_message_above_what_websocket_takes(instance: Instance) -> None:
    """Far above STOMP's limit it is not even taken in: closed by WebSocket itself."""
    async with subscriber(instance), opened(instance) as wire:
        await wire.send(CONNECT)
        await wire.frame()
        await wire.send(b"SEND\ndestination:/topic/a\n\n" + b"x" * 2_000_000)
        assert (await wire.end())[0] == CloseCode.TOO_BIG


async def test_text_that_is_not_utf_8(instance: Instance) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", instance.port)
    async with subscriber(instance):
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        writer.write(b"\x81\x82\0\0\0\0\xff\xfe")
        assert await reader.readexactly(1) == b"\x88"
        length = (await reader.readexactly(1))[0]
        code = int.from_bytes((await reader.readexactly(length))[:2])
        assert code in (CloseCode.INVALID_DATA, CloseCode.PROTOCOL_ERROR)
    writer.close()
    await writer.wait_closed()

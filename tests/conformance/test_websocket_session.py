"""The session of a client: cases 11, 12, 14 to 19 and 40.

12 and 15 speak of the broker connection that each client has with Spring. Here is what the default does
instead, where all clients share one; Spring's way is in :mod:`.test_websocket_session_per_client`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection, connect

from core.protocol import Frame, StompParser, encode
from server.handlers import message_mapping
from server.instance import Instance
from server.settings.sockjs import SockJsSettings
from server.sockets.listener import Listener

from ..support.hypercorn_host import HYPERCORN, hypercorn
from ..support.instances import one_instance
from ..support.processes import until
from ..support.raw_stomp import PATIENCE, RawStomp, joined, raw_stomp


@pytest.fixture(params=["our server", "uvicorn", HYPERCORN])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Instance, str]]:
    """An instance, and its URL under one of the servers that it is served by."""
    async with one_instance() as instance:
        if request.param == "our server":
            yield instance, instance.url
        elif request.param == "hypercorn":
            async with hypercorn(instance.asgi) as url:
                yield instance, url
        else:
            async with Listener(instance.asgi) as listener:
                yield instance, listener.url


class SockJs:
    """A client over SockJS's WebSocket transport, by hand."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.beats = 0
        self._frames: list[Frame] = []
        self._parser = StompParser()

    async def send(self, command: str, headers: dict[str, str], body: bytes = b"") -> None:
        """Send one STOMP frame."""
        await self.socket.send(json.dumps([encode(command, headers, body).decode()]))

    async def expect(self, command: str) -> Frame:
        """The next STOMP frame, which must be that one; heart-beats of SockJS are counted."""
        async with asyncio.timeout(PATIENCE):
            while not self._frames:
                await self.read()
        frame = self._frames.pop(0)
        assert frame.command == command
        return frame

    async def read(self) -> None:
        """Take one frame of SockJS, which is text always."""
        data = await self.socket.recv()
        assert isinstance(data, str)
        if data == "h":
            self.beats += 1
        elif data.startswith("a"):
            for piece in json.loads(data[1:]):
                self._frames += [
                    item for item in self._parser.feed(piece.encode()) if isinstance(item, Frame)
                ]


@asynccontextmanager
async def sockjs(url: str, session: str) -> AsyncGenerator[SockJs]:
    address = f"{url.replace('http', 'ws', 1)}/ws/000/{session}/websocket"
    async with connect(address, proxy=None, compression=None, ping_interval=None) as socket:
        yield SockJs(socket)


# ---- 11 and 12: the beginning ----------------------------------------------------------------


async def test_case_11_no_subprotocol_is_fine_and_the_clients_first_known_one_wins(
    place: tuple[Instance, str],
) -> None:
    """Without a subprotocol STOMP works; of ``foo, v11.stomp`` the second is chosen."""
    _, url = place
    async with raw_stomp(url) as client:
        assert client.socket.subprotocol is None
        assert (await client.connect()).headers["version"] == "1.2"
    async with raw_stomp(url, subprotocols=["foo", "v11.stomp"]) as client:
        assert client.socket.subprotocol == "v11.stomp"
        await client.connect()
    async with raw_stomp(url, subprotocols=["foo"]) as client:
        assert client.socket.subprotocol is None
        await client.connect()


async def test_case_12_by_default_connected_is_ours_with_the_same_headers(
    place: tuple[Instance, str],
) -> None:
    """The default shares one broker connection: CONNECTED says the same of the instance."""
    _, url = place
    async with raw_stomp(url, "/ws?user=joe") as client:
        headers = (await client.connect()).headers
        assert headers["user-name"] == "joe"
        assert {"server", "session", "heart-beat", "version", "instance"} <= set(headers)


# ---- 14: what a client may not begin with ----------------------------------------------------


@pytest.mark.parametrize("data", [b"SEND\ndestination:/app/count\n\nx\0", b"FOO\n\n\0"])
async def test_case_14_who_does_not_begin_with_connect_gets_error_and_1002(data: bytes) -> None:
    """A SEND first, or a command that there is not: ERROR, nothing reaches the application, 1002."""
    called: list[str] = []

    @message_mapping("/count")
    def count(message: str) -> None:
        called.append(message)

    async with one_instance(handlers=[count]) as instance:
        async with raw_stomp(instance.url) as client:
            await client.raw(data)
            await client.expect("ERROR")
            assert (await client.closed())[0] == 1002
        assert not called and instance.counters.sends == 0


# ---- 15: the end -----------------------------------------------------------------------------


async def test_case_15_by_default_its_subscriptions_end_and_the_user_leaves_once(
    place: tuple[Instance, str],
) -> None:
    """The default has no connection to close: what the client alone had subscribed to is given up."""
    instance, url = place
    async with joined(url, "joe") as client:
        session = next(iter(instance.hub.sessions.values()))
        left = count_leaving(instance)
        client.socket.transport.abort()
        await until(lambda: instance.sessions == 0, "the session is gone")
    instance.router.closed(session)  # carriers may report the end twice
    assert left == ["joe"] and not instance.registry.places("joe")
    assert instance.info()["topics"] == 0
    assert instance.counters.disconnects == 1


def count_leaving(instance: Instance) -> list[str]:
    """The users whose sessions leave the registry from now on."""
    left: list[str] = []
    before = instance.registry.on_local_change

    def observe(user: str) -> None:
        left.append(user)
        before(user)

    instance.registry.on_local_change = observe
    return left


# ---- 16 and 17: messages ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["queue", "topic"])
async def test_case_16_the_destination_is_the_one_that_the_client_knows(
    place: tuple[Instance, str], kind: str
) -> None:
    """``simpOrigDestination`` becomes the destination and is not shown."""
    instance, url = place
    async with raw_stomp(url, "/ws?user=joe") as client:
        session = (await client.connect()).headers["session"]
        await client.subscribe(f"/user/{kind}/foo")
        headers = {"simpOrigDestination": f"/user/{kind}/foo"}
        instance.broker.publish(f"/{kind}/foo-user{session}", headers, b"x")
        message = await client.expect("MESSAGE")
        assert message.headers["destination"] == f"/user/{kind}/foo"
        assert "simpOrigDestination" not in message.headers


@pytest.mark.parametrize(("body", "kind"), [(b"\x01", bytes), (b"", str)])
async def test_case_17_octet_streams_are_binary_unless_they_are_empty(
    place: tuple[Instance, str], body: bytes, kind: type
) -> None:
    """A native WebSocket carries a body of octets in a binary message and an empty one in text."""
    instance, url = place
    async with raw_stomp(url) as client:
        await _connect_and_subscribe(client)
        instance.broker.publish("/topic/a", {"content-type": "application/octet-stream"}, body)
        assert (await client.expect("MESSAGE")).body == body
        assert isinstance(client.messages[-1], kind)


async def _connect_and_subscribe(client: RawStomp) -> None:
    await client.connect()
    await client.subscribe("/topic/a")


async def test_case_17_over_sockjs_everything_is_text() -> None:
    """SockJS has no binary messages: the same body comes as text."""
    async with one_instance() as instance, sockjs(instance.url, "s17") as client:
        await client.send("CONNECT", {"accept-version": "1.2", "host": "/"})
        await client.expect("CONNECTED")
        await client.send("SUBSCRIBE", {"id": "0", "destination": "/topic/a", "receipt": "r"})
        await client.expect("RECEIPT")
        instance.broker.publish("/topic/a", {"content-type": "application/octet-stream"}, b"\x01")
        assert (await client.expect("MESSAGE")).body == b"\x01"


# ---- 18 and 19: time -------------------------------------------------------------------------


async def test_case_18_only_who_never_said_anything_is_closed_after_a_minute(
    place: tuple[Instance, str],
) -> None:
    """4500 after ``first_message_s``, which is Spring's 60 s. Ours is a timer for each session."""
    instance, url = place
    assert instance.settings.first_message_s == 60.0
    async with raw_stomp(url) as silent:
        await until(lambda: instance.sessions == 1, "the silent one is here")
        quiet = next(iter(instance.hub.sessions.values()))
        async with raw_stomp(url) as talker:
            await talker.connect(**{"heart-beat": "0,0"})
            spoke = next(each for each in instance.hub.sessions.values() if each is not quiet)
            router = instance.router
            assert router.look(quiet, quiet.opened_at + 59.9) is not None
            assert router.look(spoke, spoke.opened_at + 61) is None
            router.look(quiet, quiet.opened_at + 60.1)
            assert (await silent.closed())[0] == 4500
            await talker.nothing_before_receipt()
        assert instance.counters.silent == 1


async def test_case_19_heart_beats_of_stomp_switch_those_of_sockjs_off() -> None:
    """A session with STOMP's heart-beats hears no more ``h``; one without goes on to."""
    numbers = itertools.count()
    async with one_instance(heartbeat_ms=(0, 60_000), sockjs=SockJsSettings(heartbeat_s=0.1)) as instance:

        @asynccontextmanager
        async def connected(beats: str) -> AsyncGenerator[SockJs]:
            async with sockjs(instance.url, f"s19-{next(numbers)}") as client:
                await client.send("CONNECT", {"accept-version": "1.2", "host": "/", "heart-beat": beats})
                await client.expect("CONNECTED")
                yield client

        async with connected("60000,0") as with_beats, connected("0,0") as without:
            with_beats.beats = 0  # one may have come before CONNECTED
            async with asyncio.timeout(PATIENCE):
                while without.beats < 3:
                    await without.read()
            await with_beats.send("SEND", {"destination": "/topic/a", "receipt": "now"})
            await with_beats.expect("RECEIPT")
            assert with_beats.beats == 0


# ---- 40: limits ------------------------------------------------------------------------------


async def test_case_40_exactly_the_send_limit_is_fine_and_more_is_closed_with_4500() -> None:
    """1,024 bytes may wait for a client whose connection is full; with one more it is cut."""
    async with one_instance(queue_limit=1024) as instance, raw_stomp(instance.url) as client:
        await client.connect()
        session = next(iter(instance.hub.sessions.values()))
        router = instance.router
        router.pause(session)
        router.outbox.put(session, b"x" * 1019)  # and four bytes of the WebSocket's
        router.outbox.flush()
        assert session.held_bytes == 1023 and not session.closed
        session.pending.append(b"y")
        router.outbox.dirty.append(session)
        router.outbox.flush()
        assert session.held_bytes == 1024 and not session.closed
        session.pending.append(b"z")
        router.outbox.dirty.append(session)
        router.outbox.flush()
        assert session.closed
        code, reason = await client.closed()
        assert (code, reason) == (4500, "Failed to send message within the configured send limit")
        assert instance.counters.slow_consumers == 1


async def test_case_40_a_thousand_messages_are_handled_in_order(place: tuple[Instance, str]) -> None:
    """Handlers see what one client sends in the order in which it was sent. Always so here."""
    seen: list[int] = []
    done = asyncio.Event()

    @message_mapping("/count")
    async def count(message: str) -> None:
        if int(message) % 7 == 0:
            await asyncio.sleep(0)
        seen.append(int(message))
        if len(seen) == 1000:
            done.set()

    async with one_instance(handlers=[count]) as instance, raw_stomp(instance.url) as client:
        await client.connect()
        for first in range(0, 1000, 50):
            frames = [
                encode("SEND", {"destination": "/app/count"}, str(number).encode())
                for number in range(first, first + 50)
            ]
            await client.raw(b"".join(frames))
        async with asyncio.timeout(PATIENCE):
            await done.wait()
    assert seen == list(range(1000))

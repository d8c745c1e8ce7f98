"""The relay's connection: URLs, loss and return, refusals, a broker that does not read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest

from core.errors import BrokerUnavailable, UsageError
from core.protocol import Connect, Disconnect, HeartbeatReceived, Send, ServerSession, Subscribe
from server.brokers.addresses import parse_stomp_url
from server.brokers.delivery import Delivery
from server.brokers.embedded import EmbeddedBroker
from server.brokers.memory import MemoryBroker
from server.brokers.reconnecting import RelayTimes
from server.brokers.stomp import StompBroker
from server.brokers.urls import broker_for

from ...support.processes import until

PATIENCE = 20.0
QUICK = RelayTimes(first_pause_s=0.01, longest_pause_s=0.05)


@pytest.mark.parametrize(
    ("url", "host", "port", "login", "passcode", "vhost", "public"),
    [
        ("stomp://h", "h", 61613, None, None, "/", "stomp://h:61613"),
        ("stomp://u:p%40ss@h:1/a%2Fb", "h", 1, "u", "p@ss", "a/b", "stomp://h:1/a/b"),
        ("stomp://u@[::1]:5/", "::1", 5, "u", None, "/", "stomp://[::1]:5"),
    ],
)
def test_urls_are_understood_and_shown_without_the_password(
    url: str, host: str, port: int, login: str | None, passcode: str | None, vhost: str, public: str
) -> None:
    address = parse_stomp_url(url)
    assert (address.host, address.port, address.login, address.passcode) == (host, port, login, passcode)
    assert (address.host_header, address.public_url) == (vhost, public)
    assert "p@ss" not in repr(address) and "p%40ss" not in repr(address)


@pytest.mark.parametrize("url", ["", "kafka://u:secret@h", "stomp://", "stomp://h:port", "stomp:/h"])
def test_other_urls_are_refused_without_repeating_the_password(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        broker_for(url)
    assert "secret" not in str(refused.value)
    assert "stomp://" in refused.value.hint


def test_memory_is_a_url_too() -> None:
    assert isinstance(broker_for("memory:"), MemoryBroker)


class Watched:
    """A relay and what it said about its availability."""

    def __init__(self, url: str, **options: object) -> None:
        self.broker = StompBroker(url, **{"times": QUICK, **options})  # type: ignore[arg-type]
        self.changes: list[tuple[bool, str]] = []

    def note(self, available: bool, reason: str) -> None:
        self.changes.append((available, reason))

    async def up(self) -> None:
        await until(lambda: self.broker.available, "the broker is there")


@asynccontextmanager
async def watched(url: str, **options: object) -> AsyncGenerator[Watched]:
    found = Watched(url, **options)
    await found.broker.start(found.note)
    try:
        yield found
    finally:
        await found.broker.stop()


async def test_subscriptions_are_made_again_when_the_broker_is_back() -> None:
    async with EmbeddedBroker() as first:
        port = first.port
        async with watched(first.url) as relay:
            await relay.up()
            got: asyncio.Queue[Delivery] = asyncio.Queue()
            gone = relay.broker.subscribe("/topic/gone", got.put_nowait)
            relay.broker.subscribe("/topic/a", got.put_nowait)
            relay.broker.unsubscribe(gone)
            await first.__aexit__(None, None, None)
            await until(lambda: not relay.broker.available, "the loss is seen")
            with pytest.raises(BrokerUnavailable) as refused:
                relay.broker.publish("/topic/a", {}, b"x")
            assert relay.broker.url in str(refused.value)
            ready: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            relay.broker.subscribe("/topic/meanwhile", got.put_nowait, ready.set_result)
            async with EmbeddedBroker(port=port) as second:
                async with asyncio.timeout(PATIENCE):
                    assert await ready is None
                assert second.exchange.bindings == 2
                relay.broker.publish("/topic/a", {}, b"back")
                async with asyncio.timeout(PATIENCE):
                    assert (await got.get()).body == b"back"
            assert [available for available, _ in relay.changes[:3]] == [True, False, True]


async def test_what_was_not_confirmed_is_settled_when_the_connection_ends() -> None:
    async with silent_broker() as (url, sessions), watched(url) as relay:
        await relay.up()
        done: asyncio.Future[BrokerUnavailable | None] = asyncio.get_running_loop().create_future()
        relay.broker.publish("/topic/a", {}, b"x", done.set_result)
        await until(lambda: any(isinstance(event, Send) for event in sessions[0].events), "it has arrived")
        sessions[0].writer.transport.abort()
        async with asyncio.timeout(PATIENCE):
            error = await done
        assert error is not None and "confirmed" in str(error)


async def test_a_subscription_that_the_broker_refuses_is_not_asked_for_again() -> None:
    async with EmbeddedBroker() as broker, watched(broker.url) as relay:
        await relay.up()
        refused: asyncio.Future[BrokerUnavailable | None] = asyncio.get_running_loop().create_future()
        relay.broker.subscribe("/topic/a/b", lambda frame: None, refused.set_result)
        async with asyncio.timeout(PATIENCE):
            error = await refused
        assert error is not None and "not a valid topic destination" in str(error)
        confirmed: asyncio.Future[BrokerUnavailable | None] = asyncio.get_running_loop().create_future()
        relay.broker.publish("/topic/a", {}, b"x", confirmed.set_result)
        async with asyncio.timeout(PATIENCE):
            assert await confirmed is None
        assert relay.changes == [(True, "")]  # the broker kept the connection


async def test_a_broker_that_does_not_read_refuses_instead_of_filling_our_memory() -> None:
    async with silent_broker() as (url, sessions), watched(url, backlog_limit=100_000) as relay:
        await relay.up()
        sessions[0].writer.transport.pause_reading()  # type: ignore[attr-defined]
        with pytest.raises(BrokerUnavailable) as refused:
            async with asyncio.timeout(PATIENCE):
                while True:
                    relay.broker.publish("/topic/a", {}, b"x" * 50_000)
                    await asyncio.sleep(0)
        assert "does not read" in str(refused.value)
        sessions[0].writer.transport.abort()


async def test_stopping_says_goodbye() -> None:
    async with silent_broker() as (url, sessions):
        async with watched(url) as relay:
            await relay.up()
        await until(lambda: any(isinstance(event, Disconnect) for event in sessions[0].events), "DISCONNECT")


async def test_login_vhost_and_heart_beats_are_sent() -> None:
    async with silent_broker() as (url, sessions):
        async with watched(url.replace("//", "//joe:secret@") + "/ABC") as relay:
            await relay.up()
        connect = next(event for event in sessions[0].events if isinstance(event, Connect))
        assert (connect.login, connect.passcode, connect.host) == ("joe", "secret", "ABC")
        assert connect.heartbeat == (10_000, 10_000)


async def test_nobody_there_is_a_reason_in_words() -> None:
    async with watched("stomp://127.0.0.1:1") as relay:
        await until(lambda: "not connected yet" not in relay.broker.reason, "it was tried")
        assert relay.broker.reason
        with pytest.raises(BrokerUnavailable):
            relay.broker.publish("/topic/a", {}, b"x")


class SilentPeer:
    """A broker's end that answers CONNECT and SUBSCRIBE and nothing else."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.events: list[object] = []
        self.beats = 0

    async def run(self, heartbeat: tuple[int, int], refuse: bytes) -> None:
        session = ServerSession(session_id="s", server_name="silent/1", heartbeat=heartbeat)
        while data := await self.reader.read(65536):
            for event in session.receive(data, 0.0):
                self.events.append(event)
                if isinstance(event, HeartbeatReceived):
                    self.beats += 1
                elif isinstance(event, Connect):
                    self.writer.write(session.error("Bad CONNECT", refuse) if refuse else session.connected())
                elif isinstance(event, Subscribe) and event.receipt:
                    self.writer.write(session.receipt(event.receipt))
        self.writer.close()


@asynccontextmanager
async def silent_broker(
    *, heartbeat: tuple[int, int] = (0, 0), refuse: bytes = b""
) -> AsyncGenerator[tuple[str, list[SilentPeer]]]:
    peers: list[SilentPeer] = []
    tasks: list[asyncio.Task[None]] = []

    async def serve(peer: SilentPeer) -> None:
        with suppress(ConnectionError):
            await peer.run(heartbeat, refuse)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(SilentPeer(reader, writer))
        tasks.append(asyncio.get_running_loop().create_task(serve(peers[-1])))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"stomp://127.0.0.1:{server.sockets[0].getsockname()[1]}", peers
    finally:
        server.close()
        await asyncio.sleep(0.01)  # who came at the last moment is among the peers then
        for peer in peers:
            peer.writer.transport.abort()
        await asyncio.gather(*tasks)
        await asyncio.sleep(0)  # the end of the transports

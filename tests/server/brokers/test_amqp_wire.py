"""AMQP's connection: TLS, a broker that does not read, one that falls silent, one that talks nonsense."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest

from core.errors import BrokerUnavailable
from server.brokers.amqp import AmqpBroker
from server.brokers.reconnecting import RelayTimes
from tests.support.certificates import Authority
from tests.support.processes import until
from tests.support.rabbitmq import VirtualHost
from tests.support.requirements import requires
from tests.support.watched_broker import PATIENCE, QUICK, Inbox, connected, watched


class Splice:
    """A proxy before the broker; while ``flowing`` is not set, nothing passes."""

    def __init__(self, broker_port: int) -> None:
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.port = 0
        self._broker_port = broker_port
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self, context: ssl.SSLContext | None = None) -> AsyncGenerator[Splice]:
        """Listen on a free port."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=context, limit=4096)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            yield self
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._pass_on(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._broker_port)
        try:
            await asyncio.gather(self._copy(reader, inner_writer), self._copy(inner_reader, writer))
        finally:
            inner_writer.close()
            writer.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ssl.SSLError):
            while data := await reader.read(4096):
                await self.flowing.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


@requires("openssl")
async def test_a_broker_behind_tls_that_is_trusted_carries_messages(
    rabbitmq: VirtualHost, tmp_path_factory: pytest.TempPathFactory
) -> None:
    authority, inbox = Authority(tmp_path_factory.mktemp("authority")), Inbox()
    context = authority.server_context(authority.sign("server"))
    async with Splice(rabbitmq.node.amqp_port).listening(context) as splice:
        url = f"amqps://guest:guest@localhost:{splice.port}/{rabbitmq.name}"
        async with connected(f"{url}?cafile={authority.cafile}") as relay:
            await relay.subscribe("/topic/a", inbox.put_nowait)
            await relay.publish("/topic/a", b"x" * 300_000)
            assert len((await inbox.next()).body) == 300_000
        async with watched(AmqpBroker(url, times=QUICK)) as stranger:
            await until(lambda: "not trusted" in stranger.broker.reason, "the certificate was refused")
            assert "cafile" in stranger.broker.reason
    async with watched(AmqpBroker(f"amqps://127.0.0.1:{rabbitmq.node.amqp_port}", times=QUICK)) as plain:
        await until(lambda: "TLS" in plain.broker.reason, "that it speaks no TLS is said")


async def test_a_broker_that_does_not_read_refuses_instead_of_filling_our_memory(
    rabbitmq: VirtualHost,
) -> None:
    async with Splice(rabbitmq.node.amqp_port).listening() as splice:
        url = f"amqp://guest:guest@127.0.0.1:{splice.port}/{rabbitmq.name}"
        async with watched(AmqpBroker(url, times=QUICK, backlog_limit=200_000)) as relay:
            await relay.up()
            splice.flowing.clear()
            with pytest.raises(BrokerUnavailable) as refused:
                async with asyncio.timeout(PATIENCE):
                    while True:
                        relay.broker.publish("/topic/a", {}, b"x" * 50_000)
                        await asyncio.sleep(0)
            assert "does not read" in str(refused.value)
            splice.flowing.set()
            await until(lambda: _takes(relay.broker), "it takes messages again")
            await relay.publish("/topic/a", b"again")


def _takes(broker: AmqpBroker | object) -> bool:
    assert isinstance(broker, AmqpBroker)
    try:
        broker.publish("/topic/a", {}, b"")
    except BrokerUnavailable:
        return False
    return True


async def test_a_broker_that_falls_silent_is_lost(rabbitmq: VirtualHost) -> None:
    times = RelayTimes(heartbeat_ms=(1000, 1000), first_pause_s=0.01, longest_pause_s=0.1)
    async with Splice(rabbitmq.node.amqp_port).listening() as splice:
        url = f"amqp://guest:guest@127.0.0.1:{splice.port}/{rabbitmq.name}"
        async with watched(AmqpBroker(url, times=times)) as relay:
            await relay.up()
            splice.flowing.clear()
            await until(lambda: len(relay.changes) == 2, "the loss is seen")
            assert "silent" in relay.changes[1][1]
            splice.flowing.set()
            await relay.up()


async def test_a_steady_stream_without_heart_beats_is_no_silence(rabbitmq: VirtualHost) -> None:
    times = RelayTimes(heartbeat_ms=(1000, 1000), first_pause_s=0.01, longest_pause_s=0.1)
    inbox = Inbox()
    async with watched(AmqpBroker(rabbitmq.amqp_url, times=times)) as relay:
        await relay.up()
        await relay.subscribe("/topic/a", inbox.put_nowait)
        # aio-pika gives a connection up on which it has read nothing for 6 s.
        deadline = asyncio.get_running_loop().time() + 8
        while asyncio.get_running_loop().time() < deadline:
            await relay.publish("/topic/a")
            await inbox.next()
            await asyncio.sleep(0.02)
        assert relay.changes == [(True, "")]


@asynccontextmanager
async def peer_that_says(greeting: bytes) -> AsyncGenerator[int]:
    """Something that greets everybody like this and listens; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(greeting)
            with suppress(ConnectionError):
                await reader.read()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    "greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"AMQP\0\0\x09\x00", b"\x01\0\0\xff\xff\xff\xff"]
)
async def test_a_peer_that_is_no_rabbitmq_is_a_reason(greeting: bytes) -> None:
    async with peer_that_says(greeting) as port:
        times = RelayTimes(connect_s=1.0, first_pause_s=0.01, longest_pause_s=0.1)
        async with watched(AmqpBroker(f"amqp://127.0.0.1:{port}", times=times)) as relay:
            await until(lambda: relay.broker.reason != "not connected yet", "it was tried")
            assert relay.broker.reason and not relay.broker.available


async def test_stopping_ends_the_connecting_at_whatever_it_is() -> None:
    times = RelayTimes(connect_s=1.0, first_pause_s=0.001, longest_pause_s=0.005)
    chance = random.Random(7)
    async with peer_that_says(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        for _ in range(50):
            async with watched(AmqpBroker(f"amqp://127.0.0.1:{port}", times=times)):
                await asyncio.sleep(chance.uniform(0, 0.02))  # any moment of it

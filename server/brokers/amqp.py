"""RabbitMQ over AMQP, without any plugin: one connection and one queue for all topics of an instance.

aio-pika makes the connection, its channels and the queue; what happens for every message, and for
every subscription, goes past it on the same connection (:mod:`.amqp_link` says how). CPU of one publish +
consume in one run of the benchmark ``amqp``, 32 in flight: aio-pika 253 µs, aiormq 188, this 15; one at
a time, where the system calls are most of it: 307, 264, 59.

STOMP peers on the same RabbitMQ see what a STOMP sender would have produced (:mod:`.amqp_content`).

Order: what one broker object publishes to topics arrives in order, whatever the topics, because they
share a queue; messages of one ``/queue`` arrive in order. RabbitMQ promises nothing across queues.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping

import aiormq
from pamqp import commands

from core.errors import BrokerUnavailable

from .addresses import StompAddress, parse_amqp_url
from .amqp_connection import AmqpConnection
from .amqp_publisher import Publisher
from .amqp_queues import MOST_LANES, Queues, consumer_address
from .amqp_topics import TopicChannel, Topics
from .amqp_topology import Topology
from .base import AUTO, Availability, Consume, Deliver, Settled
from .dialing import tls_context, trouble_of
from .limits import LINK_LIMITS
from .reconnecting import DEFAULT_BACKLOG_LIMIT, Reconnecting, RelayTimes

logger = logging.getLogger("pushscope.server.broker")


class AmqpBroker:
    """Implements ``Broker`` with RabbitMQ over AMQP 0-9-1.

    Args:
        url: ``amqp://user:password@host:5672/vhost``, ``amqps://…``, with one host or several.
        times: How patient it is.
        backlog_limit: Bytes that may wait for a broker that does not read.
        most_lanes: Channels for consumers of queues; further consumers share those.
    """

    def __init__(
        self,
        url: str,
        *,
        times: RelayTimes | None = None,
        backlog_limit: int = DEFAULT_BACKLOG_LIMIT,
        most_lanes: int = MOST_LANES,
    ) -> None:
        address = parse_amqp_url(url)
        #: What it takes in a message: a peer of ours may hear it over STOMP.
        self.limits = LINK_LIMITS
        self._context = tls_context(address.tls)
        self._times = times or RelayTimes()
        self._state = Reconnecting(address.nodes, self._times, backlog_limit)
        self._ended = asyncio.Event()
        self._served = False
        self._connection: AmqpConnection | None = None
        self._publisher: Publisher | None = None
        self._topics = Topics(self._complete)
        self._queues = Queues(most_lanes)
        self._consuming: asyncio.Future[None] | None = None
        self._count = 0

    @property
    def available(self) -> bool:
        """Whether it can be used now."""
        return self._state.available

    @property
    def reason(self) -> str:
        """Why not, or ""."""
        return self._state.reason

    @property
    def url(self) -> str:
        """Without its password; of several nodes the one in use, or tried last."""
        return self._state.url

    async def start(self, on_availability: Availability) -> None:
        """Begin to connect."""
        self._state.start(self._connect, on_availability)

    async def trouble(self) -> str:
        """Connect to each node once, instead of :meth:`start`; what they answered, "" if one can be used."""
        return await self._state.try_each(self._connect, self._ended.set)

    async def stop(self) -> None:
        """Close the connection; with it goes the queue."""
        if self._connection is not None:
            self._connection.link.expect_end("stopped")
            self._connection.link.flush()
        if not await self._state.stop():
            return
        self._lost("stopped")
        gone = BrokerUnavailable("the broker connection was stopped")
        self._topics.settle(gone)
        self._queues.settle(gone)

    def publish(
        self, destination: str, headers: Mapping[str, str], body: bytes, done: Settled | None = None
    ) -> None:
        """Publish; ``done`` comes with the broker's confirm."""
        publisher, connection = self._publisher, self._connection
        if publisher is None or connection is None or not self.available:
            raise self._state.away(destination)
        self._state.require_reading(connection.link.backlog, destination)
        self.limits.check(destination, headers, len(body))
        publisher.publish(destination, headers, body, done)

    def subscribe(
        self, destination: str, deliver: Deliver, ready: Settled | None = None, consume: Consume = AUTO
    ) -> int:
        """Bind or consume now, or when connected."""
        self._count += 1
        handle = self._count
        try:
            address = consumer_address(destination)
        except BrokerUnavailable as error:
            if ready is not None:
                asyncio.get_running_loop().call_soon(ready, error)
            return handle
        if address.is_topic and consume == AUTO:
            self._topics.subscribe(handle, address.key, deliver, ready)
        else:
            self._queues.subscribe(handle, address, deliver, ready, consume)
        return handle

    def unsubscribe(self, handle: int) -> None:
        """End a subscription."""
        if not self._topics.unsubscribe(handle):
            self._queues.unsubscribe(handle)

    def ack(self, handle: int, token: str) -> None:
        """Basic.Ack, if the message came over this connection."""
        self._queues.settle_message(handle, token, accept=True)

    def nack(self, handle: int, token: str, *, requeue: bool = True) -> None:
        """Basic.Nack, if the message came over this connection."""
        self._queues.settle_message(handle, token, accept=False, requeue=requeue)

    # connection -----------------------------------------------------------------------------

    async def _connect(self) -> bool:
        """Connect and stay until the end; whether the broker could be used."""
        node = self._state.node
        self._ended.clear()
        self._served = False
        try:
            async with asyncio.timeout(self._times.connect_s):
                await self._open(node)
            await self._ended.wait()
        except TimeoutError:
            self._state.lost(f"no answer within {self._times.connect_s:g} s")
        except OSError as error:
            where = f"{node.host}:{node.port}: " if self._state.several else ""
            self._state.lost(f"{where}{trouble_of(error, node)}")
        except (aiormq.AMQPError, BrokerUnavailable) as error:
            self._state.lost(str(error))
        finally:
            connection, self._connection = self._connection, None
            if connection is not None:
                await connection.close()
        return self._served

    async def _open(self, node: StompAddress) -> None:
        connection = self._connection = await AmqpConnection.open(
            node, self._context, self._times.heartbeat_ms[1] / 1000 or 60, self._lost
        )
        topology = Topology(connection)
        publisher = Publisher(connection, connection.login)
        await topology.open()
        await publisher.open()
        queue = await connection.declare_own_queue()
        ids = f"{secrets.token_hex(4)}-".encode()
        channel = await connection.channel(lambda link, number: TopicChannel(link, number, self._topics, ids))
        consuming = self._consuming = asyncio.get_running_loop().create_future()
        channel.ask(commands.Basic.Consume(queue=queue, no_ack=True, exclusive=True), lambda: _set(consuming))
        await consuming
        self._publisher = publisher
        self._queues.attach(connection, topology)
        self._topics.attach(topology, queue)

    def _complete(self) -> None:
        """Everything is bound: what is published anywhere from now on will be delivered."""
        self._served = True
        self._state.came(f"{len(self._topics)} topics, {len(self._queues)} queues")

    def _lost(self, why: str) -> None:
        self._ended.set()
        if self._consuming is not None and not self._consuming.done():
            self._consuming.set_exception(BrokerUnavailable(why))
        self._state.lost(why)
        publisher, self._publisher = self._publisher, None
        self._topics.detach()
        self._queues.detach()
        if publisher is not None:
            publisher.end(
                BrokerUnavailable(f"the broker connection ended before the broker confirmed: {why}")
            )


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

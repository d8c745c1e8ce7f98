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
import random
import secrets
from collections import deque
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
from .stomp import RelayTimes
from .stomp_link import DEFAULT_BACKLOG_LIMIT

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
        self._context = tls_context(address.tls)
        self._nodes = deque(address.nodes)
        #: Without its password; of several nodes the one in use, or tried last.
        self.url = self._nodes[0].public_url
        self.available = False
        self.reason = "not connected yet"
        self._times = times or RelayTimes()
        self._backlog_limit = backlog_limit
        self._on_availability: Availability | None = None
        self._task: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._served = False
        self._connection: AmqpConnection | None = None
        self._publisher: Publisher | None = None
        self._topics = Topics(self._complete)
        self._queues = Queues(most_lanes)
        self._consuming: asyncio.Future[None] | None = None
        self._count = 0

    async def start(self, on_availability: Availability) -> None:
        """Begin to connect."""
        self._on_availability = on_availability
        self._task = asyncio.create_task(self._run(), name=f"broker:{self.url}")

    async def stop(self) -> None:
        """Close the connection; with it goes the queue."""
        task, self._task = self._task, None
        if task is None:
            return
        if self._connection is not None:
            self._connection.link.expect_end("stopped")
            self._connection.link.flush()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
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
            raise BrokerUnavailable(
                f"the broker at {self.url} is not available: {self.reason}", tried=f"SEND to {destination}"
            )
        if connection.link.backlog > self._backlog_limit:
            raise BrokerUnavailable(
                f"the broker at {self.url} does not read: {connection.link.backlog} bytes wait for it",
                tried=f"SEND to {destination}",
            )
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

    async def _run(self) -> None:
        pause = self._times.first_pause_s
        while True:
            if await self._connect():
                pause = self._times.first_pause_s
            # Jitter, so that the instances of a cluster do not all come at once.
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, self._times.longest_pause_s)

    async def _connect(self) -> bool:
        """Connect and stay until the end; whether the broker could be used."""
        node = self._nodes[0]
        self.url = node.public_url
        self._ended.clear()
        self._served = False
        try:
            async with asyncio.timeout(self._times.connect_s):
                await self._open(node)
            await self._ended.wait()
        except TimeoutError:
            self._trouble(f"no answer within {self._times.connect_s:g} s")
        except OSError as error:
            self._trouble(trouble_of(error, node))
        except (aiormq.AMQPError, BrokerUnavailable) as error:
            self._trouble(str(error))
        finally:
            connection, self._connection = self._connection, None
            if connection is not None:
                await connection.close()
        if not self._served:
            self._nodes.rotate(-1)
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
        self.available, self.reason, self._served = True, "", True
        logger.info(
            "broker %s connected: %d topics, %d queues", self.url, len(self._topics), len(self._queues)
        )
        if self._on_availability is not None:
            self._on_availability(True, "")

    def _lost(self, why: str) -> None:
        self._ended.set()
        if self._consuming is not None and not self._consuming.done():
            self._consuming.set_exception(BrokerUnavailable(why))
        self._trouble(why)
        publisher, self._publisher = self._publisher, None
        self._topics.detach()
        self._queues.detach()
        if publisher is not None:
            publisher.end(
                BrokerUnavailable(f"the broker connection ended before the broker confirmed: {why}")
            )

    def _trouble(self, why: str) -> None:
        was = self.available
        if why != self.reason or was:
            logger.warning("broker %s is not available: %s", self.url, why)
        self.available, self.reason = False, why
        if was and self._on_availability is not None:
            self._on_availability(False, why)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

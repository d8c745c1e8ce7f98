"""Consumers of queues: each on a channel of its own, settled message by message.

What RabbitMQ refuses to one consumer ends that consumer's channel only. Over many consumers channels
are shared, because RabbitMQ allows 2,047 of them on a connection.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Final

from pamqp import commands
from pamqp.base import Frame
from pamqp.common import FieldValue

from core.errors import BrokerUnavailable

from . import amqp_frames
from .amqp_channel import AmqpChannel, Envelope
from .amqp_connection import AmqpConnection
from .amqp_delivery import AmqpDelivery
from .amqp_destinations import Address, address_of
from .amqp_link import AmqpLink
from .amqp_topology import Topology
from .base import Consume, Deliver, Settled

logger = logging.getLogger("pushscope.server.broker")

#: Channels for consumers; a RabbitMQ connection has 2,047 at most, unless it is told otherwise.
MOST_LANES: Final = 1_000
#: Headers of a SUBSCRIBE that are arguments of the queue (docs/wire/brokers.md §1).
_ARGUMENTS: Final = frozenset(
    {
        "x-message-ttl",
        "x-expires",
        "x-max-length",
        "x-max-length-bytes",
        "x-max-priority",
        "x-dead-letter-exchange",
        "x-dead-letter-routing-key",
        "x-queue-type",
        "x-max-age",
        "x-stream-max-segment-size-bytes",
    }
)


class Consumer:
    """A subscription that has its own consumer; it outlives connections."""

    __slots__ = ("address", "consume", "deliver", "gone", "handle", "held", "lane", "ready")

    def __init__(
        self, handle: int, address: Address, deliver: Deliver, ready: Settled | None, consume: Consume
    ) -> None:
        self.handle = handle
        self.address = address
        self.deliver = deliver
        #: Who is to be told; None once it has been.
        self.ready = ready
        self.consume = consume
        #: Delivery tags of unsettled messages by their tokens.
        self.held: dict[str, int] = {}
        self.lane: Lane | None = None
        self.gone = False

    @property
    def tag(self) -> bytes:
        """Its name on its channel."""
        return b"%d" % self.handle

    def settle(self, error: BrokerUnavailable | None) -> None:
        """Tell who waits for it."""
        ready, self.ready = self.ready, None
        if ready is not None:
            ready(error)


class Lane(AmqpChannel):
    """A channel with consumers, usually one.

    Args:
        link: The connection.
        number: The channel's.
        ids: What ids and tokens of its messages begin with.
        on_end: Called with the lane when the broker has closed it.
        on_cancel: Called with a consumer whose queue was deleted.
    """

    def __init__(
        self,
        link: AmqpLink,
        number: int,
        ids: str,
        on_end: Callable[[Lane, str], None],
        on_cancel: Callable[[Consumer], None],
    ) -> None:
        super().__init__(link, number)
        self.consumers: dict[bytes, Consumer] = {}
        #: Who is being set up: if the broker closes the channel, that is why.
        self.beginning: list[Consumer] = []
        self._ids = ids
        self._on_end = on_end
        self._on_cancel = on_cancel
        self._prefetch = 0

    def add(self, consumer: Consumer, queue: str) -> None:
        """Have the queue consumed."""
        self.consumers[consumer.tag] = consumer
        consumer.lane = self
        self.beginning.append(consumer)
        prefetch = consumer.consume.prefetch
        if prefetch != self._prefetch:
            self._prefetch = prefetch
            self.ask(commands.Basic.Qos(prefetch_count=prefetch), _nothing)
        self.ask(
            commands.Basic.Consume(
                queue=queue, consumer_tag=str(consumer.handle), no_ack=consumer.consume.ack == "auto"
            ),
            lambda: self._begun(consumer),
        )

    def remove(self, consumer: Consumer) -> None:
        """End a consumer on a channel that others use, too; what it holds goes back."""
        tags = list(consumer.held.values())
        consumer.held.clear()

        def cancelled() -> None:
            self.consumers.pop(consumer.tag, None)

        self.ask(commands.Basic.Cancel(consumer_tag=str(consumer.handle)), cancelled)
        for tag in tags:
            self.wire.write(amqp_frames.reject(self.number, tag, requeue=True))

    def delivered(self, envelope: Envelope, content: bytes, body: bytes) -> None:
        """A message for one of the consumers."""
        name, tag, redelivered, exchange, key = envelope
        consumer = self.consumers.get(name)
        if consumer is None:
            return
        token = ""
        if consumer.consume.ack != "auto":
            if consumer.gone:  # on its way when we cancelled
                self.wire.write(amqp_frames.reject(self.number, tag, requeue=True))
                return
            token = f"{self._ids}{tag}"
            consumer.held[token] = tag
        if not consumer.gone:
            id = f"{self._ids}{tag}".encode()
            consumer.deliver(AmqpDelivery(exchange, key, content, body, id, redelivered, token))

    def oversized(self, envelope: Envelope, size: int) -> None:
        """Drop it at the broker, too, or it would come again and again."""
        super().oversized(envelope, size)
        consumer = self.consumers.get(envelope[0])
        if consumer is not None and consumer.consume.ack != "auto":
            self.wire.write(amqp_frames.reject(self.number, envelope[1], requeue=False))

    def cancelled(self, consumer: bytes) -> None:
        """A queue was deleted."""
        found = self.consumers.pop(consumer, None)
        if found is not None and not found.gone:
            self._on_cancel(found)

    def ended(self, why: str) -> None:
        """The broker has closed the channel."""
        self._on_end(self, why)

    def _begun(self, consumer: Consumer) -> None:
        self.beginning.remove(consumer)
        if not consumer.gone:
            consumer.settle(None)


class Queues:
    """All subscriptions of an instance that are not multiplexed.

    Args:
        most_lanes: Channels for them; further consumers share those.
    """

    def __init__(self, most_lanes: int = MOST_LANES) -> None:
        self._most_lanes = most_lanes
        self._consumers: dict[int, Consumer] = {}
        self._lanes: set[Lane] = set()
        self._connection: AmqpConnection | None = None
        self._topology: Topology | None = None
        self._count = 0

    def __len__(self) -> int:
        return len(self._consumers)

    def attach(self, connection: AmqpConnection, topology: Topology) -> None:
        """There is a connection: consume everything."""
        self._connection, self._topology = connection, topology
        for consumer in self._consumers.values():
            self._begin(consumer)

    def detach(self) -> None:
        """The connection has ended; what was not settled cannot be any more."""
        self._connection = self._topology = None
        self._lanes.clear()
        for consumer in self._consumers.values():
            consumer.lane = None
            consumer.held.clear()

    def subscribe(
        self, handle: int, address: Address, deliver: Deliver, ready: Settled | None, consume: Consume
    ) -> None:
        """Add a consumer; ``ready`` when the broker has it."""
        consumer = self._consumers[handle] = Consumer(handle, address, deliver, ready, consume)
        self._begin(consumer)

    def unsubscribe(self, handle: int) -> None:
        """End a consumer; what it holds goes back to its queue. Unknown handles are ignored."""
        consumer = self._consumers.pop(handle, None)
        if consumer is None:
            return
        consumer.gone = True
        lane, connection = consumer.lane, self._connection
        if lane is None or connection is None:
            return
        if all(each.gone for each in lane.consumers.values()):
            self._lanes.discard(lane)
            connection.tasks.start(connection.release(lane), "release a channel")
        else:
            lane.remove(consumer)

    def settle_message(self, handle: int, token: str, *, accept: bool, requeue: bool = True) -> None:
        """Acknowledge a message, or not; unknown tokens are ignored."""
        consumer = self._consumers.get(handle)
        if consumer is None or consumer.lane is None:
            return
        tag = consumer.held.pop(token, None)
        if tag is None:
            return
        lane = consumer.lane
        if accept:
            lane.wire.write(amqp_frames.ack(lane.number, tag))
        else:
            lane.wire.write(amqp_frames.reject(lane.number, tag, requeue=requeue))

    def settle(self, error: BrokerUnavailable) -> None:
        """It is over: tell all who wait, forget everything."""
        consumers = list(self._consumers.values())
        self._consumers.clear()
        for consumer in consumers:
            consumer.settle(error)

    # ----------------------------------------------------------------------------------------

    def _begin(self, consumer: Consumer) -> None:
        connection, topology = self._connection, self._topology
        if connection is not None and topology is not None:
            connection.tasks.start(self._set_up(consumer, connection, topology), "set up a consumer")

    async def _set_up(self, consumer: Consumer, connection: AmqpConnection, topology: Topology) -> None:
        try:
            queue, commands_ = _preparation(consumer.address, consumer.consume.headers)
            for each in commands_:
                await topology.call(each)
            if consumer.gone:
                return
            lane = await self._lane(connection)
        except BrokerUnavailable as error:
            if not connection.link.ended:
                self._refused(consumer, error)
            return
        if consumer.gone:
            await self._drop_if_idle(lane, connection)
        elif lane.closed:  # over what another consumer asked for
            self._begin(consumer)
        else:
            lane.add(consumer, queue)

    async def _lane(self, connection: AmqpConnection) -> Lane:
        if len(self._lanes) >= min(self._most_lanes, (connection.most_channels or 65_535) // 2):
            return min(self._lanes, key=lambda each: len(each.consumers))
        self._count += 1
        ids = f"{secrets.token_hex(4)}.{self._count}-"
        lane = await connection.channel(
            lambda link, number: Lane(link, number, ids, self._ended, self._cancelled)
        )
        self._lanes.add(lane)
        return lane

    async def _drop_if_idle(self, lane: Lane, connection: AmqpConnection) -> None:
        if not lane.consumers and lane in self._lanes:
            self._lanes.discard(lane)
            await connection.release(lane)

    def _cancelled(self, consumer: Consumer) -> None:
        logger.warning("the queue of %r was deleted: making it again", consumer.address.key)
        consumer.held.clear()
        consumer.lane = None
        self._begin(consumer)

    def _ended(self, lane: Lane, why: str) -> None:
        self._lanes.discard(lane)
        if self._connection is None or self._connection.link.ended:
            return
        # RabbitMQ answers in order: the first without an answer is the one that it refuses.
        culprit = lane.beginning[0] if lane.beginning else None
        for consumer in list(lane.consumers.values()):
            consumer.lane = None
            consumer.held.clear()
            if consumer.gone:
                continue
            if consumer is culprit:
                self._refused(consumer, BrokerUnavailable(why))
            else:
                logger.warning("consuming %r again: %s", consumer.address.key, why)
                self._begin(consumer)

    def _refused(self, consumer: Consumer, error: BrokerUnavailable) -> None:
        logger.error("the broker refuses to have %r consumed: %s", consumer.address.key, error)
        self._consumers.pop(consumer.handle, None)
        consumer.gone = True
        consumer.settle(error)


def _preparation(address: Address, headers: Mapping[str, str]) -> tuple[str, list[Frame]]:
    """The queue to consume, and the commands that make it."""
    arguments: dict[str, FieldValue] = {
        name: int(value) if value.isascii() and value.isdigit() else value
        for name, value in headers.items()
        if name in _ARGUMENTS
    }
    durable = headers.get("durable", headers.get("persistent"))
    if not address.exchange:
        if not address.declare:
            return address.key, []
        exclusive = durable == "false"
        declare = commands.Queue.Declare(
            queue=address.key,
            durable=not exclusive,
            exclusive=exclusive,
            auto_delete=exclusive,
            arguments=arguments,
        )
        return address.key, [declare]
    name = headers.get("x-queue-name") or f"pushscope-{secrets.token_hex(12)}"
    kept = durable == "true"
    declare = commands.Queue.Declare(
        queue=name, durable=kept, exclusive=not kept, auto_delete=not kept, arguments=arguments
    )
    bind = commands.Queue.Bind(queue=name, exchange=address.exchange, routing_key=address.key)
    return name, [declare, bind]


def consumer_address(destination: str) -> Address:
    """Where a subscription consumes from.

    Raises:
        BrokerUnavailable: It cannot be subscribed to.
    """
    address = address_of(destination)
    if not address.consumable:
        raise BrokerUnavailable(f"'{destination}' is not a valid destination of a subscription")
    return address


def _nothing() -> None:
    """Nobody waits for the answer."""

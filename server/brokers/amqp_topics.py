"""Topics of an instance: one queue at the broker, bound once for each distinct destination.

Who gets a message is found here, by its routing key: RabbitMQ puts one copy into the queue however
many bindings match.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pamqp import commands

from core.errors import BrokerUnavailable
from core.protocol import is_pattern, topic_matches

from .amqp_channel import AmqpChannel, Envelope
from .amqp_delivery import AmqpDelivery
from .amqp_destinations import TOPIC_EXCHANGE
from .amqp_link import AmqpLink
from .amqp_topology import Topology
from .base import Deliver, Settled

logger = logging.getLogger("pushscope.server.broker")


class _Binding:
    """One routing key, and who wants it."""

    __slots__ = ("bound", "key", "receivers", "waiting")

    def __init__(self, key: str) -> None:
        self.key = key
        self.receivers: dict[int, Deliver] = {}
        #: Who is to be told when it is bound.
        self.waiting: dict[int, Settled] = {}
        self.bound = False


class Topics:
    """Subscriptions to topics; they outlive connections.

    Args:
        on_complete: Called when all that was bound before a loss is bound again, at once if nothing was.
    """

    def __init__(self, on_complete: Callable[[], None]) -> None:
        self._on_complete = on_complete
        self._exact: dict[bytes, _Binding] = {}
        self._patterns: dict[bytes, _Binding] = {}
        self._of: dict[int, _Binding] = {}
        self._missing: set[_Binding] | None = None
        self._topology: Topology | None = None
        self._queue = ""

    def __len__(self) -> int:
        return len(self._exact) + len(self._patterns)

    def attach(self, topology: Topology, queue: str) -> None:
        """There is a connection: bind everything to its queue."""
        self._topology, self._queue = topology, queue
        everything = [*self._exact.values(), *self._patterns.values()]
        self._missing = set(everything)
        for binding in everything:
            self._bind(topology, binding)
        self._found(None)

    def detach(self) -> None:
        """The connection has ended."""
        self._topology = self._missing = None
        for binding in (*self._exact.values(), *self._patterns.values()):
            binding.bound = False

    def subscribe(self, handle: int, key: str, deliver: Deliver, ready: Settled | None) -> None:
        """Add a receiver; ``ready`` when the broker has the binding."""
        place = self._place(key)
        binding = place.get(key.encode())
        if binding is None:
            binding = place[key.encode()] = _Binding(key)
            if self._topology is not None:
                self._bind(self._topology, binding)
        binding.receivers[handle] = deliver
        self._of[handle] = binding
        if ready is None:
            return
        binding.waiting[handle] = ready
        if binding.bound:
            asyncio.get_running_loop().call_soon(self._tell, binding)

    def unsubscribe(self, handle: int) -> bool:
        """Remove a receiver; whether there was one."""
        binding = self._of.pop(handle, None)
        if binding is None:
            return False
        del binding.receivers[handle]
        binding.waiting.pop(handle, None)
        if not binding.receivers:
            del self._place(binding.key)[binding.key.encode()]
            if self._topology is not None:
                unbind = commands.Queue.Unbind(
                    queue=self._queue, exchange=TOPIC_EXCHANGE, routing_key=binding.key
                )
                self._topology.ask(unbind, _nothing)
            self._found(binding)
        return True

    def settle(self, error: BrokerUnavailable) -> None:
        """It is over: tell all who wait, forget everything."""
        waiting = [ready for binding in self._of.values() for ready in binding.waiting.values()]
        for each in (self._exact, self._patterns, self._of):
            each.clear()
        for ready in waiting:
            ready(error)

    def deliver(self, delivery: AmqpDelivery) -> None:
        """A message has come."""
        binding = self._exact.get(delivery.key)
        if not self._patterns:
            if binding is None:
                return  # nobody wants it any more
            if len(binding.receivers) == 1:
                for deliver in binding.receivers.values():
                    deliver(delivery)
                    return
        found = [] if binding is None else list(binding.receivers.items())
        if self._patterns:
            name = "/topic/" + delivery.key.decode("utf-8", "replace")
            for pattern in self._patterns.values():
                if topic_matches("/topic/" + pattern.key, name):
                    found += pattern.receivers.items()
        for handle, deliver in found:
            if handle in self._of:  # a receiver may have ended another one
                deliver(delivery)

    # ----------------------------------------------------------------------------------------

    def _place(self, key: str) -> dict[bytes, _Binding]:
        return self._patterns if is_pattern("/topic/" + key) else self._exact

    def _bind(self, topology: Topology, binding: _Binding) -> None:
        bind = commands.Queue.Bind(queue=self._queue, exchange=TOPIC_EXCHANGE, routing_key=binding.key)
        topology.ask(bind, lambda why: self._answered(binding, why))

    def _answered(self, binding: _Binding, why: str) -> None:
        if why:
            self._refused(binding, BrokerUnavailable(why))
        else:
            binding.bound = True
            self._tell(binding)
        self._found(binding)

    def _refused(self, binding: _Binding, error: BrokerUnavailable) -> None:
        # Never ask again, or every reconnection would fail the same way.
        logger.error("the broker refuses to bind %r: %s", binding.key, error)
        if self._place(binding.key).get(binding.key.encode()) is binding:
            del self._place(binding.key)[binding.key.encode()]
        for handle in binding.receivers:
            self._of.pop(handle, None)
        binding.receivers.clear()
        for ready in list(binding.waiting.values()):
            ready(error)
        binding.waiting.clear()

    def _tell(self, binding: _Binding) -> None:
        while binding.bound and binding.waiting:
            handle = next(iter(binding.waiting))
            binding.waiting.pop(handle)(None)

    def _found(self, binding: _Binding | None) -> None:
        missing = self._missing
        if missing is None:
            return
        if binding is not None:
            missing.discard(binding)
        if not missing:
            self._missing = None
            self._on_complete()


class TopicChannel(AmqpChannel):
    """The channel on which the instance's queue is consumed.

    Args:
        link: The connection.
        number: The channel's.
        topics: Who gets the messages.
        ids: What the ids of its messages begin with.
    """

    def __init__(self, link: AmqpLink, number: int, topics: Topics, ids: bytes) -> None:
        super().__init__(link, number)
        self._link = link
        self._topics = topics
        self._ids = ids

    def delivered(self, envelope: Envelope, content: bytes, body: bytes) -> None:
        """A message for the instance."""
        _, tag, _, exchange, key = envelope
        self._topics.deliver(
            AmqpDelivery(exchange, key, content, body, b"%b%d" % (self._ids, tag), False, "")
        )

    def cancelled(self, consumer: bytes) -> None:
        """Somebody has deleted the queue: start anew."""
        self._link.abort("the queue of this instance was deleted")

    def ended(self, why: str) -> None:
        """Nothing would come any more: start anew."""
        self._link.abort(f"the broker closed the channel of the topics: {why}")


def _nothing(why: str) -> None:
    """A binding is gone; nobody waits for that."""

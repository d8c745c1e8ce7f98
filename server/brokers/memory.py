"""A broker inside one process: complete, ordered, and down only when asked to be."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping

import msgspec

from core.errors import BrokerUnavailable

from ..messages.message import Message
from .base import AUTO, Availability, Consume, Deliver, Settled
from .delivery import ParsedDelivery
from .exchange import Exchange
from .limits import LINK_LIMITS


class MemoryExchange:
    """What several :class:`MemoryBroker` objects of one process share."""

    def __init__(self) -> None:
        self.exchange = Exchange()
        self._brokers: list[MemoryBroker] = []
        self._count = 0

    def next_id(self) -> str:
        """Id of the next message."""
        self._count += 1
        return f"m-{self._count}"

    def attach(self, broker: MemoryBroker) -> None:
        """A broker object was started."""
        self._brokers.append(broker)

    def detach(self, broker: MemoryBroker) -> None:
        """A broker object was stopped."""
        if broker in self._brokers:
            self._brokers.remove(broker)

    def set_available(self, available: bool, reason: str = "") -> None:
        """Play a broker that goes away and comes back, for everybody attached."""
        for broker in self._brokers:
            broker.set_available(available, reason)


class _Subscription(msgspec.Struct):
    """A subscription, and its binding at the exchange while there is one."""

    destination: str
    deliver: Deliver
    consume: Consume
    binding: int = 0


class MemoryBroker:
    """One instance's end of a :class:`MemoryExchange`; implements ``Broker``."""

    def __init__(self, shared: MemoryExchange | None = None) -> None:
        self.url = "memory:"
        # Nobody here needs them: what goes within one process is to go between several as well.
        self.limits = LINK_LIMITS
        self.available = False
        self.reason = "not started"
        self._shared = shared or MemoryExchange()
        self._on_availability: Availability | None = None
        self._subscriptions: dict[int, _Subscription] = {}
        self._count = 0
        self._todo: deque[Callable[[], None]] = deque()
        self._scheduled = False

    async def start(self, on_availability: Availability) -> None:
        """Attach to the exchange; available at once."""
        self._on_availability = on_availability
        self._shared.attach(self)
        self.set_available(True)

    async def trouble(self) -> str:
        """It is always there."""
        return ""

    async def stop(self) -> None:
        """Detach; what is on its way to this end is dropped."""
        self._shared.detach(self)
        for subscription in self._subscriptions.values():
            self._unbind(subscription)
        self._subscriptions.clear()
        self._todo.clear()
        self.available, self.reason = False, "stopped"

    def set_available(self, available: bool, reason: str = "") -> None:
        """Become available or not, as a real broker's connection would."""
        if available == self.available:
            return
        self.available, self.reason = available, reason
        for subscription in self._subscriptions.values():
            if available:
                self._bind(subscription)
            else:
                self._unbind(subscription)
        if self._on_availability is not None:
            self._on_availability(available, reason)

    def publish(
        self, destination: str, headers: Mapping[str, str], body: bytes, done: Settled | None = None
    ) -> None:
        """Hand a message over; its receivers hear of it in their next turn."""
        if not self.available:
            raise BrokerUnavailable(f"the in-memory broker is not available: {self.reason}")
        self.limits.check(destination, headers, len(body))
        self._shared.exchange.publish(Message(destination, headers, body, self._shared.next_id()))
        if done is not None:
            self._soon(lambda: done(None))

    def subscribe(
        self, destination: str, deliver: Deliver, ready: Settled | None = None, consume: Consume = AUTO
    ) -> int:
        """Subscribe; in place at once, or when the broker is available again."""
        self._count += 1
        subscription = self._subscriptions[self._count] = _Subscription(destination, deliver, consume)
        if self.available:
            self._bind(subscription)
        if ready is not None:
            self._soon(lambda: ready(None))
        return self._count

    def unsubscribe(self, handle: int) -> None:
        """End a subscription."""
        subscription = self._subscriptions.pop(handle, None)
        if subscription is not None:
            self._unbind(subscription)

    def ack(self, handle: int, token: str) -> None:
        """Settle a message."""
        subscription = self._subscriptions.get(handle)
        if subscription is not None:
            self._shared.exchange.settle(subscription.binding, token)

    def nack(self, handle: int, token: str, *, requeue: bool = True) -> None:
        """Give a message back, or drop it."""
        subscription = self._subscriptions.get(handle)
        if subscription is not None:
            self._shared.exchange.refuse(subscription.binding, token, requeue=requeue)

    def _bind(self, subscription: _Subscription) -> None:
        exchange, binding = self._shared.exchange, 0

        def take(message: Message, token: str = "") -> None:
            self._soon(lambda: self._deliver(subscription, binding, message, token))

        consume = subscription.consume
        if consume.ack == "auto":
            binding = exchange.bind(subscription.destination, take)
        else:
            binding = exchange.bind_held(subscription.destination, take, consume.prefetch)
        subscription.binding = binding

    def _unbind(self, subscription: _Subscription) -> None:
        binding, subscription.binding = subscription.binding, 0
        self._shared.exchange.unbind(binding)

    def _deliver(self, subscription: _Subscription, binding: int, message: Message, token: str) -> None:
        if subscription.binding == binding:
            subscription.deliver(ParsedDelivery(message.headers, message.body, token))

    def _soon(self, call: Callable[[], None]) -> None:
        self._todo.append(call)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._drain)

    def _drain(self) -> None:
        # Only what was there: a receiver that publishes must not keep the loop from its sockets.
        self._scheduled = False
        todo, self._todo = self._todo, deque()
        for call in todo:
            call()

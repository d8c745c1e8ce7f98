"""A broker inside one process: complete, ordered, and down only when asked to be."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping

from core.errors import BrokerUnavailable

from .base import Availability, Deliver, Settled
from .delivery import ParsedDelivery
from .exchange import Exchange, Message


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


class MemoryBroker:
    """One instance's end of a :class:`MemoryExchange`; implements ``Broker``."""

    def __init__(self, shared: MemoryExchange | None = None) -> None:
        self.url = "memory:"
        self.available = False
        self.reason = "not started"
        self._shared = shared or MemoryExchange()
        self._on_availability: Availability | None = None
        self._handles: set[int] = set()
        self._todo: deque[Callable[[], None]] = deque()
        self._scheduled = False

    async def start(self, on_availability: Availability) -> None:
        """Attach to the exchange; available at once."""
        self._on_availability = on_availability
        self._shared.attach(self)
        self.set_available(True)

    async def stop(self) -> None:
        """Detach; what is on its way to this end is dropped."""
        self._shared.detach(self)
        for handle in self._handles:
            self._shared.exchange.unbind(handle)
        self._handles.clear()
        self._todo.clear()
        self.available, self.reason = False, "stopped"

    def set_available(self, available: bool, reason: str = "") -> None:
        """Become available or not, as a real broker's connection would."""
        if available == self.available:
            return
        self.available, self.reason = available, reason
        if self._on_availability is not None:
            self._on_availability(available, reason)

    def publish(
        self, destination: str, headers: Mapping[str, str], body: bytes, done: Settled | None = None
    ) -> None:
        """Hand a message over; its receivers hear of it in their next turn."""
        if not self.available:
            raise BrokerUnavailable(f"the in-memory broker is not available: {self.reason}")
        self._shared.exchange.publish(Message(destination, headers, body, self._shared.next_id()))
        if done is not None:
            self._soon(lambda: done(None))

    def subscribe(self, destination: str, deliver: Deliver, ready: Settled | None = None) -> int:
        """Subscribe; in place at once."""

        def consume(message: Message) -> None:
            if self.available:
                self._soon(lambda: self._deliver(handle, message, deliver))

        handle = 0
        handle = self._shared.exchange.bind(destination, consume)
        self._handles.add(handle)
        if ready is not None:
            self._soon(lambda: ready(None))
        return handle

    def unsubscribe(self, handle: int) -> None:
        """End a subscription."""
        self._handles.discard(handle)
        self._shared.exchange.unbind(handle)

    def _deliver(self, handle: int, message: Message, deliver: Deliver) -> None:
        if handle in self._handles:
            deliver(ParsedDelivery(message.headers, message.body))

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

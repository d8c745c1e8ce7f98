"""Consumers that settle what they get, each on a connection of its own to the broker.

RabbitMQ gives others what a STOMP consumer holds when its *connection* ends, not when it unsubscribes
(docs/wire/brokers.md §4): on a shared connection it would wait for the end of the instance. A consumer that
takes everything for good needs none of this.
"""

from __future__ import annotations

from collections.abc import Callable

from core.tasks import BackgroundTasks

from .base import Broker, Consume, Deliver, Settled


class OwnConnections:
    """The consumers of one broker object that have a connection each.

    Args:
        make: Makes a broker object for one more connection; it is started here.
    """

    def __init__(self, make: Callable[[], Broker]) -> None:
        self._make = make
        self._consumers: dict[int, tuple[Broker, int]] = {}
        self._tasks = BackgroundTasks()

    def open(
        self, handle: int, destination: str, deliver: Deliver, ready: Settled | None, consume: Consume
    ) -> None:
        """Connect and subscribe; the handle is the caller's."""
        broker = self._make()
        inner = broker.subscribe(destination, deliver, ready, consume)
        self._consumers[handle] = (broker, inner)
        self._tasks.start(broker.start(_unheard), f"connect a consumer of {destination}")

    def close(self, handle: int) -> bool:
        """Unsubscribe and end the connection; False if the handle is not one of these."""
        broker, inner = self._consumers.pop(handle, (None, 0))
        if broker is None:
            return False
        broker.unsubscribe(inner)
        self._tasks.start(broker.stop(), "disconnect a consumer")
        return True

    def ack(self, handle: int, token: str) -> bool:
        """Settle a message; False if the handle is not one of these."""
        broker, inner = self._consumers.get(handle, (None, 0))
        if broker is None:
            return False
        broker.ack(inner, token)
        return True

    def nack(self, handle: int, token: str, *, requeue: bool) -> bool:
        """Refuse a message; False if the handle is not one of these."""
        broker, inner = self._consumers.get(handle, (None, 0))
        if broker is None:
            return False
        broker.nack(inner, token, requeue=requeue)
        return True

    async def stop(self) -> None:
        """End all connections."""
        for handle in list(self._consumers):
            broker, _ = self._consumers.pop(handle)
            self._tasks.start(broker.stop(), "disconnect a consumer")
        await self._tasks.finish()


def _unheard(available: bool, reason: str) -> None:
    """The connection comes back by itself; whether the broker can be used is seen elsewhere."""

"""A broker at the seam: it notes what it is asked for, and answers when the test says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import BrokerUnavailable
from server.brokers.base import AUTO, Availability, Consume, Deliver, Settled
from server.brokers.delivery import ParsedDelivery
from server.brokers.limits import MessageLimits


@dataclass
class Published:
    """A message that the broker was given."""

    destination: str
    headers: dict[str, str]
    body: bytes
    done: Settled | None


@dataclass
class Subscribed:
    """A subscription that the broker was asked for."""

    destination: str
    deliver: Deliver
    ready: Settled | None
    consume: Consume

    def message(self, body: bytes, headers: Mapping[str, str] | None = None, ack: str = "") -> None:
        """Deliver a message to it."""
        head = {"destination": self.destination, "message-id": "b-1", **(headers or {})}
        self.deliver(ParsedDelivery(head, body, ack))


class ScriptedBroker:
    """Implements the seam.

    Attributes:
        published: What was published, in order.
        subscriptions: What is subscribed to, by handle.
        ended: Handles that were given up, in order.
        settled: ACKs and NACKs as ``(command, handle, token, requeue)``, in order.
        fails: Raised by ``publish`` while it is set.
    """

    url = "scripted:"
    reason = ""

    def __init__(self, limits: MessageLimits | None = None) -> None:
        self.available = True
        self.limits = MessageLimits() if limits is None else limits
        self.published: list[Published] = []
        self.subscriptions: dict[int, Subscribed] = {}
        self.ended: list[int] = []
        self.settled: list[tuple[str, int, str, bool]] = []
        self.fails: BrokerUnavailable | None = None
        self._handles = 0

    @property
    def destinations(self) -> list[str]:
        """What is subscribed to, in the order in which it was asked for."""
        return [each.destination for each in self.subscriptions.values()]

    def at(self, destination: str) -> Subscribed:
        """The subscription to a destination."""
        (found,) = (each for each in self.subscriptions.values() if each.destination == destination)
        return found

    async def start(self, on_availability: Availability) -> None:
        """It is there."""

    async def trouble(self) -> str:
        """There is none."""
        return ""

    async def stop(self) -> None:
        """Nothing to do."""

    def publish(
        self, destination: str, headers: Mapping[str, str], body: bytes, done: Settled | None = None
    ) -> None:
        if self.fails is not None:
            raise self.fails
        self.published.append(Published(destination, dict(headers), body, done))

    def subscribe(
        self, destination: str, deliver: Deliver, ready: Settled | None = None, consume: Consume = AUTO
    ) -> int:
        self._handles += 1
        self.subscriptions[self._handles] = Subscribed(destination, deliver, ready, consume)
        return self._handles

    def unsubscribe(self, handle: int) -> None:
        self.ended.append(handle)
        self.subscriptions.pop(handle, None)

    def ack(self, handle: int, token: str) -> None:
        self.settled.append(("ACK", handle, token, False))

    def nack(self, handle: int, token: str, *, requeue: bool = True) -> None:
        self.settled.append(("NACK", handle, token, requeue))

"""Subscriptions at the broker, shared by all clients of an instance that want the same topic.

One broker subscription per distinct destination, fanned out here; a ``/queue`` subscription is a
consumer of its own, because consumers of a queue compete.
"""

from __future__ import annotations

from core.errors import BrokerUnavailable

from ..brokers.base import Broker, Settled
from ..brokers.delivery import Delivery
from ..destinations.spellings import spelling_of
from ..messages.counters import Counters
from ..messages.stages import Stage, StageLog
from .guard import Guard
from .hub import Hub, Topic
from .session import Session


class _Entry:
    """One topic's subscription at the broker."""

    __slots__ = ("_filtered", "_relay", "_topic", "handle", "waiting")

    def __init__(self, relay: TopicRelay, topic: Topic) -> None:
        self._relay = relay
        self._topic = topic
        self._filtered = spelling_of(topic.destination).wild
        self.handle = -1
        #: Who waits for the broker's confirmation; None once it has come.
        self.waiting: list[Settled] | None = []

    def deliver(self, delivery: Delivery) -> None:
        """Fan a message of the broker out to the local subscribers of the topic."""
        relay = self._relay
        relay.counters.from_broker += 1
        if self._filtered and relay.guard.hides(delivery):
            return
        message = delivery.outgoing()
        count = relay.hub.deliver(self._topic, message)
        relay.counters.delivered += count
        if not count:
            relay.counters.wasted += 1
        if message.id is not None:
            relay.stages.set(message.id, Stage.QUEUED if count else Stage.FROM_BROKER)

    def ready(self, error: BrokerUnavailable | None) -> None:
        """The broker confirmed the subscription, or refused it."""
        waiting, self.waiting = self.waiting or [], None
        if error is not None:
            self._relay.forget(self._topic.destination, self)
        for call in waiting:
            call(error)


class TopicRelay:
    """Joins the hub's topics with the broker's subscriptions."""

    def __init__(self, hub: Hub, broker: Broker, guard: Guard, counters: Counters, stages: StageLog) -> None:
        self.hub = hub
        self.guard = guard
        self.counters = counters
        self.stages = stages
        self._broker = broker
        self._entries: dict[str, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def join(
        self, session: Session, subscription: str, destination: str, ready: Settled, *, acked: bool = False
    ) -> None:
        """Subscribe a session to a topic; ``ready`` when the broker delivers (maybe at once)."""
        topic = self.hub.join(destination, session, subscription, acked=acked)
        entry = self._entries.get(destination)
        if entry is None:
            entry = self._entries[destination] = _Entry(self, topic)
            entry.handle = self._broker.subscribe(destination, entry.deliver, entry.ready)
        if entry.waiting is None:
            ready(None)
        else:
            entry.waiting.append(ready)

    def leave(self, session: Session, subscription: str, destination: str, *, acked: bool = False) -> None:
        """Unsubscribe a session; the last one ends the broker's subscription."""
        if self.hub.leave(destination, session, subscription, acked=acked):
            entry = self._entries.pop(destination, None)
            if entry is not None:
                self._broker.unsubscribe(entry.handle)

    def forget(self, destination: str, entry: _Entry) -> None:
        """The broker refused a topic: who asks for it next asks the broker again."""
        if self._entries.get(destination) is entry:
            del self._entries[destination]

    def consume(self, session: Session, subscription: str, destination: str, ready: Settled) -> int:
        """Make a client's queue subscription a consumer of its own; returns the broker's handle."""

        wild = spelling_of(destination).wild  # of an exchange; what /topic matches is shared

        def deliver(delivery: Delivery) -> None:
            self.counters.from_broker += 1
            if wild and self.guard.hides(delivery):
                return
            self.counters.delivered += 1
            message = delivery.outgoing()
            if message.id is not None:
                self.stages.set(message.id, Stage.QUEUED)
            self.hub.deliver_one(session, subscription, message)

        return self._broker.subscribe(destination, deliver, ready)

    def release(self, handle: int) -> None:
        """End a queue subscription."""
        self._broker.unsubscribe(handle)

"""Who gets a message: topics with RabbitMQ's wildcards, queues with competing consumers.

Pure bookkeeping, no network and no clock; the memory broker and the embedded broker stand on it.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Final

import msgspec

from core.protocol import is_pattern, topic_matches

from ..messages.message import Message
from .queues import Consumer, HoldingConsumer, Queue, QueueLimits, Take, TakeHeld, TakingConsumer, Tally

_TOPIC: Final = "/topic/"
#: Everybody who is bound gets a copy; everything else is a queue.
_COPIED: Final = (_TOPIC, "/exchange/")


class ExchangeLimits(msgspec.Struct, frozen=True):
    """What may be kept for whom.

    Attributes:
        queue_messages: Messages that may wait in a queue; over it the oldest are dropped, as RabbitMQ
            does with ``x-max-length`` (``drop-head``).
        queue_bytes: Bytes of bodies that may wait in a queue, likewise.
        queues: Queues without a consumer; of more, those used last stay.
        expiring: Which queues vanish when nobody has consumed them for a while, as with RabbitMQ's
            policy ``expires``. User queues are named after sessions and would pile up for ever.
    """

    queue_messages: int = 10_000
    queue_bytes: int = 16 * 1024 * 1024
    queues: int = 1_000
    expiring: str = r"-user[^/]+$"


class ExchangeStatus(msgspec.Struct, frozen=True):
    """What an exchange holds now, and what it has dropped since its start.

    Attributes:
        subscriptions: Of all consumers.
        queues: With or without consumers.
        waiting: Messages that wait in queues.
        unsettled: Messages that consumers hold.
        dropped: Messages that were dropped because their queue was full or vanished.
        expired: Queues that vanished.
        deepest: The queue in which most messages wait; "" if none does.
    """

    subscriptions: int
    queues: int
    waiting: int
    unsettled: int
    dropped: int
    expired: int
    deepest: str


class _Held:
    """A consumer that settles: itself, its queue, and the topic that feeds the queue, or none."""

    __slots__ = ("consumer", "queue")

    def __init__(self, consumer: HoldingConsumer, queue: Queue) -> None:
        self.consumer = consumer
        self.queue = queue


class Exchange:
    """Bindings of consumers to destinations."""

    def __init__(self, limits: ExchangeLimits | None = None) -> None:
        self._limits = limits or ExchangeLimits()
        self._queue_limits = QueueLimits(self._limits.queue_messages, self._limits.queue_bytes)
        self._destinations: dict[int, str] = {}
        self._exact: dict[str, dict[int, Take]] = {}
        self._patterns: dict[int, tuple[str, Take]] = {}
        self._queues: dict[str, Queue] = {}
        self._consumers: dict[int, Consumer] = {}  # of queues
        self._held: dict[int, _Held] = {}
        self._feeds: dict[str, int] = {}  # queues that a topic feeds, with the handle of the binding
        self._orphans: OrderedDict[str, int] = OrderedDict()  # since which sweep nobody consumes
        self._expiring = re.compile(self._limits.expiring)
        self._sweeps = 0
        self._expired = 0
        self._next = 0
        self._tally = Tally()

    @property
    def bindings(self) -> int:
        """How many subscriptions."""
        return len(self._destinations)

    @property
    def queues(self) -> int:
        """How many queues, with or without consumers."""
        return len(self._queues)

    @property
    def dropped(self) -> int:
        """How many messages were dropped because a queue was full, or vanished."""
        return self._tally.dropped

    @property
    def expired(self) -> int:
        """How many queues vanished because nobody consumed them."""
        return self._expired

    @property
    def status(self) -> ExchangeStatus:
        """What there is now; takes time in proportion to it."""
        queues = list(self._queues.values())
        queues += [held.queue for held in self._held.values() if held.queue.private]
        deepest = max(self._queues, key=self.depth, default="")
        return ExchangeStatus(
            subscriptions=len(self._destinations),
            queues=len(self._queues),
            waiting=sum(len(queue.waiting) for queue in queues),
            unsettled=sum(held.consumer.held for held in self._held.values()),
            dropped=self._tally.dropped,
            expired=self._expired,
            deepest=deepest if self.depth(deepest) else "",
        )

    def has_queue(self, name: str) -> bool:
        """Whether there is a queue of this name."""
        return name in self._queues

    def depth(self, name: str) -> int:
        """How many messages wait in a queue."""
        queue = self._queues.get(name)
        return 0 if queue is None else len(queue.waiting)

    def sweep(self, age: int) -> None:
        """Have queues vanish that expire and that nobody has consumed for ``age`` sweeps."""
        self._sweeps += 1
        oldest = self._sweeps - age
        gone = [
            name for name, since in self._orphans.items() if since < oldest and self._expiring.search(name)
        ]
        for name in gone:
            del self._orphans[name]
            self._forget(name)
        self._expired += len(gone)

    def bind(self, destination: str, take: Take) -> int:
        """Add a consumer; what waits in its queue is consumed at once. Returns a handle."""
        self._next += 1
        handle = self._next
        self._destinations[handle] = destination
        if destination.startswith(_COPIED):
            self._bind_topic(destination, handle, take)
        else:
            self._bind_queue(destination, TakingConsumer(handle, take))
        return handle

    def bind_held(self, destination: str, take: TakeHeld, prefetch: int = 0) -> int:
        """Add a consumer that settles each message with its token; see :meth:`bind`.

        A topic's consumer gets a queue of its own, so that it can refuse messages and have them again.

        Args:
            destination: A topic, a pattern, or a queue.
            take: Called with each message and its token.
            prefetch: Most unsettled messages at a time; 0 leaves it to the limits.
        """
        self._next += 1
        handle = self._next
        self._destinations[handle] = destination
        consumer = HoldingConsumer(handle, take, prefetch, self._queue_limits)
        if destination.startswith(_COPIED):
            queue = Queue(self._queue_limits, self._tally, private=True)
            self._held[handle] = _Held(consumer, queue)
            queue.add(consumer)
            self._bind_topic(destination, handle, queue.put)
        else:
            queue = self._queues.setdefault(destination, Queue(self._queue_limits, self._tally))
            self._held[handle] = _Held(consumer, queue)
            self._bind_queue(destination, consumer)
        return handle

    def unbind(self, handle: int) -> None:
        """Remove a consumer, and give what it held to others; unknown handles are ignored."""
        destination = self._destinations.pop(handle, None)
        if destination is None:
            return
        self._held.pop(handle, None)
        consumer = self._consumers.pop(handle, None)
        if consumer is not None:
            self._unbind_queue(destination, consumer)
            return
        if self._patterns.pop(handle, None) is None:
            exact = self._exact[destination]
            del exact[handle]
            if not exact:
                del self._exact[destination]

    def keep(self, topic: str, queue: str) -> None:
        """Have a topic's messages wait in a queue, whether somebody consumes it or not."""
        if queue in self._feeds:
            return
        self._next += 1
        self._feeds[queue] = self._next
        self._destinations[self._next] = topic
        self._bind_topic(topic, self._next, lambda message: self._put(queue, message))
        if queue not in self._queues:
            self._queues[queue] = Queue(self._queue_limits, self._tally)
            self._orphan(queue)

    def drop(self, queue: str) -> None:
        """End :meth:`keep`: the queue vanishes with what waits in it, unless somebody consumes it."""
        feed = self._feeds.pop(queue, None)
        if feed is not None:
            self.unbind(feed)
            if queue in self._orphans:
                del self._orphans[queue]
                self._forget(queue)

    def settle(self, handle: int, token: str, *, cumulative: bool = False) -> bool:
        """A consumer has done with a message, and with all before it if ``cumulative``.

        Returns:
            False if the consumer holds no such message.
        """
        held = self._held.get(handle)
        if held is None or not held.consumer.settle(token, cumulative=cumulative):
            return False
        held.queue.pump()
        return True

    def refuse(self, handle: int, token: str, *, requeue: bool, cumulative: bool = False) -> bool:
        """A consumer does not want a message; it goes back to its place, or is dropped.

        Returns:
            False if the consumer holds no such message.
        """
        held = self._held.get(handle)
        entries = held.consumer.settle(token, cumulative=cumulative) if held is not None else []
        if held is None or not entries:
            return False
        held.queue.requeue(entries if requeue else ())
        return True

    def publish(self, message: Message) -> int:
        """Hand a message to its consumers; returns how many took it."""
        destination = message.destination
        if not destination.startswith(_COPIED):
            return self._put(destination, message)
        exact = self._exact.get(destination)
        if not self._patterns:
            if exact is None:
                return 0
            if len(exact) == 1:
                for take in exact.values():
                    take(message)
                return 1
        found = list(exact.values()) if exact is not None else []
        found += [take for pattern, take in self._patterns.values() if topic_matches(pattern, destination)]
        for take in found:
            take(message)
        return len(found)

    # ----------------------------------------------------------------------------------------

    def _bind_topic(self, destination: str, handle: int, take: Take) -> None:
        if destination.startswith(_TOPIC) and is_pattern(destination):
            self._patterns[handle] = (destination, take)
        else:
            self._exact.setdefault(destination, {})[handle] = take

    def _bind_queue(self, name: str, consumer: Consumer) -> None:
        self._consumers[consumer.handle] = consumer
        queue = self._queues.setdefault(name, Queue(self._queue_limits, self._tally))
        self._orphans.pop(name, None)
        queue.add(consumer)

    def _unbind_queue(self, name: str, consumer: Consumer) -> None:
        queue = self._queues[name]
        queue.remove(consumer)
        if queue.consumers:
            return
        if queue.waiting or name in self._feeds:
            self._orphan(name)
        else:
            self._forget(name)

    def _put(self, name: str, message: Message) -> int:
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = Queue(self._queue_limits, self._tally)
        taken = queue.put(message)
        if not queue.consumers:
            self._orphan(name)
        return int(taken)

    def _orphan(self, name: str) -> None:
        self._orphans.setdefault(name, self._sweeps)
        self._orphans.move_to_end(name)
        while len(self._orphans) > self._limits.queues:
            oldest, _ = self._orphans.popitem(last=False)
            self._forget(oldest)

    def _forget(self, name: str) -> None:
        feed = self._feeds.pop(name, None)
        if feed is not None:
            self.unbind(feed)
        self._tally.dropped += len(self._queues.pop(name).waiting)

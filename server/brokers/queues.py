"""One queue: consumers in turn, what waits for them, and what they hold without having settled it.

Order: messages leave in the order in which they came; one that comes back (refused, or held by a
consumer that ended) takes its old place again. Bounded: over its limits a queue drops its oldest
waiting message, as RabbitMQ does with ``x-max-length`` (``drop-head``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from ..messages.message import Message

#: Takes a message for good.
Take = Callable[[Message], object]
#: Takes a message and the token with which it is to be settled.
TakeHeld = Callable[[Message, str], object]


class QueueLimits(msgspec.Struct, frozen=True):
    """What one queue may hold.

    Attributes:
        messages: Waiting messages; over it the oldest are dropped.
        bytes: Bytes of waiting messages, likewise.
        held: Most unsettled messages of one consumer, whatever prefetch it asks for.
        held_bytes: Most bytes of them; one message may always be held.
    """

    messages: int = 10_000
    bytes: int = 16 * 1024 * 1024
    held: int = 10_000
    held_bytes: int = 16 * 1024 * 1024


class Tally:
    """What happened in all queues of a broker."""

    __slots__ = ("dropped",)

    def __init__(self) -> None:
        #: Messages that were dropped because their queue was full, or vanished.
        self.dropped = 0


class Entry:
    """A message and its place in the queue."""

    __slots__ = ("message", "place")

    def __init__(self, message: Message, place: int) -> None:
        self.message = message
        self.place = place


class TakingConsumer:
    """Takes messages for good, until it is removed from its queue."""

    __slots__ = ("_take", "handle")

    def __init__(self, handle: int, take: Take) -> None:
        self.handle = handle
        self._take = take

    @property
    def free(self) -> bool:
        """Whether it can take another message now."""
        return True

    def give(self, entry: Entry) -> None:
        """Have it consume a message."""
        self._take(entry.message)

    def release(self) -> list[Entry]:
        """What it holds, in order; it holds nothing afterwards."""
        return []


class HoldingConsumer:
    """Holds what it was given until that is settled."""

    __slots__ = ("_bytes", "_count", "_held", "_limits", "_most", "_take", "handle")

    def __init__(self, handle: int, take: TakeHeld, prefetch: int, limits: QueueLimits) -> None:
        self.handle = handle
        self._take = take
        self._limits = limits
        self._most = min(prefetch or limits.held, limits.held)
        self._held: dict[str, Entry] = {}
        self._bytes = 0
        self._count = 0

    @property
    def free(self) -> bool:
        """Whether it can take another message now."""
        held = len(self._held)
        return not held or (held < self._most and self._bytes < self._limits.held_bytes)

    @property
    def held(self) -> int:
        """How many messages it holds."""
        return len(self._held)

    def give(self, entry: Entry) -> None:
        """Have it hold a message."""
        self._count += 1
        token = f"{self.handle}.{self._count}"
        self._held[token] = entry
        self._bytes += entry.message.size
        self._take(entry.message, token)

    def settle(self, token: str, *, cumulative: bool) -> list[Entry]:
        """Let go of a message, and of all given before it if ``cumulative``; empty if unknown."""
        held = self._held
        if token not in held:
            return []
        tokens: list[str] = [token]
        if cumulative:
            tokens = []
            for each in held:
                tokens.append(each)
                if each == token:
                    break
        entries = [held.pop(each) for each in tokens]
        self._bytes -= sum(entry.message.size for entry in entries)
        return entries

    def release(self) -> list[Entry]:
        """What it holds, in order; it holds nothing afterwards."""
        entries = list(self._held.values())
        self._held.clear()
        self._bytes = 0
        return entries


Consumer = TakingConsumer | HoldingConsumer


class Queue:
    """Messages for one of several consumers each.

    Attributes:
        consumers: In the order of their turns.
        waiting: Messages that no consumer can take now, in order.
        size: Bytes of what waits.
        private: Whether it feeds one consumer of a topic, and has no name.
    """

    __slots__ = ("_limits", "_places", "_tally", "consumers", "private", "size", "waiting")

    def __init__(self, limits: QueueLimits, tally: Tally, *, private: bool = False) -> None:
        self.private = private
        self.consumers: deque[Consumer] = deque()
        self.waiting: deque[Entry] = deque()
        self.size = 0
        self._limits = limits
        self._tally = tally
        self._places = 0

    def put(self, message: Message) -> bool:
        """Take a message in; True if a consumer has it at once."""
        self._places += 1
        entry = Entry(message, self._places)
        if not self.waiting and (consumer := self._free()) is not None:
            consumer.give(entry)
            return True
        self.waiting.append(entry)
        self.size += message.size
        self._trim()
        return False

    def add(self, consumer: Consumer) -> None:
        """A consumer comes; it gets what waits."""
        self.consumers.append(consumer)
        self.pump()

    def remove(self, consumer: Consumer) -> None:
        """A consumer goes; what it held waits again, for the others."""
        self.consumers.remove(consumer)
        self.requeue(consumer.release())

    def requeue(self, entries: Iterable[Entry]) -> None:
        """Put messages back to their places, and give them out again."""
        for entry in sorted(entries, key=lambda entry: entry.place, reverse=True):
            again = Entry(entry.message.again(), entry.place)
            at = 0
            for other in self.waiting:  # nearly always the first one came later
                if other.place > entry.place:
                    break
                at += 1
            self.waiting.insert(at, again)
            self.size += again.message.size
        self._trim()
        self.pump()

    def pump(self) -> None:
        """Give out what waits, as far as consumers can take it."""
        while self.waiting and (consumer := self._free()) is not None:
            entry = self.waiting.popleft()
            self.size -= entry.message.size
            consumer.give(entry)

    def _free(self) -> Consumer | None:
        consumers = self.consumers
        for _ in range(len(consumers)):
            consumer = consumers[0]
            consumers.rotate(-1)
            if consumer.free:
                return consumer
        return None

    def _trim(self) -> None:
        limits = self._limits
        while len(self.waiting) > limits.messages or self.size > limits.bytes:
            self.size -= self.waiting.popleft().message.size
            self._tally.dropped += 1

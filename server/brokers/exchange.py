"""Who gets a message: topics with RabbitMQ's wildcards, queues with competing consumers.

Pure bookkeeping, no network and no clock; the memory broker and the embedded broker stand on it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from core.protocol import MessageTemplate, is_pattern, topic_matches

_TOPIC: Final = "/topic/"


#: Headers of a SEND that concern the sender's connection only (rabbitmq.md §2).
NOT_FORWARDED: Final = frozenset({"destination", "content-length", "receipt", "transaction", "message-id"})


class Message:
    """A message on its way from its sender to any number of consumers."""

    __slots__ = ("_tail", "body", "destination", "headers")

    def __init__(self, destination: str, headers: Mapping[str, str], body: bytes, id: str) -> None:
        self.destination = destination
        #: Headers of the MESSAGE, without ``subscription``.
        self.headers: dict[str, str] = {"destination": destination, "message-id": id}
        for name, value in headers.items():
            if name not in NOT_FORWARDED:
                self.headers[name] = value
        self.body = body
        self._tail = b""

    @property
    def tail(self) -> bytes:
        """The STOMP frame from behind the subscription line; encoded once for all consumers."""
        if not self._tail:
            self._tail = MessageTemplate(self.headers, self.body).tail
        return self._tail


class RawMessage(Message):
    """A message that only passes through: its bytes are ready, nobody looks inside."""

    __slots__ = ()

    def __init__(self, destination: str, rest: bytes, id: int) -> None:
        self.destination = destination
        self._tail = b"destination:%b\nmessage-id:m-%d%b" % (destination.encode(), id, rest)


Consume = Callable[[Message], None]


class ExchangeLimits(msgspec.Struct, frozen=True):
    """What may be kept for nobody.

    A queue without a consumer keeps its newest ``queue_messages`` messages and ``queue_bytes``
    bytes (RabbitMQ's ``drop-head``); of the queues without a consumer the ``queues`` used last
    are kept. User queues are named after sessions and would otherwise pile up for ever.
    """

    queue_messages: int = 10_000
    queue_bytes: int = 16 * 1024 * 1024
    queues: int = 1_000


class _Queue:
    """Consumers in turn, or messages that wait for the first one."""

    __slots__ = ("consumers", "size", "waiting")

    def __init__(self) -> None:
        self.consumers: deque[int] = deque()
        self.waiting: deque[Message] = deque()
        self.size = 0


class Exchange:
    """Bindings of consumers to destinations."""

    def __init__(self, limits: ExchangeLimits | None = None) -> None:
        self._limits = limits or ExchangeLimits()
        self._consumers: dict[int, tuple[str, Consume]] = {}
        self._exact: dict[str, dict[int, Consume]] = {}
        self._patterns: dict[int, tuple[str, Consume]] = {}
        self._queues: dict[str, _Queue] = {}
        self._orphans: OrderedDict[str, None] = OrderedDict()
        self._next = 0
        #: Messages that were dropped because a queue without consumers was full.
        self.dropped = 0

    @property
    def bindings(self) -> int:
        """How many subscriptions."""
        return len(self._consumers)

    @property
    def queues(self) -> int:
        """How many queues, with or without consumers."""
        return len(self._queues)

    def bind(self, destination: str, consume: Consume) -> int:
        """Add a consumer; what waits in its queue is consumed at once. Returns a handle."""
        self._next += 1
        handle = self._next
        self._consumers[handle] = (destination, consume)
        if not destination.startswith(_TOPIC):
            self._bind_queue(destination, handle, consume)
        elif is_pattern(destination):
            self._patterns[handle] = (destination, consume)
        else:
            self._exact.setdefault(destination, {})[handle] = consume
        return handle

    def unbind(self, handle: int) -> None:
        """Remove a consumer; unknown handles are ignored."""
        entry = self._consumers.pop(handle, None)
        if entry is None:
            return
        destination = entry[0]
        if self._patterns.pop(handle, None) is not None:
            return
        exact = self._exact.get(destination)
        if exact is not None:
            exact.pop(handle, None)
            if not exact:
                del self._exact[destination]
            return
        queue = self._queues[destination]
        queue.consumers.remove(handle)
        if not queue.consumers:
            del self._queues[destination]  # nothing waits while there is a consumer

    def publish(self, message: Message) -> int:
        """Hand a message to its consumers; returns how many took it."""
        destination = message.destination
        if not destination.startswith(_TOPIC):
            return self._publish_queue(message)
        exact = self._exact.get(destination)
        if not self._patterns:
            if exact is None:
                return 0
            if len(exact) == 1:
                for consume in exact.values():
                    consume(message)
                return 1
        found = list(exact.values()) if exact is not None else []
        found += [
            consume for pattern, consume in self._patterns.values() if topic_matches(pattern, destination)
        ]
        for consume in found:
            consume(message)
        return len(found)

    def _bind_queue(self, name: str, handle: int, consume: Consume) -> None:
        queue = self._queues.setdefault(name, _Queue())
        self._orphans.pop(name, None)
        queue.consumers.append(handle)
        while queue.waiting:
            consume(queue.waiting.popleft())
        queue.size = 0

    def _publish_queue(self, message: Message) -> int:
        queue = self._queues.get(message.destination)
        if queue is not None and queue.consumers:
            handle = queue.consumers[0]
            queue.consumers.rotate(-1)
            self._consumers[handle][1](message)
            return 1
        self._keep(message, queue)
        return 0

    def _keep(self, message: Message, queue: _Queue | None) -> None:
        name, limits = message.destination, self._limits
        if queue is None:
            queue = self._queues[name] = _Queue()
        self._orphans[name] = None
        self._orphans.move_to_end(name)
        queue.waiting.append(message)
        queue.size += len(message.body)
        while len(queue.waiting) > limits.queue_messages or queue.size > limits.queue_bytes:
            queue.size -= len(queue.waiting.popleft().body)
            self.dropped += 1
        while len(self._orphans) > limits.queues:
            oldest, _ = self._orphans.popitem(last=False)
            self.dropped += len(self._queues.pop(oldest).waiting)

"""A message inside our own brokers, from its sender to any number of consumers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.protocol import MessageTemplate

#: Headers of a SEND that concern the sender's connection only (docs/wire/brokers.md §2), or that every hop
#: writes itself: a consumer would take a forged ``ack`` or ``subscription`` for the broker's.
NOT_FORWARDED: Final = frozenset(
    {
        "destination",
        "content-length",
        "receipt",
        "transaction",
        "message-id",
        "subscription",
        "ack",
        "redelivered",
    }
)


class Message:
    """A message on its way from its sender to any number of consumers."""

    __slots__ = ("_tail", "body", "destination", "headers", "id")

    def __init__(self, destination: str, headers: Mapping[str, str], body: bytes, id: str) -> None:
        self.destination = destination
        self.id = id
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

    @property
    def size(self) -> int:
        """Bytes that it counts for in a queue."""
        return len(self.body)

    def again(self) -> Message:
        """The same message for its next consumer, marked ``redelivered:true``."""
        again = Message(self.destination, self.headers, self.body, self.id)
        again.headers["redelivered"] = "true"
        return again

    def held_tail(self, token: bytes, *, ack: bool) -> bytes:
        """The :attr:`tail` for a consumer that settles the message.

        Args:
            token: Becomes ``message-id``, and ``ack`` too, as with RabbitMQ (docs/wire/brokers.md §4).
            ack: Whether to write ``ack``, which STOMP has since 1.2.
        """
        own, held = b"\nmessage-id:%b\n" % self.id.encode(), b"\nmessage-id:%b\n" % token
        if ack:
            held += b"ack:%b\n" % token
        return self.tail.replace(own, held, 1)


class RawMessage(Message):
    """A message that only passes through: its bytes are ready, nobody looks inside."""

    __slots__ = ()

    def __init__(self, destination: str, rest: bytes, id: int) -> None:
        self.destination = destination
        self.id = f"m-{id}"
        self._tail = b"destination:%b\nmessage-id:m-%d%b" % (destination.encode(), id, rest)

    @property
    def size(self) -> int:
        """Bytes that it counts for in a queue."""
        return len(self._tail)

    def again(self) -> Message:
        """The same message for its next consumer, marked ``redelivered:true``."""
        again = RawMessage(self.destination, b"", 0)
        again.id = self.id
        own = b"\nmessage-id:%b\n" % self.id.encode()
        again._tail = self._tail.replace(own, own + b"redelivered:true\n", 1)
        return again

"""What one session has been given and has to acknowledge. Bookkeeping; see :mod:`.acknowledgements`."""

from __future__ import annotations

from ..messages.framing import ClientMessage


class Held:
    """A message that a client has got and not settled.

    Attributes:
        consumer: The subscription that it came for.
        token: The broker's; "" if it did not come from the broker.
        message: The message, if it is kept to be delivered again from here.
        size: Its bytes then, else 0.
    """

    __slots__ = ("consumer", "message", "size", "token")

    def __init__(self, consumer: HoldingSubscription, token: str) -> None:
        self.consumer = consumer
        self.token = token
        self.message: ClientMessage | None = None
        self.size = 0

    def keep(self, message: ClientMessage) -> None:
        """Keep the message."""
        self.message = message
        self.size = len(message.tail)


class HoldingSubscription:
    """A subscription whose messages the client settles.

    Attributes:
        id: The client's subscription id.
        cumulative: Whether an ACK settles everything up to its message.
        handle: The broker's handle of the consumer.
        held: By the id that the client acknowledges with, in the order in which they came.
    """

    __slots__ = ("cumulative", "handle", "held", "id")

    def __init__(self, id: str, *, cumulative: bool) -> None:
        self.id = id
        self.cumulative = cumulative
        self.handle = -1
        self.held: dict[str, Held] = {}

    def meant(self, id: str) -> list[str]:
        """What an ACK of this id settles: one message, or all up to it."""
        if not self.cumulative:
            return [id]
        meant: list[str] = []
        for each in self.held:
            meant.append(each)
            if each == id:
                break
        return meant


class Unsettled:
    """What one session holds; ``Session.unsettled`` is None until it subscribes so.

    Attributes:
        consumers: By subscription id.
        topics: Ids of subscriptions to topics whose messages the client acknowledges.
        held: Everything unsettled, by the id that the client acknowledges with.
        count: Of ids that were given out.
        local_bytes: Bytes of messages that are kept to be delivered again from here.
    """

    __slots__ = ("consumers", "count", "held", "local_bytes", "topics")

    def __init__(self) -> None:
        self.consumers: dict[str, HoldingSubscription] = {}
        self.topics: set[str] = set()
        self.held: dict[str, Held] = {}
        self.count = 0
        self.local_bytes = 0

    def add(self, id: str, held: Held) -> None:
        """The client is given a message."""
        held.consumer.held[id] = self.held[id] = held
        self.local_bytes += held.size

    def take(self, id: str) -> Held:
        """The client has settled a message, or it is forgotten."""
        held = self.held.pop(id)
        self.local_bytes -= held.size
        held.consumer.held.pop(id, None)
        return held

    def leave(self, subscription: str) -> None:
        """A subscription has ended."""
        self.topics.discard(subscription)
        consumer = self.consumers.pop(subscription, None)
        for id in list(consumer.held) if consumer is not None else ():
            self.take(id)

"""The seam between an instance and its broker.

The in-memory implementation is complete and the default in tests; one contract suite runs on
all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, Protocol

import msgspec

from core.errors import BrokerUnavailable

from .delivery import Delivery
from .limits import MessageLimits

#: Takes a MESSAGE: ``destination``, ``message-id``, the sender's headers, the body.
Deliver = Callable[[Delivery], None]

#: Takes the outcome of something asked for: None, or why it did not happen.
Settled = Callable[[BrokerUnavailable | None], None]

#: Told of every change: whether the broker can be used now, and why not.
Availability = Callable[[bool, str], None]


class Consume(msgspec.Struct, frozen=True):
    """How a destination is consumed.

    Attributes:
        ack: ``auto``: a message is gone when it is delivered. ``client-individual``: the consumer
            holds it until it is settled with ``Broker.ack`` or ``Broker.nack``.
        prefetch: Most unsettled messages at a time; 0 leaves it to the broker.
        headers: Further headers of the SUBSCRIBE that are allowed through (``x-queue-…``).
    """

    ack: Literal["auto", "client-individual"] = "auto"
    prefetch: int = 0
    headers: Mapping[str, str] = {}


#: How nearly everything is consumed.
AUTO: Final = Consume()


class Broker(Protocol):
    """Carries messages between instances. Used from one event loop.

    Order: messages published through one broker object arrive, at any one other broker object,
    in the order in which they were published, whatever their destinations. (RabbitMQ keeps that
    within a queue: over AMQP all topics share one, each ``/queue`` is for itself.) A publisher that
    subscribes hears itself. Every subscription gets its own copy of a ``/topic`` message; a
    ``/queue`` message goes to one of its consumers, in turn.

    Patterns: ``*`` and ``#`` replace whole words between dots in a subscribed ``/topic``.

    Loss: while :attr:`available` is False, ``publish`` raises. Subscriptions survive a loss and
    are made again when the broker is back; what is published meanwhile is missed.

    Unsettled messages: what a consumer holds when it unsubscribes, or when its connection ends, is
    delivered again, to another consumer if there is one, before what came later, with the header
    ``redelivered:true``.

    Callbacks come from the event loop, never from inside the call that was given them.
    """

    @property
    def url(self) -> str:
        """The broker's URL without its password."""
        ...

    @property
    def available(self) -> bool:
        """Whether it can be used now."""
        ...

    @property
    def reason(self) -> str:
        """Why not, or "" while it can."""
        ...

    @property
    def limits(self) -> MessageLimits:
        """What it takes in a message, as far as is known now; ``publish`` holds to it."""
        ...

    async def start(self, on_availability: Availability) -> None:
        """Begin to connect, and keep trying for ever; does not wait for the connection."""
        ...

    async def trouble(self) -> str:
        """Ask once, instead of ``start``, whether it can be used: why not, in words, or ""."""
        ...

    async def stop(self) -> None:
        """Disconnect. Whatever was asked for and not answered is settled with an error."""
        ...

    def publish(
        self, destination: str, headers: Mapping[str, str], body: bytes, done: Settled | None = None
    ) -> None:
        """Hand a message to the broker connection; ``done`` comes when the broker has it.

        Raises:
            BrokerUnavailable: It has been refused, nothing was sent.
            BrokerRefused: It would be refused, by its shape or by where it goes.
        """
        ...

    def subscribe(
        self, destination: str, deliver: Deliver, ready: Settled | None = None, consume: Consume = AUTO
    ) -> int:
        """Subscribe, now or as soon as the broker is there; returns a handle.

        ``ready(None)`` comes once, when everything published anywhere from then on will be
        delivered; a loss before that postpones it. ``ready(error)`` comes if the broker refuses
        the destination or the broker object is stopped.
        """
        ...

    def unsubscribe(self, handle: int) -> None:
        """End a subscription; nothing is delivered for it afterwards. Unknown handles are ignored."""
        ...

    def ack(self, handle: int, token: str) -> None:
        """A message is done with; ``token`` is its ``Delivery.ack``.

        Unknown tokens, and those from before a reconnection, are ignored.
        """
        ...

    def nack(self, handle: int, token: str, *, requeue: bool = True) -> None:
        """A message is not wanted: deliver it again (maybe here), or drop it. Tokens as for ``ack``."""
        ...

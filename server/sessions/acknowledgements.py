"""Messages that clients settle themselves: ACK and NACK, from the client to the broker and back.

A queue subscription in the modes ``client`` and ``client-individual`` is a consumer that holds what it
was given, at the broker. Here is known which ACK belongs to which message of the broker; the cumulative
mode is resolved here, in the order in which the client got its messages. What a client holds when it
goes is delivered to somebody else.

A user destination's messages may come past the broker (from this instance itself, or by a broadcast).
These are held here: refused, they come again; when the client goes they are gone, because nobody else
can consume a queue that is named after its session.

Topics are shared by all clients of an instance, and every client gets its own copy: there is nothing to
give to somebody else. ACK and NACK of a topic's messages are taken and mean nothing.
"""

from __future__ import annotations

from typing import Final

from core.protocol import Ack, Nack, Subscribe, user_target

from ..brokers.base import Broker, Consume, Settled
from ..brokers.delivery import Delivery
from ..destinations.spellings import spelling_of
from ..messages.counters import Counters
from ..messages.framing import ClientMessage
from ..messages.refusal import Refusal
from ..messages.stages import Stage, StageLog
from .guard import Guard
from .hub import TOPIC_ACK, Hub
from .session import Session
from .unsettled import Held, HoldingSubscription, Unsettled

#: Most unsettled messages of one subscription; a client that asks for no prefetch gets this one.
MOST_UNSETTLED: Final = 1_000
#: Bytes of local messages that a session may have again; what comes over it can only be acknowledged.
_MOST_LOCAL_BYTES: Final = 1024 * 1024
#: Ids that are kept for one subscription; of more, after losses of the broker, the oldest are forgotten.
_MOST_KNOWN: Final = 4 * MOST_UNSETTLED


class Acknowledgements:
    """ACK and NACK of all clients of an instance."""

    def __init__(self, broker: Broker, hub: Hub, guard: Guard, counters: Counters, stages: StageLog) -> None:
        self._broker = broker
        self._hub = hub
        self._guard = guard
        self._counters = counters
        self._stages = stages

    # subscriptions --------------------------------------------------------------------------

    def consume(self, session: Session, event: Subscribe, target: str, ready: Settled) -> int:
        """Make a client's queue subscription a consumer that settles; returns the broker's handle.

        Raises:
            Refusal: Its ``prefetch-count`` is no number.
        """
        prefetch = min(_prefetch(event) or MOST_UNSETTLED, MOST_UNSETTLED)
        headers = self._guard.headers.of_subscribe(event.frame.headers)
        consumer = HoldingSubscription(event.id, cumulative=event.ack == "client")
        _unsettled_of(session).consumers[event.id] = consumer
        if target.endswith(user_target("", session.id)):
            # From now on its user's messages come through the broker, which knows about prefetch.
            session.direct = False

        wild = spelling_of(target).wild

        def deliver(delivery: Delivery) -> None:
            self._counters.from_broker += 1
            if wild and self._guard.hides(delivery):
                self._broker.ack(consumer.handle, delivery.ack)
                return
            self._counters.delivered += 1
            message = delivery.outgoing()
            if message.id is not None:
                self._stages.set(message.id, Stage.QUEUED)
            message_id = delivery.headers.get("message-id") or delivery.ack
            self._hold(session, consumer, message, message_id, delivery.ack)

        consume = Consume("client-individual", prefetch, headers)
        consumer.handle = self._broker.subscribe(target, deliver, ready, consume)
        return consumer.handle

    def topic(self, session: Session, subscription: str) -> bool:
        """A client means to acknowledge a topic's messages; True if they are to have an ``ack`` header."""
        _unsettled_of(session).topics.add(subscription)
        return session.protocol.version == "1.2"

    def left(self, session: Session, subscription: str) -> None:
        """A client gave a subscription up; the broker takes back what it held."""
        if session.unsettled is not None:
            session.unsettled.leave(subscription)

    def local(self, session: Session, subscription: str, message: ClientMessage, message_id: str) -> bool:
        """Deliver a message that did not come from the broker; False if the client does not settle it.

        Args:
            session: Whose subscription it is.
            subscription: Its id.
            message: The message.
            message_id: Its ``message-id``.
        """
        unsettled = session.unsettled
        consumer = unsettled.consumers.get(subscription) if unsettled is not None else None
        if consumer is None:
            return False
        self._hold(session, consumer, message, message_id, "")
        return True

    # frames ---------------------------------------------------------------------------------

    def settle(self, session: Session, event: Ack | Nack) -> None:
        """A client acknowledges or refuses a message, now or when its transaction is committed.

        Raises:
            Refusal: It holds no such message.
        """
        if event.transaction is None or session.transactions is None:
            self.settle_now(session, event)
            return
        session.transactions.check(event.transaction)
        self._find(session, event)
        session.transactions.hold(event.transaction, event)

    def settle_now(self, session: Session, event: Ack | Nack) -> None:
        """The same, whatever transaction it belongs to."""
        found = self._find(session, event)
        unsettled = session.unsettled
        if found is None or unsettled is None:
            return  # a topic's
        for id in found.consumer.meant(event.id):
            self._settle_one(session, unsettled.take(id), event, id)

    def _find(self, session: Session, event: Ack | Nack) -> Held | None:
        """The message that is meant; None if it is a topic's."""
        unsettled = session.unsettled
        if unsettled is not None:
            found = unsettled.held.get(event.id)
            if found is not None:
                return found
            if event.id.startswith(TOPIC_ACK) and event.id[len(TOPIC_ACK) :] in unsettled.topics:
                return None
            # Before 1.2 a topic's message is named by its message-id, which we do not keep.
            if session.protocol.version != "1.2" and unsettled.topics:
                named = event.frame.headers.get("subscription")
                if named is None or named in unsettled.topics:
                    return None
        raise Refusal("Subscription not found", f'Message with id "{event.id}" has no subscription')

    def _settle_one(self, session: Session, held: Held, event: Ack | Nack, id: str) -> None:
        consumer = held.consumer
        if isinstance(event, Ack):
            if held.token:
                self._broker.ack(consumer.handle, held.token)
            return
        requeue = event.frame.headers.get("requeue") != "false"
        if held.token:
            self._broker.nack(consumer.handle, held.token, requeue=requeue)
        elif requeue and held.message is not None:
            self._hold(session, consumer, _Again(held.message), id, "")

    def _hold(
        self,
        session: Session,
        consumer: HoldingSubscription,
        message: ClientMessage,
        message_id: str,
        token: str,
    ) -> None:
        unsettled = session.unsettled
        if unsettled is None or session.closed:
            return
        id, ack = message_id, ""
        if session.protocol.version == "1.2":
            unsettled.count += 1
            id = ack = f"{session.id}@{unsettled.count}"
        held = Held(consumer, token)
        if not token and unsettled.local_bytes + len(message.tail) <= _MOST_LOCAL_BYTES:
            held.keep(message)
        if len(consumer.held) >= _MOST_KNOWN:
            unsettled.take(next(iter(consumer.held)))
        unsettled.add(id, held)
        self._hub.deliver_one(session, consumer.id, message, ack=ack, droppable=False)


class _Again:
    """A local message that was refused, once more."""

    __slots__ = ("binary", "id", "tail")

    def __init__(self, message: ClientMessage) -> None:
        self.binary = message.binary
        self.id = message.id
        mark = b"redelivered:true\n"
        self.tail = message.tail if message.tail.startswith(mark) else mark + message.tail


def _unsettled_of(session: Session) -> Unsettled:
    if session.unsettled is None:
        session.unsettled = Unsettled()
    return session.unsettled


def _prefetch(event: Subscribe) -> int:
    text = event.frame.headers.get("prefetch-count", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise Refusal("Invalid header", f"'prefetch-count' has the value '{text}' on 'SUBSCRIBE'.")
    return int(text)

"""What one peer of the embedded broker subscribes to, holds unsettled, and does in transactions."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from typing import Final

from core.protocol import Abort, Ack, Begin, Commit, Nack, Send, Subscribe, Unsubscribe, message_opening

from ..messages.message import Message
from .embedded_limits import BrokerLimits
from .embedded_places import LONGEST, TEMPORARY, Refused, missing, place_of
from .exchange import Exchange

#: The handle of the consumer and the number of the delivery; see ``HoldingConsumer``.
_TOKEN: Final = re.compile(r"(\d{1,18})\.(\d{1,18})", re.ASCII)
#: What a frame in a transaction counts for besides its bytes.
_FRAME_COST: Final = 256
_NO_SUBSCRIPTION: Final = b"MESSAGE\n"


class _Transaction:
    """What a transaction holds back, in order."""

    __slots__ = ("frames", "size")

    def __init__(self) -> None:
        self.frames: list[Send | Ack | Nack] = []
        self.size = 0


class Channel:
    """The subscriptions and transactions of one peer.

    Args:
        exchange: Where messages come from.
        limits: What the peer may have.
        publish: Takes a message's destination, headers and body.
        write: Takes the bytes of MESSAGE frames.
    """

    def __init__(
        self,
        exchange: Exchange,
        limits: BrokerLimits,
        publish: Callable[[str, dict[str, str], bytes], None],
        write: Callable[[bytes], None],
    ) -> None:
        #: STOMP version; ``ack`` is written since 1.2.
        self.version = "1.2"
        self._exchange = exchange
        self._limits = limits
        self._hand_on = publish
        self._write = write
        self._bindings: dict[str, int] = {}
        self._cumulative: dict[int, bool] = {}  # of consumers that settle what they get
        self._replies: dict[str, str] = {}  # temporary queues, by the name that the peer gave them
        self._transactions: dict[str, _Transaction] = {}

    def close(self) -> None:
        """The peer has gone: others get what it held."""
        self._transactions.clear()
        for handle in self._bindings.values():
            self._exchange.unbind(handle)
        self._bindings.clear()
        self._cumulative.clear()

    # subscriptions --------------------------------------------------------------------------

    def subscribe(self, event: Subscribe) -> None:
        """A peer subscribes.

        Raises:
            Refused: It may not, or there is no such place.
        """
        named = "id" in event.frame.headers
        if len(event.id) > LONGEST:
            raise Refused("Invalid id", f"SUBSCRIBE 'id' is longer than {LONGEST} characters.\n")
        if not named and _is_durable(event):
            raise Refused("Missing Header", "Header 'id' is required for durable subscriptions")
        place = place_of(event.destination, "SUBSCRIBE")
        if not place.declares and not self._exchange.has_queue(place.name):
            raise missing("queue", place.name.removeprefix("/queue/"))
        opening = message_opening(event.id) if named else _NO_SUBSCRIPTION
        name = place.name
        if _is_durable(event) and _stays(event) and name.startswith("/topic/"):
            name = _durable_queue(event.id, event.destination)
            self._check_room()
            self._exchange.keep(place.name, name)
        self._bind(event, name, opening)

    def unsubscribe(self, event: Unsubscribe) -> None:
        """A peer ends a subscription; others get what it held.

        A durable one is over for good with ``durable:true`` only; without it, it can be taken up again.
        """
        handle = self._bindings.pop(event.id, None)
        if handle is None:
            how = "id" if "id" in event.frame.headers else "destination"
            raise Refused(
                "No subscription found",
                "UNSUBSCRIBE must refer to an existing subscription.\n"
                f"Subscription to \"{how}='{event.id}'\" not found.\n",
            )
        self._cumulative.pop(handle, None)
        self._exchange.unbind(handle)
        if _is_durable(event) and event.destination is not None:
            self._exchange.drop(_durable_queue(event.id, event.destination))

    def _bind(self, event: Subscribe, name: str, opening: bytes) -> None:
        self._check_room()
        exchange, write = self._exchange, self._write
        if event.ack == "auto":

            def take(message: Message) -> None:
                write(opening + message.tail)

            self._bindings[event.id] = exchange.bind(name, take)
            return
        with_ack = self.version == "1.2"

        def hold(message: Message, token: str) -> None:
            write(opening + message.held_tail(token.encode(), ack=with_ack))

        handle = exchange.bind_held(name, hold, _prefetch(event))
        self._bindings[event.id] = handle
        self._cumulative[handle] = event.ack == "client"

    def _check_room(self) -> None:
        most = self._limits.subscriptions
        if len(self._bindings) >= most:
            raise Refused("Too many subscriptions", f"A connection may have {most}.\n")

    # messages -------------------------------------------------------------------------------

    def send(self, event: Send) -> None:
        """A peer sends a message, now or when its transaction is committed."""
        if "message-id" in event.frame.headers:
            raise Refused("Invalid header", "'message-id' is not allowed on 'SEND'.\n")
        place_of(event.destination, "SEND")
        if event.transaction is None:
            self._publish(event)
        else:
            self._hold_back(event.transaction, event)

    def settle(self, event: Ack | Nack) -> None:
        """A peer acknowledges or refuses a message, now or when its transaction is committed."""
        self._consumer(event)
        if event.transaction is None:
            self._settle(event)
        else:
            self._hold_back(event.transaction, event)

    def _publish(self, event: Send) -> None:
        frame, place = event.frame, place_of(event.destination, "SEND")
        if not place.declares and not self._exchange.has_queue(place.name):
            return  # dropped in silence, as RabbitMQ does
        headers = frame.headers
        reply_to = headers.get("reply-to", "")
        if reply_to.startswith(TEMPORARY):
            headers = {**headers, "reply-to": self._reply_queue(reply_to)}
        self._hand_on(place.name, headers, frame.body)

    def _reply_queue(self, name: str) -> str:
        """The real name of a temporary queue, which this peer consumes from now on."""
        real = self._replies.get(name)
        if real is None:
            self._check_room()
            queue = f"amq.gen-{secrets.token_urlsafe(16)}"
            opening, write = message_opening(name), self._write

            def take(message: Message) -> None:
                write(opening + message.tail)

            self._bindings[name] = self._exchange.bind(f"/queue/{queue}", take)
            real = self._replies[name] = f"/reply-queue/{queue}"
        return real

    def _consumer(self, event: Ack | Nack) -> tuple[int, bool]:
        """The consumer that got the message, and whether it settles cumulatively."""
        found = _TOKEN.fullmatch(event.id)
        if found is None:
            header = "id" if self.version == "1.2" else "message-id"
            command = event.frame.command
            raise Refused("Invalid header", f'"{command}" must include a valid "{header}" header\n')
        handle = int(found[1])
        cumulative = self._cumulative.get(handle)
        if cumulative is None:
            raise Refused("Subscription not found", f'Message with id "{event.id}" has no subscription')
        return handle, cumulative

    def _settle(self, event: Ack | Nack) -> None:
        handle, cumulative = self._consumer(event)
        exchange = self._exchange
        if isinstance(event, Ack):
            known = exchange.settle(handle, event.id, cumulative=cumulative)
        else:
            requeue = event.frame.headers.get("requeue") != "false"
            known = exchange.refuse(handle, event.id, requeue=requeue, cumulative=cumulative)
        if not known:
            tag = event.id.partition(".")[2]
            raise Refused(
                "precondition_failed", f"PRECONDITION_FAILED - unknown delivery tag {tag}", closes=True
            )

    # transactions ---------------------------------------------------------------------------

    def transact(self, event: Begin | Commit | Abort) -> None:
        """BEGIN, COMMIT, ABORT."""
        match event:
            case Begin():
                most = self._limits.transactions
                if len(self._transactions) >= most:
                    raise Refused("Bad transaction", f"A connection may have {most} open.\n")
                self._transactions[event.transaction] = _Transaction()
            case Commit():
                transaction = self._transactions.pop(event.transaction, None)
                for held in transaction.frames if transaction is not None else ():
                    if isinstance(held, Send):
                        self._publish(held)
                    else:
                        self._settle(held)
            case Abort():
                self._transactions.pop(event.transaction, None)

    def _hold_back(self, name: str, event: Send | Ack | Nack) -> None:
        transaction = self._transactions.get(name)
        if transaction is None:  # a BEGIN that was refused
            raise Refused("Bad transaction", f'Invalid transaction identifier: "{name}"\n')
        most = self._limits.transaction
        head = sum(len(name) + len(value) for name, value in event.frame.headers.items())
        size = _FRAME_COST + head + len(event.frame.body)
        if transaction.size + size > most:
            raise Refused("Bad transaction", f"Transaction {name!r} would hold more than {most} bytes.\n")
        transaction.size += size
        transaction.frames.append(event)


def _is_durable(event: Subscribe | Unsubscribe) -> bool:
    headers = event.frame.headers
    return "true" in (headers.get("durable"), headers.get("persistent"))


def _stays(event: Subscribe) -> bool:
    return event.frame.headers.get("auto-delete") == "false"


def _durable_queue(id: str, destination: str) -> str:
    """The queue of a durable subscription; whoever uses its id with the destination consumes it."""
    digest = hashlib.sha256(f"{id}\0{destination}".encode()).hexdigest()
    return f"/queue/stomp-subscription-{digest[:22]}"


def _prefetch(event: Subscribe) -> int:
    text = event.frame.headers.get("prefetch-count", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise Refused("Invalid header", f"'prefetch-count' has the value '{text}' on 'SUBSCRIBE'.\n")
    return int(text)

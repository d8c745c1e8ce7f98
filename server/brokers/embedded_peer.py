"""One peer of the embedded broker: an instance, or any STOMP client over TCP."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, cast

from core.errors import HeartbeatLost
from core.protocol import (
    BROKER_LIMITS,
    RABBITMQ_WORDING,
    Abort,
    Ack,
    Begin,
    Commit,
    Connect,
    Disconnect,
    HeartbeatReceived,
    Malformed,
    Nack,
    Send,
    ServerEvent,
    ServerSession,
    Subscribe,
    Unsubscribe,
    message_opening,
)

from .delivery import pass_sends
from .message import Message

if TYPE_CHECKING:
    from .embedded import EmbeddedBroker

logger = logging.getLogger("pushscope.broker")

_SERVER_NAME: Final = "Pushscope/0.1"
#: As with RabbitMQ the peer decides how often, down to a second (rabbitmq.md §4).
_HEARTBEAT: Final = (1000, 1000)
_VERSIONS: Final = {"version": "1.0,1.1,1.2"}
_TYPES: Final = ("/topic/", "/queue/")


class Refused(Exception):
    """A frame that the broker refuses; the words of the ERROR."""

    def __init__(self, message: str, detail: str) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class Peer(asyncio.Protocol):
    """A TCP connection and its STOMP session."""

    def __init__(self, broker: EmbeddedBroker, loop: asyncio.AbstractEventLoop) -> None:
        self.name = "?"
        self._broker = broker
        self._loop = loop
        self._session = ServerSession(
            session_id=broker.new_session_id(),
            server_name=_SERVER_NAME,
            heartbeat=_HEARTBEAT,
            limits=BROKER_LIMITS,
            wording=RABBITMQ_WORDING,
        )
        self._transport: asyncio.Transport | None = None
        self._bindings: dict[str, int] = {}
        self._held: dict[int, bool] = {}  # consumers that settle; True: cumulatively
        self._transactions: dict[str, list[Send]] = {}
        self._pending: list[bytes] = []
        self._between = False  # connected, and nothing of a frame waits for its rest
        self._dirty = False
        self._paused = False
        self._refused = False
        self._backlog = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def deadline(self) -> float | None:
        """When the peer is looked at next: its CONNECT is due, or a heart-beat (loop time)."""
        return None if self._timer is None else self._timer.when()

    # asyncio.Protocol -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A peer has come; it has to CONNECT soon."""
        self._transport = cast(asyncio.Transport, transport)
        address = transport.get_extra_info("peername")
        self.name = f"{address[0]}:{address[1]}" if address else "?"
        self._broker.added(self)
        self._timer = self._loop.call_later(self._broker.limits.connect_s, self._late)

    def data_received(self, data: bytes) -> None:
        """Bytes of the peer."""
        session = self._session
        if self._between:
            done = pass_sends(data, self._broker.publish_raw)
            if done:
                session.beats.last_received = self._loop.time()
                if done == len(data):
                    return
                data = data[done:]
        for event in session.receive(data, self._loop.time()):
            if self._refused:
                break  # what was pipelined behind a refused frame, above all a refused CONNECT
            self._take(event)
        self._between = session.connected_done and session.between_frames and not self._refused

    def pause_writing(self) -> None:
        """The peer does not read."""
        self._paused = True

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._paused = False
        self._backlog = 0
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer has gone."""
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None
        self._pending.clear()
        self._transactions.clear()
        for handle in self._bindings.values():
            self._broker.exchange.unbind(handle)
        self._bindings.clear()
        self._held.clear()
        self._broker.removed(self)

    # writing --------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Queue bytes for the end of this turn."""
        self._pending.append(data)
        if self._paused:
            self._backlog += len(data)
            if self._backlog > self._broker.limits.peer_backlog:
                logger.warning(
                    "peer %s does not read: cut with %d bytes waiting for it", self.name, self._backlog
                )
                self.abort()
        elif not self._dirty:
            self._dirty = True
            self._broker.wake(self)

    def flush(self) -> None:
        """Write what is pending."""
        self._dirty = False
        pending = self._pending
        if self._paused or not pending or self._transport is None:
            return
        self._transport.write(pending[0] if len(pending) == 1 else b"".join(pending))
        pending.clear()
        self._session.sent(self._loop.time())

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    # frames ---------------------------------------------------------------------------------

    def _take(self, event: ServerEvent) -> None:
        try:
            self._act(event)
        except Refused as refused:
            receipt = None if isinstance(event, HeartbeatReceived | Malformed) else event.receipt
            self._refused = True
            logger.warning("peer %s: %s: %s", self.name, refused.message, refused.detail.strip())
            self.write(
                self._session.error(refused.message, refused.detail.encode(), receipt, headers=_VERSIONS)
            )
            self.close()

    def _act(self, event: ServerEvent) -> None:
        match event:
            case Send():
                self._send(event)
            case HeartbeatReceived():
                return
            case Subscribe():
                self._subscribe(event)
            case Unsubscribe():
                self._unsubscribe(event)
            case Malformed():
                self.write(event.error.answer)
                self.close()
                return
            case Connect():
                self._connect(event)
                return
            case _:
                self._act_rarely(event)
        receipt = event.frame.headers.get("receipt")
        if receipt is not None:
            self.write(self._session.receipt(receipt))
        if isinstance(event, Disconnect):
            self.close()

    def _act_rarely(self, event: Begin | Commit | Abort | Ack | Nack | Disconnect) -> None:
        match event:
            case Begin():
                self._transactions[event.transaction] = []
            case Commit():
                for send in self._transactions.pop(event.transaction, ()):
                    self._publish(send)
            case Abort():
                self._transactions.pop(event.transaction, None)
            case Ack() | Nack():
                self._settle(event)
            case Disconnect():
                pass

    def _connect(self, event: Connect) -> None:
        if not self._broker.admits(event.passcode):
            raise Refused("Bad CONNECT", f"Access refused for user '{event.login or 'guest'}'\n")
        self.write(self._session.connected())
        if self._timer is not None:
            self._timer.cancel()
        self._arm()

    def _send(self, event: Send) -> None:
        headers = event.frame.headers
        if "message-id" in headers:
            raise Refused("Invalid header", "'message-id' is not allowed on 'SEND'.\n")
        _check(event.destination, "topic" if event.destination.startswith("/topic") else "queue")
        transaction = event.transaction
        if transaction is None:
            self._publish(event)
            return
        held = self._transactions.setdefault(transaction, [])
        held.append(event)
        if sum(len(send.frame.body) for send in held) > self._broker.limits.transaction:
            raise Refused("Bad transaction", f"Transaction {transaction!r} holds too much\n")

    def _publish(self, event: Send) -> None:
        frame = event.frame
        self._broker.publish(_canonical(event.destination), frame.headers, frame.body)

    def _subscribe(self, event: Subscribe) -> None:
        _check(event.destination, "topic" if event.destination.startswith("/topic") else "queue")
        destination, opening = _canonical(event.destination), message_opening(event.id)
        if event.ack == "auto":

            def take(message: Message) -> None:
                self.write(opening + message.tail)

            self._bindings[event.id] = self._broker.exchange.bind(destination, take)
            return
        with_ack = self._session.version == "1.2"

        def hold(message: Message, token: str) -> None:
            self.write(opening + message.held_tail(token.encode(), ack=with_ack))

        handle = self._broker.exchange.bind_held(destination, hold, _prefetch(event))
        self._bindings[event.id] = handle
        self._held[handle] = event.ack == "client"

    def _settle(self, event: Ack | Nack) -> None:
        number, _, _ = event.id.partition(".")  # the token begins with the consumer's handle
        handle = int(number) if number.isascii() and number.isdigit() and len(number) < 20 else -1
        cumulative, found = self._held.get(handle), False
        exchange = self._broker.exchange
        if cumulative is not None and isinstance(event, Ack):
            found = exchange.settle(handle, event.id, cumulative=cumulative)
        elif cumulative is not None:
            requeue = event.frame.headers.get("requeue") != "false"
            found = exchange.refuse(handle, event.id, requeue=requeue, cumulative=cumulative)
        if not found:
            raise Refused("Subscription not found", f"Message with id {event.id!r} has no subscription\n")

    def _unsubscribe(self, event: Unsubscribe) -> None:
        handle = self._bindings.pop(event.id, None)
        if handle is None:
            raise Refused(
                "No subscription found",
                "UNSUBSCRIBE must contain an 'id' or 'destination' header of a subscription.\n"
                f"Subscription to \"id='{event.id}'\" not found.\n",
            )
        self._held.pop(handle, None)
        self._broker.exchange.unbind(handle)

    # timers ---------------------------------------------------------------------------------

    def _late(self) -> None:
        logger.warning("peer %s sent no CONNECT in time", self.name)
        self.abort()

    def _arm(self) -> None:
        deadline = self._session.next_deadline()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        try:
            beat = self._session.tick(self._loop.time())
        except HeartbeatLost as error:
            logger.warning("peer %s: %s", self.name, error)
            self.abort()  # without an ERROR frame, as RabbitMQ does
            return
        if beat:
            self.write(beat)
        self._arm()


def _prefetch(event: Subscribe) -> int:
    text = event.frame.headers.get("prefetch-count", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise Refused("Invalid header", f"'prefetch-count' has the value '{text}' on 'SUBSCRIBE'.\n")
    return int(text)


def _canonical(destination: str) -> str:
    """A bare name means a queue (rabbitmq.md §1)."""
    return destination if destination.startswith("/") else f"/queue/{destination}"


def _check(destination: str, kind: str) -> None:
    """Refuse what RabbitMQ refuses, in its words."""
    if not destination.startswith("/"):
        return
    if not destination.startswith(_TYPES):
        raise Refused(
            "Unknown destination",
            f"'{destination}' is not a valid destination.\nValid destination types are: /topic, /queue.\n",
        )
    rest = destination[len("/topic") :]
    if "/" in rest[1:] or len(rest) < 2:
        raise Refused("Invalid destination", f"'{rest}' is not a valid {kind} destination\n")

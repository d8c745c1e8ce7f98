"""One peer of the embedded broker: an instance, or any STOMP client over TCP."""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol, cast

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
)

from ..sockets.descriptors import Descriptors
from ..sockets.lingering import linger
from .delivery import pass_sends
from .embedded_channel import Channel
from .embedded_limits import BrokerLimits
from .embedded_places import Refused
from .exchange import Exchange

logger = logging.getLogger("pushscope.broker")

_SERVER_NAME: Final = "Pushscope/0.1"
_VERSIONS: Final = {"version": "1.0,1.1,1.2"}
_SHORTEST_BEAT_MS: Final = 1000
#: Characters of an error that are logged; peers decide what is in it.
_SHOWN: Final = 300


class PeerBroker(Protocol):
    """The broker as its peers see it."""

    @property
    def limits(self) -> BrokerLimits:
        """What each may have."""
        ...

    @property
    def exchange(self) -> Exchange:
        """Where messages come from."""
        ...

    @property
    def descriptors(self) -> Descriptors:
        """Which connections may be dropped when descriptors run out."""
        ...

    def new_session_id(self) -> str:
        """Id of a new session."""
        ...

    def admits(self, passcode: str | None) -> bool:
        """Whether a peer with this passcode may connect."""
        ...

    def added(self, peer: Peer) -> bool:
        """A connection was made; False if there are too many."""
        ...

    def removed(self, peer: Peer) -> None:
        """A connection ended."""
        ...

    def publish(self, destination: str, headers: dict[str, str], body: bytes) -> None:
        """Hand a message to everybody who subscribes to its destination."""
        ...

    def publish_raw(self, destination: str, rest: bytes) -> None:
        """The same for a topic's message whose bytes are passed on as they are."""
        ...

    def wake(self, peer: Peer) -> None:
        """Have the peer flushed at the end of this turn of the loop."""
        ...


class Peer(asyncio.Protocol):
    """A TCP connection and its STOMP session."""

    def __init__(self, broker: PeerBroker, loop: asyncio.AbstractEventLoop) -> None:
        self.name = "?"
        self._broker = broker
        self._loop = loop
        self._session = ServerSession(
            session_id=broker.new_session_id(),
            server_name=_SERVER_NAME,
            limits=BROKER_LIMITS,
            wording=RABBITMQ_WORDING,
            forgiving=True,
        )
        self._channel = Channel(broker.exchange, broker.limits, broker.publish, self.write)
        self._transport: asyncio.Transport | None = None
        self._pending: list[bytes] = []
        self._between = False  # connected, and nothing of a frame waits for its rest
        self._dirty = False
        self._paused = False
        self._closing = False
        self._errors = 0
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
        if not (self._broker.added(self) and self._broker.descriptors.came(self._transport)):
            self.abort()
            return
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
            if self._closing:
                break
            self._take(event)
        self._between = session.connected_done and session.between_frames and not self._closing

    def pause_writing(self) -> None:
        """The peer does not read."""
        self._paused = True

    def resume_writing(self) -> None:
        """The peer reads again."""
        if self._closing:
            return
        self._paused = False
        self._backlog = 0
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer has gone."""
        if self._timer is not None:
            self._timer.cancel()
        self._broker.descriptors.spoke(self._transport)
        self._transport = None
        self._pending.clear()
        self._channel.close()
        self._broker.removed(self)

    # writing --------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Queue bytes for the end of this turn."""
        if self._closing:
            return
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
        self._closing = True
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def _end(self) -> None:
        """Flush and end; what the peer still sends, such as a frame that is too big, is not for us."""
        if self._closing or self._transport is None:
            return
        self._closing = True
        self.flush()
        self._channel.close()
        self._pending.clear()
        if self._timer is not None:
            self._timer.cancel()
        linger(self._transport)

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
            logger.warning("peer %s: %s: %r", self.name, refused.message, refused.detail.strip()[:_SHOWN])
            error = self._session.error(refused.message, refused.detail.encode(), receipt, headers=_VERSIONS)
            self._answer(error, closes=refused.closes)

    def _answer(self, error: bytes, *, closes: bool) -> None:
        """Send an ERROR. As with RabbitMQ the connection stays after most of them.

        See docs/wire/brokers.md §5.
        """
        self._errors += 1
        self.write(error)
        if closes or self._errors >= self._broker.limits.errors:
            self._end()

    def _act(self, event: ServerEvent) -> None:
        match event:
            case Send() if self._session.connected_done:
                self._channel.send(event)
            case HeartbeatReceived():
                return
            case Malformed():
                logger.warning("peer %s: %r", self.name, str(event.error)[:_SHOWN])
                self._answer(event.error.answer, closes=event.fatal)
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

    def _act_rarely(
        self, event: Send | Subscribe | Unsubscribe | Begin | Commit | Abort | Ack | Nack | Disconnect
    ) -> None:
        if not self._session.connected_done:  # sent together with a CONNECT that was refused
            raise Refused("Illegal command", "You must log in using CONNECT first")
        match event:
            case Send():
                self._channel.send(event)
            case Subscribe():
                try:
                    self._channel.subscribe(event)
                except Refused:
                    self._session.subscriptions.pop(event.id, None)
                    raise
            case Unsubscribe():
                self._channel.unsubscribe(event)
            case Ack() | Nack():
                self._channel.settle(event)
            case Begin() | Commit() | Abort():
                self._channel.transact(event)
            case Disconnect():
                pass

    def _connect(self, event: Connect) -> None:
        if not self._broker.admits(event.passcode):
            self._session.connect_again()
            raise Refused("Bad CONNECT", f"Access refused for user '{event.login or 'guest'}'\n")
        self._broker.descriptors.spoke(self._transport)
        self._channel.version = event.version
        sends, wants = event.heartbeat
        self.write(self._session.connected(heartbeat=(_beat(wants), _beat(sends))))
        if self._timer is not None:
            self._timer.cancel()
        self._arm()

    # timers ---------------------------------------------------------------------------------

    def _late(self) -> None:
        seconds = self._broker.limits.connect_s
        logger.warning("peer %s sent no CONNECT within %g s", self.name, seconds)
        self._answer(
            self._session.error("No CONNECT in time", b"A peer has %g s to CONNECT.\n" % seconds), closes=True
        )

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


def _beat(asked: int) -> int:
    """RabbitMQ's answer to a heart-beat: what was asked for in whole seconds, at least one."""
    return max(asked // 1000 * 1000, _SHORTEST_BEAT_MS) if asked else 0

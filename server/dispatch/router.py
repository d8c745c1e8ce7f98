"""What clients' frames cause: the one place that knows a session from its handshake to its end."""

from __future__ import annotations

import functools
import logging
import math
import secrets
import time
from collections.abc import Callable, Sequence

from core.errors import BrokerUnavailable, CloseCode, HeartbeatLost, LocalProtocolError
from core.protocol import (
    Abort,
    Ack,
    Begin,
    Commit,
    Connect,
    Disconnect,
    HeartbeatReceived,
    Limits,
    Malformed,
    Nack,
    Send,
    ServerEvent,
    ServerSession,
    Subscribe,
    Unsubscribe,
)

from ..access.admission import Principal, is_usable_name
from ..messages.counters import Counters
from ..messages.framing import Framing, websocket_frame
from ..messages.refusal import Refusal
from ..messages.stages import Stage, StageLog
from ..sessions.acknowledgements import Acknowledgements
from ..sessions.hub import Hub
from ..sessions.outbox import Outbox
from ..sessions.proof import Proof
from ..sessions.session import Carrier, Session
from ..sessions.timers import SessionWheel
from ..settings.instance import InstanceSettings
from ..users.peers import PeerSync
from ..users.registry import UserRegistry
from ..users.strategies import Strategy
from ..users.undeliverable import Reason, Undeliverable
from .client_sends import ClientSends
from .client_subscriptions import ClientSubscriptions
from .relay.base import Relay

logger = logging.getLogger("pushscope.server")

#: Takes a frame of a client.
Take = Callable[[Session, ServerEvent], None]

SERVER_NAME = "Pushscope/0.1"


class Router:
    """Takes what carriers report and does what the frames mean."""

    def __init__(
        self,
        settings: InstanceSettings,
        hub: Hub,
        registry: UserRegistry,
        strategy: Strategy,
        sync: PeerSync | None,
        counters: Counters,
        stages: StageLog,
        clock: Callable[[], float],
        limits: Limits,
    ) -> None:
        self._settings = settings
        self._hub = hub
        self._registry = registry
        self._strategy = strategy
        self._sync = sync
        self._counters = counters
        self._stages = stages
        self._clock = clock
        self._limits = limits
        self.wheel = SessionWheel(self.look)
        self.outbox: Outbox
        self.acknowledgements: Acknowledgements
        self.undeliverable: Undeliverable
        self.relay: Relay
        self.sends: ClientSends
        self.subscriptions: ClientSubscriptions
        #: Takes each frame: :meth:`perform`, or interceptors, who let it go there or not.
        self.take: Take = self.perform
        #: Takes what clients say while the broker is away, if that ends them; usually None.
        self.without_broker: Callable[[Session, Sequence[ServerEvent]], None] | None = None
        #: Checks the tokens of CONNECT frames, where clients need some.
        self.proof: Proof | None = None

    # what carriers report -------------------------------------------------------------------

    def open(
        self, carrier: Carrier, principal: Principal | None = None, framing: Framing = websocket_frame
    ) -> Session:
        """A client has connected."""
        now = self._clock()
        session_id = secrets.token_hex(8)
        protocol = ServerSession(
            session_id=session_id,
            server_name=SERVER_NAME,
            heartbeat=self._settings.heartbeat_ms,
            limits=self._limits,
        )
        session = Session(session_id, carrier, protocol, now=now, principal=principal, framing=framing)
        if principal is not None:
            session.ends_at = self._end_of(principal, now)
        self._hub.add(session)
        self.wheel.add(session, min(now + self._settings.first_message_s, self._proof_due(session)))
        return session

    def receive(self, session: Session, data: bytes) -> None:
        """A client has sent bytes."""
        if session.closed:
            return
        session.heard = True
        events = session.protocol.receive(data, self._clock())
        if self.without_broker is not None:
            self.without_broker(session, events)
            return
        take = self.take if self.proof is None else self._take_proven
        for event in events:
            self.attempt(session, event, take)
            if session.closed:
                return

    def _take_proven(self, session: Session, event: ServerEvent) -> None:
        """Take a frame; a CONNECT when it has proven whose it is, and without its token.

        Raises:
            Refusal: It has not.
        """
        if isinstance(event, Connect) and self.proof is not None and session.principal is not None:
            principal, event = self.proof.prove(session.principal, event)
            session.become(principal, self._end_of(principal, self._clock()))
        self.take(session, event)

    @staticmethod
    def _end_of(principal: Principal, now: float) -> float:
        """When a session of this principal is closed (loop time); infinite for most."""
        return math.inf if principal.ends_at is None else now + principal.ends_at - time.time()

    def _proof_due(self, session: Session) -> float:
        """When a session must have proven whose it is, or when its token expires (loop time)."""
        if self.proof is None or session.principal is None or not session.principal.to_prove:
            return session.ends_at
        return min(session.opened_at + self.proof.within_s, session.ends_at)

    def turns_away(self) -> bool:
        """Whether there are as many clients as there may be; counts whoever asks."""
        most = self._settings.max_sessions
        full = 0 < most <= len(self._hub.sessions)
        if full:
            self._counters.turned_away += 1
        return full

    def pause(self, session: Session) -> None:
        """The client's connection is full."""
        self.outbox.pause(session)
        self.wheel.add(session, self._clock() + self._settings.stall_s)

    def resume(self, session: Session) -> None:
        """The client's connection takes bytes again."""
        self.outbox.resume(session)

    def closed(self, session: Session) -> None:
        """The client's connection has ended, whoever ended it; may come twice."""
        if not self._hub.remove(session):
            return
        self.wheel.remove(session)
        self.subscriptions.release_all(session)
        if session.connected:
            self._counters.disconnects += 1
        if self._registry.remove_local(session) and self._sync is not None:
            self._sync.changes.left(session)
        if session.held_ids or session.pending_ids:
            unwritten = (*session.held_ids, *session.pending_ids)
            self._stages.set_many(unwritten, Stage.CUT)
            self.undeliverable.cut(session.user, unwritten, Reason.SESSION_GONE)
        self.outbox.forget(session)
        session.end()

    # what we decide -------------------------------------------------------------------------

    def close(self, session: Session, code: int, reason: str, last: bytes = b"") -> None:
        """End a session: a last frame, the close, and it is forgotten."""
        if session.closed:
            return
        if last:
            self.outbox.put(session, last)
        self.outbox.flush_one(session)
        session.carrier.close(code, reason)
        self.closed(session)

    def overflow(self, session: Session) -> None:
        """A client does not read what is sent to it (docs/wire/spring-relay.md §8)."""
        self._counters.slow_consumers += 1
        waiting = session.held_bytes
        logger.warning(
            "session %s of %r does not read: cut with %d bytes waiting for it",
            session.id,
            session.user,
            waiting,
        )
        self._stages.set_many(session.held_ids, Stage.CUT)
        self.undeliverable.cut(session.user, session.held_ids, Reason.QUEUE_OVERFLOW)
        self.outbox.forget(session)
        reason = "Failed to send message within the configured send limit"
        self.close(session, CloseCode.SESSION_LIMIT, reason)

    def close_all(self) -> None:
        """The instance stops."""
        for session in list(self._hub.sessions.values()):
            self.close(session, CloseCode.GOING_AWAY, "the instance stops")

    def look(self, session: Session, now: float) -> float | None:
        """Heart-beats and other deadlines of one session; returns when to look again."""
        if now >= session.ends_at:
            self.close(session, CloseCode.TOKEN_EXPIRED, "the access token has expired")
            return None
        if not session.connected:
            return self._look_at_newcomer(session, now)
        if session.full and now - session.paused_at >= self._settings.stall_s:
            self.overflow(session)
            return None
        protocol = session.protocol
        if session.flushed_at > protocol.beats.last_sent:
            protocol.sent(session.flushed_at)
        try:
            beat = protocol.tick(now)
        except HeartbeatLost as lost:
            self._counters.silent += 1
            self.close(session, CloseCode.PROTOCOL_ERROR, str(lost), lost.answer)
            return None
        if beat:
            self.outbox.put(session, beat)
        deadline = self._deadline(session)
        if session.paused:
            return min(deadline, session.paused_at + self._settings.stall_s)
        return deadline if deadline < math.inf else None

    @staticmethod
    def _deadline(session: Session) -> float:
        """When a connected session has to be looked at; infinite for never."""
        beat = session.protocol.next_deadline()
        return session.ends_at if beat is None else min(beat, session.ends_at)

    def _look_at_newcomer(self, session: Session, now: float) -> float | None:
        # Whoever has said something gets the same time again to become CONNECTED.
        patience = self._settings.first_message_s * (2 if session.heard else 1)
        proof_due = self._proof_due(session)
        due = min(session.opened_at + patience, proof_due)
        if now < due:
            return due
        self._counters.silent += 1
        if now >= proof_due and self.proof is not None:
            refusal = self.proof.too_late()
            error = session.protocol.error(str(refusal), refusal.detail.encode())
            self.close(session, CloseCode.PROTOCOL_ERROR, str(refusal)[:100], error)
            return None
        self.close(session, CloseCode.SESSION_LIMIT, "no CONNECT in time")
        return None

    # frames ---------------------------------------------------------------------------------

    def attempt(self, session: Session, event: ServerEvent, take: Take) -> None:
        """Have a frame taken, or end its session: nobody else is to notice, whatever happens."""
        try:
            take(session, event)
        except Refusal as refusal:
            self._refuse(session, event, str(refusal), refusal.detail)
        except BrokerUnavailable as error:
            self._refuse(session, event, error.title, str(error))
        except LocalProtocolError as error:
            self._refuse(session, event, str(error), "")
        except Exception:
            self._counters.internal_errors += 1
            logger.exception("session %s of %r: a frame failed", session.id, session.user)
            self.close(session, CloseCode.INTERNAL_ERROR, "internal error")

    def perform(self, session: Session, event: ServerEvent) -> None:
        """Do what a frame means.

        Raises:
            Refusal: It is not for clients, or nobody serves it.
            BrokerUnavailable: The broker is needed and away.
        """
        match event:
            case Send():
                self.sends.send(session, event)
            case HeartbeatReceived():
                if session.protocol.version is None:
                    raise Refusal("no heart-beat before CONNECT", "The first frame must be CONNECT or STOMP.")
                self.relay.forward(session, event)
            case Subscribe():
                self.subscriptions.subscribe(session, event)
                self._registry.resubscribed(session)
            case Unsubscribe():
                self.subscriptions.unsubscribe(session, event)
                self._registry.resubscribed(session)
            case Malformed():
                self._counters.protocol_errors += 1
                logger.info("session %s: %r", session.id, str(event.error)[:300])
                self.close(session, event.error.close_code, str(event.error)[:100], event.error.answer)
            case _:
                self._take_rarely(session, event)

    def _take_rarely(
        self, session: Session, event: Connect | Disconnect | Begin | Commit | Abort | Ack | Nack
    ) -> None:
        match event:
            case Connect():
                self.connect(session, event, self.user_of(session, event))
                return
            case _ if self.relay.forward(session, event):
                return
            case Begin() | Commit() | Abort():
                self.sends.transact(session, event)
            case Ack() | Nack():
                self.acknowledgements.settle(session, event)
            case Disconnect():
                # the client closes the connection; DISCONNECT alone does not end it
                # (docs/wire/spring-relay.md §2.3)
                pass
        self._receipt(session, event.receipt)

    def _receipt(self, session: Session, receipt: str | None) -> None:
        if receipt is not None:
            self.outbox.put(session, session.protocol.receipt(receipt))

    def user_of(self, session: Session, event: Connect) -> str:
        """Who a client is, from its handshake or its CONNECT; "" for nobody."""
        # Whom the handshake named is final, also "" for nobody; another login is passed over, as by Spring.
        if session.principal is not None:
            return session.principal.name
        return event.login or self._settings.default_user

    def connect(self, session: Session, event: Connect, user: str) -> None:
        """Let a client in as a user.

        Raises:
            Refusal: There are too many clients, or the name cannot be used.
        """
        if 0 < self._settings.max_sessions < len(self._hub.sessions):  # it came by SockJS
            self._counters.turned_away += 1
            raise Refusal("too many clients", "Come again later, or to another instance.")
        if not is_usable_name(user):
            raise Refusal(
                "the user name cannot be used", "It must be printable, without %2F, at most 256 long."
            )
        session.user = user
        extra = {"instance": self._settings.id}
        if user:
            extra["user-name"] = user
        self.relay.connect(session, event, extra, functools.partial(self._welcome, session))

    def _welcome(self, session: Session, connected: bytes) -> None:
        self.outbox.put(session, connected)
        session.connected = True
        self._counters.connects += 1
        self._strategy.joined(session)
        self._registry.add_local(session)
        if self._sync is not None:
            self._sync.changes.joined(session)
        self.wheel.remove(session)
        deadline = self._deadline(session)
        if deadline < math.inf:
            self.wheel.add(session, deadline)

    def _refuse(self, session: Session, event: ServerEvent, message: str, detail: str) -> None:
        receipt = None if isinstance(event, HeartbeatReceived | Malformed) else event.receipt
        logger.info("session %s of %r refused: %r %r", session.id, session.user, message, detail)
        error = session.protocol.error(message, detail.encode(), receipt)
        self.close(session, CloseCode.PROTOCOL_ERROR, message[:100], error)

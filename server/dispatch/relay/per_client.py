"""Spring's relay: each client has a TCP connection of its own to the broker (docs/wire/spring-relay.md §6).

For comparison with Spring, frame by frame. What one client says, the broker hears on that client's
connection: CONNECT with all its headers, its heart-beats, its receipts, its transactions. What the
broker says goes to the client as it is. Where this differs from Spring, that section says so.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import msgspec

from core.errors import CloseCode, LocalProtocolError
from core.protocol import (
    HEARTBEAT_BYTES,
    SECRET_HEADERS,
    Connect,
    Disconnect,
    Frame,
    HeartbeatReceived,
    Send,
    Subscribe,
    Unsubscribe,
    encode,
    encode_frame,
    parse_heartbeat,
    send_form,
    subscribe_form,
    user_target,
)
from core.tasks import BackgroundTasks

from ...brokers.addresses import StompAddress
from ...brokers.delivery import ParsedDelivery
from ...brokers.dialing import dial, tls_context, trouble_of
from ...brokers.limits import MessageLimits
from ...destinations.spellings import spelling_of
from ...messages.counters import Counters
from ...messages.framing import OutgoingMessage
from ...messages.stages import Stage, StageLog
from ...sessions.guard import Guard
from ...sessions.hub import Hub
from ...sessions.outbox import Outbox
from ...sessions.session import Session
from ...sessions.subscription import Kind, Subscription
from ...settings.instance import InstanceSettings
from ...users.local_delivery import UserMessage
from ...users.peers import PeerSync
from ...users.registry import UserRegistry
from .base import Plain, Welcome
from .private_link import PrivateLink

logger = logging.getLogger("pushscope.server")

#: How long the broker has to answer CONNECT (docs/wire/spring-relay.md §6.1).
CONNECTED_WITHIN_S: Final = 60.0


class Credentials(msgspec.Struct, frozen=True):
    """What overwrites a client's own words in its CONNECT.

    Attributes:
        login: Name for the broker; None leaves the header out.
        passcode: Belongs to it.
        virtual_host: ``host`` of CONNECT; None for no such header, whatever the client sent.
    """

    login: str | None
    passcode: str | None
    virtual_host: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.login!r}, …, {self.virtual_host!r})"


def credentials_of(settings: InstanceSettings, address: StompAddress) -> Credentials:
    """Who clients are at the broker: as configured, else who the instance is itself."""
    if settings.client_login is None:
        return Credentials(address.login, address.passcode, address.virtual_host)
    return Credentials(settings.client_login, settings.client_passcode, address.virtual_host)


class Connections(Protocol):
    """The clients of an instance: what waits for them, what they may reach."""

    @property
    def guard(self) -> Guard:
        """What clients may not do."""
        ...

    @property
    def outbox(self) -> Outbox:
        """What waits for them."""
        ...

    @property
    def hub(self) -> Hub:
        """Who is there."""
        ...


class _Private(msgspec.Struct, eq=False):
    """A client's connection: ``link`` is None until TCP is up, ``connected`` after CONNECTED."""

    welcome: Welcome
    extra: Mapping[str, str]
    heartbeat: tuple[int, int]
    dialing: asyncio.Task[None] | None = None
    link: PrivateLink | None = None
    connected: bool = False
    #: Receipts of SUBSCRIBE to user destinations: the peers must know the session first.
    user_receipts: set[str] = msgspec.field(default_factory=set[str])


class PerClientRelay:
    """Implements ``Relay`` with one broker connection for each client.

    Args:
        settings: Prefixes and destinations.
        address: Where the broker is.
        credentials: Who clients are there.
        limits: What it takes in a message, as far as is known now.
        close: Ends a client: code, reason, last frame (:meth:`Router.close`).
        tasks: Those of the instance.
    """

    def __init__(
        self,
        settings: InstanceSettings,
        address: StompAddress,
        credentials: Credentials,
        limits: Callable[[], MessageLimits],
        connections: Connections,
        registry: UserRegistry,
        sync: PeerSync | None,
        counters: Counters,
        stages: StageLog,
        close: Callable[[Session, int, str, bytes], None],
        tasks: BackgroundTasks,
    ) -> None:
        self._settings = settings
        self._address = address
        self._context = tls_context(address.tls)
        self._credentials = credentials
        self._limits = limits
        self._hub = connections.hub
        self._outbox = connections.outbox
        self._guard = connections.guard
        self._registry = registry
        self._sync = sync
        self._counters = counters
        self._stages = stages
        self._close = close
        self._tasks = tasks
        self._privates: dict[Session, _Private] = {}

    @property
    def connections(self) -> int:
        """How many clients have a connection to the broker, or are getting one."""
        return len(self._privates)

    # what clients say -----------------------------------------------------------------------

    def connect(self, session: Session, event: Connect, extra: Mapping[str, str], welcome: Welcome) -> None:
        """Open the client's connection and forward its CONNECT; the broker's CONNECTED is the answer."""
        private = self._privates[session] = _Private(welcome, extra, event.heartbeat)
        dialing = self._dial(session, private, self._connect_frame(event.frame))
        private.dialing = self._tasks.start(dialing, f"dial the broker for session {session.id}")

    def publish(self, session: Session, event: Send, headers: Mapping[str, str]) -> None:
        """SEND on the client's connection; the broker answers its receipt."""
        self._send(session, event, {"destination": event.destination, **headers})

    def to_user(self, session: Session, event: Send, message: UserMessage) -> None:
        """One SEND on the client's connection for each session of the user, each with the receipt."""
        user, rest, prefixes = message.user, message.destination, self._settings.prefixes
        places = self._registry.places(user)
        # docs/wire/spring-relay.md §4.1: a sender that is one of the user's sessions, or names itself, means
        # itself.
        targets = [session.id] if user == session.id or session.id in places else list(places)
        headers = {
            "destination": "",
            "simpOrigDestination": subscribe_form(rest, prefixes),
            **message.headers,
        }
        if not targets:
            self._counters.unresolved += 1
            headers["simpOrigDestination"] = send_form(user, rest, prefixes)
            self._send(session, event, {**headers, "destination": self._settings.unresolved_destination})
        for target in targets:
            self._send(session, event, {**headers, "destination": user_target(rest, target)})

    def subscribe(self, session: Session, event: Subscribe, target: str, *, is_user: bool) -> None:
        """SUBSCRIBE on the client's connection."""
        private = self._privates.get(session)
        if private is None or not private.connected:
            return  # docs/wire/spring-relay.md §6.4
        headers = {"id": event.id, "destination": target, "ack": event.ack}
        headers |= self._guard.headers.of_subscribe(event.frame.headers)
        if is_user:
            headers["simpOrigDestination"] = event.destination
        if event.receipt is not None:
            headers["receipt"] = event.receipt
            if is_user and self._sync is not None and session.user:
                private.user_receipts.add(event.receipt)
        session.subscriptions[event.id] = Subscription(event.id, event.destination, target, Kind.QUEUE)
        self._write(session, encode("SUBSCRIBE", headers))

    def unsubscribe(self, session: Session, subscription: Subscription, event: Unsubscribe) -> bool:
        """UNSUBSCRIBE, once, also from a user destination (docs/wire/spring-relay.md §3)."""
        headers = {"id": subscription.id}
        if event.receipt is not None:
            headers["receipt"] = event.receipt
        self._write(session, encode("UNSUBSCRIBE", headers))
        return True

    def forward(self, session: Session, event: Plain) -> bool:
        """Hand it on as it is."""
        match event:
            case HeartbeatReceived():
                self._write(session, HEARTBEAT_BYTES)
            case Disconnect() if event.receipt is None:
                # docs/wire/spring-relay.md §2.3: the connection is closed right away, the WebSocket stays
                # until the client closes.
                self._end(session, encode_frame(event.frame))
            case _:
                self._write(session, encode_frame(event.frame))
        return True

    def closed(self, session: Session) -> None:
        """The client has gone: DISCONNECT and close, also before CONNECTED came.

        See docs/wire/spring-relay.md §6.5.
        """
        self._end(session, encode("DISCONNECT"))

    # connection -----------------------------------------------------------------------------

    def _connect_frame(self, frame: Frame) -> bytes:
        ours = self._credentials
        replaced = {"login": ours.login, "passcode": ours.passcode, "host": ours.virtual_host}
        given = (*frame.headers.items(), *frame.repeated)
        # Whatever else a client proves itself by is for us, and none of the broker's business.
        kept = [pair for pair in given if pair[0] not in replaced and pair[0].lower() not in SECRET_HEADERS]
        kept += [(name, value) for name, value in replaced.items() if value is not None]
        return encode(frame.command, kept)

    async def _dial(self, session: Session, private: _Private, connect: bytes) -> None:
        take = functools.partial(self._take, session, private)
        end = functools.partial(self._fail, session)
        try:
            async with asyncio.timeout(CONNECTED_WITHIN_S):
                link = await self._reach(lambda: PrivateLink(take, end))
        except TimeoutError:
            self._fail(session, "Failed to connect: no answer")
            return
        if isinstance(link, str):
            self._fail(session, f"Failed to connect: {link}")
            return
        private.link = link
        link.write(connect)
        await asyncio.sleep(CONNECTED_WITHIN_S)  # cancelled by CONNECTED and by the end
        self._fail(session, f"No CONNECTED frame received in {CONNECTED_WITHIN_S * 1000:.0f} ms.")

    async def _reach(self, make: Callable[[], PrivateLink]) -> PrivateLink | str:
        """A connection to the first node that takes one, else why there is none."""
        why = ""
        for node in self._address.nodes:
            try:
                return await dial(node, self._context, make)
            except OSError as error:
                why = trouble_of(error, node)
        return why

    def _fail(self, session: Session, message: str) -> None:
        if not session.closed:
            logger.info("session %s of %r: %s", session.id, session.user, message)
            self._close(session, CloseCode.PROTOCOL_ERROR, message[:100], session.protocol.error(message))

    def _end(self, session: Session, last: bytes) -> None:
        private = self._privates.pop(session, None)
        if private is None:
            return
        if private.dialing is not None:
            private.dialing.cancel()
        if private.link is not None:
            if private.connected:
                private.link.leave(last)
            else:
                private.link.abort()

    def _send(self, session: Session, event: Send, headers: dict[str, str]) -> None:
        for name in ("receipt", "transaction"):
            if name in event.frame.headers:
                headers[name] = event.frame.headers[name]
        self._limits().check(headers["destination"], headers, len(event.frame.body))
        self._write(session, encode("SEND", headers, event.frame.body))

    def _write(self, session: Session, data: bytes) -> None:
        private = self._privates.get(session)
        if private is None or not private.connected or private.link is None:
            return  # dropped: docs/wire/spring-relay.md §6.4
        private.link.write(data)

    # what the broker says -------------------------------------------------------------------

    def _take(self, session: Session, private: _Private, frame: Frame | None) -> None:
        if session.closed:
            return
        if frame is None:
            if session.connected:
                self._outbox.put(session, HEARTBEAT_BYTES)
            return
        match frame.command:
            case "MESSAGE" if private.connected:
                self._message(session, frame)
            case "RECEIPT" if private.connected:
                self._receipt(session, private, frame)
            case "CONNECTED" if not private.connected:
                self._connected(session, private, frame)
            case "ERROR":
                message = frame.headers.get("message", "")
                self._close(session, CloseCode.PROTOCOL_ERROR, message[:100], encode_frame(frame))
            case command:
                self._fail(session, f"Transport failure: {command} is out of place")

    def _connected(self, session: Session, private: _Private, frame: Frame) -> None:
        headers = {**frame.headers, **private.extra}
        try:
            broker = parse_heartbeat(headers.get("heart-beat"))
            session.protocol.relayed(headers.get("version", "1.0"), broker)
            answer = encode("CONNECTED", headers)
        except (ValueError, LocalProtocolError) as error:
            self._fail(session, f"Transport failure: CONNECTED of the broker is not understood: {error}")
            return
        private.connected = True
        if private.link is not None:
            private.link.beat(private.heartbeat, broker)
        if private.dialing is not None:
            private.dialing.cancel()
        private.welcome(answer)

    def _message(self, session: Session, frame: Frame) -> None:
        subscription = session.subscriptions.get(frame.headers.get("subscription", ""))
        if subscription is None:
            return  # given up meanwhile
        delivery = ParsedDelivery.of(frame)
        self._counters.from_broker += 1
        if spelling_of(subscription.target).wild and self._guard.hides(delivery):
            return
        headers = dict(frame.headers)
        original = headers.pop("simpOrigDestination", None)
        if original is not None:
            headers["destination"] = original
        del headers["subscription"]
        message = OutgoingMessage(headers, frame.body)
        self._counters.delivered += 1
        if message.id is not None:
            self._stages.set(message.id, Stage.QUEUED)
        self._hub.deliver_one(session, subscription.id, message)

    def _receipt(self, session: Session, private: _Private, frame: Frame) -> None:
        def answer() -> None:
            self._outbox.put(session, encode_frame(frame))

        receipt = frame.headers.get("receipt-id", "")
        if self._sync is not None and receipt in private.user_receipts:
            # What is pushed anywhere from then on arrives: the peers must know the session.
            private.user_receipts.discard(receipt)
            self._sync.when_known(session.joined_seq, answer)
        else:
            answer()

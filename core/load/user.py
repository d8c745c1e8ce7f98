"""A simulated user: one connection, one STOMP session, one subscription, no task of its own.

Everything after the handshake happens in callbacks, so that thousands of users fit in a process
and a message costs microseconds. Who dials, when, and how many at once is the business of
:class:`core.load.crowd.Crowd`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Literal, Protocol
from urllib.parse import quote, urlsplit

from ..client.reconnect import EAGER, ReconnectPolicy
from ..clock import now_ns
from ..errors import (
    ConnectionClosed,
    HandshakeRefused,
    LocalProtocolError,
    NoReceipts,
    PushscopeError,
    TargetUnreachable,
    UserNameDiffers,
)
from ..protocol import (
    BROKER_LIMITS,
    ClientEvent,
    ClientSession,
    Connected,
    ErrorReceived,
    Malformed,
    Message,
    ReceiptReceived,
)
from ..redaction import without_tokens
from ..transport import Carrier, CloseInfo, Connect, connect_websocket
from .heartbeats import HeartbeatWheel
from .layout import MessageLayout
from .transports import Transport

UserState = Literal["connecting", "connected", "reconnecting", "disconnected", "failed"]

#: Id of the one subscription, and of the receipt that makes a user connected.
_SUBSCRIPTION = "0"
_SUBSCRIBED = "subscribed"

#: Attempts of a user that never was connected, before it fails: about five seconds of them.
_FIRST_ATTEMPTS = 8


class UserSink(Protocol):
    """Where users report to; called in the loop, must be quick and must not raise.

    Order for one user: ``on_state`` with ``connecting``; then ``connected``, ``reconnecting`` or
    ``failed``; messages in the order in which the socket brought them. Messages may arrive before
    ``connected`` (the subscription stands before its RECEIPT comes) and after ``disconnected``
    (they were under way).
    """

    def on_state(self, user: SimulatedUser, state: UserState, detail: str) -> None:
        """The user's state changed; its attributes are already those of the new state, except
        that ``on`` still names the instance of a connection that has just been lost.

        ``detail`` is ``asked`` for what the scenario wanted, else what broke, in words.
        """
        ...

    def on_attempt_failed(self, user: SimulatedUser) -> None:
        """It could not connect and tries again: its ``error`` is a new one, its state is not."""
        ...

    def on_message(self, user: SimulatedUser, ps_id: str | None, body: bytes, received_ns: int) -> None:
        """A MESSAGE came; ``ps_id`` is its header of that name, ``received_ns`` the stamp of the
        chunk of bytes it came in (:func:`core.clock.now_ns`)."""
        ...


class UserHome(Protocol):
    """What a user needs of whoever holds it.

    Attributes:
        receipts_come: Whether any of its users has had the RECEIPT of its SUBSCRIBE.
    """

    wheel: HeartbeatWheel
    layout: MessageLayout
    receipts_come: bool

    def redial(self, user: SimulatedUser, delay: float) -> None:
        """Have ``user.dial()`` awaited after ``delay`` seconds."""
        ...

    def changed(self, user: SimulatedUser, before: UserState) -> None:
        """The user's state is another one than ``before``; the sink knows already."""
        ...

    def gone(self, user: SimulatedUser) -> None:
        """The user has no connection and will not make one; may be said twice."""
        ...


def user_url(template: str, name: str) -> str:
    """The URL at which ``name`` connects: ``{user}`` is replaced, else ``?user=`` is added."""
    quoted = quote(name, safe="")
    if "{user}" in template:
        return template.replace("{user}", quoted)
    return f"{template}{'&' if urlsplit(template).query else '?'}user={quoted}"


class SimulatedUser:
    """One user of a push system; *connected* once the RECEIPT of its SUBSCRIBE has come.

    A socket that dies by itself is replaced at once, by ``policy``; an asked-for disconnect is not.

    Attributes:
        name: User name of the handshake.
        state: ``connecting`` until first connected, ``reconnecting`` after a loss,
            ``disconnected`` when asked to, ``failed`` when it gave up.
        on: Id of the instance it is (or, while reconnecting, was) connected to; "" if that does
            not say.
        known_as: What the server calls it in CONNECTED (``user-name``); "" if it does not say.
        session: STOMP session id.
        connected_ns, subscribed_ns: Stamps of CONNECTED and of the RECEIPT; ``ended_ns`` of the
            last end of a connection. 0 if never.
        reconnects: How often a connection died by itself.
        received: MESSAGE frames so far.
        close_code, error: Of the last end or failure; 0 and "" if there was none.
        transport: What it connects with.
    """

    __slots__ = (
        "_attempt",
        "_carrier",
        "_heartbeat",
        "_home",
        "_open",
        "_policy",
        "_sink",
        "_stomp",
        "_subscribed",
        "_url",
        "_usual",
        "beat_slot",
        "close_code",
        "connected_ns",
        "destination",
        "ended_ns",
        "error",
        "known_as",
        "name",
        "on",
        "received",
        "reconnects",
        "session",
        "state",
        "subscribed_ns",
        "transport",
        "wanted",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        url: str,
        destination: str,
        sink: UserSink,
        reconnect: ReconnectPolicy = EAGER,
        *,
        home: UserHome,
        heartbeat: tuple[int, int] = (10_000, 10_000),
        connect: Connect = connect_websocket,
        transport: Transport = "websocket",
    ) -> None:
        """``url`` may hold ``{user}``; ``destination`` is without the ``/user`` prefix."""
        self.name = name
        self.destination = destination
        self.state: UserState = "disconnected"
        self.wanted = False
        self.on = ""
        self.known_as = ""
        self.session = ""
        self.connected_ns = 0
        self.subscribed_ns = 0
        self.ended_ns = 0
        self.reconnects = 0
        self.received = 0
        self.close_code = 0
        self.error = ""
        self.beat_slot = 0
        self._url = url
        self._sink = sink
        self._policy = reconnect
        self._home = home
        self._heartbeat = heartbeat
        self._open = connect
        self.transport: Transport = transport
        self._attempt = 0
        self._usual = False
        self._carrier: Carrier | None = None
        self._stomp: ClientSession | None = None
        self._subscribed: asyncio.Future[None] | None = None

    @property
    def url(self) -> str:
        """Where this user connects."""
        return user_url(self._url, self.name)

    @property
    def busy(self) -> bool:
        """Whether a connection exists or is being made."""
        return self._carrier is not None or self._subscribed is not None

    # ---- asked for --------------------------------------------------------------------------

    def want(self) -> None:
        """Be connected from now on; a connected user is moved: dropped, and connected anew."""
        moving = self.wanted and self.state == "connected"
        if self.wanted and not moving:
            return
        self.wanted = True
        self._attempt = 0
        if moving:
            self._leave()
        if not self.busy:
            self._home.redial(self, 0.0)
        self._change("connecting", "asked")

    def disconnect(self) -> None:
        """Leave; says goodbye to the server, so that what is under way still arrives."""
        if not self.wanted:
            return
        self.wanted = False
        self._leave()
        if not self.busy:
            self._home.gone(self)

    def abort(self) -> None:
        """End the connection, if any, without a goodbye."""
        self.wanted = False
        if self._carrier is not None:
            self._carrier.abort()

    def _leave(self) -> None:
        carrier, stomp = self._carrier, self._stomp
        if carrier is not None and stomp is not None:
            if self.state == "connected":
                with contextlib.suppress(LocalProtocolError, ConnectionClosed):  # it is ending already
                    carrier.send(stomp.disconnect())
            carrier.close(1000)
        self._change("disconnected", "asked")

    # ---- dialling ---------------------------------------------------------------------------

    async def dial(self, within: float) -> None:
        """One attempt to become connected; what fails is retried by the policy, never raised."""
        if not self.wanted or self.busy:
            return
        self._subscribed = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(within):
                await self._connect(self._subscribed)
        except TimeoutError:
            self._failed(self._late(within))
        except PushscopeError as error:
            self._failed(error)
        else:
            self._attempt = 0  # the next loss begins with the first delay
        finally:
            self._subscribed = None
            if self._carrier is None and not self.wanted:  # cancelled while leaving
                self._home.gone(self)

    async def _connect(self, subscribed: asyncio.Future[None]) -> None:
        carrier = await self._open(self.url, on_data=self._on_data, on_close=self._on_close)
        self._carrier = carrier
        self._stomp = ClientSession(limits=BROKER_LIMITS)
        if not self.wanted:  # asked to leave meanwhile
            carrier.close(1000)
        else:
            host = urlsplit(self._url).hostname or "localhost"
            carrier.send(self._stomp.connect(host, heartbeat=self._heartbeat))
        await subscribed

    def _late(self, within: float) -> TargetUnreachable:
        """The error of an attempt that took too long: what has not come."""
        url = without_tokens(self.url)
        if self._carrier is None or self._stomp is None:
            return TargetUnreachable(f"{url}: no connection by {self.transport} within {within:g} s")
        if self._stomp.version is None:
            return TargetUnreachable(f"{url}: no CONNECTED for the CONNECT within {within:g} s")
        missing = f"{url}: no RECEIPT for the SUBSCRIBE to /user{self.destination} within {within:g} s"
        return TargetUnreachable(missing) if self._home.receipts_come else NoReceipts(missing)

    def _failed(self, error: PushscopeError) -> None:
        """An attempt failed: end what is left of it, and try again or give up."""
        self._subscribed = None
        if self.wanted:
            self._attempt += 1
            self.error = str(error)
            self.close_code = error.code if isinstance(error, ConnectionClosed) else 0
            if self.subscribed_ns == 0 and (self._attempt >= _FIRST_ATTEMPTS or _is_final(error)):
                self._give_up()
            else:
                self._sink.on_attempt_failed(self)
        if self._carrier is not None:
            self._carrier.abort()  # on_close goes on from here
        else:
            self._again()

    def _again(self) -> None:
        """Without a connection now: dial again if somebody wants us connected."""
        delay = self._policy.delay(self._attempt, random.random()) if self.wanted else None
        if delay is not None:
            self._home.redial(self, delay)
            return
        if self.wanted:
            self._give_up()
        self._home.gone(self)

    def _give_up(self) -> None:
        self.wanted = False
        self._change("failed", self.error)

    # ---- what the connection brings ---------------------------------------------------------

    def _on_data(self, data: bytes) -> None:
        carrier, stomp = self._carrier, self._stomp
        if carrier is None or stomp is None:
            return
        stamp = carrier.received_ns
        if self._usual:  # subscribed, and between two frames: nearly always a MESSAGE like the last
            message = self._home.layout.read(data)
            if message is not None:
                stomp.beats.last_received = stamp * 1e-9
                self.received += 1
                self._sink.on_message(self, message[0], message[1], stamp)
                return
        for event in stomp.receive(data, stamp * 1e-9):
            if isinstance(event, Message):
                self.received += 1
                self._home.layout.learn(event.frame)
                self._sink.on_message(self, event.frame.headers.get("ps-id"), event.frame.body, stamp)
            else:
                self._on_event(event, carrier, stomp, stamp)
        self._usual = stomp.version is not None and stomp.between_frames

    def _on_event(self, event: ClientEvent, carrier: Carrier, stomp: ClientSession, stamp: int) -> None:
        match event:
            case Connected():
                self.connected_ns = stamp
                self.session = event.session or ""
                self.on = event.frame.headers.get("instance", "")
                self.known_as = event.user_name or ""
                self._watch(stomp)
                destination = f"/user{self.destination}"
                if self.known_as not in ("", self.name):
                    self._refuse(UserNameDiffers(self.name, self.known_as))
                elif self.wanted:
                    _send(carrier, stomp.subscribe(_SUBSCRIPTION, destination, receipt=_SUBSCRIBED))
            case ReceiptReceived(receipt_id=receipt) if receipt == _SUBSCRIBED:
                if self.wanted and self._subscribed is not None and not self._subscribed.done():
                    self.subscribed_ns = stamp
                    self._home.receipts_come = True
                    self.error = ""
                    self._subscribed.set_result(None)
                    self._change("connected", "")
            case ErrorReceived():
                self.error = f"the server sent ERROR: {event.message}"
            case Malformed(error=error):
                self.error = f"the server broke STOMP: {error}"
                carrier.close(error.close_code)
            case _:
                pass

    def _refuse(self, error: PushscopeError) -> None:
        """Have the attempt that is under way fail."""
        if self._subscribed is not None and not self._subscribed.done():
            self._subscribed.set_exception(error)

    def _on_close(self, info: CloseInfo) -> None:
        self._carrier = self._stomp = None
        self._usual = False
        self._home.wheel.discard(self)
        self.ended_ns = now_ns()
        subscribed = self._subscribed
        if subscribed is not None and not subscribed.done():
            self.close_code = info.code
            subscribed.set_exception(ConnectionClosed(self.error or str(info), code=info.code))
            return
        if self.wanted and self.state == "connected":
            self.close_code = info.code
            self.error = self.error or str(info)
            self.reconnects += 1
            self._attempt = 0
            self._change("reconnecting", self.error)
        self._again()

    def _watch(self, stomp: ClientSession) -> None:
        deadline = stomp.next_deadline()
        if deadline is not None:
            self._home.wheel.add(self, deadline)

    def beat(self, now: float) -> float | None:
        """Heart-beat: send one if due, and give up a silent server."""
        carrier, stomp = self._carrier, self._stomp
        if carrier is None or stomp is None:
            return None
        try:
            due = stomp.tick(now)
            if due:
                _send(carrier, due)
        except PushscopeError as error:
            self.error = str(error)
            carrier.abort()
            return None
        return stomp.next_deadline()

    def _change(self, state: UserState, detail: str) -> None:
        before, self.state = self.state, state
        self._sink.on_state(self, state, detail)
        self._home.changed(self, before)


def _send(carrier: Carrier, data: bytes) -> None:
    """Send, unless the connection is ending: then ``on_close`` follows and says why."""
    with contextlib.suppress(ConnectionClosed):
        carrier.send(data)


def _is_final(error: PushscopeError) -> bool:
    """Whether trying again cannot help: the server answered and said that we are wrong."""
    if isinstance(error, UserNameDiffers | NoReceipts):
        return True
    return isinstance(error, HandshakeRefused) and error.status in (400, 401, 403, 404, 405, 426)

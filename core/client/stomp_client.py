"""A STOMP client over any carrier."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator, Callable, Mapping
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote, urlsplit

from ..clock import now
from ..errors import (
    ConnectionClosed,
    HeartbeatLost,
    LocalProtocolError,
    PushscopeError,
    ServerError,
    TargetUnreachable,
)
from ..protocol import (
    BROKER_LIMITS,
    ClientEvent,
    ClientSession,
    Connected,
    ErrorReceived,
    Limits,
    Malformed,
    Message,
    ReceiptReceived,
)
from ..transport import Carrier, CloseInfo, Connect, connect_websocket
from .receipts import Receipts
from .subscription import Subscription, WhenFull

_NO_HEADERS: Final[Mapping[str, str]] = {}


class StompClient:
    """One STOMP connection; an async context manager.

    ::

        async with StompClient("ws://127.0.0.1:7000/web-socket/ws", user="lijian") as client:
            greetings = await client.subscribe("/user/topic/greetings")
            await client.send("/app/hello", "ssss")
            async for message in greetings:
                print(message.body)

    Entering connects, and raises TargetUnreachable (nobody there, or no STOMP server), its child
    HandshakeRefused, or ServerError (the server refused CONNECT). A client connects once; for a
    connection that comes back see :class:`core.client.ReconnectingClient`.

    Args:
        url: Where to connect.
        user: Added to the URL as ``?user=``, which our instances take as the user's name.
        login, passcode: For CONNECT.
        host: Virtual host for CONNECT; the URL's host by default.
        headers: Further headers of CONNECT.
        heartbeat: Milliseconds (can send, want).
        within: Seconds that connecting and every receipt may take.
        limits: What the server may make us hold.
        connect: Carrier; give a ``functools.partial`` of
            :func:`core.transport.connect_websocket` for headers or TLS.
        on_close: Called once when an established connection has ended.
    """

    def __init__(
        self,
        url: str,
        *,
        user: str | None = None,
        login: str | None = None,
        passcode: str | None = None,
        host: str | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
        heartbeat: tuple[int, int] = (10_000, 10_000),
        within: float = 15.0,
        limits: Limits = BROKER_LIMITS,
        connect: Connect = connect_websocket,
        on_close: Callable[[CloseInfo], None] | None = None,
    ) -> None:
        if user is not None:
            url += f"{'&' if urlsplit(url).query else '?'}user={quote(user, safe='')}"
        self.url = url
        self._hello = functools.partial(
            ClientSession.connect,
            host=host or urlsplit(url).hostname or "localhost",
            login=login,
            passcode=passcode,
            headers=headers,
            heartbeat=heartbeat,
        )
        self._within = within
        self._connect = connect
        self._on_close = on_close
        self._session = ClientSession(limits=limits)
        self._carrier: Carrier | None = None
        self._connected: Connected | None = None
        self._opening: asyncio.Future[None] | None = None
        self._ended: CloseInfo | None = None
        self._error: PushscopeError | None = None
        self._finished = asyncio.Event()
        self._receipts = Receipts()
        self._subscriptions: dict[str, Subscription] = {}
        self._full: set[str] = set()
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    # ---- life -------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._opening is not None:
            raise LocalProtocolError("a StompClient connects once; make another one")
        self._opening = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._within):
                self._carrier = await self._connect(self.url, on_data=self._data, on_close=self._closed)
                self._carrier.send(self._hello(self._session))
                await self._opening
        except TimeoutError:
            self._abort()
            raise TargetUnreachable(
                f"{self.url} did not answer CONNECT within {self._within:g} s",
                tried="send CONNECT and wait for CONNECTED",
                hint="is it a STOMP endpoint, and is its broker up?",
            ) from None
        except BaseException:
            self._abort()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say DISCONNECT, wait for its receipt, and close; never raises because of the peer."""
        carrier = self._carrier
        if carrier is None or self._ended is not None:
            return
        self._full.clear()
        carrier.set_reading(True)
        for subscription in self._subscriptions.values():
            subscription.end()
        with contextlib.suppress(PushscopeError):
            await self._confirmed(self._session.disconnect)
        carrier.close(code, reason)
        await self._finished.wait()

    async def wait_closed(self) -> CloseInfo:
        """Return when the connection has ended, and how."""
        await self._finished.wait()
        return self._ended or CloseInfo(1006, error="never connected")

    @property
    def connected(self) -> Connected:
        """The server's CONNECTED: version, session, server, user name, headers.

        Raises:
            LocalProtocolError: It has not come.
        """
        if self._connected is None:
            raise LocalProtocolError("not connected: use `async with` first")
        return self._connected

    @property
    def instance(self) -> str:
        """Id of the instance this client is on; "" if the server does not say."""
        return self.connected.headers.get("instance", "")

    @property
    def opened(self) -> bool:
        """Whether a connection was ever attempted."""
        return self._opening is not None

    @property
    def alive(self) -> bool:
        """Whether the connection stands."""
        return self._connected is not None and self._ended is None

    # ---- commands ---------------------------------------------------------------------------

    async def subscribe(
        self,
        destination: str,
        *,
        ack: str = "auto",
        headers: Mapping[str, str] = _NO_HEADERS,
        receipt: bool = True,
        capacity: int = 1000,
        when_full: WhenFull = "drop-oldest",
    ) -> Subscription:
        """Subscribe; returns when the server has confirmed, so that nothing sent later is missed.

        ``receipt=False`` returns at once, for servers that give no receipt here (a Spring
        application destination).

        Raises:
            ServerError: The server refused it.
            TargetUnreachable: No receipt came in time.
            ConnectionClosed: The connection ended.
        """
        subscription = Subscription(
            self._next_id("sub"),
            destination,
            ack=ack,
            headers=headers,
            capacity=capacity,
            when_full=when_full,
        )
        await self.adopt(subscription, receipt=receipt)
        return subscription

    async def adopt(self, subscription: Subscription, *, receipt: bool = True) -> None:
        """Send SUBSCRIBE for a subscription that exists, and deliver to it from now on."""
        subscription.attach(self)
        self._subscriptions[subscription.id] = subscription
        command = functools.partial(
            self._session.subscribe,
            subscription.id,
            subscription.destination,
            subscription.ack,
            subscription.headers,
        )
        try:
            await self._do(command, receipt)
        except BaseException:
            self._subscriptions.pop(subscription.id, None)
            raise

    async def unsubscribe(self, subscription: Subscription) -> None:
        """Give a subscription up; returns when the server has confirmed."""
        self.set_reading(subscription, True)
        try:
            if self.alive and subscription.id in self._session.subscriptions:
                await self._confirmed(functools.partial(self._session.unsubscribe, subscription.id))
        finally:
            subscription.end()
            self._subscriptions.pop(subscription.id, None)
            self.set_reading(subscription, True)

    async def send(
        self,
        destination: str,
        body: bytes | str = b"",
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        receipt: bool = False,
        transaction: str | None = None,
    ) -> None:
        """Send a message; goes at the peer's pace. With ``receipt`` returns when it is confirmed.

        Raises:
            ServerError, TargetUnreachable, ConnectionClosed: as :meth:`subscribe`.
        """
        data = body.encode() if isinstance(body, str) else body
        command = functools.partial(self._session.send, destination, data, headers, transaction=transaction)
        await self._do(command, receipt)
        if self._carrier is not None:
            await self._carrier.drain()

    async def ack(self, message: Message, *, transaction: str | None = None, receipt: bool = False) -> None:
        """Acknowledge a message of a subscription that does not do it by itself."""
        await self._do(functools.partial(self._session.ack, message, transaction), receipt)

    async def nack(self, message: Message, *, transaction: str | None = None, receipt: bool = False) -> None:
        """Refuse a message."""
        await self._do(functools.partial(self._session.nack, message, transaction), receipt)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncGenerator[str]:
        """A transaction: its id, for ``send``, ``ack`` and ``nack``. Committed, with a receipt, at the
        end of the block; rolled back if the block raises."""
        name = self._next_id("tx")
        await self._do(functools.partial(self._session.begin, name), False)
        try:
            yield name
        except BaseException:
            if self.alive:
                await self._do(functools.partial(self._session.abort, name), False)
            raise
        await self._do(functools.partial(self._session.commit, name), True)

    def set_reading(self, subscription: Subscription, on: bool) -> None:
        """Stop reading while any subscription is full."""
        before = bool(self._full)
        if on:
            self._full.discard(subscription.id)
        else:
            self._full.add(subscription.id)
        if self._carrier is not None and bool(self._full) != before:
            self._carrier.set_reading(not self._full)

    # ---- inside: sending --------------------------------------------------------------------

    def _next_id(self, kind: str) -> str:
        self._count += 1
        return f"{kind}-{self._count}"

    async def _do(self, command: Callable[..., bytes], receipt: bool) -> None:
        if receipt:
            await self._confirmed(command)
        else:
            self._check()
            self._write(command())

    async def _confirmed(self, command: Callable[..., bytes]) -> None:
        """Send with a receipt header and wait for the RECEIPT."""
        self._check()
        name = self._next_id("receipt")
        data = command(receipt=name)
        with self._receipts.expect(name) as arrived:
            self._write(data)
            try:
                async with asyncio.timeout(self._within):
                    await arrived
            except TimeoutError:
                raise self._no_receipt(data) from None

    def _no_receipt(self, data: bytes) -> TargetUnreachable:
        command = data.split(b"\n", 1)[0].decode()
        hint = "some destinations get none (a Spring application destination): ask without a receipt"
        if self._full:
            hint = f"reading is paused by full subscriptions: {', '.join(sorted(self._full))}"
        return TargetUnreachable(
            f"no RECEIPT for {command} within {self._within:g} s", tried=command, hint=hint
        )

    def _check(self) -> None:
        """Say why nothing can be sent any more, rather than that it cannot."""
        if self._error is not None:
            raise self._error

    def _write(self, data: bytes) -> None:
        if self._carrier is None:
            raise LocalProtocolError("not connected: use `async with` first")
        self._carrier.send(data)
        self._session.sent(now())

    # ---- inside: what comes -----------------------------------------------------------------

    def _data(self, data: bytes) -> None:
        for event in self._session.receive(data, now()):
            if isinstance(event, Message):
                subscription = self._subscriptions.get(event.subscription)
                if subscription is not None:
                    subscription.offer(event)
            else:
                self._event(event)

    def _event(self, event: ClientEvent) -> None:
        match event:
            case ReceiptReceived(receipt_id=name):
                self._receipts.arrived(name)
            case Connected():
                self._connected = event
                if self._opening is not None and not self._opening.done():
                    self._opening.set_result(None)
                self._arm()
            case ErrorReceived(message=message, body=body):
                self._error = ServerError(message or "ERROR without a message", body=body)
                self._receipts.failed(self._error, event.receipt_id)
                if self._opening is not None and not self._opening.done():
                    self._opening.set_exception(self._error)
            case Malformed(error=error):
                self._error = error
                if self._carrier is not None:
                    self._carrier.close(error.close_code)
            case _:
                pass

    def _closed(self, info: CloseInfo) -> None:
        self._ended = info
        if self._timer is not None:
            self._timer.cancel()
        if self._error is None:
            self._error = ConnectionClosed(
                f"the connection to {self.url} ended: {info}", code=info.code, reason=info.reason
            )
        self._receipts.failed(self._error)
        if self._opening is not None and not self._opening.done():
            self._opening.set_exception(self._error)
        for subscription in self._subscriptions.values():
            subscription.lost(self._error)
        self._finished.set()
        if self._on_close is not None and self._connected is not None:
            self._on_close(info)

    def _abort(self) -> None:
        """Give an attempt up."""
        if self._opening is not None:
            self._opening.cancel()
        if self._carrier is not None:
            self._carrier.abort()

    # ---- inside: heart-beats ----------------------------------------------------------------

    def _arm(self) -> None:
        deadline = self._session.next_deadline()
        if deadline is not None and self._ended is None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, deadline - now()), self._beat)

    def _beat(self) -> None:
        if self._full:  # silent because we do not listen
            self._session.beats.last_received = now()
        try:
            due = self._session.tick(now())
            if due:
                self._write(due)
        except HeartbeatLost as error:
            self._error = error
            if self._carrier is not None:
                self._carrier.abort()
            return
        except ConnectionClosed:
            return
        self._arm()

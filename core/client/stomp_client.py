"""A STOMP client over any carrier."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncGenerator, Callable, Mapping
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote, urlsplit

from ..errors import LocalProtocolError, PushscopeError, UsageError, UserNameDiffers
from ..protocol import BROKER_LIMITS, ClientSession, Connected, Limits, Message
from ..redaction import without_tokens
from ..tokens import with_token
from ..transport import CloseInfo, Connect, connect_url
from .link import StompLink
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

    Entering connects, and raises TargetUnreachable (nobody there, or no STOMP server), its children
    HandshakeRefused and UserNameDiffers, or ServerError (the server refused CONNECT). A client connects
    once; for a connection that comes back see :class:`core.client.ReconnectingClient`.

    Args:
        url: Where to connect: ``ws:`` is a plain WebSocket, ``http:`` the base of a SockJS service.
        user: Added to the URL as ``?user=``, which our instances take as the user's name.
        known_as: What the server is to call the user in CONNECTED; ``user`` by default, "" if any name
            will do. A server that gives no name is believed.
        token: Access token, added to the URL as ``access_token``, as every transport can carry it; errors
            do not show it. (For a header give ``connect`` a carrier with ``Authorization``.)
        login, passcode: For CONNECT.
        host: Virtual host for CONNECT; the URL's host by default.
        headers: Further headers of CONNECT.
        heartbeat: Milliseconds (can send, want).
        within: Seconds that connecting and every receipt may take.
        limits: What the server may make us hold.
        connect: Carrier, by default the one of the URL's kind; for headers, TLS or certain transports
            give a ``functools.partial`` of :func:`core.transport.connect_websocket` or
            :func:`core.transport.sockjs.connect_sockjs`.
        on_close: Called once when an established connection has ended.

    Raises:
        UsageError: ``url`` is none; entering raises it for what the carrier does not understand.
    """

    def __init__(
        self,
        url: str,
        *,
        user: str | None = None,
        known_as: str | None = None,
        token: str | None = None,
        login: str | None = None,
        passcode: str | None = None,
        host: str | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
        heartbeat: tuple[int, int] = (10_000, 10_000),
        within: float = 15.0,
        limits: Limits = BROKER_LIMITS,
        connect: Connect = connect_url,
        on_close: Callable[[CloseInfo], None] | None = None,
    ) -> None:
        try:
            host = host or urlsplit(url).hostname or "localhost"
        except ValueError as error:
            raise UsageError(f"not a URL: {without_tokens(url)!r} ({error})") from None
        if user is not None:
            url += f"{'&' if urlsplit(url).query else '?'}user={quote(user, safe='')}"
        if token is not None:
            url = with_token(url, token)
        self._hello = functools.partial(
            ClientSession.connect,
            host=host,
            login=login,
            passcode=passcode,
            headers=headers,
            heartbeat=heartbeat,
        )
        self._link = StompLink(
            url,
            within=within,
            limits=limits,
            connect=connect,
            on_message=self._deliver,
            on_end=self._ended,
        )
        self._name = known_as if known_as is not None else user
        self._on_close = on_close
        self._subscriptions: dict[str, Subscription] = {}
        self._count = 0

    # ---- life -------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self._link.open(self._hello)
        known_as = self.connected.user_name
        if self._name and known_as and known_as != self._name:
            await self.close()
            raise UserNameDiffers(self._name, known_as)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say DISCONNECT, wait for its receipt, and close; never raises because of the peer.

        Subscriptions end at once.
        """
        for subscription in self._subscriptions.values():
            subscription.end()
        await self._link.close(code, reason)

    async def wait_closed(self) -> CloseInfo:
        """Return when the connection has ended, and how."""
        return await self._link.finished()

    @property
    def connected(self) -> Connected:
        """The server's CONNECTED: version, session, server, user name, headers.

        Raises:
            LocalProtocolError: It has not come.
        """
        if self._link.connected is None:
            raise LocalProtocolError("not connected: use `async with` first")
        return self._link.connected

    @property
    def instance(self) -> str:
        """Id of the instance this client is on; "" if the server does not say."""
        return self.connected.headers.get("instance", "")

    @property
    def opened(self) -> bool:
        """Whether a connection was ever attempted."""
        return self._link.used

    @property
    def alive(self) -> bool:
        """Whether the connection stands."""
        return self._link.alive

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
            self._link.session.subscribe,
            subscription.id,
            subscription.destination,
            subscription.ack,
            subscription.headers,
        )
        try:
            await self._do(command, receipt)
        except BaseException:
            self._forget(subscription)
            raise

    async def unsubscribe(self, subscription: Subscription) -> None:
        """Give a subscription up; returns when the server has confirmed."""
        self.set_reading(subscription, True)
        session = self._link.session
        try:
            if self.alive and subscription.id in session.subscriptions:
                await self._link.confirm(functools.partial(session.unsubscribe, subscription.id))
        finally:
            subscription.end()
            self._forget(subscription)

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
        command = functools.partial(
            self._link.session.send, destination, data, headers, transaction=transaction
        )
        await self._do(command, receipt)
        await self._link.drain()

    async def ack(self, message: Message, *, transaction: str | None = None, receipt: bool = False) -> None:
        """Acknowledge a message of a subscription that does not do it by itself."""
        await self._do(functools.partial(self._link.session.ack, message, transaction), receipt)

    async def nack(
        self,
        message: Message,
        *,
        transaction: str | None = None,
        receipt: bool = False,
        requeue: bool = True,
    ) -> None:
        """Refuse a message: it is delivered again, or dropped (RabbitMQ's ``requeue:false``)."""
        headers = _NO_HEADERS if requeue else {"requeue": "false"}
        nack = functools.partial(self._link.session.nack, message, transaction, headers=headers)
        await self._do(nack, receipt)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncGenerator[str]:
        """A transaction: its id, for ``send``, ``ack`` and ``nack``. Committed, with a receipt, at the
        end of the block; rolled back if the block raises."""
        name = self._next_id("tx")
        await self._do(functools.partial(self._link.session.begin, name), False)
        try:
            yield name
        except BaseException:
            with contextlib.suppress(PushscopeError):  # the first failure is the one to be told
                await self._do(functools.partial(self._link.session.abort, name), False)
            raise
        await self._do(functools.partial(self._link.session.commit, name), True)

    def set_reading(self, subscription: Subscription, on: bool) -> None:
        """Read nothing while any subscription does not want more."""
        self._link.pause(subscription.id, not on)

    # ---- inside -----------------------------------------------------------------------------

    def _next_id(self, kind: str) -> str:
        self._count += 1
        return f"{kind}-{self._count}"

    async def _do(self, command: Callable[..., bytes], receipt: bool) -> None:
        if receipt:
            await self._link.confirm(command)
        else:
            self._link.write(command)

    def _forget(self, subscription: Subscription) -> None:
        """No longer deliver; and if the server may think otherwise, tell it."""
        self._subscriptions.pop(subscription.id, None)
        self.set_reading(subscription, True)
        session = self._link.session
        if self.alive and subscription.id in session.subscriptions:
            with contextlib.suppress(PushscopeError):
                self._link.write(functools.partial(session.unsubscribe, subscription.id))

    def _deliver(self, message: Message) -> None:
        subscription = self._subscriptions.get(message.subscription)
        if subscription is not None:
            subscription.offer(message)
        elif not message.subscription:  # STOMP 1.0 names only the destination
            for each in self._subscriptions.values():
                if each.destination == message.destination:
                    each.offer(message)

    def _ended(self, info: CloseInfo, error: PushscopeError) -> None:
        for subscription in self._subscriptions.values():
            subscription.lost(error)
        if self._on_close is not None:
            self._on_close(info)

"""A carrier with a STOMP session on it: connecting, receipts, heart-beats, and why it ended.

What a client asks for is in :mod:`.stomp_client`; this is how it gets there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

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
    ClientEvent,
    ClientSession,
    Connected,
    ErrorReceived,
    Limits,
    Malformed,
    Message,
    ReceiptReceived,
)
from ..redaction import without_tokens
from ..transport import Carrier, CloseInfo, Connect
from .receipts import Receipts


class StompLink:
    """One connection, used once.

    Args:
        url: Where to connect.
        within: Seconds that connecting and every receipt may take.
        limits: What the server may make us hold.
        connect: The carrier.
        on_message: Called with each MESSAGE.
        on_end: Called once when an established connection has ended, with the reason as an error.

    Attributes:
        session: The protocol: its commands make the bytes for :meth:`write` and :meth:`confirm`.
        connected: The server's CONNECTED, once it came.
        ended: How the connection ended, once it has.
        paused: What does not want more to be read; while there is anything, nothing is.
    """

    def __init__(
        self,
        url: str,
        *,
        within: float,
        limits: Limits,
        connect: Connect,
        on_message: Callable[[Message], None],
        on_end: Callable[[CloseInfo, PushscopeError], None],
    ) -> None:
        self.url = url
        self.session = ClientSession(limits=limits)
        self.connected: Connected | None = None
        self.ended: CloseInfo | None = None
        self.paused: set[str] = set()
        self._within = within
        self._connect = connect
        self._on_message = on_message
        self._on_end = on_end
        self._carrier: Carrier | None = None
        self._answered: asyncio.Future[None] | None = None
        self._error: PushscopeError | None = None
        self._finished = asyncio.Event()
        self._receipts = Receipts()
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def used(self) -> bool:
        """Whether :meth:`open` was ever called."""
        return self._answered is not None

    @property
    def alive(self) -> bool:
        """Whether the connection stands."""
        return self.connected is not None and self.ended is None

    async def open(self, hello: Callable[[ClientSession], bytes]) -> None:
        """Connect, send what ``hello`` makes, and wait for CONNECTED.

        Raises:
            TargetUnreachable: Nobody there, or no answer in time.
            ServerError: The server refused.
            ConnectionClosed: It closed instead of answering.
        """
        if self.used:
            raise LocalProtocolError("a StompClient connects once; make another one")
        self._answered = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._within):
                self._carrier = await self._connect(self.url, on_data=self._data, on_close=self._closed)
                self._carrier.send(hello(self.session))
                await self._answered
        except TimeoutError:
            self._give_up(self._answered)
            raise TargetUnreachable(
                f"{without_tokens(self.url)} did not answer CONNECT within {self._within:g} s",
                tried="send CONNECT and wait for CONNECTED",
                hint="is it a STOMP endpoint, and is its broker up?",
            ) from None
        except BaseException:
            self._give_up(self._answered)
            raise

    async def close(self, code: int, reason: str) -> None:
        """Say DISCONNECT, wait for its receipt, and close; never raises because of the peer."""
        carrier = self._carrier
        if carrier is None or self.ended is not None:
            return
        self.paused.clear()
        carrier.set_reading(True)
        try:
            await self.confirm(self.session.disconnect)
        except PushscopeError:
            pass  # it ends in any case
        finally:
            carrier.close(code, reason)
        await self._finished.wait()

    async def finished(self) -> CloseInfo:
        """Return when the connection has ended, and how."""
        await self._finished.wait()
        return self.ended or CloseInfo(1006, error="never connected")

    def write(self, command: Callable[[], bytes]) -> None:
        """Send what ``command`` makes.

        Raises:
            PushscopeError: Why nothing can be sent any more.
        """
        if self._error is not None:
            raise self._error
        if self._carrier is None:
            raise LocalProtocolError("not connected: use `async with` first")
        self._carrier.send(command())
        self.session.sent(now())

    async def confirm(self, command: Callable[..., bytes]) -> None:
        """Send what ``command(receipt=…)`` makes, and return when the RECEIPT has come.

        Raises:
            TargetUnreachable: It did not come in time.
            PushscopeError: Why it will not come.
        """
        self._count += 1
        name = f"receipt-{self._count}"
        made = b""

        def with_receipt() -> bytes:
            nonlocal made
            made = command(receipt=name)
            return made

        with self._receipts.expect(name) as arrived:
            self.write(with_receipt)
            try:
                async with asyncio.timeout(self._within):
                    await arrived
            except TimeoutError:
                raise self._no_receipt(made.split(b"\n", 1)[0].decode()) from None

    async def drain(self) -> None:
        """Return when more may be sent without piling up."""
        if self._carrier is not None:
            await self._carrier.drain()

    def pause(self, who: str, on: bool) -> None:
        """Add or remove somebody for whom nothing is to be read."""
        before = bool(self.paused)
        if on:
            self.paused.add(who)
        else:
            self.paused.discard(who)
        if self._carrier is not None and bool(self.paused) != before:
            self._carrier.set_reading(before)

    # ---- inside -----------------------------------------------------------------------------

    def _no_receipt(self, command: str) -> TargetUnreachable:
        hint = "some destinations get none (a Spring application destination): ask without a receipt"
        if self.paused:
            hint = f"reading is paused by full subscriptions: {', '.join(sorted(self.paused))}"
        return TargetUnreachable(
            f"no RECEIPT for {command} within {self._within:g} s", tried=command, hint=hint
        )

    def _data(self, data: bytes) -> None:
        for event in self.session.receive(data, now()):
            if isinstance(event, Message):
                self._on_message(event)
            else:
                self._event(event)

    def _event(self, event: ClientEvent) -> None:
        match event:
            case ReceiptReceived(receipt_id=name):
                self._receipts.arrived(name)
            case Connected():
                self.connected = event
                if self._answered is not None and not self._answered.done():
                    self._answered.set_result(None)
                self._arm()
            case ErrorReceived(message=message, body=body):
                self._error = ServerError(message or "ERROR without a message", body=body)
                self._receipts.failed(self._error, event.receipt_id)
                self._fail(self._error)
            case Malformed(error=error):
                self._error = error
                if self._carrier is not None:
                    self._carrier.close(error.close_code)
            case _:
                pass

    def _closed(self, info: CloseInfo) -> None:
        self.ended = info
        if self._timer is not None:
            self._timer.cancel()
        if self._error is None:
            ended = f"the connection to {without_tokens(self.url)} ended: {info}"
            self._error = ConnectionClosed(ended, code=info.code, reason=info.reason)
        self._receipts.failed(self._error)
        self._fail(self._error)
        self._finished.set()
        if self.connected is not None:
            self._on_end(info, self._error)

    def _fail(self, error: PushscopeError) -> None:
        """Tell whoever waits for CONNECTED."""
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error)

    def _give_up(self, answered: asyncio.Future[None]) -> None:
        answered.cancel()
        if self._carrier is not None:
            self._carrier.abort()

    def _arm(self) -> None:
        deadline = self.session.next_deadline()
        if deadline is not None and self.ended is None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, deadline - now()), self._beat)

    def _beat(self) -> None:
        if self.paused:  # the server seems silent because we do not listen
            self.session.beats.last_received = now()
        try:
            due = self.session.tick(now())
            if due and self._carrier is not None:
                self._carrier.send(due)
        except HeartbeatLost as error:
            self._error = error
            if self._carrier is not None:
                self._carrier.abort()
            return
        except ConnectionClosed:
            return  # it is ending
        self._arm()

"""The carrier of SockJS's websocket transport: frames in WebSocket messages (docs/wire/sockjs.md §5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ...errors import CloseCode, ConnectionClosed, RemoteProtocolError
from ..base import CloseInfo, OnClose, OnData
from ..websocket import WebSocketCarrier
from .delivering import Delivering, ignore, quoted_text

Dial = Callable[[OnData, OnClose], Awaitable[WebSocketCarrier]]


class FramedCarrier(Delivering):
    """A :class:`~core.transport.base.Carrier` over a WebSocket that speaks SockJS frames."""

    __slots__ = ("_asked", "_ending", "_socket")

    def __init__(self, on_data: OnData, on_close: OnClose) -> None:
        super().__init__(on_data, on_close)
        self._asked = False
        self._socket: WebSocketCarrier | None = None
        self._ending: CloseInfo | None = None  # what a frame said of the end, before the socket ends

    async def open(self, dial: Dial) -> None:
        """Connect; returns when the server has opened the session.

        Raises:
            TargetUnreachable: As ``dial``.
            ConnectionClosed: The server ended it instead.
        """
        try:
            self._socket = await dial(self._frame, self._closed)
            await self._opened()
        except BaseException:
            self._on_data = self._on_close = ignore
            if self._socket is not None:
                self._socket.abort()
            raise

    @property
    def received_ns(self) -> int:
        """See :class:`~core.transport.base.Carrier`."""
        return self._socket.received_ns if self._socket is not None else 0

    def send(self, data: bytes) -> None:
        """Send one message; see :class:`~core.transport.base.Carrier`.

        Raises:
            LocalProtocolError: It is not UTF-8, which is all that SockJS carries.
            ConnectionClosed: The session has ended or is being closed.
        """
        if self._ending is not None:
            raise ConnectionClosed("cannot send: the connection is closed or closing")
        self._there.send(f"[{quoted_text(data)}]".encode())

    async def drain(self) -> None:
        """Wait for room; see :class:`~core.transport.base.Carrier`."""
        await self._there.drain()

    def set_reading(self, on: bool) -> None:
        """Stop or resume reading; see :class:`~core.transport.base.Carrier`."""
        self._there.set_reading(on)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake; see :class:`~core.transport.base.Carrier`."""
        self._asked = self._asked or self._ending is None
        self._there.close(code, reason)

    def abort(self) -> None:
        """End it now; see :class:`~core.transport.base.Carrier`."""
        self._asked = self._asked or self._ending is None
        self._on_data = ignore
        self._there.abort()

    @property
    def _there(self) -> WebSocketCarrier:
        assert self._socket is not None
        return self._socket

    def _frame(self, frame: bytes) -> None:
        if self._ending is not None:
            return
        try:
            self._take(frame)
        except RemoteProtocolError as error:
            self._end(CloseInfo(error.close_code, "", self._asked, f"the peer broke the protocol: {error}"))
            return
        closed = self._session.closed
        if closed is not None:
            self._end(CloseInfo(closed.code, closed.reason, self._asked))

    def _end(self, info: CloseInfo) -> None:
        """A frame was the last one; the socket follows."""
        self._ending = info
        self._there.close(CloseCode.NORMAL)

    def _closed(self, info: CloseInfo) -> None:
        self._tell(self._ending or info)

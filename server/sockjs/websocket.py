"""The transport websocket, and WebSockets without SockJS framing (docs/wire/sockjs.md §5).

A session lives as long as its connection; several may have one name. :class:`WebSocketGate` is what
a connection reports to, so the same code runs on a connection that was taken over from our own
protocol class and behind any ASGI server.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

from core.errors import CloseCode, RemoteProtocolError
from core.protocol import sockjs

from ..access.admission import Principal
from ..sessions.session import Carrier
from ..settings.sockjs import SockJsSettings
from .application import Application, Framing, Listener, Message, Request
from .dialect import DIALECTS
from .framing import raw_framing, text_frame, websocket_framing

#: How a WebSocket closes behind a close frame of SockJS.
_NORMAL = (CloseCode.NORMAL, "Normal closure")


class WebSocketSession:
    """One session over SockJS framing; implements ``Connection``.

    Attributes:
        id: Our own opaque id; nothing of the URL.
        transport: ``websocket``, or ``raw`` without SockJS framing.
        request: The handshake.
        framing: Payloads to WebSocket messages.
        write: Sends framed bytes; the connection replaces it by its own function.
        paused: Whether the connection is full.
        ended: Whether the session has ended.
    """

    def __init__(
        self,
        carrier: Carrier,
        request: Request,
        settings: SockJsSettings,
        on_end: Callable[[WebSocketSession], None],
    ) -> None:
        self.id = secrets.token_hex(8)
        self.transport = "websocket"
        self.request = request
        self.framing: Framing = websocket_framing
        self.write = carrier.write
        self.paused = False
        self.ended = False
        self._carrier = carrier
        self._on_end = on_end
        self._dialect = DIALECTS[settings.dialect]
        self._heartbeat_s = settings.heartbeat_s
        self._most_unread = settings.max_waiting
        self._unread = 0
        self._listener: Listener | None = None
        self._beating: asyncio.TimerHandle | None = None

    def begin(self, application: Application) -> None:
        """Greet the client and tell the application; it may send and close at once."""
        self._greet()
        listener = application(self)
        if self.ended:
            listener.closed(CloseCode.NORMAL, "")
            return
        self._listener = listener
        self._schedule_beat()

    # the application's side (Connection) ----------------------------------------------------

    def send(self, message: Message) -> None:
        """Send a message."""
        if isinstance(message, bytes):
            self.send_framed(websocket_framing(message))
        else:
            self.send_framed(text_frame(sockjs.messages_frame((message,))))

    def send_framed(self, data: bytes) -> None:
        """Send joined results of :attr:`framing`; a client that does not read is let go in time."""
        if self.ended:  # the connection may have put its own write there since
            return
        self.write(data)
        if self.paused:
            self._unread += len(data)
            if self._unread > self._most_unread:
                self.close(*self._dialect.overflow)
                return
        if self._dialect.beat_after_silence and self._beating is not None:
            self._stop_beating()
            self._schedule_beat()

    def close(self, code: int = sockjs.GO_AWAY[0], reason: str = sockjs.GO_AWAY[1]) -> None:
        """Send the close frame, and close the WebSocket behind it."""
        if self.ended:
            return
        self.write(text_frame(sockjs.close_frame(code, reason)))
        self._close_socket(*((code, reason) if self._dialect.close_as_told else _NORMAL))
        self.end(code, reason)

    def stop_heartbeats(self) -> None:
        """The application beats itself."""
        self._heartbeat_s = 0.0
        self._stop_beating()

    # the client's side ----------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """A WebSocket message has come; text or bytes are the same to SockJS."""
        try:
            messages = sockjs.decode_messages(data.decode("utf-8", "replace"))
        except RemoteProtocolError:
            self._break_off()
            return
        for message in messages:
            if self._listener is None:
                return
            self._listener.received(message)

    def set_full(self, full: bool) -> None:
        """The connection takes nothing more for now, or takes bytes again."""
        self.paused = full
        self._unread = 0
        if self._listener is not None:
            if full:
                self._listener.full()
            else:
                self._listener.ready()

    def end(self, code: int, reason: str) -> None:
        """The session has ended; may come twice."""
        if self.ended:
            return
        self.ended = True
        self.write = _drop
        self._stop_beating()
        self._on_end(self)
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.closed(code, reason)

    def _greet(self) -> None:
        self.write(text_frame(sockjs.OPEN))

    def _break_off(self) -> None:
        """The client sent broken JSON: sockjs-node closes without a word, Spring with a frame.

        See docs/wire/sockjs.md §4, §9.
        """
        code, reason = self._dialect.broken
        if self._dialect.broken_frame:
            self.write(text_frame(sockjs.close_frame(code, reason)))
        self._close_socket(code, reason)
        self.end(code, reason)

    def _close_socket(self, code: int, reason: str) -> None:
        self._carrier.close(code, reason)

    def _schedule_beat(self) -> None:
        if self._heartbeat_s:
            self._beating = asyncio.get_running_loop().call_later(self._heartbeat_s, self._beat)

    def _beat(self) -> None:
        if not self.paused:
            self.write(text_frame(sockjs.HEARTBEAT))
        self._schedule_beat()

    def _stop_beating(self) -> None:
        if self._beating is not None:
            self._beating.cancel()
            self._beating = None


class RawSession(WebSocketSession):
    """A WebSocket without SockJS framing: no greeting, no heart-beats, messages as they are."""

    def __init__(
        self,
        carrier: Carrier,
        request: Request,
        settings: SockJsSettings,
        on_end: Callable[[WebSocketSession], None],
    ) -> None:
        super().__init__(carrier, request, settings, on_end)
        self.transport = "raw"
        self.framing = raw_framing
        self._heartbeat_s = 0.0

    def send(self, message: Message) -> None:
        """Send a message, text or binary; a lone surrogate cannot be sent and becomes a question mark."""
        if isinstance(message, bytes):
            self.send_framed(raw_framing(message, binary=True))
        else:
            self.send_framed(raw_framing(message.encode(errors="replace")))

    def close(self, code: int = sockjs.GO_AWAY[0], reason: str = sockjs.GO_AWAY[1]) -> None:
        """Close the WebSocket with this code and reason."""
        if not self.ended:
            self._close_socket(code, reason)
            self.end(code, reason)

    def receive_message(self, message: Message) -> None:
        """A message has come."""
        if self._listener is not None:
            self._listener.received(message)

    def _greet(self) -> None:
        pass


class WebSocketGate:
    """What one connection reports to; implements ``Gate``.

    Args:
        make: Makes the session of a connection and tells the application of it.
    """

    def __init__(self, make: Callable[[Carrier], WebSocketSession]) -> None:
        self._make = make

    def open(self, carrier: Carrier, principal: Principal | None = None) -> WebSocketSession:
        """The handshake is done; who the user is, is the application's business."""
        return self._make(carrier)

    def receive(self, session: WebSocketSession, data: bytes) -> None:
        """A message has come."""
        if not session.ended:
            session.receive(data)

    def pause(self, session: WebSocketSession) -> None:
        """The connection is full."""
        session.set_full(True)

    def resume(self, session: WebSocketSession) -> None:
        """The connection takes bytes again."""
        session.set_full(False)

    def closed(self, session: WebSocketSession) -> None:
        """The connection has ended."""
        session.end(CloseCode.ABNORMAL, "")

    def close(self, session: WebSocketSession, code: int, reason: str) -> None:
        """The server stops, or the client broke the protocol."""
        session.close(code, reason)


def _drop(data: bytes) -> None:
    """Takes the place of ``write`` when the session has ended."""

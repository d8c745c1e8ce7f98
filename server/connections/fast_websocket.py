"""uvicorn's sans-IO WebSocket protocol, able to hand its connection over to a gate.

After the handshake the ASGI task ends. Frames of the client go from the parser to the gate
without a queue, and framed bytes for the client go straight to the transport.
"""

from __future__ import annotations

from asyncio import TimerHandle
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from websockets.exceptions import InvalidState

from core.errors import CloseCode
from core.protocol.websocket import close_reason

from ..access.admission import Principal
from ..sockets.lingering import DRAIN_S, linger
from ..sockets.websocket import WebSocketProtocol, is_utf8
from .gate import Gate, GateSession
from .websocket import CLOSE_S, TAKEOVER


class FastWebSocketProtocol(WebSocketProtocol):
    """One connection; implements ``Takeover`` and, once taken over, ``Carrier``."""

    _gate: Gate[Any] | None = None
    _session: GateSession | None = None
    _last_timer: TimerHandle | None = None
    _stopping = False

    # the hand-over --------------------------------------------------------------------------

    def handle_connect(self, event: Any) -> None:
        """A handshake has come: offer ourselves to the application."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: dict[str, Any] = self.scope["extensions"]  # type: ignore[assignment]
            extensions[TAKEOVER] = self

    def take_over(self, gate: Gate[Any], principal: Principal | None) -> None:
        """The application gives the connection to a gate."""
        if self.disconnected:
            return
        self._gate = gate
        self._session = session = gate.open(self, principal)
        session.write = self.transport.write
        early: list[Any] = []
        while not self.queue.empty():  # messages that came before the application accepted
            early.append(self.queue.get_nowait())
        # What only the ASGI way needs is a few KiB per connection.
        gone: Any = None
        self.scope = self.request = self.response = self.queue = gone
        for message in early:
            if message["type"] == "websocket.receive":
                data = message.get("bytes")
                gate.receive(session, data if data is not None else message["text"].encode())
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    async def run_asgi(self) -> None:
        """Run the application; a connection that was taken over outlives it."""
        try:
            await self.app(self.scope, self.receive, self.send)  # type: ignore[arg-type]
        except ClientDisconnected:
            pass
        except BaseException:
            self.logger.exception("Exception in ASGI application\n")
            self.send_500_response()
        else:
            # An application that refused with an answer of its own has nothing to complete.
            if not self.handshake_complete and self.initial_response is None:
                self.logger.error("ASGI callable returned without completing handshake.")
                self.send_500_response()
        if self._session is None and self.close_timer is None:
            self.transport.close()

    # Carrier --------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Write framed bytes."""
        self.transport.write(data)

    def close(self, code: int, reason: str) -> None:
        """Close after what was written; do not wait for the client's answer longer than :data:`CLOSE_S`."""
        if self.close_sent or self.disconnected:
            return
        self.close_sent = True
        try:
            self.conn.send_close(code, close_reason(reason))
        except InvalidState:
            self._finish()
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        self._last_timer = self.loop.call_later(CLOSE_S, self._give_up)

    # what the transport and the parser report -----------------------------------------------

    def pause_writing(self) -> None:
        """The client does not read."""
        super().pause_writing()
        if self._gate is not None and self._session is not None:
            self._gate.pause(self._session)

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        if self._gate is not None and self._session is not None:
            self._gate.resume(self._session)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        if self._last_timer is not None:
            self._last_timer.cancel()
        if self._gate is None or self._session is None:
            super().connection_lost(exc)
            return
        self.stop_keepalive()
        self.connections.discard(self)
        self.disconnected = self.close_sent = True
        self.writable.set()
        self._gate.closed(self._session)

    def shutdown(self) -> None:
        """The server stops."""
        if self._gate is None or self._session is None:
            super().shutdown()
        else:
            self.stop_keepalive()
            self._stopping = True
            self._gate.close(self._session, CloseCode.GOING_AWAY, "the instance stops")

    def send_receive_event_to_app(self) -> None:
        """A whole message has come."""
        gate, session = self._gate, self._session
        if gate is None or session is None:
            super().send_receive_event_to_app()
            return
        data = bytes(self.frames[0]) if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        if self.curr_msg_data_type == "text" and not data.isascii() and not is_utf8(data):
            gate.close(session, CloseCode.INVALID_DATA, "a text message must be UTF-8")
            return
        gate.receive(session, data)

    def handle_close(self, event: Any) -> None:
        """The client closes, or answers our close."""
        gate, session = self._gate, self._session
        if gate is None or session is None:
            super().handle_close(event)
            return
        if not self.close_sent:
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        gate.closed(session)
        self._finish()

    def handle_parser_exception(self) -> None:
        """The client broke the WebSocket protocol."""
        gate, session = self._gate, self._session
        if gate is None or session is None:
            super().handle_parser_exception()
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        gate.closed(session)
        self._finish()

    def _give_up(self) -> None:
        """The client has not answered the close: it may still be sending a message, behind a slow line."""
        if self._stopping:
            self.transport.abort()
        else:
            linger(self.transport, DRAIN_S - CLOSE_S)

    def _finish(self) -> None:
        """Close the connection, whether the client takes what was written or not."""
        if self._last_timer is not None:
            self._last_timer.cancel()
            self._last_timer = None
        if not self.unread:
            self._last_timer = self.loop.call_later(CLOSE_S, self.transport.abort)
        self.transport.close()

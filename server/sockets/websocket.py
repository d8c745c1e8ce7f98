"""uvicorn's sans-IO WebSocket protocol, with a handshake that is always answered and an end in order.

uvicorn writes the head that it has parsed down again and has ``websockets`` parse it a second time; what
that refuses (a line of more than 8 KiB, a body) it keeps to itself, and nobody is answered. Here the head
is handed over as it is: it has been checked.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.protocol import State
from websockets.version import version as websockets_version

from core.errors import CloseCode

from .lingering import QUIET_S

#: How long an application may take to answer a handshake.
HANDSHAKE_S: Final = 10.0
#: Stands for the head, which has been parsed already.
_ANY_HEAD: Final = b"GET / HTTP/1.1\r\n\r\n"
#: Bytes of a client that does not wait for the answer, which it should.
_MOST_EARLY: Final = 64 * 1024


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One connection, from its handshake on."""

    handshake_s = HANDSHAKE_S
    quiet_s = QUIET_S
    _early = b""
    _handshake_timer: asyncio.TimerHandle | None = None

    @property
    def unread(self) -> bool:
        """Whether the client may have sent what was not read: behind its close frame comes nothing."""
        if self.conn.state is State.CONNECTING:
            return bool(self._early)
        return self.conn.close_rcvd is None

    def take_handshake(self, target: str, headers: list[tuple[bytes, bytes]], early: bytes) -> None:
        """A handshake has come.

        Args:
            target: Its request target, in ASCII.
            headers: Names in lower case, and values.
            early: What the client has sent behind it already.
        """
        self.conn.receive_data(_ANY_HEAD)
        self.conn.events_received()
        self._handshake_timer = self.loop.call_later(self.handshake_s, self._too_late)
        self.handle_connect(Request(target, _headers(headers)))
        if early:
            self.data_received(early)

    def send_receive_event_to_app(self) -> None:
        """A whole message has come; one that is no text after all is no error of ours."""
        if self.curr_msg_data_type == "text" and not is_utf8(b"".join(self.frames)):
            self.frames = []
            if not self.close_sent:
                if self.conn.state is State.OPEN:  # else its close frame came in the same read
                    self.conn.send_close(CloseCode.INVALID_DATA, "a text message must be UTF-8")
                self.close_sent = True
                self.transport.write(b"".join(self.conn.data_to_send()))
                self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.INVALID_DATA})
                self.transport.close()
            return
        super().send_receive_event_to_app()

    def data_received(self, data: bytes) -> None:
        """Bytes of the client; those before our answer wait for it."""
        if self.conn.state is not State.CONNECTING:
            super().data_received(data)
            return
        self._early += data
        if len(self._early) > _MOST_EARLY:
            self.transport.pause_reading()

    async def send(self, message: Any) -> None:
        """An ASGI message of the application."""
        await super().send(message)
        if self.handshake_complete and self._handshake_timer is not None:
            self._answered()

    def _answered(self) -> None:
        """The handshake has its answer: what the client has sent since is looked at."""
        if self._handshake_timer is not None:
            self._handshake_timer.cancel()
            self._handshake_timer = None
        early, self._early = self._early, b""
        if early and self.conn.state is State.OPEN:
            self.transport.resume_reading()
            self.data_received(early)

    def _too_late(self) -> None:
        self._handshake_timer = None
        if self.handshake_complete or self.close_sent:
            return
        text = f"the handshake was not answered within {self.handshake_s:g} s\n"
        self.conn.send_response(self.conn.reject(503, text))
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.handshake_complete = self.close_sent = self.disconnected = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1006})
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        if self._handshake_timer is not None:
            self._handshake_timer.cancel()
            self._handshake_timer = None
        super().connection_lost(exc)


def _headers(headers: list[tuple[bytes, bytes]]) -> Headers:
    """The headers as uvicorn will take them apart again."""
    codec, errors = ("latin-1", "strict") if websockets_version >= "17.0" else ("ascii", "surrogateescape")
    return Headers([(name.decode("ascii"), value.decode(codec, errors)) for name, value in headers])


def is_utf8(data: bytes) -> bool:
    """Whether it is the text that a text message must be."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True

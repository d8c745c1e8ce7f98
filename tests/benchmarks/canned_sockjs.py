"""A SockJS service that costs next to nothing: canned answers, ready frames, for measurements."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from typing import cast

from core.protocol import encode, server_frame, sockjs

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_STEPS = (
    encode("CONNECTED", {"version": "1.2", "session": "s", "instance": "i1"}),
    encode("RECEIPT", {"receipt-id": "subscribed"}),
)
_INFO = b'{"entropy":1,"origins":["*:*"],"cookie_needed":false,"websocket":true}'
_TAKEN = b"HTTP/1.1 204 No Content\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\n"
_HEADS = {
    b"xhr_streaming": b"application/javascript; charset=UTF-8",
    b"xhr": b"application/javascript; charset=UTF-8",
    b"eventsource": b"text/event-stream",
}


class Session:
    """A client's session: how its frames go out, and where to."""

    def __init__(self, kind: bytes) -> None:
        self.kind = kind
        self.transport: asyncio.Transport | None = None
        self.waiting: list[bytes] = [b"o"]
        self.steps = 0

    def attach(self, transport: asyncio.Transport) -> None:
        """A request is here to take frames."""
        self.transport = transport
        if self.kind == b"websocket":
            transport.write(server_frame(b"o"))
            self.waiting.clear()
            return
        if self.kind != b"xhr":
            transport.write(_head(self.kind, b"Transfer-Encoding: chunked"))
            transport.write(_chunk(b"\r\n" if self.kind == b"eventsource" else sockjs.XHR_STREAMING_PRELUDE))
        self._flush()

    def step(self) -> None:
        """The client has sent something: CONNECT, then SUBSCRIBE."""
        self.steps += 1
        if self.steps <= len(_STEPS):
            self.send(b"a[" + sockjs.quote_bytes(_STEPS[self.steps - 1]) + b"]")

    def send(self, frame: bytes) -> None:
        """A frame for the client."""
        if self.kind == b"websocket" and self.transport is not None:
            self.transport.write(server_frame(frame))
            return
        self.waiting.append(frame)
        self._flush()

    def _flush(self) -> None:
        if self.transport is None or not self.waiting:
            return
        if self.kind == b"xhr":
            body = sockjs.xhr_chunk(self.waiting.pop(0))
            length = b"Content-Length: %d" % len(body)
            self.transport.write(_head(self.kind, length) + body)
            self.transport = None
            return
        wrap = sockjs.eventsource_chunk if self.kind == b"eventsource" else sockjs.xhr_chunk
        for frame in self.waiting:
            self.transport.write(_chunk(wrap(frame)))
        self.waiting.clear()


def _head(kind: bytes, length: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nCache-Control: no-store, no-cache, no-transform, "
        b"must-revalidate, max-age=0\r\nAccess-Control-Allow-Origin: *\r\nVary: Origin\r\n%b\r\n\r\n"
        % (_HEADS[kind], length)
    )


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class CannedSockJs(asyncio.Protocol):
    """Answers whatever a SockJS client asks for; requests are short enough to come in one piece."""

    def __init__(self, sessions: dict[bytes, Session]) -> None:
        self.sessions = sessions
        self.transport: asyncio.Transport | None = None
        self.session: Session | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """A request, or a WebSocket message."""
        assert self.transport is not None
        if self.session is not None:
            self.session.step()
            return
        path = data.split(b" ", 2)[1].partition(b"?")[0]
        *_, name, kind = path.rsplit(b"/", 2)
        if kind == b"info":
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(_INFO), _INFO))
        elif kind == b"xhr_send":
            self.transport.write(_TAKEN)
            self.sessions[name].step()
        else:
            session = self.sessions.setdefault(name, Session(kind))
            if kind == b"websocket":
                self._upgrade(data)
                self.session = session
            session.attach(self.transport)

    def _upgrade(self, data: bytes) -> None:
        key = data.lower().partition(b"sec-websocket-key: ")[2]
        begin = len(data) - len(key)
        digest = hashlib.sha1(data[begin : begin + 24] + _MAGIC).digest()
        assert self.transport is not None
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """It left."""
        for session in self.sessions.values() if self.session else ():
            if session is self.session:
                session.transport = None


async def listen_sockjs(sessions: dict[bytes, Session]) -> tuple[asyncio.Server, str]:
    """Serve on a free port; returns the server and its base URL."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: CannedSockJs(sessions), "127.0.0.1", 0, backlog=4096)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"


async def flood_sessions(sessions: dict[bytes, Session], frame: bytes, rounds: int, rate: float) -> None:
    """Send ``frame`` to everybody, one at a time, ``rounds`` times, at so many messages a second."""
    begun = time.perf_counter()
    sent = 0
    for _ in range(rounds):
        for session in sessions.values():
            session.send(frame)
            sent += 1
        ahead = begun + sent / rate - time.perf_counter()
        await asyncio.sleep(max(0.0, ahead))

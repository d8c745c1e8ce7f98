"""A STOMP client over a bare socket that reads only when it is told to."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from core.protocol import Frame, StompParser, encode

#: Longest wait for what is certain to come.
PATIENCE = 20.0


class DeafClient:
    """One connection with a small receive buffer; nothing is read behind one's back.

    Args:
        sock: A socket whose handshake is done.
        sockjs: Whether STOMP is spoken over SockJS.

    Attributes:
        socket: The socket, non-blocking.
        close: Code and reason of the server's close frame, once it was read.
    """

    def __init__(self, sock: socket.socket, *, sockjs: bool = False) -> None:
        self.socket = sock
        self._sockjs = sockjs
        self.close: tuple[int, str] | None = None
        self._buffer = b""
        self._parser = StompParser()
        self._frames: list[Frame] = []

    async def send(self, command: str, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Send one frame."""
        data = encode(command, headers, body)
        if self._sockjs:
            data = json.dumps([data.decode()]).encode()
        head = (
            bytes((0x81, 0x80 | len(data))) if len(data) < 126 else b"\x81\xfe" + len(data).to_bytes(2, "big")
        )
        await asyncio.get_running_loop().sock_sendall(self.socket, head + b"\0\0\0\0" + data)

    async def frame(self) -> Frame | None:
        """Read on until there is a whole STOMP frame; None at the end of the connection.

        Raises:
            AssertionError: Something came that is no whole frame of STOMP or of the WebSocket.
        """
        while not self._frames:
            while not self._take_message():
                async with asyncio.timeout(PATIENCE):
                    try:
                        data = await asyncio.get_running_loop().sock_recv(self.socket, 65536)
                    except ConnectionError:
                        data = b""
                if not data:
                    return None
                self._buffer += data
        return self._frames.pop(0)

    async def expect(self, command: str) -> Frame:
        """The next frame, which must be that one."""
        frame = await self.frame()
        assert frame is not None and frame.command == command, f"{command} expected, got {frame}"
        return frame

    def _take_message(self) -> bool:
        """One WebSocket message out of what was read; False if it is not there whole."""
        data = self._buffer
        if len(data) < 2:
            return False
        opcode, size, start = data[0], data[1], 2
        if size in (126, 127):
            start = 4 if size == 126 else 10
            size = int.from_bytes(data[2:start], "big")
        if len(data) < start + size:
            return False
        payload, self._buffer = data[start : start + size], data[start + size :]
        if opcode == 0x88:
            self.close = int.from_bytes(payload[:2], "big"), payload[2:].decode()
            return True
        assert opcode in (0x81, 0x82), f"not a frame of a WebSocket: {data[:20]!r}"
        pieces = [payload]
        if self._sockjs:
            pieces = [piece.encode() for piece in json.loads(payload[1:])] if payload[:1] == b"a" else []
        for piece in pieces:
            self._frames += [item for item in self._parser.feed(piece) if isinstance(item, Frame)]
        return True


@asynccontextmanager
async def deaf_client(url: str, user: str = "slow", *, sockjs: bool = False) -> AsyncGenerator[DeafClient]:
    """A client that is CONNECTED to an instance; ``url`` is its HTTP base URL."""
    path = "/ws/000/deaf/websocket" if sockjs else "/ws"
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    try:
        parts = urlsplit(url)
        await loop.sock_connect(sock, (parts.hostname, parts.port))
        await loop.sock_sendall(
            sock,
            f"GET {path}?user={user} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode(),
        )
        head = b""
        async with asyncio.timeout(PATIENCE):
            while b"\r\n\r\n" not in head:
                head += await loop.sock_recv(sock, 1)
        assert b" 101 " in head
        client = DeafClient(sock, sockjs=sockjs)
        await client.send("CONNECT", {"accept-version": "1.2"})
        await client.expect("CONNECTED")
        yield client
    finally:
        sock.close()

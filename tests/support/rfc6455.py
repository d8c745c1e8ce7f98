"""WebSockets byte by byte: frames as a test wants them, right or wrong, and what comes back (RFC 6455).

Written from the RFC and apart from the program's own reading of it, so that the two can disagree.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
#: What proves that the other end has understood the key (RFC 6455 §4.2.2).
ACCEPT = base64.b64encode(hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n\r\n" % ACCEPT
)
_MASK = b"\x37\xfa\x21\x3d"
#: Longest wait for what is certain to come.
_PATIENCE = 20.0


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes | None = _MASK
) -> bytes:
    """One frame (RFC 6455 §5.2); ``mask`` None is a server's. Nothing is checked."""
    size = len(payload)
    masked = 0 if mask is None else 0x80
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    if size < 126:
        head = bytes((first, masked | size))
    elif size < 65536:
        head = bytes((first, masked | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, masked | 127)) + size.to_bytes(8, "big")
    return head + payload if mask is None else head + mask + _masked(payload, mask)


def _masked(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    stream = mask * (size // 4 + 1)
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stream[:size], "big")).to_bytes(size, "big")


def fragments(opcode: int, *pieces: bytes, mask: bytes | None = _MASK) -> list[bytes]:
    """A message in so many frames (RFC 6455 §5.4)."""
    last = len(pieces) - 1
    return [
        frame(CONTINUATION if at else opcode, piece, fin=at == last, mask=mask)
        for at, piece in enumerate(pieces)
    ]


def close(code: int | None, reason: bytes = b"", *, mask: bytes | None = _MASK) -> bytes:
    """A close frame; None is one without a code (RFC 6455 §5.5.1)."""
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason, mask=mask)


def upgrade(path: str, *headers: str) -> bytes:
    """A client's handshake (RFC 6455 §4.1)."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Connection: keep-alive, Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {KEY.decode()}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


@dataclass(frozen=True, slots=True)
class Received:
    """A frame as it came: opcode, payload, and whether it was the last of its message."""

    opcode: int
    payload: bytes
    fin: bool = True
    rsv: int = 0


class RawSocket:
    """One end of a connection that speaks WebSocket only as far as its test does."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *pieces: bytes) -> None:
        """Write these, each in a write of its own."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def head(self) -> bytes:
        """Read the head of a request or an answer."""
        async with asyncio.timeout(_PATIENCE):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def exactly(self, size: int) -> bytes:
        """Read so many bytes."""
        async with asyncio.timeout(_PATIENCE):
            return await self.reader.readexactly(size)

    async def frame(self) -> Received:
        """Read a frame of a server (unmasked).

        Raises:
            asyncio.IncompleteReadError: The connection ended.
        """
        first, second = await self.exactly(2)
        assert second < 128, "a server masks nothing (RFC 6455 §5.1)"
        size = second
        if second >= 126:
            size = int.from_bytes(await self.exactly(2 if second == 126 else 8), "big")
        return Received(first & 15, await self.exactly(size), bool(first & 0x80), first >> 4 & 7)

    async def end(self) -> bytes:
        """Everything that still comes until the connection ends, whether it is closed or cut."""
        got = bytearray()
        async with asyncio.timeout(_PATIENCE):
            try:
                while chunk := await self.reader.read(65536):
                    got += chunk
            except ConnectionError:
                pass
        return bytes(got)

    def cut(self) -> None:
        """End the connection without a word (a reset where something is unread)."""
        self.writer.transport.abort()


@asynccontextmanager
async def raw_socket(port: int) -> AsyncGenerator[RawSocket]:
    """A connection to a port on loopback, without a handshake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        yield RawSocket(reader, writer)
    finally:
        writer.close()


def chopped(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """Pieces of these sizes; what is left is the last."""
    pieces: list[bytes] = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [piece for piece in [*pieces, data] if piece]

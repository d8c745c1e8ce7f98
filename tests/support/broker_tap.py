"""A TCP proxy before a broker that remembers what was said on each connection, both ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from core.protocol import BROKER_LIMITS, Frame, StompParser


class Tapped:
    """One connection: the bytes of both sides, and whether it is still there."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.received = bytearray()
        self.closed = False

    @property
    def said(self) -> list[Frame]:
        """Frames for the broker."""
        return _frames(self.sent)

    @property
    def heard(self) -> list[Frame]:
        """Frames of the broker."""
        return _frames(self.received)


def _frames(data: bytearray) -> list[Frame]:
    return [item for item in StompParser(BROKER_LIMITS).feed(bytes(data)) if isinstance(item, Frame)]


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, copied: bytearray) -> None:
    while data := await reader.read(65536):
        copied += data
        writer.write(data)
    writer.close()


@asynccontextmanager
async def broker_tap(url: str) -> AsyncGenerator[tuple[str, list[Tapped]]]:
    """Stand before the STOMP broker at ``url``; yields our URL and the connections, in order."""
    parts = urlsplit(url)
    lines: list[Tapped] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Tapped()
        lines.append(line)
        there, back = await asyncio.open_connection(parts.hostname, parts.port)
        ways = (_copy(reader, back, line.sent), _copy(there, writer, line.received))
        await asyncio.gather(*ways, return_exceptions=True)
        line.closed = True

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"{parts.scheme}://127.0.0.1:{port}", lines
    finally:
        server.close()

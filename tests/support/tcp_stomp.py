"""A STOMP client over TCP, by hand: what a stranger sends to a broker, byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from core.protocol import Frame, Heartbeat, StompParser, encode

PATIENCE = 20.0


class TcpStomp:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.beats = 0
        self._parser = StompParser()
        self._frames: list[Frame] = []

    def send(self, command: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        self.writer.write(encode(command, headers or {}, body))

    async def frame(self) -> Frame | None:
        """The next frame; None if the connection has ended."""
        async with asyncio.timeout(PATIENCE):
            while not self._frames:
                data = await self.reader.read(65536)
                if not data:
                    return None
                for item in self._parser.feed(data):
                    if isinstance(item, Heartbeat):
                        self.beats += 1
                    else:
                        assert isinstance(item, Frame), item
                        self._frames.append(item)
        return self._frames.pop(0)

    async def expect(self, command: str) -> Frame:
        frame = await self.frame()
        assert frame is not None and frame.command == command, frame
        return frame


@asynccontextmanager
async def tcp(port: int, *, connect: bool = True, **headers: str) -> AsyncGenerator[TcpStomp]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client = TcpStomp(reader, writer)
    try:
        if connect:
            client.send("CONNECT", {"accept-version": "1.2", "host": "/", **headers})
            await client.expect("CONNECTED")
        yield client
    finally:
        writer.close()

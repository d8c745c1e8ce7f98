"""A STOMP client over TCP without any manners: says anything, shows everything that comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from core.protocol import BROKER_LIMITS, Frame, StompParser, encode
from server.brokers.addresses import parse_stomp_url

#: Longest wait for what is certain to come.
PATIENCE = 20.0


class TcpStomp:
    """One connection to a STOMP broker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._parser = StompParser(BROKER_LIMITS)
        self._frames: list[Frame] = []
        self._bodies: list[bytes] = []
        self._count = 0

    def send(self, command: str, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Send one frame."""
        self._writer.write(encode(command, headers, body))

    async def frame(self) -> Frame | None:
        """The next frame; None at the end of the connection."""
        while not self._frames:
            async with asyncio.timeout(PATIENCE):
                try:
                    data = await self._reader.read(65536)
                except ConnectionError:
                    return None
            if not data:
                return None
            self._frames += [item for item in self._parser.feed(data) if isinstance(item, Frame)]
        return self._frames.pop(0)

    async def settled(self, command: str, headers: Mapping[str, str], body: bytes = b"") -> bool:
        """Send a frame with a receipt; whether the broker confirmed it (and not refused, or closed)."""
        self._count += 1
        receipt = f"r{self._count}"
        self.send(command, {**headers, "receipt": receipt}, body)
        while (frame := await self.frame()) is not None:
            if frame.command == "ERROR":
                return False
            if frame.command == "RECEIPT" and frame.headers["receipt-id"] == receipt:
                return True
            if frame.command == "MESSAGE":
                self._bodies.append(frame.body)
        return False

    async def next_body(self) -> bytes | None:
        """The body of the next MESSAGE; None when the connection or an ERROR ends the wait."""
        if self._bodies:
            return self._bodies.pop(0)
        while (frame := await self.frame()) is not None and frame.command != "ERROR":
            if frame.command == "MESSAGE":
                return frame.body
        return None


@asynccontextmanager
async def tcp_stomp(url: str) -> AsyncGenerator[TcpStomp]:
    """Connect to ``stomp://…`` and log in."""
    address = parse_stomp_url(url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    client = TcpStomp(reader, writer)
    headers = {"accept-version": "1.2", "host": address.host_header}
    if address.login is not None:
        headers |= {"login": address.login, "passcode": address.passcode or ""}
    try:
        client.send("CONNECT", headers)
        frame = await client.frame()
        assert frame is not None and frame.command == "CONNECTED", f"CONNECTED expected, got {frame}"
        yield client
    finally:
        writer.transport.abort()

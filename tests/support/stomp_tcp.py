"""A STOMP client over TCP without any manners: says anything, shows everything that comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from core.protocol import BROKER_LIMITS, Frame, Heartbeat, StompParser, encode
from server.brokers.addresses import parse_stomp_url

#: Longest wait for what is certain to come.
PATIENCE = 20.0


class TcpStomp:
    """One connection to a STOMP broker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.beats = 0
        self._reader = reader
        self._parser = StompParser(BROKER_LIMITS)
        self._frames: list[Frame] = []
        self._bodies: list[bytes] = []
        self._count = 0

    def send(self, command: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        """Send one frame."""
        self.writer.write(encode(command, headers or {}, body))

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
            for item in self._parser.feed(data):
                if isinstance(item, Heartbeat):
                    self.beats += 1
                else:
                    assert isinstance(item, Frame), f"the broker sent a malformed frame: {item}"
                    self._frames.append(item)
        return self._frames.pop(0)

    async def expect(self, command: str) -> Frame:
        """The next frame, which must be that one."""
        frame = await self.frame()
        assert frame is not None and frame.command == command, f"{command} expected, got {frame}"
        return frame

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
async def tcp_stomp(url: str, *, connect: bool = True, **headers: str) -> AsyncGenerator[TcpStomp]:
    """Connect to ``stomp://…``, and log in unless told otherwise; ``headers`` are CONNECT's."""
    address = parse_stomp_url(url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    client = TcpStomp(reader, writer)
    head = {"accept-version": "1.2", "host": address.host_header}
    if address.login is not None:
        head |= {"login": address.login, "passcode": address.passcode or ""}
    try:
        if connect:
            client.send("CONNECT", {**head, **headers})
            await client.expect("CONNECTED")
        yield client
    finally:
        writer.transport.abort()

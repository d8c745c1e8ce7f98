"""A WebSocket client that speaks STOMP by hand, for tests of what a server does with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from core.protocol import Frame, Heartbeat, StompParser, encode

#: Longest wait for what is certain to come.
PATIENCE = 20.0


class RawStomp:
    """One connection; frames as values, messages of the WebSocket as they are."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.messages: list[str | bytes] = []
        self.beats = 0
        self._frames: list[Frame] = []
        self._parser = StompParser()
        self._count = 0

    async def send(self, command: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> None:
        """Send one frame."""
        await self.raw(encode(command, headers or {}, body))

    async def raw(self, data: bytes | str) -> None:
        """Send anything as one text message."""
        await self.socket.send(data if isinstance(data, str) else data.decode())

    async def frame(self) -> Frame:
        """The next frame."""
        async with asyncio.timeout(PATIENCE):
            while not self._frames:
                message = await self.socket.recv()
                self.messages.append(message)
                data = message.encode() if isinstance(message, str) else message
                for item in self._parser.feed(data):
                    if isinstance(item, Frame):
                        self._frames.append(item)
                    elif isinstance(item, Heartbeat):
                        self.beats += 1
                    else:
                        raise AssertionError(f"the server sent a malformed frame: {item}")
        return self._frames.pop(0)

    async def expect(self, command: str) -> Frame:
        """The next frame, which must be that one."""
        frame = await self.frame()
        assert frame.command == command, f"{command} expected, got {frame}"
        return frame

    async def connect(self, **headers: str) -> Frame:
        """CONNECT and wait for CONNECTED."""
        await self.send("CONNECT", {"accept-version": "1.2", "host": "/", **headers})
        return await self.expect("CONNECTED")

    async def subscribe(self, destination: str, id: str = "s0") -> Frame:
        """SUBSCRIBE and wait for the RECEIPT."""
        self._count += 1
        receipt = f"r{self._count}"
        await self.send("SUBSCRIBE", {"id": id, "destination": destination, "receipt": receipt})
        frame = await self.expect("RECEIPT")
        assert frame.headers["receipt-id"] == receipt
        return frame

    async def closed(self) -> tuple[int, str]:
        """Wait for the end of the connection; its code and reason."""
        async with asyncio.timeout(PATIENCE):
            try:
                while True:
                    self.messages.append(await self.socket.recv())
            except ConnectionClosed as ended:
                close = ended.rcvd
                return (close.code, close.reason) if close is not None else (1006, "")

    async def nothing_before_receipt(self) -> None:
        """Assert that no MESSAGE is on its way: the next frame answers this question."""
        self._count += 1
        receipt = f"n{self._count}"
        await self.send("UNSUBSCRIBE", {"id": "none", "receipt": receipt})
        frame = await self.expect("RECEIPT")
        assert frame.headers["receipt-id"] == receipt


@asynccontextmanager
async def raw_stomp(
    url: str,
    path: str = "/ws",
    *,
    subprotocols: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    origin: str | None = None,
) -> AsyncGenerator[RawStomp]:
    """Connect to an instance; ``url`` is its HTTP base URL."""
    async with connect(
        url.replace("http", "ws", 1) + path,
        subprotocols=[Subprotocol(name) for name in subprotocols] or None,
        additional_headers={**(headers or {}), **({"Origin": origin} if origin else {})},
        proxy=None,
        compression=None,
        ping_interval=None,
        max_size=2**22,
        max_queue=None,  # nobody here is slow unless a test says so
        close_timeout=2,
    ) as socket:
        yield RawStomp(socket)


@asynccontextmanager
async def joined(url: str, user: str, destination: str = "/user/topic/greetings") -> AsyncGenerator[RawStomp]:
    """Connect as a user, subscribed to a destination."""
    async with raw_stomp(url, f"/ws?user={user}") as client:
        await client.connect()
        await client.subscribe(destination)
        yield client

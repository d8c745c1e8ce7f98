"""A WebSocket server that costs next to nothing: canned answers, ready frames, for measurements."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from typing import cast

from core.protocol import encode, server_frame

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONNECTED = server_frame(encode("CONNECTED", {"version": "1.2", "session": "s", "instance": "i1"}))
_RECEIPT = server_frame(encode("RECEIPT", {"receipt-id": "subscribed"}))
_ANSWER = b'{"id":"run1.i1.user-1.1","instance":"i1","sessions":1}'
_ACCEPTED = b"HTTP/1.1 202 Accepted\r\ncontent-length: %d\r\ncontent-type: application/json\r\n\r\n%b" % (
    len(_ANSWER),
    _ANSWER,
)


def message_frame(size: int = 180) -> bytes:
    """A MESSAGE of so many bytes, as a WebSocket frame."""
    return server_frame(message(size))


def message(size: int = 180) -> bytes:
    """A MESSAGE of so many bytes."""
    headers = {
        "subscription": "0",
        "destination": "/user/topic/greetings",
        "message-id": "i1-123456",
        "ps-id": "run1.i1.user-1.1234",
    }
    body = b"x" * size
    while len(encode("MESSAGE", headers, body)) > size:
        body = body[1:]
    return encode("MESSAGE", headers, body)


class CannedPeer(asyncio.Protocol):
    """Answers the handshake, CONNECT and SUBSCRIBE, in this order, whatever they say."""

    def __init__(self, peers: list[CannedPeer]) -> None:
        self.peers = peers
        self.steps = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        self.transport = cast(asyncio.Transport, transport)
        self.peers.append(self)

    def data_received(self, data: bytes) -> None:
        """The next step."""
        assert self.transport is not None
        self.steps += 1
        if self.steps == 1:
            key = data.lower().partition(b"sec-websocket-key: ")[2]
            begin = len(data) - len(key)
            digest = hashlib.sha1(data[begin : begin + 24] + _MAGIC).digest()
            self.transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
            )
        elif self.steps <= 3:
            self.transport.write(_CONNECTED if self.steps == 2 else _RECEIPT)
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """It left."""
        self.peers.remove(self)


async def listen(peers: list[CannedPeer]) -> tuple[asyncio.Server, str]:
    """Serve on a free port; returns the server and its URL."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: CannedPeer(peers), "127.0.0.1", 0, backlog=4096)
    return server, f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"


class CannedHttp(asyncio.Protocol):
    """Answers every chunk that ends a request with 202."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """A request came: the pusher's are short enough to come in one piece."""
        if self.transport is not None:
            self.transport.write(_ACCEPTED)


async def listen_http() -> tuple[asyncio.Server, str]:
    """Answer pushes on a free port; returns the server and a URL of it."""
    server = await asyncio.get_running_loop().create_server(CannedHttp, "127.0.0.1", 0)
    return server, f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"


async def flood(peers: list[CannedPeer], frame: bytes, rounds: int, rate: float) -> None:
    """Send ``frame`` to everybody, one at a time, ``rounds`` times, at so many messages a second."""
    begun = time.perf_counter()
    sent = 0
    for _ in range(rounds):
        for peer in peers:
            if peer.transport is not None:
                peer.transport.write(frame)
            sent += 1
        ahead = begun + sent / rate - time.perf_counter()
        await asyncio.sleep(max(0.0, ahead))

"""WebSockets as they were in 2010 (draft-hixie-thewebsocketprotocol-76), for the test services only.

The protocol's test suite still asks for one such handshake, because of a proxy: the server must answer
the head before the client's last eight bytes have come. No browser of this decade speaks it, and no
instance does.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import Any, Final
from urllib.parse import unquote

from core.tasks import log_failure

from ..sockets.strict_http import StrictHttpProtocol

_KEYS: Final = (b"sec-websocket-key1", b"sec-websocket-key2")
_NONCE: Final = 8
_ANSWER: Final = (
    b"HTTP/1.1 101 WebSocket Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Origin: %b\r\nSec-WebSocket-Location: %b\r\n\r\n"
)
_REFUSAL: Final = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class HixieHttpProtocol(StrictHttpProtocol):
    """One connection, which may become such a WebSocket."""

    def open_websocket(self, early: bytes) -> None:
        """A handshake: a draft's has two keys."""
        found: dict[bytes, bytes] = dict(self.scope["headers"])
        numbers = [_number(found.get(key, b"")) for key in _KEYS]
        if None in numbers:
            super().open_websocket(early)
            return
        self.connections.discard(self)
        path, _, query = self.url.partition(b"?")
        scope: Any = {**self.scope, "type": "websocket", "scheme": "ws", "query_string": query}
        scope |= {"path": unquote(path.decode("latin-1")), "subprotocols": [], "extensions": {}}
        keys = b"".join((number or 0).to_bytes(4, "big") for number in numbers)
        place = b"ws://" + found.get(b"host", b"") + self.url
        config: Any = self.config
        origin = found.get(b"origin", b"null")
        protocol = HixieProtocol(self.transport, keys, origin, place, config.ws_max_size)
        task = self.loop.create_task(protocol.run(config.loaded_app, scope))
        task.add_done_callback(self.tasks.discard)
        task.add_done_callback(log_failure)
        self.tasks.add(task)
        self.transport.set_protocol(protocol)
        if early:
            protocol.data_received(early)


class HixieProtocol(asyncio.Protocol):
    """Such a connection from its handshake on, as ASGI's two functions.

    Args:
        transport: The connection.
        keys: The numbers of the two keys, four bytes each.
        origin: Of the page, for the answer.
        place: URL of the connection, for the answer.
        largest: Bytes that may wait to become a message.
    """

    def __init__(
        self, transport: asyncio.Transport, keys: bytes, origin: bytes, place: bytes, largest: int
    ) -> None:
        self._largest = largest
        self._transport = transport
        self._keys = keys
        self._head = (origin, place)
        self._buffer = bytearray()
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._greeted = asyncio.Event()
        self._accepted = False
        self._gone = False

    async def run(self, app: Any, scope: Any) -> None:
        """Run the application."""
        self._queue.put_nowait({"type": "websocket.connect"})
        try:
            await app(scope, self._queue.get, self._send)
        finally:
            self._transport.close()

    async def _send(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "websocket.accept":
                self._accepted = True
                self._transport.write(_ANSWER % self._head)
                self._greet()
            case "websocket.send":
                await self._greeted.wait()
                self._transport.write(b"\x00" + str(message.get("text", "")).encode() + b"\xff")
            case _ if self._accepted:
                await self._greeted.wait()
                self._transport.write(b"\xff\x00")
                self._leave()
            case _:
                self._transport.write(_REFUSAL)
                self._leave()

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        self._buffer += data
        if len(self._buffer) > self._largest:
            self._leave()
        elif self._greeted.is_set():
            self._parse()
        else:
            self._greet()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._greeted.set()
        self._leave()

    def _greet(self) -> None:
        """Answer the nonce, when the head is answered and the nonce has come."""
        if self._accepted and not self._greeted.is_set() and len(self._buffer) >= _NONCE:
            nonce = bytes(self._buffer[:_NONCE])
            del self._buffer[:_NONCE]
            digest = hashlib.md5(self._keys + nonce, usedforsecurity=False).digest()
            self._transport.write(digest)
            self._greeted.set()
            self._parse()

    def _parse(self) -> None:
        """Take whole frames: text between 00 and FF, or FF 00, the close."""
        while self._buffer:
            end = self._buffer.find(b"\xff", 1)
            if self._buffer[0] != 0:
                self._leave()
                return
            if end < 0:
                return
            text = bytes(self._buffer[1:end]).decode("utf-8", "replace")
            del self._buffer[: end + 1]
            self._queue.put_nowait({"type": "websocket.receive", "text": text})

    def _leave(self) -> None:
        if not self._gone:
            self._gone = True
            self._queue.put_nowait({"type": "websocket.disconnect", "code": 1005})
            self._transport.close()


def _number(key: bytes) -> int | None:
    """The number hidden in a key: its digits, divided by how many spaces it has."""
    digits, spaces = re.sub(rb"\D", b"", key), key.count(b" ")
    if not digits or not spaces or len(digits) > 20:
        return None
    return int(digits) // spaces & 0xFFFFFFFF

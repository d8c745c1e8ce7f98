"""The sending half of the transports that receive by HTTP: short requests, one under way at a time
(docs/wire/sockjs.md §4, §8)."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

from .addresses import Base
from .connection import Call
from .cookies import Cookies
from .expecting import ExpectingCall
from .http import HttpPool

#: Bytes on their way to the server at which :meth:`Sending.drain` begins to wait, and ends.
_HIGH_WATER: Final = 64 * 1024
_LOW_WATER: Final = 16 * 1024

#: Bytes of messages that go in one request, unless a single one is longer: servers limit bodies.
_BATCH: Final = 64 * 1024


class Sender(Protocol):
    """The carrier that sends."""

    pool: HttpPool
    base: Base
    path: str
    jar: Cookies

    def cookies(self, values: list[str]) -> None:
        """The server has set cookies."""
        ...

    def taken(self) -> None:
        """Nothing is left to be sent."""
        ...

    def not_taken(self, why: str) -> None:
        """The server did not take a batch, or nobody knows."""
        ...


class Sending:
    """Messages on their way to the server, in order; what waits goes as one array.

    Attributes:
        unsent: Bytes that the server has not confirmed.
    """

    __slots__ = ("_call", "_queue", "_room", "_sender", "unsent")

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._call: Call | None = None
        self._queue: deque[str] | None = None  # exists while something waits
        self._room: asyncio.Event | None = None  # exists while somebody waits
        self.unsent = 0

    def put(self, quoted: str) -> None:
        """Send a message, a JSON string already, behind those before."""
        if self._queue is None:
            self._queue = deque()
        self._queue.append(quoted)
        self.unsent += len(quoted)
        if self._call is None:
            self._next(self._queue)

    async def drain(self) -> None:
        """Return when more may be sent without piling up, or when it was stopped."""
        if self.unsent > _HIGH_WATER:
            if self._room is None:
                self._room = asyncio.Event()
            await self._room.wait()

    def stop(self) -> None:
        """Give up what is under way and what waits."""
        if self._call is not None:
            self._call.abort()
        self._call = self._queue = None
        self._free()

    def _next(self, queue: deque[str]) -> None:
        batch = [queue.popleft()]
        size = len(batch[0])
        while queue and size + len(queue[0]) <= _BATCH:
            size += len(queue[0])
            batch.append(queue.popleft())
        sender = self._sender
        body = f"[{','.join(batch)}]".encode()
        path = f"{sender.path}/xhr_send"
        request = sender.base.request("POST", path, body=body, fresh=True, cookies=sender.jar.header)
        self._call = _Send(request, self, size)
        sender.pool.start(sender.base.origin, self._call)

    def cookies(self, values: list[str]) -> None:
        """The server has set cookies."""
        self._sender.cookies(values)

    def sent(self, size: int) -> None:
        """The server has taken a batch: the next one."""
        self._call = None
        self.unsent -= size
        if self.unsent <= _LOW_WATER:
            self._free()
        if self._queue:
            self._next(self._queue)
        else:
            self._queue = None
            self._sender.taken()

    def failed(self, why: str) -> None:
        """It did not."""
        self._call = None
        self._sender.not_taken(why)

    def _free(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None


class _Send(ExpectingCall):
    """A request that carries messages; never made twice."""

    __slots__ = ("_sending", "_size")

    def __init__(self, request: bytes, sending: Sending, size: int) -> None:
        super().__init__(request, (200, 204))
        self._sending = sending
        self._size = size

    def cookies(self, values: list[str]) -> None:
        self._sending.cookies(values)

    def whole(self) -> None:
        self._sending.sent(self._size)

    def refused(self, status: int, text: str) -> None:
        said = f"xhr_send was answered with HTTP {status}"
        self._sending.failed(f"{said}: {text}" if text else said)

    def failed(self, why: str) -> None:
        self._sending.failed(why)

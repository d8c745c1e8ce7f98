"""A carrier within one event loop: no socket, same contract. The default in unit tests.

``MemoryNetwork`` stands for a network with servers on it: a server is a function that gets the
server side of each new connection. Close codes, back-pressure, limits and unclean ends behave as
on a WebSocket.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from ..clock import now_ns
from ..errors import ConnectionClosed, TargetUnreachable
from .base import CloseInfo, OnClose, OnData

#: Unread bytes at which ``drain`` begins to wait, as asyncio's high-water mark.
_HIGH_WATER = 64 * 1024


class MemoryCarrier:
    """One end of an in-memory connection; see :class:`~core.transport.base.Carrier`.

    Attributes:
        url: What the client asked for.
        on_data, on_close: May be set by a server in its accept function.
    """

    def __init__(self, url: str, max_backlog: int) -> None:
        self.url = url
        self.on_data: OnData = _ignore
        self.on_close: OnClose = _ignore
        self.received_ns = 0
        self._peer: MemoryCarrier = self
        self._max_backlog = max_backlog
        self._inbox: deque[bytes] = deque()
        self._unread = 0
        self._reading = True
        self._scheduled = False
        self._asked = False
        self._closing = False
        self._ended = False
        self._ending: CloseInfo | None = None
        self._room = asyncio.Event()
        self._room.set()

    def send(self, data: bytes) -> None:
        """Send one message."""
        if self._closing or self._ended:
            raise ConnectionClosed("cannot send: the connection is closed or closing")
        peer = self._peer
        peer._inbox.append(bytes(data))
        peer._unread += len(data)
        if peer._unread > _HIGH_WATER:
            self._room.clear()
        peer._schedule()
        if peer._unread > self._max_backlog:
            unsent = f"the peer does not read: {peer._unread} bytes unsent"
            self._end_both(CloseInfo(1006, error=unsent))

    async def drain(self) -> None:
        """Wait for room."""
        await self._room.wait()
        if self._ended:
            raise ConnectionClosed("the connection ended while waiting for room to send")

    def set_reading(self, on: bool) -> None:
        """Stop or resume reading."""
        self._reading = on
        if on:
            self._schedule()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake: what was sent before still arrives on both sides."""
        if self._closing or self._ended:
            return
        self._asked = self._closing = True
        self._reading = True
        peer = self._peer
        peer._closing = True
        info = CloseInfo(code, reason)
        peer._ending = info
        self._ending = CloseInfo(code, reason, asked=True)
        peer._schedule()
        self._schedule()

    def abort(self) -> None:
        """End it now."""
        if not self._ended:
            self._asked = True
            self._end_both(CloseInfo(1006, asked=True, error="aborted"))

    def _end_both(self, info: CloseInfo) -> None:
        self._inbox.clear()
        self._finish_soon(info)
        self._peer._finish_soon(CloseInfo(1006, error="the peer ended the connection without a close frame"))

    def _finish_soon(self, info: CloseInfo) -> None:
        self._closing = True
        self._ending = info
        self._reading = True
        self._schedule()

    def _schedule(self) -> None:
        """Deliver in a later turn of the loop: callbacks are never nested in a call."""
        if not self._scheduled and not self._ended:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        self.received_ns = now_ns()
        while self._inbox and self._reading:
            data = self._inbox.popleft()
            self._unread -= len(data)
            if self._unread <= _HIGH_WATER // 4:
                self._peer._room.set()
            self.on_data(data)
        if self._ending is not None and not self._inbox and not self._ended:
            self._ended = True
            self._room.set()
            on_close, self.on_data, self.on_close = self.on_close, _ignore, _ignore
            on_close(self._ending)


def _ignore(_: object) -> None:
    """Take anything, do nothing."""


Accept = Callable[[MemoryCarrier], None]


class MemoryNetwork:
    """Servers by URL prefix; :meth:`connect` fits where a ``Connect`` is wanted."""

    def __init__(self, *, max_backlog: int = 16 * 1024 * 1024) -> None:
        self._servers: dict[str, Accept] = {}
        self._max_backlog = max_backlog

    def serve(self, prefix: str, accept: Accept) -> None:
        """Answer connections to URLs that begin with ``prefix``; ``accept`` gets the server's
        end, sets its callbacks, and may raise to refuse."""
        self._servers[prefix] = accept

    def stop(self, prefix: str) -> None:
        """No longer accept there; connections that exist stay."""
        self._servers.pop(prefix, None)

    async def connect(self, url: str, *, on_data: OnData, on_close: OnClose) -> MemoryCarrier:
        """Open a connection.

        Raises:
            TargetUnreachable: no server has this prefix, or it refused.
        """
        accept = next((a for prefix, a in self._servers.items() if url.startswith(prefix)), None)
        if accept is None:
            raise TargetUnreachable(f"cannot connect to {url}: no such server", tried=f"connect to {url}")
        client, server = memory_pair(url, max_backlog=self._max_backlog)
        client.on_data, client.on_close = on_data, on_close
        accept(server)
        return client


def memory_pair(
    url: str = "memory:", *, max_backlog: int = 16 * 1024 * 1024
) -> tuple[MemoryCarrier, MemoryCarrier]:
    """Two connected ends."""
    one, other = MemoryCarrier(url, max_backlog), MemoryCarrier(url, max_backlog)
    one._peer, other._peer = other, one  # pyright: ignore[reportPrivateUsage]
    return one, other

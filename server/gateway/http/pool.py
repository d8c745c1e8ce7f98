"""Connections to instances that are kept between requests.

Every request takes one that is idle, or dials. Reuse must not lose or repeat a request: upstream
may close an idle connection at the very moment at which it is used. So connections are kept for
less than servers usually wait (gunicorn 2 s; uvicorn and Node 5 s) or than upstream announces,
one that has something to read (its end) is not used, and if one dies all the same before any
byte of an answer, :mod:`.exchange` sends the request again only if it was idempotent: a POST may
have been executed, so it is 502.
"""

from __future__ import annotations

import asyncio
import select
import sys

from ..balancing.targets import Target
from ..tcp import Dialler
from .upstream import UpstreamConnection

#: How long a connection is kept idle.
KEEP_S = 1.5
#: Of one instance; a long poll of each user takes a connection of its own while it waits.
MOST_KEPT = 256


class UpstreamPool:
    """The connections of one gateway to all instances. Close it at the end.

    ``dialler`` makes them.
    """

    def __init__(self, dialler: Dialler) -> None:
        self._dialler = dialler
        self._idle: dict[Target, list[UpstreamConnection]] = {}
        self._busy: set[UpstreamConnection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self.dialled = 0
        self.reused = 0

    @property
    def idle(self) -> int:
        """How many are kept."""
        return sum(len(kept) for kept in self._idle.values())

    @property
    def busy(self) -> int:
        """How many are in use."""
        return len(self._busy)

    def take_kept(self, target: Target) -> UpstreamConnection | None:
        """An idle connection that can be used now, if there is one."""
        kept = self._idle.get(target)
        now = asyncio.get_running_loop().time()
        while kept:
            connection = kept.pop()  # the youngest
            # Half of what upstream promises: its clock began before ours.
            limit = min(KEEP_S, connection.keep_s / 2)
            if connection.reusable and now - connection.kept_at < limit and not _readable(connection.fileno):
                self._busy.add(connection)
                self.reused += 1
                return connection
            connection.abort()
        return None

    async def dial(self, target: Target, timeout_s: float | None) -> UpstreamConnection:
        """A new connection.

        Raises:
            OSError: it could not be made (TimeoutError: in time).
        """
        connection = UpstreamConnection(target)
        try:
            await self._dialler.dial(target, connection, timeout_s)
        except BaseException:
            connection.abort()
            raise
        self._busy.add(connection)
        self.dialled += 1
        return connection

    def give_back(self, connection: UpstreamConnection, *, sent: bool) -> None:
        """The exchange is over; ``sent``: its request has been sent wholly."""
        self._busy.discard(connection)
        kept = self._idle.get(connection.target, [])
        if not sent or not connection.reusable or len(kept) >= MOST_KEPT:
            connection.abort()
            return
        loop = asyncio.get_running_loop()
        connection.keep(loop.time())
        kept.append(connection)
        self._idle[connection.target] = kept
        if self._sweeper is None:
            self._sweeper = loop.call_later(KEEP_S, self._sweep)

    def close(self) -> None:
        """Cut all connections."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for connection in [*self._busy, *(each for kept in self._idle.values() for each in kept)]:
            connection.abort()
        self._busy.clear()
        self._idle.clear()

    def _sweep(self) -> None:
        """Close what has been idle for too long; one timer for all."""
        loop = asyncio.get_running_loop()
        self._sweeper = None
        oldest = loop.time() - KEEP_S
        for target, kept in list(self._idle.items()):
            for connection in kept:
                if connection.kept_at <= oldest:
                    connection.abort()
            left = [connection for connection in kept if connection.kept_at > oldest]
            if left:
                self._idle[target] = left
            else:
                del self._idle[target]
        if self._idle:
            self._sweeper = loop.call_later(KEEP_S / 2, self._sweep)


def _readable(fileno: int) -> bool:
    """Whether something has come on an idle connection that the loop has not seen yet."""
    if fileno < 0:
        return True
    if sys.platform == "win32":
        return bool(select.select([fileno], [], [], 0)[0])
    poll = select.poll()
    poll.register(fileno, select.POLLIN)
    return bool(poll.poll(0))

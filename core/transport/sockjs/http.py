"""A slim HTTP/1.1 client for thousands of long polls: one request at a time on a connection, no task
for each, connections kept for whoever comes next.

Nothing is asked for in compressed form, redirects are not followed, and no request is sent twice,
except those that say so. Measured against aiohttp in ``tests/benchmarks/bench_transports.py``.
"""

from __future__ import annotations

import asyncio
import ssl as tls

from ...clock import now
from ...reasons import reason_of
from ...tasks import BackgroundTasks
from .connection import Call, HttpConnection, Origin

#: Seconds for which a connection without work is kept: less than the shortest keep-alive in use (5 s),
#: so that a request hardly ever meets a connection that is being closed.
_IDLE = 2.0

#: Connections without work that are kept at most.
_MOST_IDLE = 128


class HttpPool:
    """Connections to any number of servers, shared by all users of a process.

    Nothing runs while nothing is asked for, except a timer that closes unused connections.

    Args:
        ssl: For https; by default the system's authorities are trusted.
        open_timeout: Seconds for a connection to be made.
    """

    def __init__(self, *, ssl: tls.SSLContext | None = None, open_timeout: float = 10.0) -> None:
        self._ssl = ssl
        self._open_timeout = open_timeout
        self._idle: list[HttpConnection] = []
        self._dials = BackgroundTasks()
        self._timer: asyncio.TimerHandle | None = None
        self._open = True

    def start(self, origin: Origin, call: Call) -> None:
        """Send a request, on a kept connection if there is one to this origin."""
        for index in range(len(self._idle) - 1, -1, -1):
            connection = self._idle[index]
            if connection.origin == origin and connection.usable:
                del self._idle[index]
                connection.start(call)
                return
        call.task = self._dials.start(self._dial(origin, call), f"dial {origin.host}:{origin.port}")

    def keep(self, connection: HttpConnection) -> None:
        """A connection has nothing to do."""
        if not self._open or not connection.usable or len(self._idle) >= _MOST_IDLE:
            connection.close()
            return
        connection.idle_since = now()
        self._idle.append(connection)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_IDLE, self._tidy)

    def forget(self, connection: HttpConnection) -> None:
        """A connection has ended."""
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        """Close what is unused, now and from now on; calls that are under way go on."""
        self._open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def context(self) -> tls.SSLContext:
        """The TLS context for all connections."""
        if self._ssl is None:
            self._ssl = tls.create_default_context()
        return self._ssl

    def _tidy(self) -> None:
        self._timer = None
        limit = now() - _IDLE
        for connection in [each for each in self._idle if each.idle_since <= limit]:
            self._idle.remove(connection)
            connection.close()
        if self._idle:
            self._timer = asyncio.get_running_loop().call_later(_IDLE / 2, self._tidy)

    async def _dial(self, origin: Origin, call: Call) -> None:
        try:
            async with asyncio.timeout(self._open_timeout):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: HttpConnection(self, origin),
                    origin.host,
                    origin.port,
                    ssl=self.context() if origin.secure else None,
                )
        except (OSError, ValueError) as error:
            what = reason_of(error, within=self._open_timeout)
            call.task = None
            call.failed(f"cannot connect to {origin.host}:{origin.port}: {what}")
            return
        call.task = None
        if connection.usable:
            connection.start(call)
        else:
            call.failed(f"{origin.host}:{origin.port} closed the connection at once")

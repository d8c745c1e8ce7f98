"""One keep-alive HTTP/1.1 connection that carries pushes one after another, in order."""

from __future__ import annotations

import asyncio
import ssl as tls
from collections import deque
from collections.abc import Callable
from typing import Any, Literal, cast

import httptools
import msgspec

from ..clock import now_ns
from ..reasons import reason_of
from ..transport.scratch import scratch

#: ``accepted``: the instance said so (2xx). ``refused``: it said no, or the push never left here.
#: ``unknown``: it left, and the connection ended before the answer.
Verdict = Literal["accepted", "refused", "unknown"]


class PushAnswer(msgspec.Struct, frozen=True):
    """What became of one push.

    Attributes:
        key: What the caller gave to tell pushes apart.
        via: Instance that was asked.
        status: HTTP status; 0 if there was no answer.
        verdict: See :data:`Verdict`; how to count it is said in :class:`core.load.pusher.Pusher`.
        body: Body of the answer.
        error: Why there was no answer, in words.
        intended_ns: When the push was to be sent.
        sent_ns: When its bytes were handed to the connection; 0 if they never were.
        answered_ns: When the answer, or the failure, was noticed.
    """

    key: Any
    via: str
    status: int
    verdict: Verdict
    body: bytes
    error: str
    intended_ns: int
    sent_ns: int
    answered_ns: int

    @property
    def instance(self) -> str:
        """Id of the instance that answered, as it says; else the one that was asked."""
        return str(self._fields().get("instance", self.via))

    @property
    def sessions(self) -> int:
        """How many sessions the push was resolved to; -1 if the answer does not say."""
        value = self._fields().get("sessions", -1)
        return value if isinstance(value, int) else -1

    def _fields(self) -> dict[str, Any]:
        try:
            return msgspec.json.decode(self.body, type=dict[str, Any])
        except (ValueError, RecursionError):
            return {}


#: How long a refused connection stands for the pushes that follow, so that a dead instance does
#: not cost a connection attempt for every push.
_REFUSED_FOR_NS = 100_000_000

OnAnswer = Callable[[PushAnswer], None]


class Request(msgspec.Struct):
    """A push on its way: bytes to send, whom to tell."""

    data: bytes
    done: OnAnswer
    key: Any
    via: str
    intended_ns: int
    queued_ns: int
    sent_ns: int = 0

    def finish(self, status: int, verdict: Verdict, body: bytes = b"", error: str = "") -> None:
        """Tell the caller."""
        self.done(
            PushAnswer(
                self.key, self.via, status, verdict, body, error, self.intended_ns, self.sent_ns, now_ns()
            )
        )


class Address(msgspec.Struct, frozen=True):
    """Where a lane connects."""

    host: str
    port: int
    ssl: tls.SSLContext | None = None


class Connection(asyncio.BufferedProtocol):
    """One HTTP connection of a lane; knows answers, not requests."""

    __slots__ = ("_buffer", "_lane", "_parser", "body", "status", "transport", "why")

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._buffer = scratch()
        self._parser: Any = httptools.HttpResponseParser(self)
        self.transport: asyncio.Transport | None = None
        self.status = 0
        self.body = b""
        self.why = ""

    def abort(self, why: str) -> None:
        """End it; the lane is told as always."""
        self.why = self.why or why
        if self.transport is not None:
            self.transport.abort()

    def close(self) -> None:
        """End it in order: nothing is under way."""
        if self.transport is not None:
            self.transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast(asyncio.Transport, transport)
        self._lane.connected(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes are to be put."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Part of an answer."""
        try:
            self._parser.feed_data(bytes(self._buffer[:nbytes]))
        except httptools.HttpParserError as error:
            self.abort(f"the answer is not HTTP: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended."""
        self._parser = self.transport = None
        self._lane.lost(self, exc)

    def on_message_begin(self) -> None:
        """httptools: a new answer."""
        self.body = b""
        self.status = 0

    def on_headers_complete(self) -> None:
        """httptools: the head of an answer; what it says holds even if the body is cut off."""
        self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        """httptools: a piece of the body."""
        self.body += body

    def on_message_complete(self) -> None:
        """httptools: the answer is whole."""
        if self.status >= 200:  # 1xx: the answer is still to come
            status, self.status = self.status, 0
            self._lane.answered(self, status, self.body, self._parser.should_keep_alive())


class Lane:
    """A queue of requests in front of one connection; the next goes when the last was answered.

    The connection is made when there is something to send, and again after it ended. If it cannot
    be made, everything that waits is refused; a request that was sent when the connection ended is
    ``unknown`` and never sent twice.

    Args:
        address: Where to connect.
        spawn: Has :meth:`open` of this lane awaited.
        limit: Requests that may wait.
    """

    def __init__(self, address: Address, spawn: Callable[[Lane], None], limit: int) -> None:
        self._address = address
        self._spawn = spawn
        self._limit = limit
        self._queue: deque[Request] = deque()
        self._current: Request | None = None
        self._connection: Connection | None = None
        self._connecting = False
        self._idle_since = 0
        self._refused_until = 0
        self._refused_why = ""
        self._closed = ""

    @property
    def waiting(self) -> int:
        """Requests that have no answer yet."""
        return len(self._queue) + (self._current is not None)

    def submit(self, request: Request) -> None:
        """Send this after all that was submitted before."""
        connection = self._connection
        if connection is not None and self._current is None and not self._queue:
            self._write(connection, request)
        elif self._closed:
            self._refuse_later(request, f"not sent: {self._closed}")
        elif len(self._queue) >= self._limit:
            self._refuse_later(request, f"not sent: {self._limit} pushes wait before it")
        elif connection is None and now_ns() < self._refused_until:
            self._refuse_later(request, self._refused_why)
        else:
            self._queue.append(request)
            self._next()

    async def open(self, within: float) -> None:
        """Make the connection; what fails is told to the waiting requests, never raised."""
        address = self._address
        try:
            async with asyncio.timeout(within):
                await asyncio.get_running_loop().create_connection(
                    lambda: Connection(self), address.host, address.port, ssl=address.ssl
                )
        except OSError as error:
            what = reason_of(error, within=within)
            self._refuse_all(f"not sent: cannot connect to {address.host}:{address.port}: {what}")
        finally:
            self._connecting = False

    def retire(self, why: str) -> None:
        """Refuse what waits and take nothing more; what was sent may still be answered."""
        self._closed = why
        self._refuse_all(f"not sent: {why}")
        if self._current is None and self._connection is not None:
            self._connection.close()

    def close(self, why: str) -> None:
        """Refuse what waits and end the connection; what was sent is ``unknown``."""
        self.retire(why)
        if self._connection is not None:
            self._connection.abort(why)

    def look(self, time_ns: int, timeout_ns: int, idle_ns: int) -> None:
        """Give up what takes too long, and close a connection that has nothing to do.

        An idle connection is closed before the server does it: a push that crosses the server's
        close on the wire would end as ``unknown`` for nothing.
        """
        current, connection = self._current, self._connection
        if connection is not None:
            if current is not None and time_ns - current.sent_ns > timeout_ns:
                connection.abort(f"no answer within {timeout_ns / 1e9:g} s")
            elif current is None and time_ns - self._idle_since > idle_ns:
                self._connection = None
                connection.close()
        while self._queue and time_ns - self._queue[0].queued_ns > timeout_ns:
            self._queue.popleft().finish(0, "refused", error=f"not sent within {timeout_ns / 1e9:g} s")

    # ---- what the connection says -----------------------------------------------------------

    def connected(self, connection: Connection) -> None:
        """The connection is there."""
        self._connecting = False
        if self._closed:
            connection.abort(self._closed)
            return
        self._connection = connection
        self._idle_since = now_ns()
        self._next()

    def answered(self, connection: Connection, status: int, body: bytes, keep_alive: bool) -> None:
        """An answer came: tell, and go on."""
        if connection is not self._connection:
            return
        current, self._current = self._current, None
        self._idle_since = now_ns()
        if not keep_alive or current is None or self._closed:  # unasked: a server's own 408
            self._connection = None
            connection.close()
        if current is not None:
            current.finish(status, _verdict(status), body)
        self._next()

    def lost(self, connection: Connection, error: Exception | None) -> None:
        """The connection ended; what was under way has no answer, or half of one."""
        if connection is not self._connection:
            return
        self._connection = None
        current, self._current = self._current, None
        if current is not None and connection.status >= 200:
            current.finish(connection.status, _verdict(connection.status), connection.body)
        elif current is not None:
            ended = "the connection ended before the answer" + (f": {reason_of(error)}" if error else "")
            current.finish(0, "unknown", error=connection.why or ended)
        self._next()

    # ---- inside -----------------------------------------------------------------------------

    def _next(self) -> None:
        if self._current is not None or not self._queue or self._connecting:
            return
        if self._connection is not None:
            self._write(self._connection, self._queue.popleft())
        else:
            self._connecting = True
            self._spawn(self)

    def _write(self, connection: Connection, request: Request) -> None:
        self._current = request
        request.sent_ns = now_ns()
        if connection.transport is not None:
            connection.transport.write(request.data)

    def _refuse_all(self, why: str) -> None:
        self._refused_until = now_ns() + _REFUSED_FOR_NS
        self._refused_why = why
        queue, self._queue = self._queue, deque()
        for request in queue:
            request.finish(0, "refused", error=why)

    def _refuse_later(self, request: Request, why: str) -> None:
        """Callers are never called back from within their own call."""
        asyncio.get_running_loop().call_soon(request.finish, 0, "refused", b"", why)


def _verdict(status: int) -> Verdict:
    return "accepted" if 200 <= status < 300 else "refused"

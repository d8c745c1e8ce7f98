"""One HTTP/1.1 connection of a client, and one request on it: no task, one object each."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, cast

import httptools
import msgspec

from ...clock import now_ns
from ...reasons import reason_of
from ..scratch import scratch

#: Longest head of an answer, or anything else between two pieces of its body (trailers, extensions of
#: chunks); more is not the server that was looked for.
_MAX_HEAD = 64 * 1024


class Origin(msgspec.Struct, frozen=True):
    """Where requests go; ``host`` as it is connected to, without brackets."""

    host: str
    port: int
    secure: bool


class Call:
    """A request and what comes of it. Subclasses take what they need.

    Order: :meth:`head`, :meth:`body` any number of times, then :meth:`done`; or at any point
    :meth:`failed`, which is the last. None is called from within :meth:`~.http.HttpPool.start` or
    :meth:`abort`, and none after :meth:`abort`.

    Attributes:
        request: The bytes of the request.
        repeatable: Whether it may be sent again when a kept connection turns out to be dead.
        connection: Where it is under way; None before and after.
    """

    __slots__ = ("connection", "reading", "repeatable", "request", "task")

    def __init__(self, request: bytes, *, repeatable: bool = False) -> None:
        self.request = request
        self.repeatable = repeatable
        self.reading = True
        self.connection: HttpConnection | None = None
        self.task: asyncio.Task[None] | None = None

    @property
    def received_ns(self) -> int:
        """Stamp of the bytes that are being handed on."""
        return self.connection.received_ns if self.connection is not None else 0

    def pause(self, paused: bool) -> None:
        """Stop or resume reading the answer."""
        self.reading = not paused
        if self.connection is not None:
            self.connection.set_reading(self.reading)

    def abort(self) -> None:
        """Give it up, and the connection it is under way on."""
        connection, self.connection = self.connection, None
        if self.task is not None:
            self.task.cancel()
        if connection is not None:
            connection.call = None
            connection.abort()

    def head(self, status: int, cookies: list[str]) -> None:
        """The head of the answer: its status, and its ``Set-Cookie`` values."""

    def body(self, data: bytes) -> None:
        """A piece of the body."""

    def done(self) -> None:
        """The answer is whole; its connection is free already."""

    def failed(self, why: str) -> None:
        """There is no answer, or not all of it."""


class Home(Protocol):
    """Whoever has connections."""

    def start(self, origin: Origin, call: Call) -> None:
        """Send a request that a dead connection did not take."""
        ...

    def keep(self, connection: HttpConnection) -> None:
        """A connection has nothing to do."""
        ...

    def forget(self, connection: HttpConnection) -> None:
        """A connection has ended."""
        ...


class HttpConnection(asyncio.BufferedProtocol):
    """One connection of a pool."""

    __slots__ = (
        "_body",
        "_buffer",
        "_complete",
        "_cookies",
        "_endless",
        "_excess",
        "_fed",
        "_headed",
        "_home",
        "_lasting",
        "_parser",
        "_reading",
        "_status",
        "_transport",
        "_uses",
        "call",
        "idle_since",
        "origin",
        "received_ns",
    )

    def __init__(self, home: Home, origin: Origin) -> None:
        self.origin = origin
        self.call: Call | None = None
        self.received_ns = 0
        self.idle_since = 0.0
        self._home = home
        self._buffer = scratch()
        self._parser: Any = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._uses = 0
        self._reading = True
        self._body: bytes = b""
        self._begin()

    def _begin(self) -> None:
        """Before an answer."""
        self._fed = 0
        self._status = 0
        self._headed = self._complete = self._lasting = self._excess = False
        self._endless = True  # until a header says otherwise
        self._cookies: list[str] = []

    @property
    def usable(self) -> bool:
        """Whether another request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def start(self, call: Call) -> None:
        """Send a request; nothing may be under way."""
        transport = self._transport
        assert transport is not None
        self._begin()
        self._uses += 1
        self.call = call
        call.connection = self
        if call.reading != self._reading:
            self.set_reading(call.reading)
        transport.write(call.request)

    def set_reading(self, on: bool) -> None:
        """Stop or resume reading."""
        transport = self._transport
        if transport is None or transport.is_closing() or on == self._reading:
            return
        self._reading = on
        if on:
            transport.resume_reading()
        else:
            transport.pause_reading()

    def abort(self) -> None:
        """End it now."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End it: nothing is under way."""
        if self._transport is not None:
            self._transport.close()

    # ---- asyncio.BufferedProtocol -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready for a request."""
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes are to be put."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Part of an answer."""
        self.received_ns = now_ns()
        call = self.call
        if call is None:  # unasked: a server's own 408, or the end of an answer nobody wants
            self.abort()
            return
        headed, self._fed = self._headed, self._fed + nbytes
        try:
            self._parser.feed_data(bytes(self._buffer[:nbytes]))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(call, f"the answer is not HTTP: {error}")
            return
        if self._body:
            self._fed = nbytes
        elif self._fed > _MAX_HEAD and not self._complete:
            self._fail(call, f"the answer has an endless {'trailer' if headed else 'head'}")
            return
        if self._headed:
            self._hand_on(call, headed)

    def eof_received(self) -> None:
        """The server is done; the transport closes itself."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended; what was under way has no answer, unless its end is this end."""
        self._transport = self._parser = None
        self._home.forget(self)
        call = self.call
        if call is None:
            return
        self._let_go(call)
        if self._headed and self._endless and exc is None:
            call.done()
        elif call.repeatable and self._uses > 1 and not self._fed:
            self._home.start(self.origin, call)
        else:
            what = "in the middle of the answer" if self._fed else "before the answer"
            call.failed(f"the connection ended {what}" + (f": {reason_of(exc)}" if exc else ""))

    # ---- httptools ------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """httptools: an answer begins. Only one was asked for."""
        self._excess = self._complete

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: a header; trailers mean nothing."""
        if self._excess or self._headed:
            return
        lower = name.lower()
        if lower in (b"content-length", b"transfer-encoding"):
            self._endless = False
        elif lower == b"set-cookie":
            self._cookies.append(value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        """httptools: the head is whole."""
        status: int = self._parser.get_status_code()
        if status >= 200 and not self._excess:
            self._status = status
            self._headed = True

    def on_body(self, body: bytes) -> None:
        """httptools: a piece of the body."""
        if not self._excess:
            self._body = self._body + body if self._body else body

    def on_message_complete(self) -> None:
        """httptools: the answer is whole; an interim one (1xx) is not the answer."""
        if self._excess:
            return
        self._complete = self._headed
        self._lasting = self._parser.should_keep_alive()  # known only now

    # ---- inside ---------------------------------------------------------------------------------------

    def _hand_on(self, call: Call, headed: bool) -> None:
        """Give the call what has come; it may be aborted at every step."""
        body, self._body = self._body, b""
        if not headed:
            call.head(self._status, self._cookies)
        if body and self.call is call:
            call.body(body)
        if self._complete and self.call is call:
            self._let_go(call)
            if self._lasting and not self._excess:
                self.set_reading(True)
                self._home.keep(self)
            else:
                self.close()
            call.done()

    def _let_go(self, call: Call) -> None:
        self.call = call.connection = None

    def _fail(self, call: Call, why: str) -> None:
        self._let_go(call)
        self.abort()
        call.failed(why)

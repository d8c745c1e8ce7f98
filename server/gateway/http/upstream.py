"""One connection to an instance while it answers plain HTTP requests, one after the other.

A small client of its own, because a gateway needs to know what ordinary clients hide: whether
anything was answered before a connection died, and whether what came was one answer and no more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Literal, cast

import httptools

from core.reasons import reason_of

from ...sockets.http import MAX_HEAD
from ..balancing.targets import Target
from ..heads import Header, tokens, values

#: What is held of an answer that the client does not take: then upstream is read no more.
_MOST_HELD = 64 * 1024
_MOST_HEADERS = 200
_KEEP_ALIVE = b"timeout="


#: Why an exchange was ended from our side: no answer in time, or the instance left the registry.
Cause = Literal["", "late", "left"]


class UpstreamFailure(Exception):
    """The exchange is over without a (whole) answer; the words continue "the instance …".

    ``answered`` tells whether anything had come, ``cause`` why we ended it ourselves, if we did.
    """

    def __init__(self, message: str, *, answered: bool, cause: Cause = "") -> None:
        super().__init__(message)
        self.answered = answered
        self.cause: Cause = cause


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """Status and headers of an answer, names in lower case.

    ``length`` is what Content-Length says; None: the end of the body decides.
    """

    status: int
    headers: list[Header]
    length: int | None


class UpstreamConnection(asyncio.Protocol):
    """A connection. For every request: :meth:`begin`, :meth:`send`, :meth:`head`, :meth:`read` to
    the end; then :attr:`reusable` tells whether it may take another.

    Attributes:
        target: Where it leads.
        used: Whether it has brought an answer before this request.
        kept_at: For the pool: since when nobody uses it (the loop's time).
        keep_s: How long upstream keeps it, if it said so.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.used = False
        self.kept_at = 0.0
        self.keep_s = float("inf")
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._failure: UpstreamFailure | None = None
        self._lost = False
        self._reading_paused = False
        self._busy = False
        self._reset()

    def _reset(self) -> None:
        self._answered = False
        self._headers: list[Header] = []
        self._head: AnswerHead | None = None
        self._head_size = 0
        self._pieces: deque[bytes] = deque()
        self._chunked = False
        self._held = 0
        self._complete = False
        self._until_close = False
        self._keep = False
        self._no_body = False

    # For who asks

    def begin(self, *, head_only: bool) -> None:
        """A request comes; ``head_only``: its answer has no body whatever it says (HEAD)."""
        self._reset()
        self._busy = True
        self._no_body = head_only

    def send(self, data: bytes) -> None:
        """Write a piece of the request; what cannot be sent any more is dropped."""
        if self._transport is not None and not self._lost:
            self._transport.write(data)

    async def drain(self, patience_s: float) -> None:
        """Wait while upstream does not take the request fast enough; 0 seconds: without a limit."""
        if self._writable.is_set():
            return
        try:
            async with asyncio.timeout(patience_s or None):
                await self._writable.wait()
        except TimeoutError:
            self.fail(f"took nothing of the request's body for {patience_s:g} s", "late")

    async def head(self) -> AnswerHead:
        """The head of the answer.

        Raises:
            UpstreamFailure: there is none.
        """
        while self._head is None:
            await self._wait()
        return self._head

    async def read(self) -> bytes:
        """What has come of the body, at least something; b"" at its end.

        A body in chunks is read chunk by chunk: SockJS's tests look at where frames begin.

        Raises:
            UpstreamFailure: it broke off.
        """
        pieces = self._pieces
        while not pieces:
            if self._complete:
                return b""
            await self._wait()
        if len(pieces) == 1 or self._chunked:
            data = pieces.popleft()
        else:
            data = b"".join(pieces)
            pieces.clear()
        self._held -= len(data)
        self._read_on()
        return data

    def take_whole(self) -> bytes | None:
        """The whole body, if it has come already and the head says its length; else None."""
        if not self._complete or self._chunked or self._until_close:
            return None
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        self._read_on()
        return data

    @property
    def finished(self) -> bool:
        """Whether the whole body has come and been read."""
        return self._complete and not self._pieces

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent; the one before must have been sent wholly."""
        transport = self._transport
        return (
            self._keep
            and self._complete
            and not self._lost
            and transport is not None
            and not transport.is_closing()
            and not transport.get_write_buffer_size()
        )

    def keep(self, now: float) -> None:
        """Nobody uses it from now on."""
        self.used = True
        self._busy = False
        self.kept_at = now
        self._headers = []
        self._head = None

    @property
    def answered(self) -> bool:
        """Whether anything of the answer has come."""
        return self._answered

    def fail(self, message: str, cause: Cause = "") -> None:
        """End the exchange from our side; who waits is told."""
        self._give_up(message, cause)

    def abort(self) -> None:
        """Close at once."""
        self._busy = False
        self._parser = None  # it refers back to us
        if self._transport is not None:
            self._transport.abort()

    @property
    def fileno(self) -> int:
        """The socket's number; -1 if there is none any more."""
        sock = self._transport.get_extra_info("socket") if self._transport is not None else None
        return int(sock.fileno()) if sock is not None else -1

    def _read_on(self) -> None:
        if self._reading_paused and not self._held and self._transport is not None and not self._lost:
            self._reading_paused = False
            self._transport.resume_reading()

    async def _wait(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _give_up(self, message: str, cause: Cause = "") -> None:
        if self._failure is None and not self._complete:
            self._failure = UpstreamFailure(message, answered=self._answered, cause=cause)
        self.abort()
        self._wake()

    # The transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Dialled."""
        # Not checked: uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)

    def pause_writing(self) -> None:
        """Upstream does not keep up."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Upstream has caught up."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer."""
        if self._parser is None:
            return
        if not self._busy:  # an answer to nothing
            self.abort()
            return
        self._answered = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self._complete:
                self._keep = False  # what came behind the answer is nobody's
            else:
                self._give_up(_what(error, self._head))
                return
        if self._head is None:
            self._head_size += len(data)
            if self._head_size > MAX_HEAD:
                self._give_up(f"answered with a head of more than {MAX_HEAD} bytes")
                return
        if self._held > _MOST_HELD and not self._reading_paused and self._transport is not None:
            self._reading_paused = True
            self._transport.pause_reading()
        if self._head is not None:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Upstream is gone; that is the end of a body without a length."""
        self._lost = True
        self._parser = None
        self._writable.set()
        if self._until_close and exc is None:
            self._complete = True
        elif not self._complete and self._failure is None:
            words = "broke off in its answer" if self._answered else "closed the connection without an answer"
            self._failure = UpstreamFailure(words, answered=self._answered)
        self._wake()

    # The parser's side

    def on_message_begin(self) -> None:
        """An answer begins."""
        if self._complete:
            self._keep = False  # there is one answer to a request

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which is dropped."""
        if self._head is None:
            if len(self._headers) >= _MOST_HEADERS:
                raise ValueError(f"more than {_MOST_HEADERS} headers")
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self._complete or self._parser is None:
            return
        status = self._parser.get_status_code()
        headers = self._headers
        if 100 <= status < 200 and status != 101:  # announces the answer
            self._headers = []
            return
        codings = [value.lower() for value in values(headers, b"transfer-encoding")]
        if status == 101 or not 200 <= status < 600 or codings not in ([], [b"chunked"]):
            raise ValueError(f"status {status}" if not codings else f"transfer coding {codings[0]!r}")
        lengths = values(headers, b"content-length")
        bodiless = self._no_body or status in (204, 304)
        self._chunked = bool(codings)
        self._until_close = not bodiless and not codings and not lengths
        self._keep = self._parser.should_keep_alive() and not self._until_close
        self.keep_s = _keep_time(headers)
        self._head = AnswerHead(status, headers, int(lengths[0]) if lengths else None)
        if self._no_body:
            self._keep = False  # the parser does not know, and would wait for a body
            self._complete = True

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self._complete:
            self._keep = False
            return
        self._pieces.append(data)
        self._held += len(data)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._head is not None:
            self._complete = True


def _keep_time(headers: list[Header]) -> float:
    """What ``Keep-Alive: timeout=5`` says, in seconds; infinite if nothing."""
    for token in tokens(headers, b"keep-alive"):
        number = token.removeprefix(_KEEP_ALIVE)
        if number != token and number.isdigit() and len(number) < len("1000000"):
            return float(number)
    return float("inf")


def _what(error: Exception, head: AnswerHead | None) -> str:
    if head is not None:
        return f"broke the rules of HTTP in its answer: {_cause(error)}"
    return f"did not answer with HTTP: {_cause(error)}"


def _cause(error: Exception) -> str:
    cause = error.__context__
    if isinstance(error, httptools.HttpParserUpgrade):
        return "an upgrade that nobody asked for"
    return reason_of(cause if isinstance(cause, ValueError) else error)

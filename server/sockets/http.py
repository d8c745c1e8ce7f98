"""uvicorn's HTTP protocol with limits, deadlines, and an end in order: what every role listens with.

llhttp (inside httptools) refuses by itself what is not HTTP, but bounds nothing: neither how long a head
is, nor how many headers it has, nor how long anything takes.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Any, Final

import httptools
import msgspec
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .descriptors import NO_ROOM, Descriptors
from .lingering import DRAIN_BYTES, DRAIN_S, OrderlyTransport
from .targets import host_trouble
from .upgrades import head_without_upgrade

logger = logging.getLogger("pushscope.server")

#: What common servers use, and what cookies and tokens of real deployments need.
MAX_HEAD: Final = 64 * 1024
MAX_HEADERS: Final = 100
#: What chunked bodies may spend on chunk heads, extensions and trailers: so much, and so many
#: bytes for each byte of the body (six are needed where every chunk is one byte).
_FRAMING: Final = 16 * 1024
_FRAMING_PER_BYTE: Final = 16
#: A body that moves less than this within its deadline does not move.
_PROGRESS: Final = 1024

# What of a request is due next.
_NOTHING: Final = 0
_HEAD: Final = 1
_BODY: Final = 2


class HttpDeadlines(msgspec.Struct, frozen=True):
    """How long a client may take.

    Attributes:
        head_s: For a request's head.
        body_s: For the next KiB of its body, while somebody reads it; 0: no limit.
    """

    head_s: float = 10.0
    body_s: float = 30.0


class Refused(Exception):
    """Raised out of a parser callback; the protocol keeps the reason, as httptools hides it."""


class HttpProtocol(HttpToolsProtocol):
    """One connection while it speaks HTTP.

    A request that breaks a limit is answered at once, with the limit in words, and ends the connection.
    """

    def __init__(self, *args: Any, deadlines: HttpDeadlines | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadlines = deadlines or HttpDeadlines()
        self._due = _HEAD
        self._begun = False  # a head has begun
        self._began = False  # it did so in the bytes that came last
        self._ended = False  # something else ended in them
        self._head_size = 0
        self._unfinished = 0
        self._refusal: tuple[int, str] | None = None
        self._over = False
        self._timer: asyncio.TimerHandle | None = None
        self._framing_left = 0
        self._moved = 0
        self._moved_at = 0.0
        self._draining = 0
        self._descriptors: Descriptors | None = getattr(self.server_state, "descriptors", None)

    @property
    def unread(self) -> bool:
        """Whether the client may have sent what was not read."""
        return self._over or self._due == _BODY or bool(self.pipeline) or self.flow.read_paused

    # transport ------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """A client connected; it has a limited time for its head."""
        orderly: Any = OrderlyTransport(transport)
        super().connection_made(orderly)
        if self._descriptors is not None and not self._descriptors.came(orderly):
            self.transport.write(self.error_answer(503, NO_ROOM))
            self._over = True
            orderly.close_now()
            return
        self._start_timer(self._deadlines.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._cancel_timer()
        self._heard()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, within limits."""
        parser: Any = self.parser
        if self._over or parser is None:
            return
        self._began = self._ended = False
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._take_upgrade(data[int(upgrade.args[0]) :])
        except httptools.HttpParserError as error:
            self.refuse(*(self._refusal or (400, f"not HTTP as it should be: {error}")))
        else:
            if self._due:
                self._wait_for_rest(len(data))

    def _wait_for_rest(self, size: int) -> None:
        """A request is not whole: its rest has a limited time."""
        if self._due == _HEAD:
            if self._timer is None:
                self._start_timer(self._deadlines.head_s)
            # A value that never ends is in no callback's count yet.
            if self._began:
                self._unfinished = 0 if self._ended else size
            else:
                self._unfinished += size
            if self._unfinished > MAX_HEAD:
                self.refuse(431, f"a request head has {MAX_HEAD} bytes at most")
            return
        if not self._ended:  # else a head, which has its own limit, is part of it
            self._framing_left -= size
            if self._framing_left < 0 and any(name == b"transfer-encoding" for name, _ in self.headers):
                self.refuse(400, "the chunks of the body say more about themselves than they hold")
                return
        self._moved += size
        if self._moved >= _PROGRESS or self._timer is None:
            self._moved, self._moved_at = 0, self.loop.time()
        if self._timer is None and self._deadlines.body_s:
            self._start_timer(self._deadlines.body_s)

    # parser callbacks -----------------------------------------------------------------------

    def begin_head(self) -> None:
        """A request begins."""
        self._due = _HEAD
        self._begun = self._began = True
        self._head_size = 0
        self._unset_keepalive_if_required()  # not for empty lines, which may come before a request

    def end_head(self) -> None:
        """A head is whole: its body is due."""
        self._due = _BODY
        self._begun = False
        self._ended = True
        self._moved = self._draining = 0
        self._framing_left = _FRAMING
        self._cancel_timer()
        self._heard()
        self._unset_keepalive_if_required()  # armed if an answer ended while this head came

    def end_message(self) -> None:
        """A request is whole."""
        self._due = _NOTHING
        self._ended = True
        self._cancel_timer()

    def on_message_begin(self) -> None:
        """A request begins."""
        self.begin_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; after the head it is a trailer, which concerns nobody."""
        if self._due != _HEAD:
            return
        self._count(len(name) + len(value) + 4)
        if len(self.headers) >= MAX_HEADERS:
            self.stop(431, f"a request has {MAX_HEADERS} headers at most")
        super().on_header(name, value)

    def check_host(self) -> None:
        """Refuse a head without the one Host header that it must have, or whose Host is none."""
        parser: Any = self.parser
        hosts = [value for name, value in self.headers if name == b"host"]
        if trouble := host_trouble(str(parser.get_http_version()), hosts):
            self.stop(400, trouble)

    def on_headers_complete(self) -> None:
        """A request's head is whole."""
        self.end_head()
        self.check_host()
        super().on_headers_complete()

    def count_body(self, body: bytes) -> None:
        """A piece of the body, which may be said in so many bytes of framing."""
        self._framing_left += len(body) * (_FRAMING_PER_BYTE + 1)

    def on_body(self, body: bytes) -> None:
        """A piece of the body; of one that has been answered, only so much is read."""
        self.count_body(body)
        if self._draining:
            self._draining -= len(body)
            if self._draining <= 0:
                self._stop_draining()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self.end_message()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request is answered, maybe before its body has come: the rest is read for a while."""
        super().on_response_complete()
        cycle: Any = self.cycle
        if self._due == _BODY and cycle.response_complete and not self.transport.is_closing():
            self._draining = DRAIN_BYTES
            self._cancel_timer()
            self._timer = self.loop.call_later(DRAIN_S, self._stop_draining)

    def _stop_draining(self) -> None:
        """The client goes on with a request that has its answer."""
        self._over = True
        self._cancel_timer()
        self.transport.abort()

    # upgrades -------------------------------------------------------------------------------

    def _take_upgrade(self, early: bytes) -> None:
        """The parser stopped behind a head that wants an upgrade; ``early`` came behind it."""
        if self._refusal is not None:
            self.refuse(*self._refusal)
        elif self._should_upgrade():
            self._take_handshake(early)
        else:
            self._unsupported_upgrade_warning()
            # The application answers as to any request; what comes behind it is not HTTP.
            self._over = True

    def ignore_upgrade(self, early: bytes) -> None:
        """Go on without the upgrade, as a server may (RFC 9110 §7.8): Java's client asks for h2c.

        The parser took the request's body, if there is one, for what is spoken after the upgrade.
        """
        method, version = str(self.scope["method"]), str(self.scope["http_version"])
        head = head_without_upgrade(method, self.url, version, self.headers)
        self.renew_parser()
        self.data_received(head + early)

    def renew_parser(self) -> None:
        """Begin again to parse."""
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def _take_handshake(self, early: bytes) -> None:
        lengths = [value for name, value in self.headers if name == b"content-length"]
        if any(name == b"transfer-encoding" for name, _ in self.headers) or any(
            value.strip(b"0") for value in lengths
        ):
            self.refuse(400, "an upgrade must not have a body")
        elif self._busy:
            self.refuse(400, "an upgrade behind a request that is not answered yet")
        elif self.scope["http_version"] == "1.0":
            self.refuse(400, "a WebSocket needs HTTP/1.1")
        elif not self.url.isascii():
            self.refuse(400, "the request target is not ASCII")
        else:
            self.open_websocket(early)

    def open_websocket(self, early: bytes) -> None:
        """Give the connection to the WebSocket protocol."""
        target, headers = self.url.decode(), self.headers
        self.let_go()
        make: Any = self.ws_protocol_class
        protocol = make(config=self.config, server_state=self.server_state, app_state=self.app_state)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        protocol.take_handshake(target, headers, early)

    def let_go(self) -> None:
        """Leave the connection to somebody else, and leave nothing behind (a parser is 10 KiB)."""
        self._over = True
        self._cancel_timer()
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        self.parser = None  # type: ignore[assignment]  # it refers back to us
        self.headers = []

    @property
    def _busy(self) -> bool:
        """Whether a request is unanswered."""
        cycle: Any = self.cycle  # None at first
        return cycle is not None and not cycle.response_complete

    # refusals -------------------------------------------------------------------------------

    def error_body(self, status: int, message: str, **details: str) -> tuple[str, bytes]:
        """Media type and body of an answer that we give ourselves."""
        return "text/plain; charset=utf-8", f"{message}\n".encode()

    def error_answer(self, status: int, message: str, **details: str) -> bytes:
        """A whole answer that we give ourselves."""
        kind, body = self.error_body(status, message, **details)
        headers = b"".join(b"%b: %b\r\n" % header for header in self.server_state.default_headers)
        return (
            b"HTTP/1.1 %d %b\r\n%bcontent-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
        ) % (status, HTTPStatus(status).phrase.encode(), headers, kind.encode(), len(body), body)

    def stop(self, status: int, message: str) -> None:
        """Refuse a request from within a parser callback."""
        self._refusal = (status, message)
        raise Refused(message)

    def refuse(self, status: int, message: str) -> None:
        """Answer a request that is not as it should be, and end the connection."""
        logger.info("refused a request of %s: %s", self.client, message)
        self.end_with(status, message)

    def end_with(self, status: int, message: str, **details: str) -> None:
        """Give an answer of our own to what has come last, and end the connection."""
        self._over = True
        self._cancel_timer()
        cycle: Any = self.cycle
        if self._busy and not cycle.more_body:
            # An earlier request is whole and is being answered: it gets its answer, this one none.
            cycle.keep_alive = False
            return
        if self.pipeline and self.pipeline[0][0] is cycle:
            # Its head was good, its body is not: its answer comes when the earlier ones are through.
            kind, body = self.error_body(status, message, **details)
            answer: Any = Response(body, status, {"connection": "close", "content-type": kind})
            self.pipeline[0] = (cycle, answer)
            return
        if self._busy:
            self.abandon(cycle)
            if cycle.response_started:
                self.transport.abort()  # an answer that breaks off must not look whole
                return
        self.transport.write(self.error_answer(status, message, **details))
        self.transport.close()

    def abandon(self, cycle: Any) -> None:
        """Let the application know that nobody hears its answer."""
        cycle.disconnected = True
        cycle.message_event.set()

    def _count(self, size: int) -> None:
        self._head_size += size
        if self._head_size > MAX_HEAD:
            self.stop(431, f"a request head has {MAX_HEAD} bytes at most")

    # deadlines ------------------------------------------------------------------------------

    def _start_timer(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._late)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self._over or not self._due:
            return
        if self._due == _BODY:
            self._body_late()
        elif self._begun:
            self.refuse(408, f"no complete request head within {self._deadlines.head_s:g} s")
        else:
            self.transport.close()

    def _body_late(self) -> None:
        seconds = self._deadlines.body_s
        rest = self._moved_at + seconds - self.loop.time()
        if rest > 0:
            self._start_timer(rest)
        elif self.flow.read_paused:  # we do not read, so it cannot come
            self._moved_at = self.loop.time()
            self._start_timer(seconds)
        else:
            self.refuse(408, f"the request's body did not move on for {seconds:g} s")

    def _heard(self) -> None:
        if self._descriptors is not None:
            self._descriptors.spoke(self.transport)
            self._descriptors = None

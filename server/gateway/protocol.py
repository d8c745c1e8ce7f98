"""The client's end: uvicorn's HTTP protocol with limits of ours and upgrades of ours."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import httptools
from starlette.responses import Response
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from ..endpoints.strict_http import Http10Cycle
from ..targets import host_trouble, settle_target
from .edge import MAX_HEAD, MAX_HEADERS, Edge
from .heads import METHODS, Header, error_body, error_response, request_head, tokens, values
from .http.client_end import CLIENT_END, ClientEnd
from .routing.request import RouteRequest
from .tunnels.plan import Refusal, plan_upgrade
from .tunnels.splice import close_soon
from .tunnels.upgrade import Upgrade

logger = logging.getLogger("pushscope.gateway")

#: What chunked bodies may spend on chunk heads, extensions and trailers: so much, and so many
#: bytes for each byte of the body (six are needed where every chunk is one byte).
_FRAMING = 16 * 1024
_FRAMING_PER_BYTE = 16
#: Requests that wait behind one that is being answered: one read may hold thousands, of 3 KiB each.
_MOST_WAITING = 100


class _Refused(Exception):
    """Raised out of a parser callback; the protocol keeps the reason, as httptools hides it."""


class GatewayProtocol(HttpToolsProtocol):
    """One client connection while it speaks HTTP.

    llhttp (inside httptools) refuses by itself: both length headers, repeated lengths, folded
    lines, bare CR or LF, spaces before the colon, control characters. What it lets through and
    we do not: heads without an end, HTTP/1.1 without exactly one Host, a Host that is none,
    CONNECT and TRACE, transfer codings other than chunked, trailers, chunk extensions without an
    end, more requests at once than anybody needs.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        edge: Edge,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._edge = edge
        self._in_head = True
        self._began = self._headed = False
        self._head_size = 0
        self._unfinished = 0
        self._chunked = False
        self._framing_left = 0
        self._refusal: tuple[int, str] | None = None
        self._over = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._gone: Callable[[], None] | None = None

    # Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """A client connected; it has a limited time for its head."""
        super().connection_made(transport)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._cancel_head_timer()
        gone, self._gone = self._gone, None
        super().connection_lost(exc)
        if gone is not None:
            gone()

    def _end_of(self, cycle: RequestResponseCycle) -> ClientEnd:
        return ClientEnd(self.transport, self.flow, cycle, self._watch)

    def _watch(self, gone: Callable[[], None] | None) -> None:
        self._gone = gone

    def shutdown(self) -> None:
        """The server stops: streams end at once, as tunnels do; other answers have a moment."""
        cycle: Any = self.cycle
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            stream = bool(cycle.chunked_encoding) or isinstance(cycle, Http10Cycle)
            if stream:
                self._end_of(cycle).cut()
                return
        super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, within limits; take upgrades out of uvicorn's hands."""
        parser = self.parser
        if self._over or parser is None:
            return
        self._began = self._headed = False
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._take_upgrade(data[int(upgrade.args[0]) :])
            return
        except httptools.HttpParserError as error:
            status, message = self._refusal or (400, f"not HTTP as it should be: {error}")
            self._refuse(status, message)
            return
        if self._in_head:
            if self._head_timer is None:
                self._start_head_timer()
            # A value that never ends is in no callback's count yet.
            self._unfinished = 0 if self._began else self._unfinished + len(data)
            if self._unfinished > MAX_HEAD:
                self._refuse(431, f"a request head has {MAX_HEAD} bytes at most")
        elif self._chunked and not self._headed:  # else a head, which has its own limit, is part of it
            self._framing_left -= len(data)
            if self._framing_left < 0:
                self._refuse(400, "the chunks of the body say more about themselves than they hold")

    # Parser callbacks

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = self._began = True
        self._head_size = 0
        self._unset_keepalive_if_required()  # not for empty lines, which may come before a request
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; after the head it is a trailer, which nobody here may be told."""
        if not self._in_head:
            return
        self._count(len(name) + len(value) + 4)
        if len(self.headers) >= MAX_HEADERS:
            self._stop(431, f"a request has {MAX_HEADERS} headers at most")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is complete: check what llhttp does not."""
        self._in_head = False
        self._headed = True
        self._cancel_head_timer()
        self._unset_keepalive_if_required()  # armed if an answer ended while this head came
        assert self.parser is not None
        version, method = self.parser.get_http_version(), self.parser.get_method()
        codings = values(self.headers, b"transfer-encoding")
        hosts = values(self.headers, b"host")
        if len(self.pipeline) >= _MOST_WAITING:
            self._stop(429, f"{_MOST_WAITING} requests of this connection are waiting already")
        if version not in ("1.0", "1.1"):
            self._stop(505, f"HTTP/{version} is not spoken here")
        if method in (b"CONNECT", b"TRACE"):
            self._stop(405, f"{method.decode()} is not possible here")
        if trouble := host_trouble(version, hosts):
            self._stop(400, trouble)
        self._settle_target()
        if codings and (version == "1.0" or [x.lower() for x in codings] != [b"chunked"]):
            self._stop(501, "the only transfer coding here is chunked")
        self._chunked = bool(codings)
        self._framing_left = _FRAMING
        self._edge.counters.requests += 1
        super().on_headers_complete()
        scope: Any = self.scope
        cycle: Any = self.cycle
        if cycle is not None and cycle.scope is scope:  # no upgrade
            scope["extensions"] = {CLIENT_END: self._end_of(cycle)}
            if version == "1.0":
                cycle.__class__ = Http10Cycle

    def _settle_target(self) -> None:
        try:
            self.url = settle_target(self.url, self.headers)
        except ValueError as error:
            self._stop(400, str(error))

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self._chunked:
            self._framing_left += len(body) * (_FRAMING_PER_BYTE + 1)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._chunked = False
        super().on_message_complete()

    def _should_upgrade(self) -> bool:
        # Asked by uvicorn where it starts the application: no request that wants an upgrade
        # starts there, data_received decides about it.
        return True

    # Upgrades

    def _take_upgrade(self, early: bytes) -> None:
        """The parser stopped behind a head that wants an upgrade; ``early`` came behind it."""
        if self._refusal is not None:
            self._refuse(*self._refusal)
        elif b"websocket" in tokens(self.headers, b"upgrade"):
            self._open_tunnel(early)
        else:
            self._ignore_upgrade(early)

    def _ignore_upgrade(self, early: bytes) -> None:
        """Go on without the upgrade, as a server may (RFC 9110 §7.8): Java's client asks for h2c."""
        kept: list[Header] = []
        for name, value in self.headers:
            if name == b"connection":
                left = [
                    x for x in value.split(b",") if x.strip().lower() not in (b"upgrade", b"http2-settings")
                ]
                value = b",".join(left)
            if name not in (b"upgrade", b"http2-settings") and (name != b"connection" or value):
                kept.append((name, value))
        method = str(self.scope["method"]).encode()
        version = str(self.scope["http_version"]).encode()
        head = request_head(method, self.url, kept).replace(b"HTTP/1.1\r\n", b"HTTP/%b\r\n" % version, 1)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(head + early)

    def _open_tunnel(self, early: bytes) -> None:
        cycle: Any = self.cycle  # None before the first request, whatever uvicorn's types say
        if cycle is not None and not cycle.response_complete:
            self._refuse(400, "an upgrade behind a request that is not answered yet")
            return
        try:
            url = httptools.parse_url(self.url)
        except httptools.HttpParserError:
            self._refuse(400, "the request target is not a path")
            return
        request = RouteRequest(
            str(self.scope["method"]),
            (url.path or b"/").decode("latin-1"),
            url.query or b"",
            self.headers,
            self.client[0] if self.client else "",
            self.scheme == "https",
        )
        if self.scope["http_version"] == "1.0":
            self._refuse(400, "a WebSocket needs HTTP/1.1")
            return
        plan = plan_upgrade(self._edge, request)
        if isinstance(plan, Refusal):
            details = {"route": plan.route, "service": plan.service} if plan.route else {"path": request.path}
            now = time.perf_counter()
            self._edge.log(request.client, request.method, request.target, plan.status, now, "", plan.route)
            self._answer(plan.status, plan.message, allow="GET", **details)
            return
        transport, connections = self.transport, self.connections
        self._let_go()
        Upgrade(self._edge, transport, connections, request, plan, early).begin()

    def _let_go(self) -> None:
        """Leave the connection to somebody else, and leave nothing behind (a parser is 10 KiB)."""
        self._over = True
        self._cancel_head_timer()
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        self.parser = None  # it refers back to us
        self.headers = []

    # Refusals

    def _count(self, size: int) -> None:
        self._head_size += size
        if self._head_size > MAX_HEAD:
            self._stop(431, f"a request head has {MAX_HEAD} bytes at most")

    def _stop(self, status: int, message: str) -> None:
        self._refusal = (status, message)
        raise _Refused(message)

    def _refuse(self, status: int, message: str) -> None:
        self._edge.counters.answered(status)
        logger.info("refused a request of %s: %s", self.client, message)
        self._answer(status, message)

    def _answer(self, status: int, message: str, *, allow: str = METHODS, **details: str) -> None:
        self._over = True
        self._cancel_head_timer()
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            # An earlier request is whole and is being answered: it gets its answer, this one none.
            cycle.keep_alive = False
            return
        if self.pipeline and self.pipeline[0][0] is cycle:
            # Its head was good, its body is not: its answer comes when the earlier ones are through.
            body = error_body(status, message, **details)
            answer: Any = Response(body, status, {"connection": "close"}, "application/json")
            self.pipeline[0] = (self.pipeline[0][0], answer)
            return
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(error_response(status, message, allow=allow, **details))
        close_soon(self.transport)

    def _head_too_late(self) -> None:
        self._head_timer = None
        if self._over or not self._in_head:
            return
        if self._head_size or self._unfinished:
            self._refuse(408, f"no complete request head within {self._edge.settings.head_timeout_s:g} s")
        else:
            close_soon(self.transport)

    def _start_head_timer(self) -> None:
        seconds = self._edge.settings.head_timeout_s
        self._head_timer = self.loop.call_later(seconds, self._head_too_late)

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

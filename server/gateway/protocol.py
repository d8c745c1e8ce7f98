"""The client's end: HTTP as every role takes it, stricter, and with upgrades of our own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from ..sockets.http import HttpDeadlines, HttpProtocol
from ..sockets.strict_http import Http10Cycle
from ..sockets.targets import host_trouble, settle_target
from .edge import Edge
from .heads import METHODS, error_body, error_response, tokens, values
from .http.client_end import CLIENT_END, ClientEnd
from .routing.request import RouteRequest
from .tunnels.plan import Refusal, plan_upgrade
from .tunnels.upgrade import Upgrade

logger = logging.getLogger("pushscope.gateway")

#: Requests that wait behind one that is being answered: one read may hold thousands, of 3 KiB each.
_MOST_WAITING = 100


class GatewayProtocol(HttpProtocol):
    """One client connection while it speaks HTTP.

    llhttp (inside httptools) refuses by itself: both length headers, repeated lengths, folded
    lines, bare CR or LF, spaces before the colon, control characters. What it lets through and
    we do not, beyond what no role does (:class:`HttpProtocol`): HTTP/1.1 without exactly one Host, a Host
    that is none, CONNECT and TRACE, transfer codings other than chunked, more requests at once than
    anybody needs. The deadline of a body is that of who passes it on.
    """

    def __init__(self, *args: Any, edge: Edge, **kwargs: Any) -> None:
        deadlines = HttpDeadlines(edge.settings.head_timeout_s, 0)
        super().__init__(*args, deadlines=deadlines, **kwargs)
        self._edge = edge
        self._gone: Callable[[], None] | None = None
        self._allowed = METHODS

    # Transport

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
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

    # Parser callbacks

    def on_headers_complete(self) -> None:
        """The head is complete: check what llhttp does not."""
        assert self.parser is not None
        version, method = self.parser.get_http_version(), self.parser.get_method()
        codings = values(self.headers, b"transfer-encoding")
        hosts = values(self.headers, b"host")
        if len(self.pipeline) >= _MOST_WAITING:
            self.stop(429, f"{_MOST_WAITING} requests of this connection are waiting already")
        if version not in ("1.0", "1.1"):
            self.stop(505, f"HTTP/{version} is not spoken here")
        if method in (b"CONNECT", b"TRACE"):
            self.stop(405, f"{method.decode()} is not possible here")
        if trouble := host_trouble(version, hosts):
            self.stop(400, trouble)
        self._settle_target()
        if codings and (version == "1.0" or [x.lower() for x in codings] != [b"chunked"]):
            self.stop(501, "the only transfer coding here is chunked")
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
            self.stop(400, str(error))

    def _should_upgrade(self) -> bool:
        # Asked by uvicorn where it starts the application: no request that wants an upgrade
        # starts there, data_received decides about it.
        return True

    # Upgrades

    def _take_upgrade(self, early: bytes) -> None:
        """The parser stopped behind a head that wants an upgrade; ``early`` came behind it."""
        if self._refusal is not None:
            self.refuse(*self._refusal)
        elif b"websocket" in tokens(self.headers, b"upgrade"):
            self._open_tunnel(early)
        else:
            self.ignore_upgrade(early)

    def _open_tunnel(self, early: bytes) -> None:
        cycle: Any = self.cycle  # None before the first request, whatever uvicorn's types say
        if cycle is not None and not cycle.response_complete:
            self.refuse(400, "an upgrade behind a request that is not answered yet")
            return
        try:
            url = httptools.parse_url(self.url)
        except httptools.HttpParserError:
            self.refuse(400, "the request target is not a path")
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
            self.refuse(400, "a WebSocket needs HTTP/1.1")
            return
        plan = plan_upgrade(self._edge, request)
        if isinstance(plan, Refusal):
            details = {"route": plan.route, "service": plan.service} if plan.route else {"path": request.path}
            now = time.perf_counter()
            self._edge.log(request.client, request.method, request.target, plan.status, now, "", plan.route)
            self._allowed = "GET"
            self.end_with(plan.status, plan.message, **details)
            return
        transport, connections = self.transport, self.connections
        self.let_go()
        Upgrade(self._edge, transport, connections, request, plan, early).begin()

    # Refusals

    def refuse(self, status: int, message: str) -> None:
        """Answer a request that is not as it should be, and end the connection."""
        self._edge.counters.answered(status)
        logger.info("refused a request of %s: %s", self.client, message)
        self.end_with(status, message)

    def error_body(self, status: int, message: str, **details: str) -> tuple[str, bytes]:
        """Media type and body of an answer that we give ourselves."""
        return "application/json", error_body(status, message, **details)

    def error_answer(self, status: int, message: str, **details: str) -> bytes:
        """A whole answer that we give ourselves."""
        return error_response(status, message, allow=self._allowed, **details)

    def abandon(self, cycle: Any) -> None:
        """Let who answers a request know that nobody hears the answer."""
        super().abandon(cycle)
        gone, self._gone = self._gone, None
        if gone is not None:
            gone()

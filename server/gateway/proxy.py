"""Plain HTTP through the gateway, streamed both ways: an ASGI application.

Nothing is collected: a chunk of upstream's answer is written as it comes (SockJS's streaming
transports and server-sent events depend on it), a request body is passed on as it comes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import aiohttp
from multidict import CIMultiDict
from starlette.types import Receive, Scope, Send
from yarl import URL

from .edge import Edge
from .heads import Header, end_to_end, error_body, values
from .request import MAX_PATH, RouteRequest
from .routes import Route
from .targets import Target

logger = logging.getLogger("pushscope.gateway")

_CHUNK = 64 * 1024
_NOT_PASSED = frozenset((b"host", b"expect"))
_NO_BODY = (204, 304)


class _Failure(Exception):
    """A request that the gateway answers itself."""

    def __init__(self, status: int, message: str, **details: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details


class _ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class HttpProxy:
    """Proxies what no page of the gateway itself takes. Use as an async context manager."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        settings = self._edge.settings
        self._session = aiohttp.ClientSession(
            # No limit: long polls would use up any number of connections and block the rest. No
            # reuse: a kept connection that upstream closes at the wrong moment is a 502 for a
            # POST, and a request whose body has been streamed cannot be sent twice.
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=10, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout_s),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=_CHUNK,
            max_line_size=64 * 1024,
            max_field_size=64 * 1024,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        exchange = _Exchange(self._edge, self._session, scope, receive, send)
        try:
            await exchange.run()
        except _Failure as failure:
            await exchange.fail(failure)
        except _ClientGone:
            exchange.log(499)


class _Exchange:
    """One request and its answer."""

    def __init__(
        self, edge: Edge, session: aiohttp.ClientSession | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        assert session is not None, "the proxy has not been entered"
        self._edge = edge
        self._session = session
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers: list[Header] = list(scope["headers"])
        self._request = RouteRequest(
            str(scope["method"]),
            bytes(scope["raw_path"]).decode("latin-1"),
            bytes(scope["query_string"]),
            self._headers,
            str(scope["client"][0]) if scope.get("client") else "",
            scope.get("scheme") == "https",
        )
        self._started = time.perf_counter()
        self._upstream = ""
        self._added: tuple[Header, ...] = ()
        self._head_sent = False
        self._task = asyncio.current_task()
        self._left: asyncio.Task[None] | None = None
        self._gone = False
        self._body_taken = False
        self._body_failure: Exception | None = None
        self._deadline: asyncio.Timeout | None = None

    async def run(self) -> None:
        edge = self._edge
        if reason := edge.refuse_host(values(self._headers, b"host")):
            raise _Failure(403, reason)
        path = self._request.path
        if len(path) > MAX_PATH:
            raise _Failure(414, f"a path has {MAX_PATH} bytes at most")
        route = edge.routes.find(self._request)
        if route is None:
            raise _Failure(404, f"no route takes {path}", path=path)
        details = {"route": route.id, "service": route.upstream.service or route.uri}
        if route.upstream.websocket_only:
            raise _Failure(400, f"{route.uri} takes WebSockets only", **details)
        self._check_length()
        targets = edge.balancer.candidates(route.upstream, self._request)
        if not targets:
            raise _Failure(503, f"no instance of service {route.upstream.service!r} is registered", **details)
        try:
            await self._try_targets(route, targets)
        except asyncio.CancelledError:
            if not self._gone or self._task is None:
                raise
            self._task.uncancel()  # we cancelled ourselves, because the client left
            raise _ClientGone from None
        finally:
            if self._left is not None:
                self._left.cancel()

    async def fail(self, failure: _Failure) -> None:
        """Answer with the gateway's own words, unless an answer has begun."""
        self.log(failure.status)
        if self._head_sent:
            # Too late for a status. Returning in the middle of an answer makes uvicorn close the
            # connection, so that the answer is visibly cut.
            logger.warning("%s", failure.message)
            return
        body = error_body(failure.status, failure.message, **failure.details)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        if not self._body_taken and self._has_body():
            headers.append((b"connection", b"close"))  # the rest of the body is not read
        await self._send({"type": "http.response.start", "status": failure.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    def log(self, status: int) -> None:
        """Write the access line."""
        request = self._request
        self._edge.log(request.client, request.method, request.target, status, self._started, self._upstream)

    async def _try_targets(self, route: Route, targets: tuple[Target, ...]) -> None:
        tried: list[str] = []
        details = {"route": route.id, "service": route.upstream.service or route.uri}
        for target in targets:
            self._upstream = f"{target.id}@{target.authority}"
            try:
                response = await self._ask(route, target)
            except (aiohttp.ClientError, TimeoutError) as error:
                tried.append(self._why_not(target, error, details))
            else:
                self._added = self._edge.balancer.reached(route.upstream, self._request, target)
                await self._relay(route, response)
                return
        raise _Failure(502, f"no instance could be reached: {'; '.join(tried)}", **details)

    def _why_not(self, target: Target, error: Exception, details: dict[str, str]) -> str:
        """Words for a dial that failed (the next one may do it); raises for anything worse."""
        if self._body_failure is not None:  # aiohttp wraps what the body's iterator raises
            raise self._body_failure from error
        name = f"{target.id or 'upstream'} at {target.authority}"
        match error:
            case aiohttp.ClientConnectorError():
                self._edge.dial_failed(target)
                return f"{name}: {error.os_error.strerror or error.os_error}"
            case aiohttp.ConnectionTimeoutError():
                self._edge.dial_failed(target)
                return f"{name}: no answer"
            case TimeoutError():
                seconds = self._edge.settings.response_timeout_s
                raise _Failure(504, f"{name} did not answer within {seconds:g} s", **details) from error
            case _:
                raise _Failure(502, f"{name}: {_words(error)}", **details) from error

    async def _ask(self, route: Route, target: Target) -> aiohttp.ClientResponse:
        request = self._request
        path, query = route.path_for(request), request.query.decode("latin-1")
        scheme = "https" if target.secure else "http"
        url = URL(f"{scheme}://{target.authority}{path}{'?' + query if query else ''}", encoded=True)
        kept = end_to_end(self._headers, drop=_NOT_PASSED)
        hosts = values(self._headers, b"host")
        kept = self._edge.forwarded.apply(kept, request.client, hosts[0] if hosts else b"", request.secure)
        kept = route.request_headers(request, kept)
        kept = self._edge.balancer.request_headers(route.upstream, target, kept)
        if route.preserve_host and hosts:
            kept.append((b"host", hosts[0]))
        if not self._has_body():
            self._body_taken = True
        async with asyncio.timeout(None) as self._deadline:
            if self._body_taken:
                self._start_waiting()
            return await self._session.request(
                request.method,
                url,
                headers=CIMultiDict((n.decode("latin-1"), v.decode("latin-1")) for n, v in kept),
                data=self._body() if self._has_body() else None,
                allow_redirects=False,
            )

    async def _relay(self, route: Route, response: aiohttp.ClientResponse) -> None:
        try:
            headers = end_to_end([(name.lower(), value) for name, value in response.raw_headers])
            headers = route.response_headers(self._request, [*headers, *self._added])
            if response.status in _NO_BODY:
                headers = [item for item in headers if item[0] != b"content-length"]
            self._head_sent = True
            await self._send({"type": "http.response.start", "status": response.status, "headers": headers})
            async for chunk in response.content.iter_any():
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
            await self._send({"type": "http.response.body", "body": b""})
            self.log(response.status)
        except aiohttp.ClientError as error:
            raise _Failure(502, f"{self._upstream} broke off in its answer: {_words(error)}") from error
        finally:
            response.close()

    # The request's body, and the client's leaving

    def _has_body(self) -> bool:
        lengths = values(self._headers, b"content-length")
        return bool(values(self._headers, b"transfer-encoding")) or any(x.strip(b"0") for x in lengths)

    def _check_length(self) -> None:
        limit = self._edge.settings.max_body
        for value in values(self._headers, b"content-length"):
            if int(value) > limit:
                raise _Failure(413, f"a request body has {limit} bytes at most")

    async def _body(self) -> AsyncIterator[bytes]:
        size = 0
        limit = self._edge.settings.max_body
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._body_failure = _ClientGone()
                raise self._body_failure
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                self._body_failure = _Failure(413, f"a request body has {limit} bytes at most")
                raise self._body_failure
            if chunk:
                yield chunk
            if not message.get("more_body", False):
                self._body_taken = True
                self._start_waiting()
                return

    def _start_waiting(self) -> None:
        """The request is complete: upstream's time runs, and the client may only leave."""
        seconds = self._edge.settings.response_timeout_s
        if self._deadline is not None and seconds and not self._head_sent:
            self._deadline.reschedule(asyncio.get_running_loop().time() + seconds)
        if self._left is None:
            self._left = asyncio.create_task(self._wait_until_gone())

    async def _wait_until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        if self._task is not None:
            self._task.cancel()


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__

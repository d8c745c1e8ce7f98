"""One plain request through the gateway and its answer, streamed both ways.

Nothing is collected: a piece of upstream's answer is written as it comes (SockJS's streaming
transports and server-sent events depend on it), a request body is passed on as it comes, and who
does not take what is sent to him holds the other side back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from starlette.types import Receive, Scope, Send

from ..balancing.affinity import session_of
from ..balancing.targets import Target
from ..edge import Edge
from ..heads import Header, end_to_end, error_body, request_head, values
from ..routing.cors import with_cors
from ..routing.request import MAX_PATH, request_of
from ..routing.routes import Route
from .body import BodyError, ClientGone, RequestBody
from .client_end import CLIENT_END, ClientEnd
from .compression import Gzip, gzip_for
from .pool import UpstreamPool
from .upstream import AnswerHead, UpstreamConnection, UpstreamFailure

logger = logging.getLogger("pushscope.gateway")

_NOT_PASSED = frozenset((b"host", b"expect"))
_NO_BODY = (204, 304)
#: RFC 9110 §9.2.2: executed twice they do what they do when executed once.
_IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))


class Failure(Exception):
    """A request that the gateway answers itself; ``cause`` ("io", "timeout" or "") is for a route's
    filter Retry."""

    def __init__(self, status: int, message: str, cause: str = "", **details: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.cause = cause
        self.details = details


class Exchange:
    """One request and its answer: :meth:`run`, and :meth:`fail` or :meth:`log` for what it raises."""

    def __init__(self, edge: Edge, pool: UpstreamPool, scope: Scope, receive: Receive, send: Send) -> None:
        self._edge = edge
        self._pool = pool
        self._send = send
        self._request = request_of(scope)
        self._headers: list[Header] = list(self._request.headers)
        settings = edge.settings
        self._end: ClientEnd = scope["extensions"][CLIENT_END]
        self._body = RequestBody(
            self._headers, receive, self._end.arrived, settings.max_body, settings.body_timeout_s
        )
        self._started = time.perf_counter()
        self._route: Route | None = None
        self._cors: Sequence[Header] = ()
        self._upstream = ""
        self._head_sent = False
        self._task = asyncio.current_task()
        self._gone = False
        self._pump: asyncio.Task[None] | None = None
        self._connection: UpstreamConnection | None = None
        self._deadline: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Do all of it.

        Raises:
            Failure, BodyError: to be answered with :meth:`fail`.
            ClientGone: nobody is there to be answered.
        """
        edge, request = self._edge, self._request
        if reason := edge.refuse_host(values(self._headers, b"host")):
            raise Failure(403, reason)
        if len(request.path) > MAX_PATH:
            raise Failure(414, f"a path has {MAX_PATH} bytes at most")
        route = self._route = edge.routes.find(request)
        verdict = edge.cors.judge(request, route.spec.cors if route else None, routed=route is not None)
        self._cors = verdict.headers
        if verdict.status:
            self.log(verdict.status)
            await self._send_whole(verdict.status, [(b"content-length", b"0")], b"")
            return
        if route is None:
            raise Failure(404, f"no route takes {request.path}", path=request.path)
        if route.closed:
            raise Failure(404, f"route {route.id!r} is left out: see /routes", path=request.path)
        if route.upstream.websocket_only:
            raise Failure(400, f"{route.uri} takes WebSockets only", **self._details(route))
        await self._body.begin()
        if self._end.gone:
            raise ClientGone
        self._end.watch(self._client_gone)
        try:
            connection, head = await self._ask_until_content(route)
            await self._relay(route, connection, head)
        except asyncio.CancelledError:
            if not self._gone or self._task is None:
                raise
            self._task.uncancel()  # we cancelled ourselves, because the client left
            raise ClientGone from None
        finally:
            self._end.watch(None)
            self._let_go()
            edge.counters.bytes_in += self._body.size

    async def fail(self, status: int, message: str, **details: str) -> None:
        """Answer with the gateway's own words, unless an answer has begun."""
        self.log(status)
        if self._head_sent:
            logger.warning("%s", message)  # too late for a status
            self._end.cut()
            return
        body = error_body(status, message, **details)
        await self._send_whole(
            status, [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))], body
        )

    async def _send_whole(self, status: int, headers: list[Header], body: bytes) -> None:
        headers = [*self._cors, *headers]
        if not self._body.complete:
            headers.append((b"connection", b"close"))  # the rest of the body is not read
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    def log(self, status: int) -> None:
        """Write the access line."""
        request, route = self._request, self._route
        self._edge.log(
            request.client,
            request.method,
            request.target,
            status,
            self._started,
            self._upstream,
            route.id if route is not None else "",
        )

    # Asking

    async def _ask_until_content(self, route: Route) -> tuple[UpstreamConnection, AnswerHead]:
        """Ask once, or as often as the route's filter Retry wants to."""
        retry = route.retry
        # What is not in our hands any more cannot be sent again.
        if retry is None or not retry.takes(self._request.method) or self._body.whole is None:
            return await self._ask_somebody(route)
        for attempt in range(1, retry.retries + 1):
            try:
                connection, head = await self._ask_somebody(route)
            except Failure as failure:
                self._let_go()
                if not (
                    (failure.cause == "io" and retry.on_io)
                    or (failure.cause == "timeout" and retry.on_timeout)
                ):
                    raise
            else:
                if not retry.wants(head.status):
                    return connection, head
                self._let_go()
            self._edge.counters.retries += 1
            if delay := retry.delay(attempt):
                await asyncio.sleep(delay)
        return await self._ask_somebody(route)

    async def _ask_somebody(self, route: Route) -> tuple[UpstreamConnection, AnswerHead]:
        """The first of the route's instances that can be reached."""
        targets = self._edge.balancer.candidates(route.upstream, self._request)
        details = self._details(route)
        if not targets:
            raise Failure(503, self._edge.balancer.why_nobody(route.upstream), **details)
        tried: list[str] = []
        for target in targets:
            self._upstream = f"{target.id}@{target.authority}"
            try:
                kept = self._pool.take_kept(target)
                if kept is not None and (head := await self._ask_kept(route, kept)) is not None:
                    return kept, head
                connection = await self._dial(route, target, tried)
                if connection is not None:
                    return connection, await self._ask(route, connection)
            except UpstreamFailure as failure:
                if failure.cause != "left":
                    raise self._no_answer(route, target, failure) from failure
                self._let_go()
                tried.append(f"{target.id} at {target.authority} {failure}")
        raise Failure(502, f"no instance could be reached: {'; '.join(tried)}", "io", **details)

    async def _ask_kept(self, route: Route, kept: UpstreamConnection) -> AnswerHead | None:
        """Ask over a kept connection; None: it died idle, and the request may be sent again."""
        try:
            return await self._ask(route, kept)
        except UpstreamFailure as failure:
            if failure.answered or failure.cause or not self._repeatable:
                raise
            self._let_go()
            return None

    @property
    def _repeatable(self) -> bool:
        """Whether the request may be sent again although it may have been executed already."""
        return self._body.whole is not None and self._request.method in _IDEMPOTENT

    def registry_changed(self, edge: Edge) -> None:
        """The registry is another: if who we wait for is no longer in it, the next one is asked.

        A paused process accepts connections, but answers none. Sessions of SockJS are not for
        others, and one that stops still answers its polls: they are not among those who wait.
        """
        connection, route = self._connection, self._route
        if connection is None or route is None or connection.answered:
            return
        if not edge.balancer.knows(route.upstream, connection.target):
            connection.fail("left before it answered", "left")

    async def _dial(self, route: Route, target: Target, tried: list[str]) -> UpstreamConnection | None:
        try:
            return await self._pool.dial(target, self._edge.connect_timeout(route))
        except OSError as error:  # TimeoutError is one
            tried.append(self._edge.dial_failed(target, error))
            return None

    async def _ask(self, route: Route, connection: UpstreamConnection) -> AnswerHead:
        self._connection = connection
        connection.begin(head_only=self._request.method == "HEAD")
        head, whole = self._head_for(route, connection.target), self._body.whole
        if whole is not None:
            connection.send(head + whole if whole else head)
            self._start_waiting(route, connection)
        else:
            connection.send(head)
            self._pump = asyncio.create_task(self._pump_body(route, connection))
        waiting = self._edge.waiting
        if self._repeatable and not session_of(self._request.path):
            waiting.add(self)
        try:
            return await connection.head()
        except UpstreamFailure as failure:
            pump = self._pump
            if pump is not None and pump.done() and (error := pump.exception()) is not None:
                raise error from failure
            raise
        finally:
            waiting.discard(self)
            self._stop_waiting()

    def _head_for(self, route: Route, target: Target) -> bytes:
        request, edge, body = self._request, self._edge, self._body
        path = route.path_for(request)
        kept = edge.headers_for(route, request, target, path, _NOT_PASSED)
        if body.chunked:
            whole = body.whole
            kept.append(
                (b"transfer-encoding", b"chunked")
                if whole is None
                else (b"content-length", b"%d" % len(whole))
            )
        return request_head(request.method.encode(), route.target_for(request, path), kept)

    async def _pump_body(self, route: Route, connection: UpstreamConnection) -> None:
        try:
            await self._body.pump(connection, self._edge.response_timeout(route))
        except (BodyError, ClientGone) as error:
            connection.fail(str(error))
            raise
        self._start_waiting(route, connection)

    def _start_waiting(self, route: Route, connection: UpstreamConnection) -> None:
        """The request is complete: upstream's time runs."""
        seconds = self._edge.response_timeout(route)
        if seconds and not self._head_sent:
            self._deadline = asyncio.get_running_loop().call_later(
                seconds, lambda: connection.fail(f"did not answer within {seconds:g} s", "late")
            )

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _no_answer(self, route: Route, target: Target, failure: UpstreamFailure) -> Failure:
        message = f"{target.id or 'upstream'} at {target.authority} {failure}"
        if failure.cause == "late":
            return Failure(504, message, "timeout", **self._details(route))
        return Failure(502, message, "io", **self._details(route))

    def _details(self, route: Route) -> dict[str, str]:
        return {"route": route.id, "service": route.upstream.service or route.uri}

    # Answering

    async def _relay(self, route: Route, connection: UpstreamConnection, head: AnswerHead) -> None:
        edge, request = self._edge, self._request
        headers = with_cors(self._cors, end_to_end(head.headers))
        headers += edge.balancer.reached(route.upstream, request, connection.target)
        headers = route.response_headers(request, headers)
        if head.status in _NO_BODY:
            headers = [item for item in headers if item[0] != b"content-length"]
        gzip: Gzip | None = None
        if edge.settings.compression.enabled:
            gzip, headers = gzip_for(edge.settings.compression, request, head, headers)
            edge.counters.compressed += gzip is not None
        self._head_sent = True
        self._stop_waiting()
        # Most polls and sends of SockJS: short, and there as a whole.
        body = connection.take_whole() if gzip is None else None
        if body is None or not self._end.answer(head.status, headers, body):
            await self._send({"type": "http.response.start", "status": head.status, "headers": headers})
            await self._send_body(connection, gzip, body)
        else:
            edge.counters.bytes_out += len(body)
        self.log(head.status)

    async def _send_body(
        self, connection: UpstreamConnection, gzip: Gzip | None, begun: bytes | None
    ) -> None:
        """Pass on what comes of the body; ``begun`` is all of it, if that has been taken already."""
        last = False
        try:
            while not last:
                piece = await connection.read() if begun is None else begun
                last = connection.finished
                if gzip is not None:
                    piece = gzip.compress(piece, last=last)
                self._edge.counters.bytes_out += len(piece)
                await self._send({"type": "http.response.body", "body": piece, "more_body": not last})
        except UpstreamFailure as failure:
            raise Failure(502, f"{self._upstream} {failure}") from failure

    # The end

    def _client_gone(self) -> None:
        self._gone = True
        self._end.left()
        if self._task is not None:
            self._task.cancel()

    def _let_go(self) -> None:
        """Leave the connection to the pool, which knows whether it is of any use."""
        self._stop_waiting()
        pump, self._pump = self._pump, None
        if pump is not None and not pump.done():
            pump.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            sent = pump is None or (pump.done() and not pump.cancelled() and pump.exception() is None)
            self._pool.give_back(connection, sent=sent)

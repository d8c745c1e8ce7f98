"""A WebSocket upgrade through the gateway: dial first, upgrade second, then splice.

The client's connection becomes a tunnel only after upstream has answered 101 with the accept key
that belongs to the client's key. Any other answer is relayed once and both sides are closed:
whatever the client sent behind its request is thrown away, never forwarded (otherwise a refused
upgrade would be a tunnel for smuggled requests).

A tunnel is its two ends' own affair: as with Spring Cloud Gateway it outlives the registration of
its instance, which says nothing about the connection (drained instances leave the list, discovery
restarts, a paused instance may go on). Users on a paused instance notice by STOMP's heart-beats, as
in real deployments; the gateway shows at ``/health`` and ``/metrics`` on which instances tunnels are.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import MutableSet
from typing import Any

from ..balancing.targets import Target
from ..edge import Edge
from ..heads import Header, UpgradeAnswer, end_to_end, error_response, parse_answer, response_head
from ..routing.cors import with_cors
from ..routing.request import RouteRequest
from ..tcp import notice_death, reset
from .answer import UpstreamEnd
from .idle import Watched
from .plan import Plan
from .splice import close_soon, join

_SWITCHING = {b"upgrade": b"websocket", b"connection": b"Upgrade"}


class Upgrade(asyncio.Protocol):
    """One upgrade under way; the client's protocol until it is a tunnel or over.

    Reading from the client is paused meanwhile, so what it sends too early stays in the kernel;
    ``early`` is what had come together with the head.
    """

    #: What the client sends early is not read if it is refused.
    unread = True

    def __init__(
        self,
        edge: Edge,
        client: asyncio.Transport,
        connections: MutableSet[Any],
        request: RouteRequest,
        plan: Plan,
        early: bytes,
    ) -> None:
        self._edge = edge
        self._client = client
        self._connections = connections
        self._request = request
        self._plan = plan
        self._early = early
        self._started = time.perf_counter()
        self._left = list(reversed(plan.targets))
        self._tried: list[str] = []
        self._relaying = False
        self._target: Target | None = None
        self._answer: UpstreamEnd | None = None
        self._upstream: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._dialling: asyncio.Task[None] | None = None

    @property
    def transport(self) -> asyncio.Transport:
        """The client's transport (what cuts a server's connections asks for it)."""
        return self._client

    def begin(self) -> None:
        """Take the client's connection over and dial."""
        self._connections.add(self)
        self._edge.waiting.add(self)
        self._client.pause_reading()
        self._client.set_protocol(self)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._edge.settings.handshake_timeout_s, self._too_late)
        self._start_dialling()

    # What the client's transport says

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._end()

    def pause_writing(self) -> None:
        """The client does not take a refusal's body fast enough."""
        if self._upstream is not None:
            self._upstream.pause_reading()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._upstream is not None:
            self._upstream.resume_reading()

    def shutdown(self) -> None:
        """The server stops."""
        self.fail(503, "the gateway is stopping")

    def registry_changed(self, edge: Edge) -> None:
        """The registry is another: if who we wait for is no longer in it, the next one is asked.

        It has been asked for an upgrade, which changes nothing, and has not answered (a paused
        process accepts connections, but answers none).
        """
        target, answer = self._target, self._answer
        if target is None or answer is None or answer.begun:
            return
        if edge.balancer.knows(self._plan.route.upstream, target):
            return
        answer.abandon()
        self._target = self._answer = self._upstream = None
        self._tried.append(f"{target.id or 'upstream'} at {target.authority}: left before it answered")
        self._start_dialling()

    # Dialling

    def _start_dialling(self) -> None:
        self._dialling = self._edge.tasks.start(self._dial(), "dial for an upgrade")

    async def _dial(self) -> None:
        while self._left:
            target = self._left.pop()
            answer = UpstreamEnd(self, self._plan.accept)
            try:
                await self._edge.dialler.dial(target, answer, self._edge.connect_timeout(self._plan.route))
            except OSError as error:  # TimeoutError is one
                answer.abandon()
                self._tried.append(self._edge.dial_failed(target, error))
                continue
            self._dialling = None
            self._dialled(target, answer)
            return
        self._dialling = None
        self.fail(502, f"no instance could be reached: {'; '.join(self._tried)}")

    def _dialled(self, target: Target, answer: UpstreamEnd) -> None:
        upstream = answer.transport
        if upstream is None or upstream.is_closing() or self._client.is_closing():
            self.fail(502, f"{target.id or 'upstream'} at {target.authority} closed the connection")
            return
        self._target = target
        self._answer = answer
        self._upstream = upstream
        upstream.write(self._plan.head(target))

    # What upstream says

    def accepted(self, data: bytes) -> None:
        """The answer is a WebSocket's; ``data`` is its head and what came with it."""
        client, upstream = self._client, self._upstream
        if upstream is None or upstream.is_closing() or client.is_closing():
            self.no_answer("closed the connection")
            return
        self._release()
        self._upstream = None
        self._join(client, upstream)
        client.write(self._for_client(data))
        if self._early:
            upstream.write(self._early)
        client.resume_reading()
        self._log(101)

    def _for_client(self, data: bytes) -> bytes:
        """The 101 as it came, unless there is something to change in its head."""
        head, _, rest = data.partition(b"\r\n\r\n")
        answer = parse_answer(head)
        changed = self._answered(answer)
        if changed == [item for item in answer.headers if item[0] not in _SWITCHING]:
            return data
        return response_head(101, b"", [*_SWITCHING.items(), *changed]) + rest

    def _answered(self, answer: UpgradeAnswer) -> list[Header]:
        """The headers of the answer for the client, but for those of the connection."""
        kept = with_cors(self._plan.cors, [*end_to_end(answer.headers), *self._reached()])
        return self._plan.route.response_headers(self._request, kept)

    def _join(self, client: asyncio.Transport, upstream: asyncio.Transport) -> None:
        edge, limit_s = self._edge, self._plan.route.idle_timeout
        instance = self._target.id if self._target is not None else ""
        watched: Watched | None = None
        if limit_s:
            name = f"route {self._plan.route.id}, {self._request.client} to {self._where()}"
            watched = edge.idle.watch(limit_s, client, upstream, name)

        def over() -> None:
            edge.tunnel_over(instance)
            if watched is not None:
                edge.idle.forget(watched)

        edge.tunnel_opened(instance)
        notice_death(client)
        notice_death(upstream)
        through = watched.through if watched is not None else None
        join(client, upstream, self._connections, over, edge.scratch, through)

    def relay_head(self, answer: UpgradeAnswer) -> None:
        """The answer is something else: pass it on, once."""
        self._relaying = True
        headers = [*self._answered(answer), (b"connection", b"close")]
        self._client.write(response_head(answer.status, b"", headers))
        self._log(answer.status)

    def _reached(self) -> tuple[Header, ...]:
        """What the answer must have besides, for the client to come back to the same instance."""
        target = self._target
        assert target is not None, "nobody has been asked"
        return self._edge.balancer.reached(self._plan.route.upstream, self._request, target)

    def relay_body(self, data: bytes) -> None:
        """A piece of that answer's body."""
        self._client.write(data)

    def over(self) -> None:
        """The relayed answer is complete, or upstream is gone in the middle of it."""
        close_soon(self._client)
        self._end()

    def fail(self, status: int, message: str) -> None:
        """Answer the client ourselves, and close; cut it if it is being answered already."""
        route = self._plan.route
        if self._relaying:
            reset(self._client)
        elif not self._client.is_closing():
            details = {"route": route.id, "service": route.upstream.service or route.uri}
            self._client.write(error_response(status, message, **details))
            self._log(status)
            close_soon(self._client)
        self._end()

    def no_answer(self, message: str) -> None:
        """Upstream answered with nothing that can be passed on."""
        target = self._target
        self.fail(502, f"{target.id or target.authority if target is not None else 'upstream'} {message}")

    # The end

    def _too_late(self) -> None:
        seconds = self._edge.settings.handshake_timeout_s
        self.fail(504, f"upstream did not answer the upgrade within {seconds:g} s")

    def _end(self) -> None:
        self._release()
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.abort()

    def _release(self) -> None:
        self._connections.discard(self)
        self._edge.waiting.discard(self)
        self._answer = None  # it refers back to us
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._dialling is not None:
            self._dialling.cancel()
            self._dialling = None

    def _where(self) -> str:
        target = self._target
        return f"{target.id}@{target.authority}" if target is not None else ""

    def _log(self, status: int) -> None:
        request = self._request
        where, route = self._where(), self._plan.route.id
        self._edge.log(request.client, "GET", request.target, status, self._started, where, route)

"""What the gateway serves itself: the demo page, ``/health``, ``/metrics`` and ``/routes``.

A route that takes a path of the demo page has it: the page is ours, the routes are the user's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..access.rule import AccessRule, Refused
from .demo import PREFIX, DemoPage
from .edge import Edge
from .metrics import PROMETHEUS, Metrics
from .routing.request import request_of
from .routing.routes import Route


class Pages:
    """Takes the gateway's own paths and hands everything else on.

    ``report`` adds to ``/health`` what only the running gateway knows.
    """

    def __init__(
        self,
        edge: Edge,
        rule: AccessRule,
        report: Callable[[], dict[str, Any]],
        metrics: Metrics,
        proxy: ASGIApp,
    ) -> None:
        self._edge = edge
        self._rule = rule
        self._report = report
        self._metrics = metrics
        self._proxy = proxy
        self._page = DemoPage()
        self._own = {"/health": self._health, "/metrics": self._prometheus, "/routes": self._routes}
        self._started = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        path: str = scope["path"]
        own = self._own.get(path)
        if own is None and (not path.startswith(PREFIX) or self._is_routed(scope)):
            await self._proxy(scope, receive, send)
            return
        request = Request(scope)
        started = time.perf_counter()
        response = self._answer(request, own)
        client = request.client.host if request.client else ""
        self._edge.log(client, request.method, path, response.status_code, started, "gateway")
        await response(scope, receive, send)

    def _is_routed(self, scope: Scope) -> bool:
        return self._edge.routes.find(request_of(scope)) is not None

    def _answer(self, request: Request, own: Callable[[Request], Response] | None) -> Response:
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("only GET is possible here\n", 405, {"allow": "GET, HEAD"})
        if reason := self._edge.refuse_host([request.headers.get("host", "").encode("latin-1")]):
            return PlainTextResponse(reason, 403)
        return own(request) if own is not None else self._page.answer(request.scope["path"])

    def _health(self, request: Request) -> Response:
        said: dict[str, Any] = {"status": "up", "role": "gateway"}
        if self._rule.refuse_read(request.headers.raw):
            return _json(said)  # a probe needs no more
        counters = self._edge.counters
        said |= {
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - self._started, 3),
            "tunnels": counters.open_tunnels,
            "tunnels_at": dict(sorted(counters.tunnels_at.items())),
            "upgrades": counters.upgrades,
            "requests": counters.requests,
            "failed_dials": counters.failed_dials,
            "answers": {str(status): count for status, count in sorted(counters.answers.items())},
        }
        return _json(said | self._report())

    def _prometheus(self, request: Request) -> Response:
        if refused := self._rule.refuse_read(request.headers.raw):
            return _refused(refused)
        return Response(self._metrics.text(), media_type=PROMETHEUS)

    def _routes(self, request: Request) -> Response:
        # Internal addresses are nobody's business on a public address.
        if refused := self._rule.refuse_read(request.headers.raw):
            return _refused(refused)
        return _json(
            {
                "routes": [self._route(route) for route in self._edge.routes.routes if not route.closed],
                "left_out": [msgspec.to_builtins(each) for each in self._edge.settings.left_out],
                "warnings": [*self._edge.settings.notes, *self._edge.routes.warnings],
            }
        )

    def _route(self, route: Route) -> dict[str, Any]:
        return {
            "id": route.id,
            "uri": route.uri,
            "predicates": [str(part) for part in route.spec.predicates],
            "filters": [str(part) for part in route.spec.filters],
            "order": route.spec.order,
            "metadata": route.spec.metadata,
            "timeouts_s": {
                "connect": self._edge.connect_timeout(route),
                "response": self._edge.response_timeout(route),
                "idle": route.idle_timeout,
            },
            "instances": [
                {"id": item.id, "address": item.authority, "state": state}
                for item, state in self._edge.balancer.states(route.upstream)
            ],
        }


def _refused(refused: Refused) -> Response:
    answer = PlainTextResponse(refused.reason, refused.status)
    answer.raw_headers.extend(refused.headers)
    return answer


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")

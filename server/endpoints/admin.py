"""What an instance says about itself: ``/health``, ``/info``, ``/metrics``, ``/stages``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Protocol

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ..access.origins import page_elsewhere
from ..access.rule import AccessRule
from ..messages.counters import Counters
from ..messages.stages import StageLog

#: Push ids that one ``/stages`` may ask for.
MOST_IDS: Final = 50_000
#: Users of whom ``/info`` says where they are, unless it is asked for others (``?user=``, ``?users=``).
_USERS: Final = 50
_MOST_DIGITS: Final = 9
_LARGEST_BODY: Final = 16 * 1024 * 1024
_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"


class Facts(Protocol):
    """What the admin endpoints ask the instance."""

    @property
    def counters(self) -> Counters:
        """Its counters."""
        ...

    @property
    def stages(self) -> StageLog:
        """Where its pushes are."""
        ...

    def info(self) -> dict[str, Any]:
        """The content of ``/info``, its ``counters`` included."""
        ...

    def where(self, user: str | None, most: int) -> dict[str, Any]:
        """Which instance holds which user's sessions: of one user, or of so many at most."""
        ...


class StagesRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /stages``."""

    ids: list[str]


Endpoint = Callable[[Request], Awaitable[Response]]


def admin_routes(facts: Facts, rule: AccessRule) -> list[Route]:
    """The routes of one instance."""
    metrics = CollectorRegistry(auto_describe=False)
    metrics.register(_InstanceCollector(facts))

    def guarded(endpoint: Endpoint) -> Endpoint:
        async def answered(request: Request) -> Response:
            if refused := rule.refuse_read(request.headers.raw):
                answer = _json({"error": refused.reason}, refused.status)
                answer.raw_headers.extend(refused.headers)
                return answer
            if page := page_elsewhere(request.headers.raw):
                return _json({"error": f"a page of {page[:100]} may not look here"}, 403)
            return await endpoint(request)

        return answered

    async def health(request: Request) -> Response:
        if rule.refuse_read(request.headers.raw):
            return _json({"status": "up"})  # a probe needs no more
        info = facts.info()
        return _json(
            {
                "status": "up",
                "id": info["id"],
                "service": info["service"],
                "broker": info["broker"]["available"],
            }
        )

    async def info(request: Request) -> Response:
        asked = request.query_params
        most = asked.get("users", "")
        limit = int(most) if most.isascii() and most.isdigit() and len(most) < _MOST_DIGITS else _USERS
        return _json({**facts.info(), **facts.where(asked.get("user"), limit)})

    async def prometheus(request: Request) -> Response:
        return Response(generate_latest(metrics), media_type=_PROMETHEUS)

    async def stages(request: Request) -> Response:
        return await _stages(facts.stages, request)

    return [
        Route("/health", health, methods=["GET"]),
        Route("/info", guarded(info), methods=["GET"]),
        Route("/metrics", guarded(prometheus), methods=["GET"]),
        Route("/stages", guarded(stages), methods=["POST"]),
    ]


async def _stages(log: StageLog, request: Request) -> Response:
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > _LARGEST_BODY:
                return _json({"error": "the body is too large", "field": "ids"}, 413)
    except ClientDisconnect:
        return Response(status_code=400)  # it left in the midst of its body: nobody hears this
    try:
        asked = msgspec.json.decode(body, type=StagesRequest)
    except (ValueError, RecursionError) as error:
        return _json({"error": str(error), "field": "ids"}, 400)
    if len(asked.ids) > MOST_IDS:
        return _json({"error": f"at most {MOST_IDS} ids at a time", "field": "ids"}, 400)
    return _json({"stages": log.select(asked.ids)})


def _json(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


class _InstanceCollector(Collector):
    """Prometheus metrics from the instance's own numbers, read when asked."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def collect(self) -> Iterable[Metric]:
        """One sample of each metric."""
        info = self._facts.info()
        for name, value in self._facts.counters.as_dict().items():
            counter = CounterMetricFamily(f"pushscope_{name}", f"{name} since the start", labels=["instance"])
            counter.add_metric([info["id"]], value)
            yield counter
        gauges = {
            "sessions": info["sessions"],
            "users": info["users"],
            "peers": len(info["peers"]),
            "broker_available": int(info["broker"]["available"]),
            "slow_clients": info["slow"]["clients"],
            "held_bytes": info["slow"]["held_bytes"],
            "uptime_seconds": info["uptime_s"],
        }
        yield from _undeliverable(info)
        yield from _registry(info)
        for name, value in gauges.items():
            gauge = GaugeMetricFamily(f"pushscope_{name}", f"{name} now", labels=["instance"])
            gauge.add_metric([info["id"]], value)
            yield gauge


def _undeliverable(info: dict[str, Any]) -> Iterable[Metric]:
    counter = CounterMetricFamily(
        "pushscope_undeliverable_reasons",
        "messages for users without a receiver",
        labels=["instance", "origin", "reason", "stage"],
    )
    for case in info["undeliverable"]["counts"]:
        counter.add_metric([info["id"], case["origin"], case["reason"], case["stage"]], case["count"])
    yield counter


def _registry(info: dict[str, Any]) -> Iterable[Metric]:
    labels = ["instance", "peer", "kind"]
    sessions = GaugeMetricFamily("pushscope_registry_sessions", "sessions of a peer", labels=labels)
    age = GaugeMetricFamily(
        "pushscope_registry_age_seconds", "since a peer was heard of its users", labels=labels
    )
    for peer in info["registry"]["peers"]:
        names = [info["id"], peer["id"], peer["kind"]]
        sessions.add_metric(names, peer["sessions"])
        age.add_metric(names, peer["age_s"])
    yield sessions
    yield age
    longest = GaugeMetricFamily(
        "pushscope_registry_longest_slice_seconds",
        "longest work on the registry at once",
        labels=["instance"],
    )
    longest.add_metric([info["id"]], info["registry"]["longest_slice_ms"] / 1000)
    yield longest

"""``/metrics`` of the gateway: its counters in the text format of Prometheus, read when asked."""

from __future__ import annotations

import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .edge import Edge
from .http.pool import UpstreamPool

#: The media type of what :meth:`Metrics.text` returns.
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "pushscope_gateway_"


class Metrics:
    """The metrics of one gateway."""

    def __init__(self, edge: Edge, pool: UpstreamPool) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_GatewayCollector(edge, pool))

    def text(self) -> bytes:
        """All of them, now."""
        return generate_latest(self._registry)


class _GatewayCollector(Collector):
    def __init__(self, edge: Edge, pool: UpstreamPool) -> None:
        self._edge = edge
        self._pool = pool
        self._started = time.monotonic()

    def collect(self) -> Iterable[Metric]:
        """One sample of each metric."""
        counters, pool = self._edge.counters, self._pool
        answers = CounterMetricFamily(
            f"{_PREFIX}answers",
            "answers by route (empty: none took it) and status",
            labels=["route", "status"],
        )
        for (route, status), count in sorted(counters.by_route.items()):
            answers.add_metric([route, str(status)], count)
        yield answers
        for name, words, value in (
            ("requests", "request heads understood", counters.requests),
            ("upgrades", "upgrades that became tunnels", counters.upgrades),
            ("failed_dials", "connections to instances that could not be made", counters.failed_dials),
            ("dials", "connections made to instances for plain requests", pool.dialled),
            ("reused", "plain requests over a kept connection to an instance", pool.reused),
            ("retries", "requests asked again by a filter Retry", counters.retries),
            ("idle_cuts", "tunnels cut by idle_timeout", counters.idle_cuts),
            ("compressed", "answers compressed", counters.compressed),
        ):
            yield _counter(name, words, value)
        moved = CounterMetricFamily(
            f"{_PREFIX}body_bytes", "bytes of bodies of plain requests", labels=["direction"]
        )
        moved.add_metric(["to_upstream"], counters.bytes_in)
        moved.add_metric(["to_client"], counters.bytes_out)
        yield moved
        for name, words, value in (
            ("watched_tunnels", "WebSockets that idle_timeout may cut", self._edge.idle.watched),
            ("uptime_seconds", "since the start", time.monotonic() - self._started),
        ):
            yield GaugeMetricFamily(_PREFIX + name, words, value=value)
        tunnels = GaugeMetricFamily(
            f"{_PREFIX}open_tunnels", "WebSockets now; empty: a fixed address", labels=["instance"]
        )
        for instance, count in sorted(counters.tunnels_at.items()):
            tunnels.add_metric([instance], count)
        yield tunnels
        connections = GaugeMetricFamily(
            f"{_PREFIX}upstream_connections", "connections for plain requests now", labels=["state"]
        )
        connections.add_metric(["busy"], pool.busy)
        connections.add_metric(["idle"], pool.idle)
        yield connections


def _counter(name: str, words: str, value: float) -> Metric:
    return CounterMetricFamily(_PREFIX + name, words, value=value)

"""Takes the picture of everything that goes out ten times a second."""

from __future__ import annotations

import time
from typing import Final

from ..clock import now
from .board import Board, percentiles
from .cluster import ClusterKeeper
from .messages import EngineState, Snapshot

#: Seconds between snapshots.
SNAPSHOT_EVERY: Final = 0.1


class Snapshots:
    """Knows where the numbers are, and what the engine itself costs."""

    def __init__(self, board: Board, cluster: ClusterKeeper, epoch_ns: int) -> None:
        self._board = board
        self._cluster = cluster
        self._epoch = epoch_ns / 1e9
        self._at = now()
        self._cpu = time.process_time()
        self._cpu_percent = 0.0
        self._lag_ms = 0.0

    def take(self, run: EngineState, run_started_t: float | None) -> Snapshot:
        """The state of everything now, and what changed since the last picture."""
        self._measure()
        board = self._board
        t = now() - self._epoch
        lag = board.lag.percentile(99)
        return Snapshot(
            t=t,
            run_t=0.0 if run_started_t is None else max(0.0, t - run_started_t),
            run=run,
            users_connected=board.connected,
            users_total=board.total,
            push_rate=round(board.push_rate(t), 2),
            totals=board.totals(),
            latency=percentiles(board.book.total().latency),
            sender_lag_ms=0.0 if lag is None else round(lag / 1e6, 3),
            engine_cpu_percent=round(self._cpu_percent + board.cpu_percent, 1),
            engine_lag_ms=round(max(self._lag_ms, board.loop_lag_ms), 2),
            instances=tuple(self._cluster.instances.values()),
            parts=tuple(self._cluster.parts.values()),
            points=board.changed_points(t),
            series=board.series(),
            matrix=board.matrix(),
            users=board.changed_users(),
            lost=board.missing(),
        )

    def _measure(self) -> None:
        at, cpu = now(), time.process_time()
        elapsed = at - self._at
        share = 100 * (cpu - self._cpu) / max(1e-6, elapsed)
        self._cpu_percent += 0.2 * (share - self._cpu_percent)
        self._lag_ms = max(1000 * max(0.0, elapsed - SNAPSHOT_EVERY), 0.8 * self._lag_ms)
        self._at, self._cpu = at, cpu

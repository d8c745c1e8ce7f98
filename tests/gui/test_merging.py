"""Coalescing of what waits for the window."""

from __future__ import annotations

import msgspec

from core.engine.messages import Event, Snapshot
from core.environment import LogLine
from core.report.figures import LostPush, Marker, Percentiles, Point, Totals, UserRow
from gui.merging import MAX_WAITING_LINES, merge_into


def snapshot(t: float, **fields: object) -> Snapshot:
    empty = Snapshot(
        t=t,
        run_t=t,
        run="running",
        users_connected=0,
        users_total=0,
        push_rate=0.0,
        totals=Totals(),
        latency=Percentiles(),
        sender_lag_ms=0.0,
        engine_cpu_percent=0.0,
        engine_lag_ms=0.0,
    )
    return msgspec.structs.replace(empty, **fields)


def at(t: float, p99: float) -> Point:
    return Point("via:i1", t, 1, p99, p99, p99, p99)


def test_neighbouring_snapshots_become_one_and_lose_nothing() -> None:
    pending: list[Event] = []
    push = LostPush("a", "u", "i1", "i1", 1, 0.0, "")
    merge_into(
        pending, snapshot(1.0, points=(at(0.5, 1.0),), users=(UserRow("u", "connecting", "", 0, 0, 0),))
    )
    merge_into(pending, snapshot(2.0, points=(at(0.5, 2.0), at(0.75, 3.0)), lost=(push,)))
    merge_into(pending, snapshot(3.0, users=(UserRow("u", "connected", "i1", 0, 0, 0),)))
    (merged,) = pending
    assert isinstance(merged, Snapshot)
    assert merged.t == 3.0
    assert [(p.t, p.p99) for p in merged.points] == [(0.5, 2.0), (0.75, 3.0)]
    assert [row.state for row in merged.users] == ["connected"]
    assert merged.lost == (), "what is missing now is the newer's word"


def test_order_among_everything_else_stays() -> None:
    pending: list[Event] = []
    kill = Marker(1.5, "kill", "i2")
    for event in (snapshot(1.0), kill, snapshot(2.0), snapshot(3.0)):
        merge_into(pending, event)
    assert [type(event).__name__ for event in pending] == ["Snapshot", "Marker", "Snapshot"]


def test_waiting_log_lines_are_bounded_and_states_are_not_dropped() -> None:
    pending: list[Event] = [Marker(0.0, "kill", "i1")]
    for number in range(MAX_WAITING_LINES + 50):
        merge_into(pending, LogLine("i1", str(number)))
    assert len(pending) == MAX_WAITING_LINES
    assert isinstance(pending[0], Marker)
    assert pending[-1] == LogLine("i1", str(MAX_WAITING_LINES + 49))

"""Buckets over time, joined for a window."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtWidgets import QApplication

from core.report.figures import Marker, Percentiles, Point, SeriesSum
from gui.models.series import MAX_BUCKETS, Buckets, SeriesModel
from gui.views.chart import step_for, step_for_rate, time_ticks


def point(t: float, p99: float | None, *, count: int = 4, lost: int = 0, series: str = "via:i1") -> Point:
    p50 = None if p99 is None else p99 / 4
    return Point(series, t, count if p99 is not None else 0, p50, p99, p99, p99, lost)


def test_buckets_are_joined_without_hiding_a_peak_or_inventing_a_value(app: QApplication) -> None:
    model = SeriesModel()
    model.apply((point(0.0, 4.0), point(0.25, 8.0), point(0.75, 2.0), point(1.0, None)), ())
    joined = model.values("via:i1", "p99", 0.0, 2.0, 4)
    assert joined[0] == 8.0
    assert math.isnan(joined[1])
    single = model.values("via:i1", "p99", 0.0, 1.25, 1)
    assert [None if math.isnan(v) else v for v in single] == [4.0, 8.0, None, 2.0, None]
    assert model.values("via:i1", "p50", 0.0, 1.0, 4)[0] == (1.0 + 2.0 + 0.5) / 3
    assert model.times(0.0, 2.0, 4).dtype == np.float64


def test_a_late_correction_replaces_its_bucket(app: QApplication) -> None:
    model = SeriesModel()
    model.apply((point(0.0, 4.0),), ())
    model.apply((point(0.0, 5.0, lost=2),), ())
    assert model.values("via:i1", "p99", 0.0, 0.25, 1)[0] == 5.0
    assert model.per_second("via:i1", "lost", 0.0, 1.0, 4)[0] == 2.0
    assert model.per_second("via:i1", "count", 0.0, 0.25, 1)[0] == 16.0


def test_joined_buckets_do_not_flicker_when_the_window_moves(app: QApplication) -> None:
    model = SeriesModel()
    model.apply(tuple(point(k * 0.25, float(k % 7)) for k in range(400)), ())
    early = dict(zip(model.times(10.0, 60.0, 4), model.values("via:i1", "p99", 10.0, 60.0, 4), strict=True))
    later = dict(zip(model.times(10.6, 60.6, 4), model.values("via:i1", "p99", 10.6, 60.6, 4), strict=True))
    shared = set(early) & set(later)
    assert len(shared) >= 48
    assert all(early[t] == later[t] for t in shared)


def test_unknown_series_and_empty_spans_are_empty(app: QApplication) -> None:
    model = SeriesModel()
    assert model.empty
    assert len(model.values("via:i9", "p99", 0.0, 10.0, 1)) == 40
    assert np.isnan(model.values("via:i9", "p99", 0.0, 10.0, 1)).all()
    assert len(model.times(5.0, 4.0, 1)) == 0


def test_old_buckets_go_in_chunks() -> None:
    buckets = Buckets()
    for number in range(0, MAX_BUCKETS + 10, 5):
        buckets.put(number, point(number * 0.25, 1.0))
    assert buckets.end == MAX_BUCKETS + 6
    assert np.isnan(buckets.joined(3, 0, 4, 1)).all()
    assert buckets.joined(3, buckets.end - 1, buckets.end, 1)[0] == 1.0
    buckets.put(2, point(0.5, 9.0))  # before all that is kept
    assert np.isnan(buckets.joined(3, 2, 3, 1)).all()


def test_sums_markers_and_reset(app: QApplication) -> None:
    model = SeriesModel()
    model.apply((point(0.0, 1.0),), (SeriesSum("via:i1", 4, 0, Percentiles(p50=1.0)),))
    model.mark(Marker(1.0, "kill", "i2"))
    assert model.names("via") == ["i1"]
    assert model.names("on") == []
    assert model.sums["via:i1"].latency.p50 == 1.0
    model.reset()
    assert model.empty
    assert model.markers == []


def test_steps_keep_curves_short_and_percentiles_meaningful() -> None:
    assert [step_for(span) for span in (30, 60, 300, 900)] == [1, 1, 2, 8]
    assert step_for(10 * 3600) * 600 * 0.25 >= 10 * 3600
    assert step_for_rate(100.0, 1) == 1
    assert step_for_rate(13.0, 1) == 4
    assert step_for_rate(1.0, 4) == 8
    assert step_for_rate(35.0, 1) == 1, "near a limit the choice stays"


def test_time_ticks_are_round_times_of_the_run() -> None:
    ticks = time_ticks(103.2, 163.2, 100.0, 8)
    assert [text for _, text in ticks] == ["0:10", "0:20", "0:30", "0:40", "0:50", "1:00"]
    assert ticks[0][0] == 110.0

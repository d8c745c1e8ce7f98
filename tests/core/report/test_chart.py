"""The report's graph: scales, gaps, markers, and long runs."""

from __future__ import annotations

import re

import pytest

from core.report.buckets import MOST, bucket
from core.report.chart import Chart, Scale, colour, dash, nice_step, scale_for
from core.report.figures import Marker, Point


def point(series: str, t: float, p99: float | None, lost: int = 0) -> Point:
    return Point(series, t, 0 if p99 is None else 1, p99, p99, p99, p99, lost)


def test_few_points_are_drawn_as_they_are() -> None:
    axis = bucket([point("on:i1", 10.25 * 4 / 4, 3.0), point("on:i1", 10.75, 5.0)], started_t=10.0)
    assert axis.width == 0.25
    assert axis.times == pytest.approx([0.375, 0.625, 0.875])
    assert axis.series["on:i1"].p99 == [3.0, None, 5.0]


def test_a_long_run_has_wider_buckets_that_show_the_worst() -> None:
    points = [point("via:i1", slot / 4, 1.0 if slot != 7777 else 99.0, lost=1) for slot in range(10_000)]
    axis = bucket(points, started_t=0.0)
    assert len(axis.times) <= MOST
    assert max(value for value in axis.series["via:i1"].p99 if value is not None) == 99.0
    assert sum(axis.series["via:i1"].lost) == 10_000


def test_nothing_to_draw() -> None:
    assert bucket([], 0.0).times == []


def test_the_scale_is_linear_until_a_peak_would_flatten_the_rest() -> None:
    linear = scale_for([[1.0, 2.0, None, 7.0]])
    assert (linear.log, linear.low, linear.high) == (False, 0.0, 8.0)
    assert linear.ticks() == [0, 2, 4, 6, 8]
    log = scale_for([[1.0, 1.2, 1.1, 430.0]])
    assert (log.log, log.low, log.high) == (True, 1.0, 500.0)
    assert log.ticks()[0] == 1.0
    assert all(log.y(low) > log.y(high) for low, high in zip(log.ticks(), log.ticks()[1:], strict=False))
    assert scale_for([[None]]) == Scale(0.0, 1.0, log=False)


@pytest.mark.parametrize(
    ("span", "parts", "step"), [(10, 5, 2), (8.3, 5, 2), (60, 8, 10), (0.9, 5, 0.2), (7, 8, 1)]
)
def test_nice_steps(span: float, parts: int, step: float) -> None:
    assert nice_step(span, parts) == pytest.approx(step)


def test_lines_break_where_nothing_was_delivered() -> None:
    axis = bucket([point("on:i1", slot / 4, None if slot == 2 else 1.0) for slot in range(5)], started_t=0.0)
    svg = Chart(axis, ["i1"], (), 0.0, 0.0, 1.25).svg()
    path = re.search(r'd="([^"]+)"', svg)
    assert path is not None
    assert path[1].count("M") == 2


def test_markers_of_faults_are_labelled_and_those_outside_are_not_drawn() -> None:
    axis = bucket([point("on:i1", slot / 4, 1.0) for slot in range(8)], started_t=0.0)
    markers = (
        Marker(0.5, "kill", "i<2>"),
        Marker(0.51, "dead", "i3"),
        Marker(1.0, "resume", "i1"),
        Marker(9.0, "kill", "i4"),
        Marker(0.0, "run-start", ""),
    )
    svg = Chart(axis, ["i1"], markers, 0.0, 0.0, 2.0).svg()
    labels = re.findall(r'<text class="marked[^>]*y="(\d+)">([^<]+)<', svg)
    assert [text for _, text in labels] == ["kill i&lt;2&gt;", "died: i3", "resume i1"]
    assert labels[0][0] != labels[1][0]  # side by side they would run into each other


def test_colour_is_never_the_only_difference() -> None:
    looks = [(colour(index), dash(index)) for index in range(16)]
    assert len(set(looks)) == 16
    assert len({dash(index) for index in range(8)}) == 8

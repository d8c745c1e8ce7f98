"""Thresholds: what is understood, what holds, and what a mistake is answered with."""

from __future__ import annotations

import pytest

from core.metrics import Threshold, ThresholdError, parse_threshold


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("p99 < 50", Threshold("p99 < 50", "p99", "<", 50.0)),
        ("p99<50ms", Threshold("p99<50ms", "p99", "<", 50.0)),
        (" max  <=  1.5 s ", Threshold("max <= 1.5 s", "max", "<=", 1500.0)),
        ("p50 < 500us", Threshold("p50 < 500us", "p50", "<", 0.5)),
        ("lost == 0", Threshold("lost == 0", "lost", "==", 0.0)),
        ("reach >= 99.9%", Threshold("reach >= 99.9%", "reach", ">=", 99.9)),
        ("p99{via:i1} < 50", Threshold("p99{via:i1} < 50", "p99", "<", 50.0, via="i1")),
        (
            "lost{on: i2, via: i1} != 3",
            Threshold("lost{on: i2, via: i1} != 3", "lost", "!=", 3.0, "i1", "i2"),
        ),
    ],
)
def test_expressions(expr: str, expected: Threshold) -> None:
    assert parse_threshold(expr) == expected


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        ("", "empty threshold"),
        ("p99", "cannot understand 'p99'"),
        ("lost = 0", "use '=='"),
        ("p98 < 50", "did you mean"),
        ("latency < 50", "unknown metric 'latency'"),
        ("lost == 0 ms", "lost takes no unit"),
        ("reach > 99 ms", "reach takes %"),
        ("duplicate{via:i1} == 0", "cannot be narrowed"),
        ("p99{from:i1} < 5", "expected {via:i1}"),
        ("p99 < fast", "cannot understand"),
    ],
)
def test_mistakes_are_explained(expr: str, message: str) -> None:
    with pytest.raises(ThresholdError, match=message.replace("(", r"\(").replace("{", r"\{")):
        parse_threshold(expr)


def test_a_value_that_does_not_exist_fails() -> None:
    threshold = parse_threshold("p99 < 50")
    assert threshold.holds(49.9)
    assert not threshold.holds(50.0)
    assert not threshold.holds(None)

"""Round numbers for axes."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from gui.widgets.scales import LOG_FLOOR, Limit, linear_ticks, log_ticks, nice_limit, plain

values = st.floats(min_value=1e-4, max_value=1e7)


@given(values)
def test_a_limit_is_round_and_not_far_above(value: float) -> None:
    limit = nice_limit(value)
    assert value <= limit * (1 + 1e-9)
    assert limit <= value * 2


@given(values)
def test_linear_ticks_stay_within_and_are_few(value: float) -> None:
    limit = nice_limit(value)
    ticks = linear_ticks(limit)
    assert 1 <= len(ticks) <= 8
    assert all(0 < at <= limit * (1 + 1e-9) for at, _ in ticks)


def test_log_ticks_name_round_numbers() -> None:
    ticks = log_ticks(100)
    assert [text for _, text in ticks][:4] == ["0.1", "0.2", "0.5", "1"]
    assert math.isclose(ticks[0][0], math.log10(LOG_FLOOR))
    assert ticks[-1][1] == "100"
    assert plain(0.5) == "0.5"
    assert plain(200.0) == "200"


def test_a_limit_grows_at_once_and_shrinks_late() -> None:
    limit = Limit(lowest=2.0, patience=3)
    assert limit.follow(0.5) == 2.0
    assert limit.follow(19) == 25.0
    assert [limit.follow(1.0) for _ in range(3)] == [25.0, 25.0, 2.0]

"""Arrival plans: pure functions of time, tested without a clock."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.load.plan import ArrivalPlan, Ramp, Share, round_robin

RATES = st.floats(min_value=0.1, max_value=5000, allow_nan=False)
TIMES = st.floats(min_value=0, max_value=20, allow_nan=False)


def test_a_steady_rate() -> None:
    plan = ArrivalPlan.steady(10, duration=2)
    assert [plan.count(t) for t in (-1, 0, 0.05, 0.1, 0.95, 1.9, 1.99, 2, 99)] == [
        0,
        1,
        1,
        2,
        10,
        20,
        20,
        20,
        20,
    ]
    assert [plan.due(k) for k in (0, 1, 19, 20)] == [0.0, 0.1, 1.9, None]


@pytest.mark.parametrize(
    ("rate", "duration"), [(500.0, 20.0), (40.0, 5.0), (3.0, 1.0), (0.3, 10.0), (7.0, 3.3)]
)
def test_rate_times_duration_arrivals_in_all(rate: float, duration: float) -> None:
    plan = ArrivalPlan.steady(rate, duration)
    total = math.ceil(rate * duration - 1e-6)
    assert plan.count(duration) == total
    assert plan.due(total - 1) is not None
    assert plan.due(total) is None


@given(RATES, TIMES)
def test_as_many_are_due_as_the_count_says(rate: float, t: float) -> None:
    plan = ArrivalPlan.steady(rate, duration=30)
    count = plan.count(t)
    last = plan.due(count - 1)
    following = plan.due(count)
    assert last is not None
    assert last <= t + 1e-6
    assert following is None or following > t - 1e-6


@given(RATES, st.lists(st.tuples(TIMES, st.one_of(st.just(0.0), RATES)), max_size=4))
def test_changes_of_rate_keep_the_order_and_lose_nothing(
    rate: float, changes: list[tuple[float, float]]
) -> None:
    plan = ArrivalPlan.steady(rate)
    for t, other in sorted(changes):
        plan = plan.with_rate(t, other)
    due = [plan.due(k) for k in range(200)]
    known = [t for t in due if t is not None]
    assert known == sorted(known)
    assert all(t is None for t in due[len(known) :])
    for k, t in enumerate(known):
        assert plan.count(t + 1e-6) >= k + 1


def test_rate_zero_stops_and_a_rate_begins_again() -> None:
    plan = ArrivalPlan.steady(10).with_rate(1.0, 0).with_rate(5.0, 10)
    assert (plan.count(0.95), plan.count(3), plan.due(10)) == (10, 11, 5.0)
    assert ArrivalPlan.steady(0).count(5) == 0
    assert ArrivalPlan.steady(0).due(0) is None


@given(st.integers(min_value=1, max_value=6), RATES)
def test_shares_are_the_whole(of: int, rate: float) -> None:
    plan = ArrivalPlan.steady(rate, duration=30)
    shares = [Share(plan, index, of) for index in range(of)]
    merged = sorted(due for share in shares for k in range(5) if (due := share.due(k)) is not None)
    whole = [plan.due(k) for k in range(5 * of)]
    assert merged == [due for due in whole if due is not None]


@given(st.integers(min_value=1, max_value=30), st.integers(min_value=1, max_value=8))
def test_a_round_meets_every_pair_once(users: int, targets: int) -> None:
    pairs = [round_robin(k, users, targets) for k in range(users * targets)]
    assert len(set(pairs)) == users * targets
    assert [target for _, target in pairs[:targets]] == list(
        range(min(targets, len(pairs)))
    ) or users < targets


@given(st.integers(min_value=1, max_value=500), st.floats(min_value=0, max_value=60), TIMES)
def test_a_ramp_brings_all_and_never_more(total: int, seconds: float, t: float) -> None:
    ramp = Ramp(total, seconds)
    assert 0 <= ramp.count(t) <= total
    assert ramp.count(seconds) == total
    assert ramp.count(ramp.due(total - 1) + 1e-6) == total
    assert Ramp(0, seconds).count(t) == 0

"""Intervals: a set of integers, whatever the order of arrival."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from core.metrics.intervals import Intervals


@given(st.lists(st.integers(min_value=1, max_value=40)))
def test_it_is_a_set_in_disjoint_ascending_intervals(numbers: list[int]) -> None:
    intervals = Intervals()
    seen: set[int] = set()
    for number in numbers:
        assert intervals.add(number) == (number not in seen)
        seen.add(number)
    spans = list(intervals)
    assert {number for first, last in spans for number in range(first, last + 1)} == seen
    assert all(first <= last for first, last in spans)
    assert all(left[1] + 1 < right[0] for left, right in pairwise(spans))
    assert all((number in intervals) == (number in seen) for number in range(45))
    assert intervals.missing(1, 40) == [number for number in range(1, 41) if number not in seen]


def test_numbers_in_order_make_one_interval() -> None:
    intervals = Intervals()
    for number in range(1, 1001):
        intervals.add(number)
    assert list(intervals) == [(1, 1000)]

"""The histogram: bounded error, bounded size, merge is union."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.metrics.histogram import BUCKETS, RELATIVE_ERROR, Histogram, bucket_middle, bucket_of

IN_RANGE = st.integers(min_value=10_000, max_value=60_000_000_000)


def exact(values: list[int], percent: float) -> int:
    return sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]


@given(IN_RANGE)
def test_the_middle_of_a_bucket_is_within_one_percent(value: int) -> None:
    assert abs(bucket_middle(bucket_of(value)) - value) <= value * RELATIVE_ERROR
    assert RELATIVE_ERROR < 0.01


@given(st.integers(min_value=0, max_value=1 << 45), st.integers(min_value=0, max_value=1 << 45))
def test_buckets_are_monotonous_and_bounded(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert bucket_of(low) <= bucket_of(high)
    assert bucket_of(high) - bucket_of(0) < BUCKETS


@given(st.lists(IN_RANGE, min_size=1, max_size=200), st.sampled_from([1, 50, 90, 95, 99, 99.9]))
def test_a_percentile_is_within_one_percent_of_the_exact_one(values: list[int], percent: float) -> None:
    histogram = Histogram()
    histogram.record_many(values)
    got = histogram.percentile(percent)
    wanted = exact(values, percent)
    assert got is not None
    assert abs(got - wanted) <= wanted * RELATIVE_ERROR


@given(
    st.lists(st.integers(min_value=0, max_value=1 << 40)),
    st.lists(st.integers(min_value=0, max_value=1 << 40)),
)
def test_merging_is_the_same_as_recording_both(one: list[int], other: list[int]) -> None:
    left, right, both = Histogram(), Histogram(), Histogram()
    left.record_many(one)
    right.record_many(other)
    both.record_many(one + other)
    left.merge(right)
    assert left == both


@given(st.lists(st.integers(min_value=-(1 << 20), max_value=1 << 40)))
def test_a_copy_through_json_is_equal(values: list[int]) -> None:
    histogram = Histogram()
    histogram.record_many(values)
    assert msgspec.json.decode(msgspec.json.encode(histogram), type=Histogram) == histogram


def test_extremes_are_exact_and_percentiles_ascend() -> None:
    histogram = Histogram()
    histogram.record_many([3, 12_345, 1_234_567, 99_000_000_001])
    assert histogram.percentiles((0, 100)) == (3, 99_000_000_001)
    values = [value for value in histogram.percentiles((0, 25, 50, 75, 99, 100)) if value is not None]
    assert values == sorted(values)
    assert histogram.mean() == (3 + 12_345 + 1_234_567 + 99_000_000_001) / 4


def test_how_many_are_above() -> None:
    histogram = Histogram()
    histogram.record_many([10_000, 49_000_000, 51_000_000, 900_000_000])
    assert [histogram.above(limit) for limit in (0, 50_000_000, 600_000_000, 10**12)] == [4, 2, 1, 0]


def test_nothing_recorded_gives_nothing() -> None:
    assert Histogram().percentiles((50, 99)) == (None, None)
    assert Histogram().mean() is None


def test_a_negative_latency_is_reported_and_not_clipped() -> None:
    histogram = Histogram()
    histogram.record(-5)
    assert (histogram.negative, histogram.count, histogram.percentile(50)) == (1, 0, None)


@pytest.mark.parametrize("value", [0, 8191, 8192, 1 << 36, 1 << 60])
def test_values_outside_of_the_range_are_counted(value: int) -> None:
    histogram = Histogram()
    histogram.record(value)
    assert histogram.percentile(50) == value


def test_a_histogram_begins_with_nothing() -> None:
    empty = Histogram()
    assert (empty.counts, empty.count, empty.total, empty.low, empty.high, empty.negative) == (
        {},
        0,
        0,
        0,
        0,
        0,
    )
    empty.record(0)
    assert (empty.low, empty.high, empty.count) == (0, 0, 1)


def test_the_extremes_may_come_several_times_and_beyond_their_ends() -> None:
    histogram = Histogram()
    histogram.record_many(range(100_000, 1_100_000, 10_000))  # a hundred values
    assert histogram.percentiles((-1, 0, 50, 100, 101)) == (
        100_000,
        100_000,
        histogram.percentile(50),
        1_090_000,
        1_090_000,
    )
    below_the_largest = histogram.percentile(99.9)
    assert below_the_largest is not None
    assert abs(below_the_largest - 1_090_000) <= 1_090_000 * RELATIVE_ERROR


@pytest.mark.parametrize(("percent", "rank"), [(1, 1), (50, 50), (51, 51), (99, 99), (99.5, 100)])
def test_percentiles_are_by_nearest_rank(percent: float, rank: int) -> None:
    values = [1 << 20 | number << 14 for number in range(64)]  # a bucket for each of a hundred
    values += [1 << 21 | number << 15 for number in range(36)]
    histogram = Histogram()
    histogram.record_many(values)
    got = histogram.percentile(percent)
    assert got is not None
    assert bucket_of(got) == bucket_of(values[rank - 1])

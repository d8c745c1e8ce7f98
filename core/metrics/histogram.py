"""A mergeable latency histogram of bounded size, with at most 1 % error.

Values are nanoseconds. Buckets are powers of two divided into 64 equal parts, so that the
middle of a bucket is at most 1/128 (0.8 %) away from any value in it, and finding the bucket
takes two shifts. Range: 8 µs to 68 s in 1,472 buckets, one more below and one above; smallest
and largest value are kept exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

_SUB_BITS: Final = 6  # 64 parts an octave: half a part is 1/128 of the value at most
_LOW_BITS: Final = 13  # 2^13 ns = 8.2 µs: below that a loopback push cannot be
_HIGH_BITS: Final = 36  # 2^36 ns = 68.7 s: above that nobody waits
_UNDER: Final = (_LOW_BITS << _SUB_BITS) - 1
_OVER: Final = _HIGH_BITS << _SUB_BITS

#: How many buckets there are at most, whatever is recorded.
BUCKETS: Final = _OVER - _UNDER + 1

#: Largest relative error of a percentile within the range.
RELATIVE_ERROR: Final = 1 / 128


def bucket_of(value_ns: int) -> int:
    """The bucket that a non-negative value falls into."""
    octave = value_ns.bit_length() - 1
    if octave < _LOW_BITS:
        return _UNDER
    if octave >= _HIGH_BITS:
        return _OVER
    return (octave << _SUB_BITS) | ((value_ns >> (octave - _SUB_BITS)) & 63)


def bucket_middle(bucket: int) -> int:
    """The value in nanoseconds that stands for a bucket."""
    octave = bucket >> _SUB_BITS
    width = 1 << (octave - _SUB_BITS)
    return (64 + (bucket & 63)) * width + width // 2


class Histogram(msgspec.Struct):
    """Counts of latencies by bucket; merging two is the same as recording both.

    A negative value means that two clocks disagree: it is counted in ``negative`` and takes
    no part in the percentiles, so that it is reported and not clipped.
    """

    counts: dict[int, int] = msgspec.field(default_factory=dict[int, int])
    count: int = 0
    total: int = 0
    low: int = 0
    high: int = 0
    negative: int = 0

    def record(self, value_ns: int) -> None:
        """Add one value in constant time."""
        if value_ns < 0:
            self.negative += 1
            return
        bucket = bucket_of(value_ns)
        counts = self.counts
        counts[bucket] = counts.get(bucket, 0) + 1
        if not self.count or value_ns < self.low:
            self.low = value_ns
        if value_ns > self.high:
            self.high = value_ns
        self.count += 1
        self.total += value_ns

    def record_many(self, values_ns: Iterable[int]) -> None:
        """Add several values."""
        for value in values_ns:
            self.record(value)

    def merge(self, other: Histogram) -> None:
        """Add everything that another histogram holds."""
        self.negative += other.negative
        if not other.count:
            return
        counts = self.counts
        for bucket, count in other.counts.items():
            counts[bucket] = counts.get(bucket, 0) + count
        self.low = min(self.low, other.low) if self.count else other.low
        self.high = max(self.high, other.high)
        self.count += other.count
        self.total += other.total

    def percentile(self, percent: float) -> int | None:
        """The nearest-rank percentile in nanoseconds; None when nothing was recorded."""
        return self.percentiles((percent,))[0]

    def percentiles(self, percents: Iterable[float]) -> tuple[int | None, ...]:
        """Several percentiles in one pass; ``percents`` must ascend.

        The answer lies within :data:`RELATIVE_ERROR` of the exact nearest-rank value inside
        the range, and 0 and 100 are exact.
        """
        wanted = tuple(percents)
        if not self.count:
            return (None,) * len(wanted)
        found: list[int | None] = []
        buckets = iter(sorted(self.counts.items()))
        bucket, seen = next(buckets)
        for percent in wanted:
            if percent <= 0:
                found.append(self.low)
                continue
            if percent >= 100:
                found.append(self.high)
                continue
            rank = max(1, -int(-self.count * percent // 100))
            while seen < rank:
                bucket, more = next(buckets)
                seen += more
            found.append(self._value_of(bucket))
        return tuple(found)

    def above(self, value_ns: int) -> int:
        """How many values lie in buckets above the one of ``value_ns``."""
        limit = bucket_of(value_ns)
        return sum(count for bucket, count in self.counts.items() if bucket > limit)

    def _value_of(self, bucket: int) -> int:
        """What stands for a bucket, never outside of what was really recorded."""
        if bucket == _UNDER:
            return self.low
        if bucket == _OVER:
            return self.high
        return min(max(bucket_middle(bucket), self.low), self.high)

    def mean(self) -> float | None:
        """The exact mean in nanoseconds; None when nothing was recorded."""
        return self.total / self.count if self.count else None

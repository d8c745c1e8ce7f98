"""A set of sequence numbers kept as intervals: constant cost while they arrive in order."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator


class Intervals:
    """Integers as disjoint closed intervals; one interval when nothing is missing."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def add(self, number: int) -> bool:
        """Add a number; False when it was there already. O(1) at the upper end, O(log n) else."""
        ends = self._ends
        if ends and number == ends[-1] + 1:
            ends[-1] = number
            return True
        if not ends or number > ends[-1]:
            self._starts.append(number)
            ends.append(number)
            return True
        return self._insert(number)

    def _insert(self, number: int) -> bool:
        starts, ends = self._starts, self._ends
        at = bisect_right(starts, number)  # intervals before ``at`` start at or below the number
        if at and number <= ends[at - 1]:
            return False
        joins_left = at > 0 and ends[at - 1] == number - 1
        joins_right = starts[at] == number + 1
        if joins_left and joins_right:
            ends[at - 1] = ends[at]
            del starts[at], ends[at]
        elif joins_left:
            ends[at - 1] = number
        elif joins_right:
            starts[at] = number
        else:
            starts.insert(at, number)
            ends.insert(at, number)
        return True

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._starts, number)
        return at > 0 and number <= self._ends[at - 1]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The intervals ``(first, last)`` in ascending order."""
        return iter(zip(self._starts, self._ends, strict=True))

    def missing(self, first: int, last: int) -> list[int]:
        """The numbers of ``first`` … ``last`` that were never added."""
        return [number for number in range(first, last + 1) if number not in self]

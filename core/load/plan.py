"""Arrival plans: how many by second ``t``, as pure functions of time.

A plan knows no clock. The runner asks how many should have happened by now and when the next is
due; what is due is sent with its own intended time, however late the runner is (open loop).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

_EPSILON: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Segment:
    """From ``start`` on, ``rate`` a second; ``before`` had happened until then."""

    start: float
    rate: float
    before: float = 0.0


@dataclass(frozen=True, slots=True)
class ArrivalPlan:
    """Arrivals at a rate that may change at certain times; ends after ``duration`` seconds.

    The k-th arrival (from 0) is due when the rate has brought k of them, so the first is due at
    once, and N arrivals are complete after N ÷ rate seconds.
    """

    segments: tuple[Segment, ...]
    duration: float = math.inf

    @classmethod
    def steady(cls, rate: float, duration: float = 0.0) -> ArrivalPlan:
        """A constant rate; duration 0 means without an end."""
        return cls((Segment(0.0, rate),), duration or math.inf)

    def with_rate(self, t: float, rate: float) -> ArrivalPlan:
        """The same plan until ``t`` (not before its last change), and another rate from then on."""
        last = self.segments[-1]
        start = max(t, last.start)
        before = last.before + last.rate * (start - last.start)
        kept = self.segments if start > last.start else self.segments[:-1]
        return ArrivalPlan((*kept, Segment(start, rate, before)), self.duration)

    def brought(self, t: float) -> float:
        """What the rate has brought by ``t``, as a real number."""
        t = min(t, self.duration)
        for segment in reversed(self.segments):
            if t >= segment.start:
                return segment.before + segment.rate * (t - segment.start)
        return 0.0

    def count(self, t: float) -> int:
        """How many arrivals are due at or before ``t``."""
        if t < 0:
            return 0
        brought = self.brought(t)
        if t >= self.duration:  # an arrival that would be due at the very end is not part of it
            return math.ceil(brought - _EPSILON)
        return math.floor(brought + _EPSILON) + 1 if self._begun(t) else 0

    def _begun(self, t: float) -> bool:
        return any(segment.rate > 0 and segment.start <= t for segment in self.segments)

    def due(self, k: int) -> float | None:
        """When the k-th arrival (from 0) is due; None if the plan never gets that far."""
        for number, segment in enumerate(self.segments):
            end = self.segments[number + 1].before if number + 1 < len(self.segments) else math.inf
            if segment.rate > 0 and segment.before - _EPSILON <= k < end - _EPSILON:
                at = segment.start + max(0.0, k - segment.before) / segment.rate
                return at if at < self.duration - _EPSILON else None
        return None


@dataclass(frozen=True, slots=True)
class Ramp:
    """``total`` users spread evenly over ``seconds``; 0 seconds means all at once."""

    total: int
    seconds: float = 0.0

    def count(self, t: float) -> int:
        """How many should have been started by ``t``."""
        if t < 0:
            return 0
        if t >= self.seconds:
            return self.total
        return min(self.total, math.floor(self.total * t / self.seconds + _EPSILON) + 1)

    def due(self, k: int) -> float:
        """When the k-th (from 0) is to be started."""
        return self.seconds * k / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Share:
    """One worker's part of a plan: every ``of``-th arrival, beginning with number ``index``."""

    plan: ArrivalPlan
    index: int = 0
    of: int = 1

    def due(self, k: int) -> float | None:
        """When this worker's k-th arrival (from 0) is due."""
        return self.plan.due(self.index + k * self.of)


def round_robin(k: int, users: int, targets: int) -> tuple[int, int]:
    """The user and the target of the k-th push.

    Users take turns; the target moves on with each push and once more after each round of
    users, so that every user is pushed through every target whatever the two numbers are.
    ``users × targets`` pushes in a row meet every pair exactly once.
    """
    rounds, user = divmod(k, users)
    return user, (user + rounds) % targets

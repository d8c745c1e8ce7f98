"""Self-preservation: when too few renew, rather the network is broken than everybody dead.

See docs/wire/discovery.md §4.

Eureka's rules: a client is expected to renew twice a minute; while no more than 85 % of the
expected renewals came in the last minute, nobody is evicted; and one run, once a minute, evicts
at most 15 % of the registry, chosen at random among those whose lease has run out. With two
instances that would never let go of a dead one, so local clusters leave it off.

Pure: time comes in as an argument.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Preservation:
    """Counts renewals and says whom an eviction may take.

    Args:
        factor: Share of the expected renewals, and of the registry, that is preserved.
        interval_s: Between two evictions, and what "the last minute" is.
        renewals: How often a client renews in that time.
        recount_s: After how long the expectation follows the registry's size.
        choose: Source of chance.
    """

    def __init__(
        self,
        *,
        factor: float = 0.85,
        interval_s: float = 60.0,
        renewals: float = 2.0,
        recount_s: float = 900.0,
        choose: random.Random | None = None,
    ) -> None:
        self._factor = factor
        self._interval_s = interval_s
        self._renewals = renewals
        self._recount_s = recount_s
        self._choose = choose if choose is not None else random.Random()
        self._clients = 1  # as Spring's server begins, so that the first counts
        self._began: float | None = None
        self._current = 0
        self._last = 0
        self._evicted_at: float | None = None
        self._recounted_at: float | None = None

    @property
    def threshold(self) -> int:
        """Renewals in an interval up to which nobody is evicted."""
        return int(self._clients * self._renewals * self._factor)

    def joined(self) -> None:
        """Somebody has registered for the first time."""
        self._clients += 1

    def left(self, count: int = 1) -> None:
        """Somebody has cancelled or was evicted."""
        self._clients = max(self._clients - count, 0)

    def renewed(self, now: float) -> None:
        """Somebody has renewed."""
        self._roll(now)
        self._current += 1

    def last_minute(self, now: float) -> int:
        """Renewals in the last full interval."""
        self._roll(now)
        return self._last

    def evictable(self, expired: Sequence[T], size: int, now: float) -> list[T]:
        """Those of ``expired`` who may be evicted at ``now``, of a registry of ``size``."""
        self._recount(size, now)
        if self._evicted_at is None:
            self._evicted_at = now
        if now - self._evicted_at < self._interval_s:
            return []
        self._evicted_at = now
        if self.last_minute(now) <= self.threshold:
            return []
        most = min(len(expired), size - int(size * self._factor))
        return self._choose.sample(list(expired), most)

    def _roll(self, now: float) -> None:
        if self._began is None:
            self._began = now
        passed = int((now - self._began) // self._interval_s)
        if passed:
            self._last = self._current if passed == 1 else 0
            self._current = 0
            self._began += passed * self._interval_s

    def _recount(self, size: int, now: float) -> None:
        if self._recounted_at is None:
            self._recounted_at = now
        if now - self._recounted_at >= self._recount_s:
            self._recounted_at = now
            if size > self._clients * self._factor:
                self._clients = size

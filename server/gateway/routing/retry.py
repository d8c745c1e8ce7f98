"""Filter Retry as a value: what is asked again, how often, and after which pause (pure).

Defaults are Spring's: three more attempts, for GET, on any 5xx, on connections that fail and on
answers that do not come, without a pause.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that grow: ``first_s × factor ** n``, at most ``max_s`` (0: no limit)."""

    first_s: float = 0.005
    max_s: float = 0.0
    factor: float = 2.0

    def delay(self, attempt: int) -> float:
        """Seconds before the ``attempt``-th repetition, counted from 1."""
        try:
            pause = self.first_s * self.factor ** (attempt - 1)
        except OverflowError:
            pause = self.max_s
        return min(pause, self.max_s) if self.max_s else pause


@dataclass(frozen=True, slots=True)
class Retry:
    """When a plain request is asked again; never an upgrade.

    Attributes:
        retries: Repetitions at most.
        statuses: Answers that are asked again.
        series: First digits of answers that are asked again, besides ``statuses``.
        methods: Which requests are.
        on_io: Whether a connection that fails is.
        on_timeout: Whether an answer that does not come in time is.
        backoff: Pauses in between; None for none.
    """

    retries: int = 3
    statuses: frozenset[int] = frozenset()
    series: frozenset[int] = frozenset((5,))
    methods: frozenset[str] = frozenset(("GET",))
    on_io: bool = True
    on_timeout: bool = True
    backoff: Backoff | None = None

    def takes(self, method: str) -> bool:
        """Whether requests of that method are repeated."""
        return self.retries > 0 and method in self.methods

    def wants(self, status: int) -> bool:
        """Whether an answer of that status is no answer yet."""
        return status in self.statuses or status // 100 in self.series

    def delay(self, attempt: int) -> float:
        """Seconds before the ``attempt``-th repetition, counted from 1."""
        return self.backoff.delay(attempt) if self.backoff is not None else 0.0

"""Sends what a plan says when it says it: an open loop that never drops and never forgets.

Whatever is due is sent with its own intended time. A pacer that woke up late sends everything
that has become due meanwhile; how late it was is measured, not hidden.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from ..clock import now_ns
from ..metrics import Histogram
from .alarm import Alarm
from .plan import ArrivalPlan, Share

#: Pushes sent in one go before the loop may look at what has arrived.
_BATCH: Final = 32


class Pacer:
    """Runs one worker's share of a plan against the clock.

    Args:
        share: What is due when, in seconds from ``start_ns``.
        start_ns: The plan's beginning on the one clock.
        emit: Called with the number within the share (from 0) and the intended time.

    Attributes:
        lag: Actual minus intended times since it was last taken.
        sent: How many were emitted.
        done: Whether the plan has come to its end.
    """

    def __init__(self, share: Share, start_ns: int, emit: Callable[[int, int], None]) -> None:
        self.lag = Histogram()
        self.sent = 0
        self.done = False
        self._share = share
        self._start_ns = start_ns
        self._emit = emit
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self._run)
        self._schedule()

    def change_rate(self, at_ns: int, rate: float) -> None:
        """Another rate from ``at_ns`` on."""
        plan = self._share.plan.with_rate((at_ns - self._start_ns) / 1e9, rate)
        self._share = Share(plan, self._share.index, self._share.of)
        if not self.done:
            self._schedule()

    @property
    def plan(self) -> ArrivalPlan:
        """The whole plan, as it stands."""
        return self._share.plan

    def stop(self) -> None:
        """Emit nothing more; may be called twice."""
        self.done = True
        self._alarm.close()

    def _due_ns(self) -> int | None:
        due = self._share.due(self.sent)
        return None if due is None else self._start_ns + round(due * 1e9)

    def _schedule(self) -> None:
        due_ns = self._due_ns()
        if due_ns is not None:
            self._alarm.set(due_ns)
        else:
            self._alarm.clear()

    def _run(self) -> None:
        if self.done:
            return
        for _ in range(_BATCH):
            due_ns = self._due_ns()
            time_ns = now_ns()
            if due_ns is None or due_ns > time_ns:
                break
            self.lag.record(time_ns - due_ns)
            number = self.sent
            self.sent += 1
            self._emit(number, due_ns)
        self._schedule()

    def exhausted(self) -> bool:
        """Whether nothing more will become due unless the rate changes."""
        return self.done or self._due_ns() is None

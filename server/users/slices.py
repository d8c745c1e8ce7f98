"""Long work in short slices, so that no turn of the event loop waits for all of it.

A registry of thousands of users is built, taken apart and applied now and then; at once, that would
hold up every push meanwhile. Work is a generator that yields often; it goes on for a millisecond in
each turn of the loop. Short work is done at once, in the call that brings it.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

logger = logging.getLogger("pushscope.server.peers")

#: How long one slice may take, up to the next yield.
SLICE_S: Final = 0.001
#: How many users a piece of work may handle between two yields.
STEP: Final = 32

Work = Iterator[None]


class Slicer:
    """Does pieces of work one after the other, each to its end, a slice a turn.

    Args:
        later: ``later(0, callback)`` calls back in the next turn of the loop.
        clock: Seconds, as finely as the machine has them.
        work_clock: Seconds of work: waiting for a core is not the slicer's doing.
    """

    def __init__(
        self,
        later: Callable[[float, Callable[[], None]], object],
        clock: Callable[[], float] = time.perf_counter,
        work_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        #: The longest slice so far, in seconds of work.
        self.longest_s = 0.0
        #: All work so far, in seconds.
        self.spent_s = 0.0
        self._later = later
        self._clock = clock
        self._work_clock = work_clock
        self._work: deque[Work] = deque()
        self._running = False

    def add(self, work: Work) -> None:
        """Do this after what was added before; at once if there is nothing else and it is short."""
        self._work.append(work)
        if not self._running:
            self._running = True
            self._slice()

    def _slice(self) -> None:
        clock = self._clock
        begun, worked = clock(), self._work_clock()
        while self._work and clock() - begun < SLICE_S:
            try:
                next(self._work[0])
            except StopIteration:
                self._work.popleft()
            except Exception:  # one piece of work must not keep the others from being done
                logger.exception("work on the registry failed")
                self._work.popleft()
        spent = self._work_clock() - worked
        self.spent_s += spent
        self.longest_s = max(self.longest_s, spent)
        if self._work:
            self._later(0, self._slice)
        else:
            self._running = False

"""What an instance waits for from its peers: that they know a version of ours, that we know theirs."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Iterable

logger = logging.getLogger("pushscope.server.peers")


class VersionWaits:
    """Callbacks that wait until a version of our users is known everywhere."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, float, int, Callable[[], None]]] = []
        self._count = 0

    def add(self, version: int, deadline: float, call: Callable[[], None]) -> None:
        """Call back when ``version`` is known, or at ``deadline``."""
        self._count += 1
        heapq.heappush(self._heap, (version, deadline, self._count, call))

    def release(self, known: int, now: float) -> None:
        """All peers know version ``known``."""
        heap = self._heap
        while heap and heap[0][0] <= known:
            heapq.heappop(heap)[3]()
        if heap and any(deadline <= now for _, deadline, _, _ in heap):
            late = [entry for entry in heap if entry[1] <= now]
            self._heap = [entry for entry in heap if entry[1] > now]
            heapq.heapify(self._heap)
            logger.warning("%d receipts were sent although a peer did not answer in time", len(late))
            for entry in late:
                entry[3]()


class StateWaits:
    """Who has to tell us its users before our picture of them is whole.

    At first it is not: nobody has been asked yet.
    """

    _UNASKED = "unasked"

    def __init__(self) -> None:
        self._awaited: set[str] = {self._UNASKED}
        self._until = float("inf")
        self._calls: list[Callable[[], None]] = []

    @property
    def over(self) -> bool:
        """Whether nobody is waited for."""
        return not self._awaited

    def begin(self, names: Iterable[str], until: float) -> None:
        """We have asked: wait for these only, until then."""
        self._awaited = set(names)
        self._until = until
        self._end_if_over()

    def add(self, names: Iterable[str], until: float) -> None:
        """Wait for these too."""
        self._awaited.update(names)
        self._until = until

    def told(self, *names: str) -> None:
        """These have told us, or have gone."""
        if self._awaited:
            self._awaited.difference_update(names)
            self._end_if_over()

    def expire(self, now: float) -> None:
        """Stop waiting when it is time."""
        if self._awaited and now >= self._until:
            logger.warning("%d peers did not tell their users in time", len(self._awaited))
            self._awaited.clear()
            self._end_if_over()

    def when_over(self, call: Callable[[], None]) -> None:
        """Call back when nobody is waited for, maybe at once."""
        self._calls.append(call)
        self._end_if_over()

    def _end_if_over(self) -> None:
        if not self._awaited:
            calls, self._calls = self._calls, []
            for call in calls:
                call()

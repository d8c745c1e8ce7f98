"""The workers of an engine together with what they report: started once, replaced when one died."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable
from typing import Final

from ..errors import UsageError
from ..load.orders import Dismiss, Join, Once, Order, Part, Rejoin, Report
from .pool import WorkerPool

#: More workers than this gain nothing: the target and its gateway are the limit by then.
_MOST: Final = 4

_DISMISS_WITHIN: Final = 10.0


def default_workers() -> int:
    """Half of the processors, and at least one: the other half is for what is measured."""
    return max(1, min(_MOST, (os.cpu_count() or 2) // 2))


class Crew:
    """Holds the pool of workers, starting it when it is needed.

    Args:
        workers: Worker processes; 0 for one in this loop, None for :func:`default_workers`.
        on_report: Called with a worker's number and each report, except of dismissals.
        on_death: Called with words when a worker ended by itself; the pool is replaced when next
            needed.
        on_log: Called with lines that workers log.
    """

    def __init__(
        self,
        workers: int | None,
        on_report: Callable[[int, Report], None],
        on_death: Callable[[str], None],
        on_log: Callable[[str], None],
    ) -> None:
        self._count = default_workers() if workers is None else workers
        self._on_report = on_report
        self._on_death = on_death
        self._on_log = on_log
        self._pool: WorkerPool | None = None
        self._broken = False
        self._lock = asyncio.Lock()
        self._dismissed = 0
        self._all_dismissed = asyncio.Event()

    async def pool(self) -> WorkerPool:
        """The workers, started if need be.

        Raises:
            ClusterStartError: they did not start.
        """
        async with self._lock:
            if self._broken:
                await self._close()
            if self._pool is None:
                pool = WorkerPool(self._count, self._on_report, self._died, self._on_log)
                self._pool = await pool.__aenter__()
            return self._pool

    async def close(self) -> None:
        """End all workers; may be called twice."""
        async with self._lock:
            await self._close()

    async def _close(self) -> None:
        pool, self._pool, self._broken = self._pool, None, False
        if pool is not None:
            await pool.__aexit__(None, None, None)

    def _died(self, _worker: int, words: str) -> None:
        self._broken = True
        self._all_dismissed.set()
        self._on_death(words)

    # ---- users --------------------------------------------------------------------------------

    def connect(self, count: int) -> None:
        """Connect so many more users, named on from the last.

        Raises:
            UsageError: nobody is here yet.
        """
        pool = self._present()
        first = len(pool.users) + 1
        self._deal((f"user-{number}" for number in range(first, first + count)), Join)

    def disconnect(self, names: Iterable[str]) -> None:
        """Disconnect users."""
        self._deal(self._known(names), Part)

    def reconnect(self, names: Iterable[str]) -> None:
        """Connect users again."""
        self._deal(self._known(names), Rejoin)

    def push_once(self, order: Once) -> None:
        """Have one push made, by the worker that holds its user."""
        pool = self._present()
        pool.send(pool.holder(order.user), order)

    def tell(self, order: Order) -> None:
        """Tell all workers, if there are any."""
        if self._pool is not None:
            self._pool.broadcast(order)

    async def dismiss(self) -> None:
        """Disconnect all users and forget them; at most some seconds."""
        pool = self._pool
        if pool is None or self._broken:
            return
        self._dismissed = 0
        self._all_dismissed.clear()
        pool.broadcast(Dismiss())
        pool.users.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DISMISS_WITHIN):
                await self._all_dismissed.wait()

    def dismissed(self) -> None:
        """A worker has no users any more."""
        self._dismissed += 1
        if self._pool is None or self._dismissed >= self._pool.size:
            self._all_dismissed.set()

    def _present(self) -> WorkerPool:
        if self._pool is None or self._broken:
            raise UsageError("there are no users yet", hint="start a run first")
        return self._pool

    def _known(self, names: Iterable[str]) -> list[str]:
        users = self._present().users
        return [name for name in names if name in users]

    def _deal(self, names: Iterable[str], order: Callable[[tuple[str, ...]], Order]) -> None:
        pool = self._present()
        for index, hand in pool.deal(names).items():
            pool.send(index, order(hand))

"""The workers of an engine: processes, or one in the engine's own loop; who holds which user."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Protocol, Self

import msgspec

from ..child import Child, describe_exit, spawn_child
from ..errors import ClusterStartError, PushscopeError
from ..load.orders import Order, Quit, Ready, Report, decode_report, encode_line
from ..load.worker import Worker

#: Seconds that a worker has to start, and to say goodbye to its users.
_START_WITHIN = 20.0
_STOP_WITHIN = 8.0

OnReport = Callable[[int, Report], None]
OnDeath = Callable[[int, str], None]


class _Seat(Protocol):
    """One worker, wherever it runs."""

    def send(self, order: Order) -> None:
        """Hand over an order; orders are followed in order."""
        ...

    async def run(self) -> None:
        """Run the worker until it was told to quit; raises nothing of the worker's own."""
        ...


class _LoopSeat:
    """A worker in this loop."""

    def __init__(self, report: Callable[[Report], None]) -> None:
        self._report = report
        self._orders: asyncio.Queue[Order] = asyncio.Queue()

    def send(self, order: Order) -> None:
        self._orders.put_nowait(order)

    async def run(self) -> None:
        async with Worker(self._report) as worker:
            while not isinstance(order := await self._orders.get(), Quit):
                await worker.handle(order)


class _ProcessSeat:
    """A worker in a process of its own."""

    def __init__(
        self,
        name: str,
        report: Callable[[Report], None],
        died: Callable[[str], None],
        log: Callable[[str], None],
    ) -> None:
        self._name = name
        self._report = report
        self._died = died
        self._log = log
        self._child: Child | None = None
        self._early: list[Order] = []
        self._quitting = False

    def send(self, order: Order) -> None:
        self._quitting = self._quitting or isinstance(order, Quit)
        if self._child is None:
            self._early.append(order)
        elif self._child.returncode is None:
            self._child.stdin.write(encode_line(order))

    async def run(self) -> None:
        child = await spawn_child(["worker"], name=self._name, on_line=self._log)
        self._child = child
        try:
            early, self._early = self._early, []
            for order in early:
                self.send(order)
            while line := await child.stdout.readline():
                self._report(decode_report(line))
            code = await child.wait()
            if not self._quitting:
                tail = "\n".join(list(child.tail)[-20:])
                self._died(f"{self._name} (pid {child.pid}) {describe_exit(code)}\n{tail}".rstrip())
        except msgspec.DecodeError as error:
            self._died(f"{self._name} wrote something that is not a report: {error}")
        finally:
            await child.end(grace=1.0)


class WorkerPool:
    """An async context manager that starts workers and ends them; users are dealt out in turn.

    Args:
        count: Worker processes; 0 runs one worker in this loop.
        on_report: Called with the worker's number and every report.
        on_death: Called with a number and words when a worker ended without being asked.
        on_log: Called with every line that a worker logs.
    """

    def __init__(
        self, count: int, on_report: OnReport, on_death: OnDeath, on_log: Callable[[str], None]
    ) -> None:
        self.users: dict[str, int] = {}
        self._on_report = on_report
        self._ready = asyncio.Event()
        self._waiting = max(1, count)
        self._seats: list[_Seat] = []
        self._failure = ""

        self._on_death = on_death
        for index in range(max(1, count)):
            if count == 0:
                self._seats.append(_LoopSeat(self._reporter(index)))
                continue
            name = f"worker {index + 1}"
            self._seats.append(
                _ProcessSeat(
                    name, self._reporter(index), lambda words, at=index: self._died(at, words), on_log
                )
            )
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def size(self) -> int:
        """How many workers there are."""
        return len(self._seats)

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._run(index, seat), name=f"worker {index + 1}")
            for index, seat in enumerate(self._seats)
        ]
        try:
            async with asyncio.timeout(_START_WITHIN):
                await self._ready.wait()
        except TimeoutError:
            self._failure = f"the load workers did not start within {_START_WITHIN:g} s"
        except BaseException:
            await self._end()
            raise
        if self._failure:
            await self._end()
            raise ClusterStartError(self._failure, tried="start the load workers")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.broadcast(Quit())
        try:
            await asyncio.wait(self._tasks, timeout=_STOP_WITHIN)
        finally:
            await self._end()

    async def _run(self, index: int, seat: _Seat) -> None:
        try:
            await seat.run()
        except Exception as error:
            logging.getLogger("pushscope.engine").exception("a worker failed")
            self._died(index, f"worker {index + 1} failed: {error!r}")

    def _died(self, index: int, words: str) -> None:
        self._failure = words
        self._ready.set()
        self._on_death(index, words)

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(PushscopeError):
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _reporter(self, index: int) -> Callable[[Report], None]:
        def report(value: Report) -> None:
            if isinstance(value, Ready):
                self._waiting -= 1
                if not self._waiting:
                    self._ready.set()
            else:
                self._on_report(index, value)

        return report

    # ---- orders -------------------------------------------------------------------------------

    def send(self, index: int, order: Order) -> None:
        """Hand an order to one worker."""
        self._seats[index].send(order)

    def broadcast(self, order: Order) -> None:
        """Hand an order to all workers."""
        for seat in self._seats:
            seat.send(order)

    def deal(self, names: Iterable[str]) -> dict[int, tuple[str, ...]]:
        """These users by the worker that holds them; new ones are dealt out in turn."""
        hands: dict[int, list[str]] = {}
        for name in names:
            index = self.users.setdefault(name, len(self.users) % self.size)
            hands.setdefault(index, []).append(name)
        return {index: tuple(hand) for index, hand in hands.items()}

    def holder(self, user: str | None) -> int:
        """The worker that holds a user; the first one for a user whom nobody holds."""
        return self.users.get(user or "", 0)

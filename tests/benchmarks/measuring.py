"""Tools that measurements share: interleaved rounds, medians, CPU time and memory of processes."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

#: A figure by name, as one round of a candidate yields them.
Figures = Mapping[str, float]


def interleave(rounds: int, candidates: Mapping[str, Callable[[], Figures]]) -> dict[str, dict[str, float]]:
    """Run every candidate once a round and return the medians of their figures.

    The order turns by one each round, so that none always comes after the same other.
    """
    seen: dict[str, list[Figures]] = {name: [] for name in candidates}
    for turn in range(rounds):
        for name in _turned(list(candidates), turn):
            seen[name].append(candidates[name]())
    return {name: medians(figures) for name, figures in seen.items()}


async def interleave_async(
    rounds: int, candidates: Mapping[str, Callable[[], Awaitable[Figures]]]
) -> dict[str, dict[str, float]]:
    """The same for candidates that are coroutine functions."""
    seen: dict[str, list[Figures]] = {name: [] for name in candidates}
    for turn in range(rounds):
        for name in _turned(list(candidates), turn):
            seen[name].append(await candidates[name]())
    return {name: medians(figures) for name, figures in seen.items()}


def _turned(names: list[str], turn: int) -> list[str]:
    turn %= len(names)
    return names[turn:] + names[:turn]


def medians(rounds: Iterable[Figures]) -> dict[str, float]:
    """The median of each figure over the rounds."""
    collected: dict[str, list[float]] = {}
    for figures in rounds:
        for name, value in figures.items():
            collected.setdefault(name, []).append(value)
    return {name: statistics.median(values) for name, values in collected.items()}


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that at least ``percent`` % of the values do not exceed; NaN for none."""
    ordered = sorted(values)
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * percent // 100).__trunc__() - 1))]


def process_tree(*pids: int) -> list[psutil.Process]:
    """These processes and all that they have started, those that still run."""
    found: dict[int, psutil.Process] = {}
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            for each in (process, *process.children(recursive=True)):
                found[each.pid] = each
    return list(found.values())


def cpu_seconds(*pids: int) -> float:
    """User and system time spent so far by these processes and all that they have started.

    The kernel counts in steps of 10 ms: measure over a second or more of work.
    """
    spent = 0.0
    for process in process_tree(*pids):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            spent += times.user + times.system
    return spent


def cpu_seconds_exact(*pids: int) -> float:
    """The same to the nanosecond where Linux tells, for processes whose threads live as long as they."""
    spent = 0.0
    for process in process_tree(*pids):
        try:
            for thread in Path(f"/proc/{process.pid}/task").iterdir():
                spent += int((thread / "schedstat").read_text().split()[0]) / 1e9
        except (OSError, IndexError, ValueError):
            return cpu_seconds(*pids)
    return spent


def resident_bytes(*pids: int) -> int:
    """Resident memory of these processes and all that they have started."""
    total = 0
    for process in process_tree(*pids):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total


class CpuMeter:
    """CPU seconds between entering and leaving: of this process, or of others by their pids.

    ::

        with CpuMeter(instance.pid, broker.pid) as meter:
            …
        meter.seconds
    """

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self.seconds = 0.0
        self._begun = 0.0

    def __enter__(self) -> CpuMeter:
        self._begun = self._read()
        return self

    def __exit__(self, *exception: object) -> None:
        self.seconds = self._read() - self._begun

    def _read(self) -> float:
        # Our own time is known to the nanosecond.
        return cpu_seconds(*self._pids) if self._pids else time.process_time()


async def paced(rate: float, count: int, step: Callable[[int, float], None]) -> None:
    """Call ``step(i, intended)`` ``count`` times at an even rate, open loop, on the running loop.

    ``intended`` is the time (``time.perf_counter``) at which the step was due: latency counts from
    it, so that a stall of the sender shows instead of hiding what waited behind it.
    """
    begun = time.perf_counter()
    for index in range(count):
        intended = begun + index / rate
        while True:
            ahead = intended - time.perf_counter()
            if ahead <= 0:
                break
            # uvloop's timers have steps of 1 ms: the last of them is spun away.
            await asyncio.sleep(ahead - 0.001 if ahead > 0.002 else 0)
        step(index, intended)

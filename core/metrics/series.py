"""What the graphs and the matrix show: tallies added up by series, by time slot and by cell.

A series is ``via:<id>`` (pushed through that instance) or ``on:<id>`` (delivered on it). Slots
are those of the ledger (250 ms of the intended sending). A slot keeps its histogram while late
deliveries are likely; afterwards only its summary, so that a run of hours stays small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .histogram import Histogram
from .push import Tally

#: Slots that keep their histogram (one minute); older ones keep a summary.
OPEN_SLOTS: Final = 240

#: Slots that are kept at all (four hours); the oldest are forgotten.
KEPT_SLOTS: Final = 57_600

_SHOWN: Final = (50.0, 95.0, 99.0)


@dataclass(frozen=True, slots=True)
class SlotSummary:
    """One slot of one series; latencies in nanoseconds, None where nothing was delivered."""

    series: str
    slot: int
    count: int
    lost: int
    p50: int | None
    p95: int | None
    p99: int | None
    max: int | None


class Sum:
    """Everything of one series or one cell over the whole run."""

    __slots__ = ("delivered", "expected", "latency", "lost")

    def __init__(self) -> None:
        self.expected = 0
        self.delivered = 0
        self.lost = 0
        self.latency = Histogram()

    def add(self, tally: Tally) -> None:
        """Add what changed."""
        self.expected += tally.expected
        self.delivered += tally.delivered
        self.lost += tally.lost
        self.latency.merge(tally.latency)

    def merge(self, other: Sum) -> None:
        """Add another sum."""
        self.expected += other.expected
        self.delivered += other.delivered
        self.lost += other.lost
        self.latency.merge(other.latency)


class _Slot:
    """One slot: a histogram while open, a summary once closed for good."""

    __slots__ = ("frozen", "latency", "lost")

    def __init__(self) -> None:
        self.latency = Histogram()
        self.lost = 0
        self.frozen: SlotSummary | None = None

    def add(self, tally: Tally) -> None:
        self.lost += tally.lost
        if tally.latency.count:
            self.latency.merge(tally.latency)

    def summary(self, series: str, slot: int) -> SlotSummary:
        old, new = self.frozen, self.latency
        if old is not None:
            # A delivery that came after more than a minute: it counts and may be the slowest,
            # but the percentiles of its slot stand.
            highest = max(old.max or 0, new.high) if new.count or old.max is not None else None
            count = old.count + new.count
            return SlotSummary(series, slot, count, self.lost, old.p50, old.p95, old.p99, highest)
        p50, p95, p99 = new.percentiles(_SHOWN)
        highest = new.high if new.count else None
        return SlotSummary(series, slot, new.count, self.lost, p50, p95, p99, highest)

    def freeze(self, series: str, slot: int) -> None:
        self.frozen = self.summary(series, slot)
        self.latency = Histogram()


class SeriesBook:
    """Adds up the tallies of all workers."""

    def __init__(self) -> None:
        self.cells: dict[tuple[str, str], Sum] = {}
        self._slots: dict[str, dict[int, _Slot]] = {}
        self._changed: set[tuple[str, int]] = set()
        self._frozen_to = 0

    def add(self, tally: Tally) -> None:
        """Add what changed for one (via, on) and slot."""
        key = (tally.via, tally.on)
        cell = self.cells.get(key)
        if cell is None:
            cell = self.cells[key] = Sum()
        cell.add(tally)
        for series in (f"via:{tally.via}", f"on:{tally.on}"):
            slots = self._slots.setdefault(series, {})
            slot = slots.get(tally.slot)
            if slot is None:
                slot = slots[tally.slot] = _Slot()
            slot.add(tally)
            self._changed.add((series, tally.slot))

    def changed(self, before_slot: int) -> list[SlotSummary]:
        """Slots before ``before_slot`` that changed since they were last handed out, by time."""
        ready = sorted((slot, series) for series, slot in self._changed if slot < before_slot)
        self._changed = {(series, slot) for series, slot in self._changed if slot >= before_slot}
        summaries = [self._slots[series][slot].summary(series, slot) for slot, series in ready]
        self._tidy(before_slot)
        return summaries

    def history(self) -> list[SlotSummary]:
        """Every kept slot of every series, by series and time."""
        return [
            slots[slot].summary(series, slot)
            for series, slots in sorted(self._slots.items())
            for slot in sorted(slots)
        ]

    def _tidy(self, now_slot: int) -> None:
        """Freeze and forget what is old; each slot is looked at once for each."""
        upto = max(self._frozen_to, now_slot - OPEN_SLOTS)
        for series, slots in self._slots.items():
            for number in range(self._frozen_to, upto):
                slot = slots.get(number)
                if slot is not None:
                    slot.freeze(series, number)
                slots.pop(number - KEPT_SLOTS, None)
        self._frozen_to = upto

    def total(self, via: str | None = None, on: str | None = None) -> Sum:
        """The sum over the cells of one via, one on, one of both, or everything."""
        total = Sum()
        for (cell_via, cell_on), cell in self.cells.items():
            if via in (None, cell_via) and on in (None, cell_on):
                total.merge(cell)
        return total

    def series(self) -> list[str]:
        """The names of all series seen so far, sorted."""
        return sorted(self._slots)

"""What all workers reported, added up: totals, series, matrix, users, what is missing."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from ..load.orders import Delta, LostRow, UserNow
from ..metrics import SLOT_NS, Counts, Histogram, SeriesBook, SlotSummary, Sum
from ..report.figures import Cell, LostPush, Percentiles, Point, SeriesSum, Totals, UserRow

_SLOT_S: Final = SLOT_NS / 1e9

#: Missing pushes shown while a run is on.
_SHOWN_MISSING: Final = 200


class Board:
    """Merges the deltas of the workers; all times of the engine are seconds since ``epoch_ns``."""

    def __init__(self, epoch_ns: int) -> None:
        self._epoch_ns = epoch_ns
        self._newest: dict[int, Delta] = {}
        self._users: dict[str, UserRow] = {}
        self._changed_users: dict[str, UserRow] = {}
        self.begin_run()

    def begin_run(self) -> None:
        """Forget what the last run brought; users stay."""
        self.book = SeriesBook()
        self.lag = Histogram()
        self.transports: dict[str, Histogram] = {}
        self.lost: list[LostPush] | None = None
        self.stages: dict[str, str] = {}
        self._counts: dict[int, Counts] = {}
        self._missing: dict[int, list[LostRow]] = {}
        self._sent: dict[int, int] = {}
        self._rate: deque[tuple[float, int]] = deque()
        self._cells: dict[tuple[str, str], tuple[tuple[int, int, int], Cell]] = {}

    def forget_users(self) -> None:
        """Nobody is connected any more; told once more of each user, and then of none."""
        for name, row in self._users.items():
            self._changed_users[name] = msgspec.structs.replace(row, state="disconnected", on="")
        self._users.clear()
        self._newest.clear()

    def seconds(self, stamp_ns: int) -> float:
        """A stamp in the engine's seconds; -1 for none."""
        return (stamp_ns - self._epoch_ns) / 1e9 if stamp_ns else -1.0

    # ---- what comes in ------------------------------------------------------------------------

    def add(self, worker: int, delta: Delta, *, running: bool) -> None:
        """Take one worker's report; what is about pushes counts only while a run is on."""
        self._newest[worker] = delta
        for user in delta.users:
            row = self._user_row(user)
            self._users[user.user] = self._changed_users[user.user] = row
        if not running:
            return
        self._counts[worker] = delta.counts
        self._sent[worker] = delta.sent
        self.lag.merge(delta.lag)
        for transport, latency in delta.transports.items():
            self.transports.setdefault(transport, Histogram()).merge(latency)
        for tally in delta.tallies:
            self.book.add(tally)
        if delta.missing is not None:
            self._missing[worker] = delta.missing

    def _user_row(self, user: UserNow) -> UserRow:
        return UserRow(
            user.user,
            user.state,
            user.on,
            self.seconds(user.connected_ns),
            user.reconnects,
            user.received,
            user.close_code,
            user.error,
            user.known_as,
        )

    # ---- sums over the workers ----------------------------------------------------------------

    def counts(self) -> Counts:
        """The sums of all ledgers."""
        total = Counts()
        for counts in self._counts.values():
            total.add(counts)
        return total

    @property
    def connected(self) -> int:
        """Users that are connected now."""
        return sum(delta.connected for delta in self._newest.values())

    @property
    def joining(self) -> int:
        """Users on the way to their first connection."""
        return sum(delta.joining for delta in self._newest.values())

    @property
    def total(self) -> int:
        """Users there are, connected or not."""
        return sum(delta.total for delta in self._newest.values())

    @property
    def under_way(self) -> int:
        """Pushes without an answer, and accepted ones that did not arrive yet."""
        return sum(delta.under_way for delta in self._newest.values())

    @property
    def exhausted(self) -> bool:
        """Whether all workers have sent what the plan says."""
        return all(delta.exhausted for delta in self._newest.values())

    @property
    def cpu_percent(self) -> float:
        """What all workers cost."""
        return sum(delta.cpu_percent for delta in self._newest.values())

    @property
    def loop_lag_ms(self) -> float:
        """How late the latest worker's loop is."""
        return max((delta.loop_lag_ms for delta in self._newest.values()), default=0.0)

    def user_rows(self) -> list[UserRow]:
        """All users, as last reported."""
        return list(self._users.values())

    def push_rate(self, t: float) -> float:
        """Pushes a second over about the last second."""
        sent = sum(self._sent.values())
        history = self._rate
        history.append((t, sent))
        while len(history) > 2 and t - history[0][0] > 1.05:
            history.popleft()
        elapsed = t - history[0][0]
        return (sent - history[0][1]) / elapsed if elapsed > 0.05 else 0.0

    # ---- what goes out ------------------------------------------------------------------------

    def totals(self) -> Totals:
        """The ledger's sums as an event shows them."""
        counts = self.counts()
        return Totals(**{name: getattr(counts, name) for name in Totals.__struct_fields__})

    def changed_users(self) -> tuple[UserRow, ...]:
        """Users that changed since the last call."""
        rows = tuple(self._changed_users.values())
        self._changed_users.clear()
        return rows

    def changed_points(self, t: float) -> tuple[Point, ...]:
        """Closed slots that changed since the last call."""
        return tuple(point_of(slot) for slot in self.book.changed(int(t / _SLOT_S)))

    def series(self) -> tuple[SeriesSum, ...]:
        """Every series over the whole run."""
        sums: list[SeriesSum] = []
        for name in self.book.series():
            side, _, instance = name.partition(":")
            total = self.book.total(**{side: instance})
            sums.append(SeriesSum(name, total.delivered, total.lost, percentiles(total.latency)))
        return tuple(sums)

    def matrix(self) -> tuple[Cell, ...]:
        """Every cell, by via and on; percentiles are worked out for cells that changed only."""
        cells: list[Cell] = []
        for (via, on), total in sorted(self.book.cells.items()):
            seen = (total.expected, total.delivered, total.lost)
            known = self._cells.get((via, on))
            if known is None or known[0] != seen:
                known = self._cells[via, on] = (seen, cell_of(via, on, total))
            if any(seen):
                cells.append(known[1])
        return tuple(cells)

    def missing(self) -> tuple[LostPush, ...]:
        """What is missing so far, or lost once the run was settled."""
        if self.lost is not None:
            return tuple(self.lost[:_SHOWN_MISSING])
        return tuple(self.lost_push(row, self.stages.get(row.id, "")) for row in self.missing_rows())

    def missing_rows(self) -> list[LostRow]:
        """What is missing so far as the workers report it: the oldest ones."""
        rows = [row for rows in self._missing.values() for row in rows]
        return sorted(rows, key=lambda row: row.intended_ns)[:_SHOWN_MISSING]

    def lost_push(self, row: LostRow, stage: str = "") -> LostPush:
        """A lost push as an event shows it."""
        return LostPush(row.id, row.user, row.via, row.on, row.seq, self.seconds(row.intended_ns), stage)


def percentiles(latency: Histogram) -> Percentiles:
    """The percentiles of a histogram in milliseconds."""
    values = latency.percentiles((50, 90, 95, 99, 99.9, 100))
    return Percentiles(*(milliseconds(value) for value in values))


def cell_of(via: str, on: str, total: Sum) -> Cell:
    """One cell of the matrix."""
    p50, p99 = total.latency.percentiles((50, 99))
    return Cell(via, on, total.expected, total.delivered, total.lost, milliseconds(p50), milliseconds(p99))


def point_of(slot: SlotSummary) -> Point:
    """One point of a graph."""
    return Point(
        slot.series,
        slot.slot * _SLOT_S,
        slot.count,
        milliseconds(slot.p50),
        milliseconds(slot.p95),
        milliseconds(slot.p99),
        milliseconds(slot.max),
        slot.lost,
    )


def milliseconds(value_ns: int | None) -> float | None:
    """Nanoseconds as milliseconds with microsecond precision; None stays None."""
    return None if value_ns is None else round(value_ns / 1e6, 3)

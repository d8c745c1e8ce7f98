"""Latency over time: buckets of 250 ms for each series, joined to the step that a window shows."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from core.report.figures import Marker, Point, SeriesSum

Metric = Literal["p50", "p95", "p99", "max"]
Floats = NDArray[np.float64]

#: Width of the engine's buckets in seconds.
BUCKET = 0.25

#: Buckets kept per series (three hours); beyond that the oldest quarter is dropped.
MAX_BUCKETS = 3 * 3600 * 4

_COUNT, _P50, _P95, _P99, _MAX, _LOST = range(6)
_ROW: dict[Metric, int] = {"p50": _P50, "p95": _P95, "p99": _P99, "max": _MAX}


class Buckets:
    """The buckets of one series in one growing array; a missing one counts nothing."""

    def __init__(self) -> None:
        self._first = 0
        self._length = 0
        self._data = _blank(256)

    @property
    def end(self) -> int:
        """One past the last bucket's number."""
        return self._first + self._length

    def put(self, number: int, point: Point) -> None:
        """Set bucket ``number``; one before the first kept is ignored."""
        if self._length == 0:
            self._first = number
        at = number - self._first
        if at < 0:
            return
        if at >= MAX_BUCKETS:
            at -= self._drop_oldest(at)
        if at >= self._data.shape[1]:
            more = max(self._data.shape[1], at + 1 - self._data.shape[1])
            self._data = np.concatenate([self._data, _blank(more)], axis=1)
        self._length = max(self._length, at + 1)
        self._data[:, at] = (
            point.count,
            _nan(point.p50),
            _nan(point.p95),
            _nan(point.p99),
            _nan(point.max),
            point.lost,
        )

    def joined(self, row: int, start: int, end: int, group: int) -> Floats:
        """One row from bucket ``start`` to ``end``, each ``group`` buckets joined into one.

        Medians are joined by their weighted mean; higher percentiles by the highest, so that a
        peak never vanishes by zooming out; counts and losses are summed.
        """
        values = self._slice(row, start, end).reshape(-1, group)
        if row in (_COUNT, _LOST):
            return values.sum(axis=1)
        if row != _P50:
            return np.fmax.reduce(values, axis=1)
        weights = np.where(np.isnan(values), 0.0, self._slice(_COUNT, start, end).reshape(-1, group))
        total = weights.sum(axis=1)
        mean = (np.nan_to_num(values) * weights).sum(axis=1) / np.maximum(total, 1.0)
        return np.where(total > 0, mean, np.nan)

    def _slice(self, row: int, start: int, end: int) -> Floats:
        out = np.full(end - start, 0.0 if row in (_COUNT, _LOST) else np.nan)
        low, high = max(start, self._first), min(end, self.end)
        if low < high:
            out[low - start : high - start] = self._data[row, low - self._first : high - self._first]
        return out

    def _drop_oldest(self, at: int) -> int:
        gone = max(MAX_BUCKETS // 4, at - MAX_BUCKETS + 1)
        kept = self._data[:, gone : self._length]
        self._data = np.concatenate([kept, _blank(MAX_BUCKETS // 4)], axis=1)
        self._first += gone
        self._length = max(0, self._length - gone)
        return gone


class SeriesModel(QObject):
    """Every series of the engine, the whole run's sums, and the events to mark.

    Series are named ``via:<id>`` and ``on:<id>``; times are the engine's seconds.
    """

    changed = Signal()
    marked = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.reset()

    def reset(self) -> None:
        """Forget everything; the engine's clock begins anew."""
        self._buckets: dict[str, Buckets] = {}
        self._origin: float | None = None
        self.sums: dict[str, SeriesSum] = {}
        self.markers: list[Marker] = []
        self.changed.emit()
        self.marked.emit()

    def apply(self, points: tuple[Point, ...], sums: tuple[SeriesSum, ...]) -> None:
        """Take over new and corrected buckets, and the sums."""
        for point in points:
            if self._origin is None:
                self._origin = point.t
            number = round((point.t - self._origin) / BUCKET)
            self._buckets.setdefault(point.series, Buckets()).put(number, point)
        if sums:
            self.sums = {item.series: item for item in sums}
        if points or sums:
            self.changed.emit()

    def mark(self, marker: Marker) -> None:
        """Remember an event; the last thousand are kept."""
        self.markers.append(marker)
        del self.markers[:-1000]
        self.marked.emit()

    @property
    def empty(self) -> bool:
        """Whether nothing was measured yet."""
        return self._origin is None

    def names(self, group: Literal["via", "on"]) -> list[str]:
        """Ids of the instances that have a series in this grouping, oldest first."""
        prefix = f"{group}:"
        return [name.removeprefix(prefix) for name in self._buckets if name.startswith(prefix)]

    def times(self, start: float, end: float, group: int) -> Floats:
        """Middles of the joined buckets between two times, as float64."""
        first, last = self._span(start, end, group)
        step = BUCKET * group
        middles = np.arange((last - first) // group, dtype=np.float64) + 0.5
        return np.asarray((self._origin or 0.0) + first * BUCKET + step * middles, dtype=np.float64)

    def values(self, series: str, metric: Metric, start: float, end: float, group: int) -> Floats:
        """One series between two times; NaN where nothing was delivered."""
        first, last = self._span(start, end, group)
        buckets = self._buckets.get(series)
        if buckets is None:
            return np.full((last - first) // group, np.nan)
        return buckets.joined(_ROW[metric], first, last, group)

    def per_second(
        self, series: str, what: Literal["count", "lost"], start: float, end: float, group: int
    ) -> Floats:
        """Deliveries or losses per second of one series between two times."""
        first, last = self._span(start, end, group)
        buckets = self._buckets.get(series)
        if buckets is None:
            return np.zeros((last - first) // group)
        return buckets.joined(_COUNT if what == "count" else _LOST, first, last, group) / (BUCKET * group)

    def _span(self, start: float, end: float, group: int) -> tuple[int, int]:
        """Bucket numbers on multiples of ``group``, so that joined buckets do not flicker."""
        origin = self._origin or 0.0
        first = int(np.floor((start - origin) / BUCKET / group)) * group
        last = int(np.floor((end - origin) / BUCKET / group)) * group
        return first, max(first, last)


def _blank(columns: int) -> Floats:
    data = np.full((6, columns), np.nan)
    data[_COUNT] = 0.0
    data[_LOST] = 0.0
    return data


def _nan(value: float | None) -> float:
    return float("nan") if value is None else value

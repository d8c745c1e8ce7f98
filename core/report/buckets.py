"""The points of a run on a time axis of the report: few enough to draw, nothing hidden."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from ..metrics import SLOT_NS
from .figures import Point

#: Most points of one line; a longer run has wider buckets, each showing its worst slot.
MOST: Final = 600

#: Widths of a bucket in slots of 250 ms: up to ten minutes.
_WIDTHS: Final = (1, 2, 4, 8, 20, 40, 80, 240, 480, 1200, 2400)

METRICS: Final = ("p50", "p95", "p99")

Line = list[float | None]


@dataclass(slots=True)
class Lines:
    """One series on the axis: a value or a gap for every bucket."""

    p50: Line
    p95: Line
    p99: Line
    lost: list[int]

    def of(self, metric: str) -> Line:
        """The line of ``p50``, ``p95`` or ``p99``."""
        return {"p50": self.p50, "p95": self.p95, "p99": self.p99}[metric]


@dataclass(slots=True)
class Axis:
    """Times are seconds since the first push was due, at the middle of each bucket."""

    width: float = 0.25
    times: list[float] = field(default_factory=list[float])
    series: dict[str, Lines] = field(default_factory=dict[str, Lines])


def bucket(points: Iterable[Point], started_t: float) -> Axis:
    """Put points on an axis; where several fall into one bucket, the worst is shown."""
    known = list(points)
    if not known:
        return Axis()
    slot_s = SLOT_NS / 1e9
    numbers = [round(point.t / slot_s) for point in known]
    first, last = min(numbers), max(numbers)
    width = next((width for width in _WIDTHS if (last - first) / width < MOST), _WIDTHS[-1])
    count = (last - first) // width + 1
    middle = width * slot_s / 2
    axis = Axis(
        width * slot_s, [first * slot_s + at * width * slot_s + middle - started_t for at in range(count)]
    )
    for point, number in zip(known, numbers, strict=True):
        lines = axis.series.get(point.series)
        if lines is None:
            lines = Lines([None] * count, [None] * count, [None] * count, [0] * count)
            axis.series[point.series] = lines
        at = (number - first) // width
        for metric in METRICS:
            _worst(lines.of(metric), at, getattr(point, metric))
        lines.lost[at] += point.lost
    return axis


def _worst(line: Line, at: int, value: float | None) -> None:
    present = line[at]
    if value is not None and (present is None or value > present):
        line[at] = value

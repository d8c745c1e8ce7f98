"""The report's graph as SVG: latency over time, faults as labelled lines, lost pushes beneath."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ..cleaning import for_markup
from .buckets import METRICS, Axis, Line
from .figures import Marker

VIEW: Final = 1040
LEFT: Final = 52
RIGHT: Final = 12
TOP: Final = 26
PLOT: Final = 230
STRIP_GAP: Final = 34
STRIP: Final = 34
HEIGHT: Final = TOP + PLOT + STRIP_GAP + STRIP + 24
WIDTH: Final = VIEW - LEFT - RIGHT

#: From the ninth series on, colours repeat with another dash (docs/window.md §4).
COLOURS: Final = 8
_DASHES: Final = ("", "6 3", "2 2", "8 3 2 3", "12 4", "1 3", "4 2 1 2", "10 2")

#: Linear turns to logarithmic where the worst is so many times the usual.
_LOG_FROM: Final = 10.0


def colour(index: int) -> str:
    """The colour of the k-th instance, the same everywhere in the report."""
    return f"var(--s{index % COLOURS})"


def dash(index: int) -> str:
    """The dash pattern of the k-th instance: colour is never the only difference."""
    return _DASHES[(index + index // COLOURS) % len(_DASHES)]


@dataclass(frozen=True, slots=True)
class Scale:
    """Milliseconds to the y of the plot."""

    low: float
    high: float
    log: bool

    def y(self, value: float) -> float:
        """Where a value is drawn; below the scale it is drawn at its edge."""
        if self.log:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return TOP + PLOT * (1 - min(1.0, max(0.0, share)))

    def ticks(self) -> list[float]:
        """Values with a grid line."""
        if not self.log:
            step = nice_step(self.high, 5)
            return [step * at for at in range(int(self.high / step + 1e-6) + 1)]
        exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        values = [factor * 10.0**exponent for exponent in exponents for factor in (1, 2, 5)]
        fitting = [value for value in values if self.low <= value * 1.0001 and value <= self.high * 1.0001]
        return fitting if len(fitting) <= 9 else [value for value in fitting if _is_power(value)]


def scale_for(lines: list[Line]) -> Scale:
    """A scale that fits all lines; logarithmic when a peak would flatten everything else."""
    values = sorted(value for line in lines for value in line if value is not None and value > 0)
    if not values:
        return Scale(0.0, 1.0, log=False)
    worst, usual = values[-1], values[len(values) // 2]
    if worst / usual > _LOG_FROM:
        low = _nice_below(values[0])
        return Scale(low, max(_nice_above(worst), low * 10), log=True)
    step = nice_step(worst, 5)
    return Scale(0.0, step * math.ceil(worst / step + 1e-9), log=False)


def nice_step(span: float, parts: int) -> float:
    """A step of 1, 2 or 5 times a power of ten that divides ``span`` into about ``parts``."""
    rough = max(span, 1e-9) / parts
    power = 10 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)


def _is_power(value: float) -> bool:
    return abs(math.log10(value) - round(math.log10(value))) < 1e-6


def _nice_below(value: float) -> float:
    power = 10 ** math.floor(math.log10(value))
    return next(factor * power for factor in (5, 2, 1) if factor * power <= value * 1.001)


def _nice_above(value: float) -> float:
    power = 10 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value * 0.999)


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn: an axis with its series, the instances in their order, markers, the time span."""

    axis: Axis
    instances: list[str]
    markers: tuple[Marker, ...]
    started_t: float
    start: float
    end: float

    def x(self, t: float) -> float:
        """Where a time (seconds since the first push) is drawn."""
        return LEFT + WIDTH * (t - self.start) / max(1e-9, self.end - self.start)

    def svg(self) -> str:
        """The whole picture."""
        lines = [each.of(metric) for each in self.axis.series.values() for metric in METRICS]
        scale = scale_for(lines)
        name = "Latency over time for each instance, in milliseconds, with faults and lost pushes"
        parts = [f'<svg viewBox="0 0 {VIEW} {HEIGHT}" role="img" aria-label="{name}">']
        parts += [*self._y_axis(scale), *self._x_axis(), *self._strip(), *self._series(scale), *self._marks()]
        bottom = TOP + PLOT + STRIP_GAP + STRIP
        parts.append(f'<line class="cross" x1="0" x2="0" y1="{TOP}" y2="{bottom}"/></svg>')
        return "".join(parts)

    def _y_axis(self, scale: Scale) -> Iterator[str]:
        for value in scale.ticks():
            y = scale.y(value)
            yield f'<line class="grid" x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        unit = "ms, log" if scale.log else "ms"
        yield f'<text x="{LEFT - 8}" y="{TOP - 12}" text-anchor="end">{unit}</text>'

    def _x_axis(self) -> Iterator[str]:
        foot = TOP + PLOT + STRIP_GAP + STRIP
        step = nice_step(self.end - self.start, 8)
        at = math.ceil(self.start / step - 1e-9)
        while at * step <= self.end + 1e-9:
            x = self.x(at * step)
            yield f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{foot}" y2="{foot + 4}"/>'
            yield f'<text x="{x:.1f}" y="{foot + 18}" text-anchor="middle">{at * step:g} s</text>'
            at += 1

    def _strip(self) -> Iterator[str]:
        """Lost pushes, by the time at which they were to be sent."""
        foot = TOP + PLOT + STRIP_GAP + STRIP
        lost = [0] * len(self.axis.times)
        for name, lines in self.axis.series.items():
            if name.startswith("via:"):
                lost = [old + new for old, new in zip(lost, lines.lost, strict=True)]
        yield f'<line class="axis" x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{foot}" y2="{foot}"/>'
        yield f'<text x="{LEFT - 8}" y="{foot - 2}" text-anchor="end">lost</text>'
        most = max(lost, default=0)
        bar = max(2.0, WIDTH * self.axis.width / max(1e-9, self.end - self.start) - 1)
        for t, number in zip(self.axis.times, lost, strict=True):
            if number > 0:
                height = max(3.0, STRIP * number / most)
                yield (
                    f'<rect class="lostbar" x="{self.x(t) - bar / 2:.1f}" y="{foot - height:.1f}" '
                    f'width="{bar:.1f}" height="{height:.1f}"><title>{number} lost</title></rect>'
                )
        if most:
            yield f'<text x="{LEFT - 8}" y="{foot - STRIP + 8}" text-anchor="end">{most}</text>'

    def _series(self, scale: Scale) -> Iterator[str]:
        for side in ("via", "on"):
            for metric in METRICS:
                yield f'<g class="series {side} {metric}">'
                for index, instance in enumerate(self.instances):
                    lines = self.axis.series.get(f"{side}:{instance}")
                    if lines is not None:
                        path = self._path(lines.of(metric), scale)
                        style = f'stroke="{colour(index)}" stroke-dasharray="{dash(index)}"'
                        yield f'<path {style} d="{path}"><title>{side} {for_markup(instance)}</title></path>'
                yield "</g>"

    def _path(self, line: Line, scale: Scale) -> str:
        """Straight lines between neighbours; a bucket without a delivery breaks the line."""
        words: list[str] = []
        drawing = False
        for at, value in enumerate(line):
            if value is None:
                drawing = False
                continue
            x, y = self.x(self.axis.times[at]), scale.y(value)
            alone = not drawing and (at + 1 == len(line) or line[at + 1] is None)
            words.append(f"{'L' if drawing else 'M'}{x:.1f} {y:.1f}")
            if alone:  # a dot
                words.append(f"h0.01M{x - 1.5:.1f} {y:.1f}h3")
            drawing = True
        return "".join(words)

    def _marks(self) -> Iterator[str]:
        """Labels go to a second row where they would run into each other."""
        foot = TOP + PLOT + STRIP_GAP + STRIP
        last_end = [0.0, 0.0]
        for marker in self.markers:
            t = marker.t - self.started_t
            if not self.start <= t <= self.end or not marker.target:
                continue
            x = self.x(t)
            calm = "" if marker.kind in ("kill", "dead", "stop", "pause", "drain", "broker-lost") else " calm"
            label = for_markup(f"{_WORDS.get(marker.kind, marker.kind)} {marker.target}")
            row = 0 if x + 4 >= last_end[0] else 1
            right = x + 8 + 7 * len(label) > VIEW
            last_end[row] = x + 8 + 7 * len(label)
            place = f'x="{x - 5:.1f}" text-anchor="end"' if right else f'x="{x + 5:.1f}"'
            yield f'<line class="mark{calm}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 14}" y2="{foot}"/>'
            yield f'<text class="marked{calm}" {place} y="{TOP - 5 + 14 * row}">{label}</text>'


_WORDS: Final = {"dead": "died:", "broker-lost": "no broker:", "broker-back": "broker again:"}

"""The latency chart's director: which span, which step, which curves; the widget only draws."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from PySide6.QtCore import QObject, Signal

from core.report.figures import Marker

from .. import words
from ..context import Context
from ..format import decimal, millis, short_clock
from ..models.legend import LegendModel, LegendRow
from ..models.series import BUCKET, Floats, Metric
from ..widgets.plot import Mark, TimeChart
from ..widgets.scales import LOG_FLOOR, Limit, Ticks, linear_ticks, log_ticks, nice_limit
from ..widgets.swatch import pen_of

Group = Literal["via", "on"]
Scale = Literal["lin", "log"]

#: Spans by key in seconds; 0 is the whole run.
WINDOWS: dict[str, float] = {"30s": 30, "1m": 60, "5m": 300, "15m": 900, "run": 0}

_MAX_POINTS = 600
_GROUPS = (1, 2, 4, 8, 20, 40, 60, 120, 240, 480, 960, 2400)
_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)

#: Buckets close a little after their end; the right edge stays behind by this much.
_EDGE = 0.4

_TONES = {
    "kill": "danger",
    "dead": "danger",
    "stop": "warn",
    "pause": "warn",
    "drain": "warn",
    "remove": "warn",
    "broker-lost": "danger",
}


def step_for(span: float) -> int:
    """How many buckets make one point, so that a curve has at most 600."""
    for group in _GROUPS:
        if span / (BUCKET * group) <= _MAX_POINTS:
            return group
    return _GROUPS[-1]


def step_for_rate(per_second: float, before: int) -> int:
    """How many buckets make one point, so that a percentile is one of about ten values or more.

    ``before`` is what was chosen last; it stays while the rate is near a limit.
    """
    for step, limit in ((1, 40.0), (4, 6.0)):
        if per_second >= limit * (0.7 if before <= step else 1.0):
            return step
    return 8


def time_ticks(start: float, end: float, origin: float, most: int) -> Ticks:
    """Round times since the run's start between ``start`` and ``end``."""
    span = max(end - start, 1.0)
    step = next((s for s in _TIME_STEPS if span / s <= most), _TIME_STEPS[-1])
    first = math.ceil((start - origin) / step - 1e-9)
    last = math.floor((end - origin) / step + 1e-9)
    return [(origin + k * step, short_clock(k * step)) for k in range(max(0, first), last + 1)]


class ChartDirector(QObject):
    """Feeds a :class:`TimeChart` from the series model.

    It follows the run until the chart is moved by hand (``following`` turns False), and stands
    still while the context is paused; recording goes on either way.
    """

    follow_changed = Signal()

    def __init__(self, context: Context, chart: TimeChart, legend: LegendModel) -> None:
        super().__init__(chart)
        self._context = context
        self._session = context.session
        self._chart = chart
        self._legend = legend
        self.metric: Metric = "p99"
        self.group: Group = "via"
        self.window = "1m"
        self.scale: Scale = "lin"
        self.following = True
        self._hover: float | None = None
        self._rate_step = 1
        self._limit = Limit(lowest=2.0)
        self._strip_limit = Limit(lowest=4.0)
        chart.hovered.connect(self._on_hover)
        chart.moved.connect(self._on_moved)
        chart.reset_asked.connect(self.follow)
        context.theme.changed.connect(self._on_theme)

    # ---- choices -------------------------------------------------------------------------

    def choose(
        self,
        *,
        metric: Metric | None = None,
        group: Group | None = None,
        window: str | None = None,
        scale: Scale | None = None,
    ) -> None:
        """Change what is shown."""
        self.metric = metric or self.metric
        self.group = group or self.group
        self.scale = scale or self.scale
        if window is not None:
            self.window = window
            self.follow()
        self._limit.reset()
        self.redraw()

    def follow(self) -> None:
        """Back to the live edge."""
        if not self.following:
            self.following = True
            self.follow_changed.emit()
        self.redraw()

    # ---- drawing -------------------------------------------------------------------------

    def redraw(self) -> None:
        """Draw the present span."""
        if self._chart.dragging:
            return
        start, end = self._span()
        shown_from, shown_to = (start, end) if self.following else self._chart.x_range
        group = self._step(shown_to - shown_from)
        now = self._now()
        # One step more on both sides, so that lines run to the edges.
        step = BUCKET * group
        to = min(shown_to + step, now - _EDGE + step - BUCKET)
        span = (shown_from - step, max(to, shown_from))
        names = self.names()
        highest = self._draw_curves(names, span, group)
        self._draw_strip(names, span, group)
        self._draw_marks(shown_from, shown_to)
        self._draw_axes(shown_from, shown_to, highest)
        self._fill_legend(names, now)

    def names(self) -> list[str]:
        """Instances that have a curve, in the order of their colours."""
        return sorted(self._session.series.names(self.group), key=self._session.cluster.index)

    def describe(self) -> str:
        """The chart in one sentence, for assistive technology."""
        sums = {name: self._session.series.sums.get(f"{self.group}:{name}") for name in self.names()}
        known = {name: item.latency.p99 for name, item in sums.items() if item is not None}
        values = {name: value for name, value in known.items() if value is not None}
        overall = millis(self._session.run.latency.p99)
        if not values:
            return self.tr("No latency measured yet")
        worst = max(values, key=lambda name: values[name])
        return self.tr("p99 {overall} ms; {worst} highest with {value} ms; {lost} lost").format(
            overall=overall, worst=worst, value=millis(values[worst]), lost=self._session.run.totals.lost
        )

    def table(self, most: int = 120) -> tuple[list[str], list[list[str]]]:
        """The shown span as header and rows of texts, newest first."""
        names = self.names()
        start, end = self._span() if self.following else self._chart.x_range
        group = self._step(end - start)
        end = min(end, self._now() - _EDGE)
        series, origin = self._session.series, self._session.run.run_start
        times = series.times(start, end, group)
        columns = [series.values(f"{self.group}:{n}", self.metric, start, end, group) for n in names]
        lost = self._lost_per_second(names, (start, end), group)
        rows: list[list[str]] = []
        for k in range(len(times) - 1, max(-1, len(times) - 1 - most), -1):
            values = [millis(None if math.isnan(c[k]) else float(c[k])) for c in columns]
            rows.append([short_clock(float(times[k]) - origin), *values, decimal(float(lost[k]))])
        return [self.tr("Time"), *names, self.tr("lost/s")], rows

    # ---- inside --------------------------------------------------------------------------

    def _step(self, span: float) -> int:
        latest, names = self._session.run.latest, self.names()
        if latest is not None and latest.push_rate > 0 and names:
            self._rate_step = step_for_rate(latest.push_rate / len(names), self._rate_step)
        return max(step_for(span), self._rate_step)

    def _now(self) -> float:
        paused = self._context.paused_at
        return self._session.run.now if paused is None else paused

    def _span(self) -> tuple[float, float]:
        """The followed span: filled from the left while the run is younger than the window."""
        now, origin = self._now(), self._session.run.run_start
        length = WINDOWS[self.window]
        end = max(now - _EDGE, 0.0)
        if length == 0:
            return origin, max(end, origin + 30.0)
        start = max(end - length, min(origin, end))
        return start, start + length

    def _draw_curves(self, names: list[str], span: tuple[float, float], group: int) -> float:
        series = self._session.series
        times = series.times(*span, group)
        self._chart.remove_curves(names)
        highest = 0.0
        for name in names:
            index = self._session.cluster.index(name)
            self._chart.set_curve(name, pen_of(self._context.theme, index))
            self._chart.show_curve(name, self._legend.shown(name))
            values = series.values(f"{self.group}:{name}", self.metric, *span, group)
            if self._legend.shown(name) and np.isfinite(values).any():
                highest = max(highest, float(np.nanmax(values)))
            if self.scale == "log":
                values = np.log10(np.maximum(values, LOG_FLOOR))
            self._chart.set_data(name, times, values)
        return highest

    def _draw_strip(self, names: list[str], span: tuple[float, float], group: int) -> None:
        # A bar a second at least: a loss is an event, not a rate within a quarter of a second.
        wide = max(group, 4)
        lost = self._lost_per_second(names, span, wide)
        times = self._session.series.times(*span, wide)
        self._chart.set_bars(times, lost, BUCKET * wide)
        top = self._strip_limit.follow(float(lost.max()) if len(lost) else 0.0)
        self._chart.set_strip(top, self.tr("lost/s"))

    def _lost_per_second(self, names: list[str], span: tuple[float, float], group: int) -> Floats:
        series = self._session.series
        total = np.zeros(len(series.times(*span, group)))
        for name in names:
            total += series.per_second(f"{self.group}:{name}", "lost", *span, group)
        return total

    def _draw_marks(self, start: float, end: float) -> None:
        inside = [m for m in self._session.series.markers if start <= m.t <= end]
        self._chart.set_marks([_mark(marker) for marker in inside[-40:]])

    def _draw_axes(self, start: float, end: float, highest: float) -> None:
        if self.following:
            most = max(4, self._chart.width() // 90)
            ticks = time_ticks(start, end, self._session.run.run_start, most)
            self._chart.set_x(start, end, ticks)
        limit = self._limit.follow(highest)
        if self.scale == "log":
            top = max(10.0, nice_limit(limit))
            self._chart.set_y(math.log10(LOG_FLOOR), math.log10(top), log_ticks(top), "ms")
        else:
            self._chart.set_y(0.0, limit, linear_ticks(limit), "ms")

    def _fill_legend(self, names: list[str], now: float) -> None:
        series = self._session.series
        at = self._hover
        moment = "" if at is None else short_clock(at - self._session.run.run_start)
        span = (now - 2.5, now) if at is None else (at - BUCKET, at + BUCKET)
        rows: list[LegendRow] = []
        for name in names:
            values = series.values(f"{self.group}:{name}", self.metric, *span, 1)
            some = values[np.isfinite(values)]
            total = series.sums.get(f"{self.group}:{name}")
            latency = total.latency if total is not None else None
            rows.append(
                LegendRow(
                    name,
                    float(some[-1]) if len(some) else math.nan,
                    latency.p50 if latency is not None else None,
                    latency.p99 if latency is not None else None,
                    latency.max if latency is not None else None,
                )
            )
        self._legend.set_rows(rows, moment)

    def _on_hover(self, t: float | None) -> None:
        if t is not None:  # snap to the middle of a bucket
            t = (math.floor(t / BUCKET) + 0.5) * BUCKET
        self._hover = t
        self._chart.show_cross(t)
        self._fill_legend(self.names(), self._now())

    def _on_moved(self, start: float, end: float) -> None:
        if self.following:
            self.following = False
            self.follow_changed.emit()
        most = max(4, self._chart.width() // 90)
        self._chart.set_x(start, end, time_ticks(start, end, self._session.run.run_start, most))
        self.redraw()

    def _on_theme(self) -> None:
        self._chart.apply_theme(self._context.theme.tokens)
        self.redraw()


def _mark(marker: Marker) -> Mark:
    return Mark(marker.t, words.marker(marker.kind, marker.target), _TONES.get(marker.kind, "muted"))

"""The demo in a terminal: a small table that moves, latency per instance first."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from core.cleaning import clean_line, clean_text
from core.environment import ClusterSpec, StartStep

from .views import PlainView, status_line
from .watching import View

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from core.engine.messages import Snapshot
    from core.report.figures import Point, SeriesSum

#: Seconds between two pictures of the table, and lines in a pipe.
_EVERY = 0.25
_LINE_EVERY = 1.0

#: Seconds that "now" looks back.
_NOW = 1.0


def open_demo_view(spec: ClusterSpec | None) -> View:
    """The view that fits where standard output goes."""
    title = f"{spec.instances} instances, {spec.strategy}" if spec is not None else "demo"
    return DemoTable(title) if sys.stdout.isatty() else DemoLines()


class _Recent:
    """The latest points of each series."""

    def __init__(self) -> None:
        self._points: dict[str, list[Point]] = {}

    def take(self, snapshot: Snapshot) -> None:
        for point in snapshot.points:
            known = [each for each in self._points.get(point.series, []) if each.t != point.t]
            self._points[point.series] = [each for each in (*known, point) if each.t >= snapshot.t - 2 * _NOW]

    def p99(self, series: str, t: float) -> float | None:
        """The worst p99 of the last second; None if nothing was delivered in it."""
        values = [
            point.p99
            for point in self._points.get(series, [])
            if point.p99 is not None and point.t > t - _NOW - 0.25
        ]
        return max(values, default=None)


class DemoLines(PlainView):
    """One plain line a second, and the latency of each instance in it."""

    def __init__(self) -> None:
        super().__init__()
        self._recent = _Recent()
        self._line_at = 0.0

    def snapshot(self, snapshot: Snapshot) -> None:
        """At most one line a second."""
        self._recent.take(snapshot)
        if snapshot.run not in ("running", "draining") or snapshot.t < self._line_at:
            return
        self._line_at = snapshot.t + _LINE_EVERY
        each = "  ".join(
            f"{instance.id} {_ms(self._recent.p99(f'on:{instance.id}', snapshot.t))}"
            for instance in snapshot.instances
        )
        self.say(f"{snapshot.run_t:6.1f} s  {status_line(snapshot)}  p99 now: {each}")


class DemoTable:
    """A table that is drawn anew four times a second, under a line of headline numbers."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.live import Live

        self._title = title
        self._recent = _Recent()
        self._drawn_at = 0.0
        self._live = Live(console=Console(highlight=False), auto_refresh=False, transient=True)
        self._live.start()

    def step(self, step: StartStep) -> None:
        """The step that is under way."""
        count = f" {step.done}/{step.total}" if step.total else ""
        if step.state in ("running", "failed"):
            words = "failed" if step.state == "failed" else "…"
            self._live.update(_plain(f"starting: {step.key}{count} {words}"), refresh=True)

    def snapshot(self, snapshot: Snapshot) -> None:
        """Draw, but not more often than eyes can follow."""
        self._recent.take(snapshot)
        if snapshot.run in ("running", "draining") and snapshot.t - self._drawn_at >= _EVERY:
            self._drawn_at = snapshot.t
            self._live.update(self._table(snapshot), refresh=True)

    def say(self, line: str) -> None:
        """A line above the table."""
        self._live.console.print(clean_text(line), markup=False)

    def close(self) -> None:
        """Take the table away."""
        self._live.stop()

    def _table(self, snapshot: Snapshot) -> Table:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        title = f"Pushscope demo, {self._title}, {snapshot.run_t:.0f} s (Ctrl-C stops)"
        table = Table(
            title=_plain(title), caption=_plain(status_line(snapshot)), box=SIMPLE_HEAD, title_justify="left"
        )
        table.caption_justify = "left"
        table.add_column("instance")
        for name in ("state", "sessions", "p99 now", "on p50", "on p99", "lost", "via p50", "via p99"):
            table.add_column(name, justify="right" if name != "state" else "left")
        sums = {each.series: each for each in snapshot.series}
        for instance in snapshot.instances:
            on, via = sums.get(f"on:{instance.id}"), sums.get(f"via:{instance.id}")
            now = self._recent.p99(f"on:{instance.id}", snapshot.t)
            sessions = "–" if instance.sessions < 0 else str(instance.sessions)
            table.add_row(
                _plain(instance.id), _plain(instance.state), sessions, _ms(now), *_sums(on), *_sums(via)[:2]
            )
        return table


def _plain(text: str) -> Text:
    """A text as it is: rich would take ``[red]`` in it for a colour."""
    from rich.text import Text

    return Text(clean_line(text))


def _sums(each: SeriesSum | None) -> tuple[str, str, str]:
    if each is None:
        return "–", "–", "–"
    return _ms(each.latency.p50), _ms(each.latency.p99), str(each.lost)


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} ms"

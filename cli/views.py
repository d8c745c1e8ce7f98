"""How a run looks in a terminal (one line with a bar) and in a pipe (one plain line a second)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from core.cleaning import clean_line, clean_text
from core.environment import StartStep

from .output import say
from .watching import View

if TYPE_CHECKING:
    from core.engine.messages import Snapshot


def open_view(duration: float) -> View:
    """The view that fits where standard output goes; ``duration`` 0 is a run without an end."""
    return TerminalView(duration) if sys.stdout.isatty() else PlainView()


def status_line(snapshot: Snapshot) -> str:
    """One line that tells how it goes."""
    totals, latency = snapshot.totals, snapshot.latency
    p50 = "–" if latency.p50 is None else f"{latency.p50:.2f}"
    p99 = "–" if latency.p99 is None else f"{latency.p99:.2f}"
    return (
        f"users {snapshot.users_connected}/{snapshot.users_total}  push {snapshot.push_rate:.0f}/s  "
        f"delivered {totals.delivered}/{totals.expected}  lost {totals.lost}  p50 {p50} ms  p99 {p99} ms"
    )


class PlainView:
    """Plain lines on standard output: no colour, no cursor movement, one line a second."""

    def __init__(self) -> None:
        self._next = 0.0

    def step(self, step: StartStep) -> None:
        """One line for each step that is done or failed."""
        if step.state == "done" and step.total:
            _write(f"{step.key} {step.done}/{step.total} ready after {step.seconds:.2f} s")
        elif step.state == "failed":
            _write(_failure(step))

    def snapshot(self, snapshot: Snapshot) -> None:
        """At most one line a second while pushes are made or awaited."""
        if snapshot.run in ("running", "draining") and snapshot.t >= self._next:
            self._next = snapshot.t + 1.0
            _write(f"{snapshot.run_t:6.1f} s  {status_line(snapshot)}")

    def say(self, line: str) -> None:
        """A line of its own."""
        _write(line)

    def close(self) -> None:
        """Nothing is open."""


class TerminalView:
    """A bar for the time that is over, and what is measured beside it."""

    def __init__(self, duration: float) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._duration = duration
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[words]}", markup=False),
            console=Console(highlight=False),
            refresh_per_second=8,
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=None, words="")
        self._progress.start()

    def step(self, step: StartStep) -> None:
        """The step that is under way."""
        if step.state == "failed":
            self.say(_failure(step))
        elif step.state == "running":
            words = f"{step.done}/{step.total}" if step.total else ""
            self._progress.update(
                self._task, description=f"starting {clean_line(step.key)}", total=step.total or None,
                completed=step.done, words=words,
            )  # fmt: skip

    def snapshot(self, snapshot: Snapshot) -> None:
        """How far it is, and what was measured."""
        if snapshot.run not in ("running", "draining"):
            return
        total = self._duration or None
        done = min(snapshot.run_t, self._duration) if self._duration else snapshot.run_t
        described = f"{clean_line(snapshot.run)} {done:5.1f} s"
        self._progress.update(
            self._task, description=described, total=total, completed=done, words=status_line(snapshot)
        )

    def say(self, line: str) -> None:
        """A line above the bar."""
        self._progress.console.print(clean_text(line), markup=False)

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()


def _failure(step: StartStep) -> str:
    return f"{step.key} failed: {step.detail.partition(chr(10))[0]}"


def _write(line: str) -> None:
    say(line)

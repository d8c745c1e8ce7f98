"""Views of a run: plain lines in a pipe, at most one a second."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from cli.demo_view import DemoLines, DemoTable
from cli.views import PlainView, TerminalView
from cli.watching import View
from core.engine.messages import EngineState, Snapshot
from core.environment import InstanceInfo, StartStep
from core.report.figures import Percentiles, Point, SeriesSum, Totals


def snapshot(t: float, run: EngineState = "running") -> Snapshot:
    latency = Percentiles(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    return Snapshot(
        t=t, run_t=t - 1.0, run=run, users_connected=3, users_total=4, push_rate=40.0,
        totals=Totals(expected=10, delivered=9, lost=1), latency=latency, sender_lag_ms=0.1,
        engine_cpu_percent=1.0, engine_lag_ms=0.1,
        instances=(InstanceInfo("i1", "ready", "http://h", sessions=3),),
        points=(Point("on:i1", t - 0.5, 1, 1.0, 2.0, 7.5, 9.0),), series=(SeriesSum("on:i1", 9, 1, latency),),
    )  # fmt: skip


def test_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    view = PlainView()
    view.step(StartStep("ports", "done"))
    view.step(StartStep("instances", "running", 0.1, 1, 2))
    view.step(StartStep("instances", "done", 0.5, 2, 2))
    view.step(StartStep("gateway", "failed", 0.5, detail="no\nway"))
    for tenth in range(25):
        view.snapshot(snapshot(1.0 + tenth / 10))
    view.snapshot(snapshot(9.0, "stopped"))
    view.say("killed i2")
    view.close()
    assert capsys.readouterr().out.splitlines() == [
        "instances 2/2 ready after 0.50 s",
        "gateway failed: no",
        "   0.0 s  users 3/4  push 40/s  delivered 9/10  lost 1  p50 1.00 ms  p99 4.00 ms",
        "   1.0 s  users 3/4  push 40/s  delivered 9/10  lost 1  p50 1.00 ms  p99 4.00 ms",
        "   2.0 s  users 3/4  push 40/s  delivered 9/10  lost 1  p50 1.00 ms  p99 4.00 ms",
        "killed i2",
    ]


def test_lines_of_the_demo_have_the_latency_of_each_instance(capsys: pytest.CaptureFixture[str]) -> None:
    view = DemoLines()
    for tenth in range(15):
        view.snapshot(snapshot(1.0 + tenth / 10))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("p99 now: i1 7.50 ms")


@pytest.mark.parametrize(
    "view", [lambda: TerminalView(5.0), lambda: TerminalView(0.0), lambda: DemoTable("demo")]
)
def test_views_of_a_terminal_show_the_same_and_end(
    view: Callable[[], View], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = view()
    try:
        shown.step(StartStep("instances", "running", 0.1, 1, 2))
        shown.step(StartStep("gateway", "failed", 0.1, detail="no way"))
        for tenth in range(5):
            shown.snapshot(snapshot(1.0 + tenth / 10))
        shown.say("killed [i2]")
    finally:
        shown.close()
        shown.close()
    assert "killed [i2]" in capsys.readouterr().out


@pytest.mark.parametrize("view", [lambda: TerminalView(5.0), lambda: DemoTable("[red]demo[/]")])
def test_foreign_texts_are_neither_colours_nor_sequences(
    view: Callable[[], View], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # draw as if this were a terminal
    monkeypatch.setenv("COLUMNS", "240")
    hostile = "[red]i1[/red]\x1b]0;taken\x07"
    shown = view()
    try:
        shown.step(StartStep(hostile, "running", 0.1, 1, 2))
        odd = snapshot(10.0)
        shown.snapshot(msgspec.structs.replace(odd, instances=(InstanceInfo(hostile, "ready", "http://h"),)))
        drawn = capsys.readouterr().out
        shown.say(hostile)
    finally:
        shown.close()
    said = capsys.readouterr().out
    assert "\x1b]0" not in drawn + said and "\x07" not in drawn + said
    assert "[red]i1[/red]\\x1b]0;taken\\x07" in said
    if isinstance(shown, DemoTable):  # the bar is drawn by a thread, when it likes
        assert "[red]i1[/red]" in drawn and "[red]demo[/]" in drawn

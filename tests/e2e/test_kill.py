"""One of three instances dies in the middle of a run: what is lost is known, to the last number."""

from __future__ import annotations

import csv
import os
import signal
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from core import Result, Scenario, run
from core.errors import ExitCode
from core.load.scenario import Fault
from tests.support.tap import Line, Tap, TappedCluster

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")

#: Longest time in which users of a dead instance must be subscribed again.
BACK_WITHIN_S = 3.0


class Row(NamedTuple):
    """One push, as deliveries.csv has it; times are nanoseconds of the one clock."""

    id: str
    user: str
    on: str
    intended_ns: int
    verdict: str
    stage: str


def read_rows(result: Result, out: Path) -> list[Row]:
    zero_ns = result.epoch_ns + round(result.started_t * 1e9)
    with (out / "deliveries.csv").open(encoding="utf-8") as file:
        return [
            Row(
                row["id"],
                row["user"],
                row["on"],
                zero_ns + round(float(row["intended"]) * 1e9),
                row["verdict"],
                row["stage"],
            )
            for row in csv.DictReader(file)
            if row["intended"]
        ]


def stamp_ns(result: Result, kind: str, target: str) -> int:
    (marker,) = [each for each in result.markers if (each.kind, each.target) == (kind, target)]
    return result.epoch_ns + round(marker.t * 1e9)


def newest_lines(lines: list[Line]) -> dict[str, Line]:
    """The last connection of each user that was subscribed."""
    return {line.user: line for line in lines if line.subscribed_ns() is not None}


def assert_the_ledger_agrees(result: Result, rows: list[Row], lines: list[Line]) -> None:
    """Lost, and which, is exactly what the capture misses; nothing else came than was pushed."""
    captured = [push_id for line in lines for _, push_id in line.received()]
    accepted = {row.id for row in rows if row.verdict not in ("refused", "unanswered")}
    lost = {row.id for row in rows if row.verdict == "lost"}
    assert len(captured) == len(set(captured)) == result.delivered
    assert accepted - set(captured) == lost == {push.id for push in result.lost_pushes}
    assert set(captured) <= accepted
    assert result.lost == len(lost)
    assert result.summary.expected == len(accepted)


def assert_everybody_is_back(rows: list[Row], lines: list[Line], died_ns: int) -> None:
    """Users of the dead instance are subscribed again in time, and from then on nothing is lost."""
    newest = newest_lines(lines)
    again = [line for line in lines if (at := line.subscribed_ns()) is not None and at > died_ns]
    assert again, "nobody was on the instance that died"
    for line in again:
        at = line.subscribed_ns()
        assert at is not None
        assert (at - died_ns) / 1e9 < BACK_WITHIN_S, line.user
    for row in rows:
        subscribed_ns = newest[row.user].subscribed_ns()
        assert subscribed_ns is not None
        if row.intended_ns > subscribed_ns and row.verdict not in ("refused", "unanswered"):
            assert row.verdict == "ok", row


def assert_the_report_says_where(result: Result, out: Path) -> None:
    """When, what, and at which stage."""
    page = (out / "report.html").read_text(encoding="utf-8")
    for push in result.lost_pushes:
        assert push.stage
        assert push.stage != "not known to any instance"
        assert push.id in page
    judged = ExitCode.DELIVERY if result.lost else ExitCode.PASS
    assert result.exit_code in (judged, ExitCode.SATURATED)  # the latter comes first, on a busy machine


@pytest.mark.timeout(120)
async def test_an_instance_killed_from_outside(tmp_path: Path) -> None:
    chunks = 0
    pid = 0

    def count() -> None:
        nonlocal chunks
        chunks += 1
        if chunks == 700:  # about two seconds in
            os.kill(pid, signal.SIGKILL)

    async with TappedCluster(instances=3) as cluster:
        pid = cluster.describe().instances[1].pid or 0
        async with Tap(cluster.gateway_websocket_url, count) as tap:
            cluster.tap_url = tap.url
            scenario = Scenario(users=36, rate=300, duration=5, drain=2, payload_bytes=200)
            result = await run(scenario, cluster, out=tmp_path)
    assert chunks > 700
    died_ns = stamp_ns(result, "dead", "i2")
    rows = read_rows(result, tmp_path)
    assert_the_ledger_agrees(result, rows, tap.lines)
    assert_everybody_is_back(rows, tap.lines, died_ns)
    assert_the_report_says_where(result, tmp_path)
    assert result.summary.duplicate == result.summary.misrouted == result.summary.reordered == 0


@pytest.mark.timeout(120)
async def test_an_instance_killed_by_the_scenario(tmp_path: Path) -> None:
    async with TappedCluster(instances=3) as cluster, Tap(cluster.gateway_websocket_url) as tap:
        cluster.tap_url = tap.url
        kill = Fault(at=1.5, action="kill", instance="i3")
        scenario = Scenario(users=24, rate=200, duration=4, drain=2, faults=(kill,))
        result = await run(scenario, cluster, workers=0, out=tmp_path)
    rows = read_rows(result, tmp_path)
    assert_the_ledger_agrees(result, rows, tap.lines)
    assert_everybody_is_back(rows, tap.lines, stamp_ns(result, "kill", "i3"))
    assert_the_report_says_where(result, tmp_path)
    assert [each.kind for each in result.markers if each.kind == "dead"] == []

"""Workers in processes: started, told, ended; and what happens when one dies."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from core.engine.messages import Finished, Problem, Snapshot, StartRun
from core.engine.pool import WorkerPool
from core.environment import ClusterSpec
from core.errors import ClusterStartError, ExitCode
from core.load.orders import Delta, Report
from core.load.scenario import Scenario
from tests.support.engines import DELIVERED, WatchedEngine
from tests.support.processes import descendants

TWO = ClusterSpec(instances=2)


def nobody(worker: int, words: str) -> None:
    raise AssertionError(f"worker {worker} died: {words}")


def test_users_are_dealt_out_in_turn_and_stay() -> None:
    pool = WorkerPool(3, lambda worker, report: None, nobody, lambda line: None)
    names = [f"u{number}" for number in range(7)]
    assert pool.deal(names) == {0: ("u0", "u3", "u6"), 1: ("u1", "u4"), 2: ("u2", "u5")}
    assert pool.deal(["u4", "u7"]) == {1: ("u4", "u7")}
    assert (pool.holder("u5"), pool.holder("nobody"), pool.holder(None)) == (2, 0, 0)


@pytest.mark.parametrize("count", [0, 1, 2])
async def test_workers_report_and_end(count: int) -> None:
    before = descendants()
    reports: list[tuple[int, Report]] = []
    async with WorkerPool(count, lambda worker, report: reports.append((worker, report)), nobody, print):
        assert len(descendants() - before) == count
    assert descendants() == before
    assert all(isinstance(report, Delta) for _, report in reports)


@pytest.mark.timeout(120)
async def test_two_worker_processes_agree_with_one_set_of_books(tmp_path: Path) -> None:
    async with WatchedEngine(workers=2) as watched:
        scenario = Scenario(users=7, rate=100, duration=1.5)
        await watched.tell(StartRun(scenario, TWO, out=str(tmp_path)))
        finished = await watched.finished()
    assert finished.exit_code in DELIVERED
    assert finished.summary["delivered"] == 150
    assert len((tmp_path / "deliveries.csv").read_text(encoding="utf-8").splitlines()) == 151


@pytest.mark.timeout(120)
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
async def test_a_worker_that_dies_makes_the_run_worthless_and_is_replaced() -> None:
    before = descendants()
    async with WatchedEngine(workers=1) as watched:
        await watched.tell(StartRun(Scenario(users=4, rate=50), TWO))
        await watched.snapshot(lambda each: each.totals.delivered > 10)
        (worker,) = descendants() - before
        psutil.Process(worker).kill()
        problem = await watched.next(Problem)
        finished = await watched.finished()
        assert problem.code == "worker-died"
        assert finished.exit_code == ExitCode.INTERNAL
        assert "was ended by SIGKILL" in finished.summary["reason"]
        await watched.state(run="failed")
        await watched.tell(StartRun(Scenario(users=4, rate=50, duration=0.5), TWO))
        again = await watched.next(Finished)
    assert again.exit_code in DELIVERED
    assert again.summary["delivered"] == 25
    last = watched.of(Snapshot)[-1]
    assert (last.users_connected, last.instances) == (0, ())
    assert {row.state for row in last.users} == {"disconnected"}
    assert descendants() == before


async def test_workers_that_do_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")  # the child's Python cannot even begin
    deaths: list[str] = []
    pool = WorkerPool(
        1, lambda worker, report: None, lambda worker, words: deaths.append(words), lambda line: None
    )
    with pytest.raises(ClusterStartError, match="worker 1"):
        await pool.__aenter__()
    assert len(deaths) == 1

"""The engine: what each command does and what is told of it, on a real cluster in one loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from core.engine.messages import (
    AddUsers,
    ClusterAddresses,
    Control,
    DisconnectUsers,
    Finished,
    Problem,
    PushOnce,
    PushResult,
    ReconnectUsers,
    SetRate,
    Shutdown,
    Snapshot,
    StartCluster,
    StartRun,
    StateChanged,
    StopCluster,
    StopRun,
)
from core.environment import Action, ClusterSpec, EnvironmentEvent, EnvironmentInfo, StartStep
from core.errors import ClusterStartError, ExitCode
from core.load.scenario import Fault, Scenario
from core.report.figures import Marker
from tests.support.engines import DELIVERED, WatchedEngine

TWO = ClusterSpec(instances=2)
ENDLESS = Scenario(users=4, rate=100)


async def test_a_whole_run() -> None:
    async with WatchedEngine() as watched:
        await watched.tell(StartRun(Scenario(users=6, rate=100, duration=1, thresholds=("lost == 0",)), TWO))
        finished = await watched.finished()
        await watched.state(run="stopped")
    states = [(event.run, event.cluster) for event in watched.of(StateChanged)]
    assert states == [
        ("starting", "idle"),
        ("starting", "starting"),
        ("starting", "running"),
        ("running", "running"),
        ("draining", "running"),
        ("stopped", "running"),
        ("stopped", "stopping"),
        ("stopped", "stopped"),
    ]
    assert finished.exit_code in DELIVERED
    summary = finished.summary
    assert (summary["attempted"], summary["delivered"], summary["lost"]) == (100, 100, 0)
    assert {(cell["via"], cell["on"]) for cell in summary["matrix"]} == {
        (via, on) for via in ("i1", "i2") for on in ("i1", "i2")
    }
    assert [each.kind for each in watched.of(Marker)] == ["run-start", "run-stop"]
    assert watched.of(ClusterAddresses)[0].gateway_url.startswith("http://127.0.0.1:")
    users = [step for step in watched.of(StartStep) if step.key == "users"]
    assert (users[-1].state, users[-1].done, users[-1].total) == ("done", 6, 6)


async def test_snapshots_tell_everything_while_it_runs() -> None:
    async with WatchedEngine() as watched:
        await watched.tell(StartRun(ENDLESS, TWO))
        busy = await watched.snapshot(lambda each: each.totals.delivered > 50)
        rows = {row.user: row for each in watched.of(Snapshot) for row in each.users}
        await watched.tell(StopRun())
        finished = await watched.finished()
    assert (busy.run, busy.users_connected, busy.users_total) == ("running", 4, 4)
    assert busy.push_rate > 0
    assert busy.latency.p50 is not None
    assert {instance.id for instance in busy.instances} == {"i1", "i2"}
    points = {(point.series, point.t): point for each in watched.of(Snapshot) for point in each.points}
    assert {series for series, _ in points} == {"via:i1", "via:i2", "on:i1", "on:i2"}
    delivered = sum(point.count for (series, _), point in points.items() if series.startswith("on:"))
    assert 0 < delivered <= finished.summary["delivered"]
    assert {row.state for row in rows.values()} == {"connected"}
    assert sum(row.received for row in rows.values()) <= finished.summary["delivered"]


async def test_an_interrupted_run_is_judged_as_such() -> None:
    async with WatchedEngine() as watched:
        await watched.tell(StartRun(ENDLESS, TWO))
        await watched.snapshot(lambda each: each.totals.delivered > 10)
        await watched.tell(StopRun(interrupted=True))
        finished = await watched.finished()
    assert finished.exit_code == ExitCode.INTERRUPTED
    assert finished.summary["result"] == "interrupted"
    assert finished.summary["delivered"] == finished.summary["expected"] > 10


async def test_only_an_asked_disconnect_makes_pushes_offline() -> None:
    async with WatchedEngine() as watched:
        await watched.tell(StartRun(ENDLESS, TWO))
        await watched.snapshot(lambda each: each.totals.delivered > 10)
        await watched.tell(DisconnectUsers(("user-1", "user-2", "nobody")))
        away = await watched.snapshot(lambda each: each.totals.offline > 10)
        assert away.users_connected == 2
        await watched.tell(ReconnectUsers(("user-1", "user-2", "user-3")))  # the third one is moved
        back = await watched.snapshot(lambda each: each.users_connected == 4 and each.totals.offline > 0)
        await watched.snapshot(lambda each: each.totals.delivered > back.totals.delivered + 20)
        await watched.tell(StopRun())
        finished = await watched.finished()
    assert finished.exit_code in DELIVERED
    assert finished.summary["expected"] == finished.summary["pushed"] - finished.summary["offline"]


async def test_single_pushes_and_users_without_a_run() -> None:
    async with WatchedEngine() as watched:
        await watched.tell(StartCluster(TWO))
        await watched.state(cluster="running")
        await watched.tell(AddUsers(3))
        await watched.snapshot(lambda each: each.users_connected == 3)
        await watched.tell(PushOnce(7, "user-2", "hi", via="i2"), PushOnce(8, "nobody", "hi"))
        told = await watched.next(PushResult, lambda each: each.ref == 7 and each.delivered_ms is not None)
        assert (told.status, told.instance) == (202, "i2")
        assert told.delivered_ms is not None and told.delivered_ms > 0
        nobody = [each for each in watched.of(PushResult) if each.ref == 8]
        assert [(each.status, each.delivered_ms) for each in nobody] in ([(202, None)], [])
        await watched.tell(PushOnce(9, "user-1", "hi", via="i9"))
        failed = await watched.next(PushResult, lambda each: each.ref == 9)
        assert failed.status == 0
        assert "no push target called 'i9'" in failed.body
        assert watched.of(Finished) == []


async def test_a_rate_starts_a_run_and_changes_it() -> None:
    async with WatchedEngine() as watched:
        await watched.tell(StartCluster(TWO))
        await watched.state(cluster="running")
        await watched.tell(AddUsers(2))
        await watched.snapshot(lambda each: each.users_connected == 2)
        await watched.tell(SetRate(50))
        await watched.snapshot(lambda each: each.totals.delivered > 20)
        await watched.tell(SetRate(100, via="i2"))
        one_way = await watched.snapshot(lambda each: each.push_rate > 80)
        through_i1 = {cell.on: cell.pushed for cell in one_way.matrix if cell.via == "i1"}
        later = await watched.snapshot(lambda each: each.totals.delivered > one_way.totals.delivered + 50)
        assert {cell.on: cell.pushed for cell in later.matrix if cell.via == "i1"} == through_i1
        await watched.tell(SetRate(0))
        await watched.snapshot(lambda each: each.push_rate == 0)
        await watched.tell(StopRun())
        assert (await watched.finished()).exit_code in DELIVERED


async def test_missing_pushes_name_their_place_while_the_run_is_on() -> None:
    async with WatchedEngine() as watched:
        scenario = Scenario(users=4, rate=100, drain=0.5)
        await watched.tell(StartRun(scenario, ClusterSpec(instances=2, strategy="none")))
        named = await watched.snapshot(lambda each: any(push.stage for push in each.lost))
        await watched.tell(StopRun())
        finished = await watched.finished()
    for push in named.lost:
        assert push.via != push.on
        assert push.stage in ("", f"no-session on {push.via}")
    assert finished.exit_code == ExitCode.DELIVERY
    assert watched.engine.result is not None
    assert {push.stage for push in watched.engine.result.lost_pushes} <= {
        "no-session on i1", "no-session on i2",
    }  # fmt: skip


async def test_faults_happen_at_their_times_and_are_marked() -> None:
    async with WatchedEngine() as watched:
        faults = (Fault(0.5, "kill", "i2"), Fault(0.9, "add"), Fault(60, "kill", "i1"))
        await watched.tell(StartRun(Scenario(users=6, rate=100, duration=2.5, drain=1, faults=faults), TWO))
        finished = await watched.finished()
    marks = {(each.kind, each.target): each.t for each in watched.of(Marker)}
    assert set(marks) == {("run-start", ""), ("kill", "i2"), ("add", "i3"), ("run-stop", "")}
    assert marks["kill", "i2"] - marks["run-start", ""] >= 0.5
    assert marks["add", "i3"] > marks["kill", "i2"]
    assert {cell["via"] for cell in finished.summary["matrix"]} == {"i1", "i2", "i3"}
    states = {each["id"]: each["state"] for each in finished.summary["environment"]["instances"]}
    assert states == {"i1": "ready", "i2": "dead", "i3": "ready"}


async def test_a_fault_that_cannot_happen_is_told_and_fails_the_run() -> None:
    async with WatchedEngine() as watched:
        faults = (Fault(0.1, "kill", "i9"),)
        await watched.tell(StartRun(Scenario(users=2, rate=20, duration=0.5, faults=faults), TWO))
        finished = await watched.finished()
    assert finished.exit_code == ExitCode.USAGE
    assert "fault 'kill i9' at 0.1 s: no instance 'i9'" in finished.summary["reason"]
    assert [each.code for each in watched.of(Problem)] == ["fault-failed"]


async def test_commands_that_cannot_be_followed_are_problems() -> None:
    async with WatchedEngine() as watched:
        await watched.tell(StartRun(Scenario(users=-1), TWO))
        assert "users: -1" in (await watched.next(Problem)).detail
        await watched.tell(Control("kill", "i1"))
        assert "no cluster is running" in (await watched.next(Problem)).detail
        await watched.tell(DisconnectUsers(("user-1",)))
        assert "there are no users yet" in (await watched.next(Problem)).detail
        await watched.tell(StartRun(ENDLESS, TWO))
        await watched.state(run="running")
        await watched.tell(StartRun(ENDLESS, TWO))
        assert "a run is on already" in (await watched.next(Problem)).detail
        await watched.tell(Control("kill", "i9"))
        assert "no instance 'i9'" in (await watched.next(Problem)).detail
        assert not [each for each in watched.of(Marker) if each.target]


async def test_a_cluster_can_be_stopped_in_the_middle_and_started_again() -> None:
    async with WatchedEngine() as watched:
        await watched.tell(StartRun(ENDLESS, TWO))
        await watched.snapshot(lambda each: each.totals.delivered > 10)
        await watched.tell(StopCluster())
        await watched.finished()
        await watched.state(cluster="stopped")
        await watched.tell(StartRun(Scenario(users=2, rate=50, duration=0.5), ClusterSpec(instances=3)))
        finished = await watched.finished()
    assert finished.exit_code in DELIVERED
    assert finished.summary["delivered"] == 25
    assert len(finished.summary["environment"]["instances"]) == 3


async def test_runs_follow_one_another_on_the_same_cluster() -> None:
    async with WatchedEngine() as watched:
        for users, destination in ((2, "/topic/a"), (4, "/topic/a"), (3, "/topic/b")):
            scenario = Scenario(users=users, rate=60, duration=0.5, destination=destination)
            await watched.tell(StartRun(scenario, TWO))
            finished = await watched.finished()
            await watched.state(run="stopped")
            assert finished.exit_code in DELIVERED
            assert finished.summary["delivered"] == 30
    assert len(watched.of(ClusterAddresses)) == 1


async def test_stopping_before_the_first_push() -> None:
    async with WatchedEngine() as watched:
        await watched.tell(StartRun(Scenario(users=50, rate=10, ramp=60), TWO))
        await watched.next(StartStep, lambda step: step.key == "users" and step.done > 0)
        await watched.tell(StopRun())
        finished = await watched.finished()
    assert finished.summary["attempted"] == 0


async def test_the_same_scenario_leaves_its_files(tmp_path: Path) -> None:
    async with WatchedEngine() as watched:
        await watched.tell(
            StartRun(Scenario(users=2, rate=20, duration=0.5), TWO, out=str(tmp_path / "a" / "b"))
        )
        await watched.finished()
    names = {path.name for path in (tmp_path / "a" / "b").iterdir()}
    assert names == {"summary.json", "report.html", "junit.xml", "deliveries.csv"}


async def test_a_report_that_cannot_be_written_is_no_pass(tmp_path: Path) -> None:
    async with WatchedEngine() as watched:
        await watched.tell(StartRun(Scenario(users=2, rate=20, duration=0.5), TWO, out=str(tmp_path)))
        await watched.state(run="running")
        (tmp_path / "summary.json").mkdir()
        finished = await watched.finished()
        await watched.state(run="failed")
    assert finished.exit_code == ExitCode.INTERNAL
    assert finished.summary["result"] == "error"
    assert "summary.json (is a folder)" in finished.summary["reason"]
    assert [problem.code for problem in watched.of(Problem)] == ["ReportNotWritten"]


async def test_a_folder_that_cannot_be_written_to_ends_a_run_before_it_starts(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").mkdir()
    async with WatchedEngine() as watched:
        await watched.tell(StartRun(Scenario(users=2, rate=20, duration=0.5), TWO, out=str(tmp_path)))
        finished = await watched.finished()
    assert finished.exit_code == ExitCode.INTERNAL
    assert "junit.xml: is a folder" in finished.summary["reason"]
    assert not watched.of(StartStep)


class Broken:
    """An environment that fails, hangs, or has nobody at its address."""

    def __init__(self, start: Callable[[], None] = lambda: None, *, hangs: bool = False) -> None:
        self._start = start
        self._hangs = hangs
        self.stopped = 0

    def describe(self) -> EnvironmentInfo:
        return EnvironmentInfo("broken", "attached", "ws://127.0.0.1:1/ws", "http://127.0.0.1:1", ())

    async def start(self, progress: Callable[[StartStep], None]) -> None:
        if self._hangs:
            await asyncio.get_running_loop().create_future()
        self._start()

    async def stop(self) -> None:
        self.stopped += 1

    async def control(self, action: Action, instance: str | None = None) -> str:
        raise AssertionError

    async def events(self) -> AsyncIterator[EnvironmentEvent]:
        return
        yield


async def test_a_cluster_that_does_not_start() -> None:
    def fail() -> None:
        raise ClusterStartError("i1 was not ready", log=("last words",))

    async with WatchedEngine(lambda spec: Broken(fail)) as watched:
        await watched.tell(StartRun(ENDLESS))
        finished = await watched.finished()
        await watched.state(run="failed", cluster="failed")
    assert finished.exit_code == ExitCode.CLUSTER
    assert finished.summary["reason"] == "i1 was not ready"
    assert watched.of(Problem)[0].detail == "i1 was not ready\nlast words"


@pytest.mark.timeout(90)
async def test_a_target_where_nobody_answers() -> None:
    environment = Broken()
    async with WatchedEngine(lambda spec: environment) as watched:
        await watched.tell(StartRun(Scenario(users=2, rate=1, duration=1)))
        finished = await watched.finished()
    assert finished.exit_code == ExitCode.UNREACHABLE
    assert "2 of 2 users could not connect to ws://127.0.0.1:1/ws" in finished.summary["reason"]
    assert environment.stopped == 1


async def test_stopping_while_the_cluster_starts() -> None:
    async with WatchedEngine(lambda spec: Broken(hangs=True)) as watched:
        await watched.tell(StartRun(ENDLESS))
        await watched.state(cluster="starting")
        await watched.tell(StopRun(interrupted=True))
        finished = await watched.finished()
    assert finished.exit_code == ExitCode.INTERRUPTED
    assert finished.summary["reason"] == "stopped before the first push"


async def test_shutdown_ends_everything() -> None:
    async with WatchedEngine() as watched:
        await watched.tell(StartRun(ENDLESS, TWO))
        await watched.state(run="running")
        await watched.tell(Shutdown())
        await watched.engine.ended()
    assert watched.of(StateChanged)[-1].cluster == "stopped"


async def test_an_environment_that_is_not_ours_is_left_alone() -> None:
    environment = Broken()
    async with WatchedEngine(None, environment=environment) as watched:
        await watched.tell(StopCluster())
        await watched.state(cluster="stopped")
    assert environment.stopped == 0

"""The engine: commands in, events out; in this process or behind the pipes of a child."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from ..clock import now_ns
from ..environment import ClusterSpec, Environment, LogLine
from ..errors import ExitCode, PushscopeError, ReportNotWritten, UsageError
from ..load.orders import (
    Attend,
    Delta,
    Dismissed,
    Once,
    OnceAnswered,
    OnceArrived,
    Report,
    Settled,
    Targets,
    Trouble,
)
from ..load.scenario import Scenario, require_sense
from ..redaction import without_tokens
from ..report.figures import Marker
from ..report.result import Result
from ..report.write import ROOM_HINT, records_folder, write_report
from .board import Board
from .chores import Chores, problem_of
from .cluster import ClusterKeeper, EnvironmentFactory
from .crew import Crew
from .feed import EventFeed
from .messages import (
    AddUsers,
    ClusterAddresses,
    Command,
    Control,
    DisconnectUsers,
    EngineState,
    Event,
    Finished,
    Problem,
    PushOnce,
    ReconnectUsers,
    SetRate,
    Shutdown,
    StartCluster,
    StartRun,
    StateChanged,
    StopCluster,
    StopRun,
)
from .run import Run, attend_order
from .singles import Singles
from .snapshots import SNAPSHOT_EVERY, Snapshots

_ACTIVE: Final = ("starting", "running", "draining", "stopping")


class Engine:
    """Runs scenarios against environments; an async context manager that leaves nothing behind.

    ``handle`` takes a command and returns as soon as it is under way; what comes of it is told by
    ``events``. What cannot be done is a :class:`Problem`, never an exception.

    Args:
        environment_factory: Makes the environment of :class:`StartCluster` and :class:`StartRun`.
        environment: One that runs already and is not ours to stop; there is no other then.
        workers: Worker processes; 0 holds users and pushes in this loop, None picks a number.

    Attributes:
        result: Of the last run that was judged, or None.
    """

    def __init__(
        self,
        environment_factory: EnvironmentFactory | None = None,
        *,
        environment: Environment | None = None,
        workers: int | None = None,
    ) -> None:
        self.result: Result | None = None
        self._factory = environment_factory
        self._given = environment
        self._epoch_ns = now_ns()
        self._feed = EventFeed()
        self._board = Board(self._epoch_ns)
        self._cluster = ClusterKeeper(self._cluster_changed, self._feed.put, self._marker)
        self._crew = Crew(workers, self._on_report, self._worker_died, self._worker_logged)
        self._singles = Singles(self._feed.put)
        self._snapshots = Snapshots(self._board, self._cluster, self._epoch_ns)
        self._run: Run | None = None
        self._run_state: EngineState = "idle"
        self._cluster_state: EngineState = "idle"
        self._attended: Attend | None = None
        self._targets: dict[str, str] = {}
        self._turn = 0
        self._work: asyncio.Task[None] | None = None
        self._chores = Chores(self._feed.put, lambda: self._enter(run="failed"))
        self._timer: asyncio.TimerHandle | None = None
        self._gave_up = False
        self._ended = asyncio.Event()
        self._ending = False

    async def __aenter__(self) -> Self:
        if self._given is not None:
            self._cluster.adopt(self._given)
            self._enter(cluster="running")
        self._tick()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._shutdown()

    def events(self) -> AsyncIterator[Event]:
        """Everything that happens from the beginning on; for one reader. Ends after the engine."""
        return self._feed

    async def ended(self) -> None:
        """Return once :class:`Shutdown` has been followed."""
        await self._ended.wait()

    # ---- commands -----------------------------------------------------------------------------

    async def handle(self, command: Command) -> None:
        """Follow a command; returns when it is under way, not when it is done."""
        try:
            self._follow(command)
        except PushscopeError as error:
            self._feed.put(problem_of(error))

    def _follow(self, command: Command) -> None:
        match command:
            case StartCluster(spec):
                self._begin(self._start_cluster(spec))
            case StartRun():
                self._start_run(command)
            case StopRun():
                self._stop_run(command)
            case StopCluster():
                self._chores.start(self._stop_cluster(), "stop the cluster")
            case Shutdown():
                self._chores.start(self._shutdown(), "shut down")
            case Control(action, instance):
                self._chores.start(self._chores.quietly(self._cluster.control(action, instance)), action)
            case SetRate():
                self._set_rate(command)
            case _:
                self._follow_about_users(command)

    def _follow_about_users(self, command: AddUsers | DisconnectUsers | ReconnectUsers | PushOnce) -> None:
        match command:
            case AddUsers(count):
                self._chores.start(self._chores.quietly(self._add_users(count)), "add users")
            case DisconnectUsers(users):
                self._crew.disconnect(users)
            case ReconnectUsers(users):
                self._crew.reconnect(users)
            case PushOnce():
                self._chores.start(self._chores.quietly(self._push_once(command)), "push once")

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do one of the long things; only one at a time.

        Raises:
            UsageError: another one is under way.
        """
        if self._work is not None and not self._work.done():
            work.close()
            raise UsageError("the engine is busy", hint="stop the run first")
        self._work = self._chores.start(work, "work")

    # ---- cluster ------------------------------------------------------------------------------

    async def _start_cluster(self, spec: ClusterSpec) -> None:
        try:
            await self._have_cluster(spec)
        except PushscopeError as error:
            self._feed.put(problem_of(error))

    async def _have_cluster(self, spec: ClusterSpec) -> None:
        """Start an environment unless there is one."""
        if self._cluster.present:
            return
        if self._factory is None:
            raise UsageError("no cluster, and nothing to make one with")
        self._enter(cluster="starting")
        # Workers start meanwhile: what they import takes as long as the cluster.
        self._chores.start(self._prepare_workers(), "prepare workers")
        try:
            await self._cluster.start(self._factory(spec), self._feed.put)
        except PushscopeError:
            self._enter(cluster="failed")
            raise
        except asyncio.CancelledError:
            self._enter(cluster="stopped")
            raise
        info = self._cluster.describe()
        self._feed.put(
            ClusterAddresses(
                without_tokens(info.gateway_url),
                without_tokens(info.websocket_url),
                info.strategy,
                info.broker,
            )
        )
        self._enter(cluster="running")

    async def _prepare_workers(self) -> None:
        await self._chores.quietly(self._crew.pool())

    async def _stop_cluster(self) -> None:
        """End the run, disconnect everybody, stop the environment."""
        await self._end_work()
        if not self._cluster.present:
            return
        self._enter(cluster="stopping")
        await self._dismiss()
        await self._cluster.stop()
        self._feed.put(self._snapshots.take(self._run_state, None))
        self._enter(cluster="stopped")

    async def _end_work(self) -> None:
        """Stop what is under way, without a drain."""
        work = self._work
        if work is None or work.done():
            return
        if self._run is not None:
            self._run.stop(force=True)
        else:
            work.cancel()
        await asyncio.wait((work,))

    async def _shutdown(self) -> None:
        if self._ending:  # asked twice: by a command and by the end of the pipe
            await self._ended.wait()
            return
        self._ending = True
        if self._timer is not None:
            self._timer.cancel()
        try:
            await self._stop_cluster()
        finally:
            await self._crew.close()
            await self._chores.cancel()
            self._ended.set()
            self._feed.close()

    def _cluster_changed(self) -> None:
        targets = self._cluster.targets()
        if targets != self._targets:
            self._targets = targets
            self._crew.tell(Targets(targets, self._cluster.guarded))

    # ---- runs ---------------------------------------------------------------------------------

    def _start_run(self, command: StartRun) -> None:
        if self._run_state in _ACTIVE:
            raise UsageError("a run is on already", hint="stop it first")
        require_sense(command.scenario)
        out = Path(command.out).resolve() if command.out else None
        self._begin(self._play(command.scenario, command.spec or ClusterSpec(), out))

    def _stop_run(self, command: StopRun) -> None:
        if self._run is not None:
            self._run.stop(force=command.force, interrupted=command.interrupted)
        elif self._run_state == "starting" and self._work is not None:
            self._gave_up = True
            self._work.cancel()

    def _set_rate(self, command: SetRate) -> None:
        if self._run is not None:
            self._run.set_rate(command.rate, command.via)
        else:
            self._start_run(StartRun(Scenario(users=0, rate=command.rate)))

    async def _play(self, scenario: Scenario, spec: ClusterSpec, out: Path | None) -> None:
        self._enter(run="starting")
        self._gave_up = False
        with contextlib.ExitStack() as stack:
            try:
                records = stack.enter_context(records_folder(out)) if out is not None else None
                result = await self._result_of(scenario, spec, records)
            except PushscopeError as error:
                self._feed.put(problem_of(error))
                result = Result.without_pushes(scenario, error.exit_code, str(error))
                if isinstance(error, ReportNotWritten):
                    out = None
            except asyncio.CancelledError:
                if not self._gave_up:
                    self._enter(run="stopped")
                    raise
                result = Result.without_pushes(
                    scenario, ExitCode.INTERRUPTED, "stopped before the first push"
                )
            finally:
                self._run = None
            if out is not None:
                result = await self._written(result, out)
        self.result = result
        state: EngineState = "failed" if result.summary.result == "error" else "stopped"
        self._feed.put(self._snapshots.take(state, None))
        self._feed.put(Finished(result.summary.to_dict(), result.exit_code))
        self._enter(run=state)

    async def _written(self, result: Result, out: Path) -> Result:
        """Write the report; a result of which it could not be written is an error that says so."""
        told = await asyncio.to_thread(write_report, result, out)
        if told is not result:
            lacking = told.reason.removesuffix(f"; {result.reason}")
            self._feed.put(problem_of(ReportNotWritten(lacking, tried=f"--out {out}", hint=ROOM_HINT)))
        return told

    async def _result_of(self, scenario: Scenario, spec: ClusterSpec, record: Path | None) -> Result:
        await self._have_cluster(spec)
        pool = await self._crew.pool()
        info = self._cluster.describe()
        attend = attend_order(info, scenario)
        if self._attended is not None and attend != self._attended:
            await self._dismiss()
        self._attended = attend
        self._run = Run(
            scenario,
            self._cluster,
            pool,
            self._board,
            self._feed.put,
            epoch_ns=self._epoch_ns,
            record=record,
            on_phase=lambda phase: self._enter(run=phase),
        )
        return await self._run.play()

    # ---- users and single pushes --------------------------------------------------------------

    async def _add_users(self, count: int) -> None:
        pool = await self._crew.pool()
        if self._attended is None:
            info = self._cluster.describe()
            self._attended = attend_order(info, Scenario())
        pool.broadcast(self._attended)
        pool.broadcast(Targets(self._cluster.targets(), self._cluster.guarded))
        self._crew.connect(count)

    async def _dismiss(self) -> None:
        await self._crew.dismiss()
        self._board.forget_users()
        self._attended = None

    async def _push_once(self, command: PushOnce) -> None:
        pool = await self._crew.pool()
        targets = self._cluster.targets()
        pool.broadcast(Targets(targets, self._cluster.guarded))
        via = command.via
        if via is None:
            if not targets:
                raise UsageError("no instance is there to push through", hint="start a cluster")
            self._turn += 1
            via = list(targets)[self._turn % len(targets)]
        self._crew.push_once(
            Once(command.ref, command.user, command.payload, command.destination, via, command.headers)
        )

    # ---- what is reported ---------------------------------------------------------------------

    def _on_report(self, worker: int, report: Report) -> None:
        match report:
            case Delta():
                self._board.add(worker, report, running=self._run is not None and self._run.counts(worker))
            case Settled():
                if self._run is not None:
                    self._run.settled(worker, report)
            case OnceAnswered():
                self._singles.answered(report)
            case OnceArrived():
                self._singles.arrived(report)
            case Dismissed():
                self._crew.dismissed()
            case Trouble(code, detail, tried, hint):
                self._feed.put(Problem(code, detail, tried, hint))
            case _:
                pass

    def _worker_died(self, words: str) -> None:
        self._feed.put(Problem("worker-died", words, hint="the run cannot be judged; start it again"))
        self._board.forget_users()
        self._attended = None
        if self._run is not None:
            self._run.fail(ExitCode.INTERNAL, words.splitlines()[0])

    def _worker_logged(self, line: str) -> None:
        self._feed.put(LogLine("worker", line))

    def _marker(self, kind: str, target: str, stamp_ns: int) -> None:
        marker = Marker(self._board.seconds(stamp_ns), kind, target)
        if self._run is not None:
            self._run.note(marker)
        self._feed.put(marker)

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(SNAPSHOT_EVERY, self._tick)
        if self._run_state in _ACTIVE or self._cluster_state in ("running", "stopping"):
            started = self._run.started_ns if self._run is not None else 0
            snapshot = self._snapshots.take(
                self._run_state, self._board.seconds(started) if started else None
            )
            self._feed.put(snapshot)

    def _enter(self, *, run: EngineState | None = None, cluster: EngineState | None = None) -> None:
        before = (self._run_state, self._cluster_state)
        self._run_state = run or self._run_state
        self._cluster_state = cluster or self._cluster_state
        if before != (self._run_state, self._cluster_state):
            t = self._board.seconds(now_ns())
            self._feed.put(StateChanged(t, self._run_state, self._cluster_state))

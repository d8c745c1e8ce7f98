"""One run: connect, push, break things, drain, settle, judge."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NoReturn

from ..clock import now, now_ns
from ..environment import EnvironmentInfo, StartStep
from ..errors import ExitCode, NoReceipts, PushscopeError
from ..load.orders import Attend, Begin, Cease, Join, LostRow, Rate, Settle, Settled, Targets
from ..load.scenario import Fault, Scenario
from ..load.transports import transport_of
from ..metrics import Histogram
from ..redaction import without_tokens
from ..report.figures import LostPush, Marker, TransportSum, UserRow
from ..report.result import Result
from ..report.summary import Facts, judge
from .board import Board, percentiles, point_of
from .cluster import ClusterKeeper
from .messages import EngineState, Event, Problem
from .missing import watch_missing
from .names import known_otherwise, missing_names, other_names
from .pool import WorkerPool
from .stages import NO_IDS, ask_stages, stage_in_words

#: Seconds from the last word to the workers to the first push.
_LEAD: Final = 0.15

#: Seconds that a user may need for its first connection, over the ramp.
_CONNECT_WITHIN: Final = 45.0

#: Seconds for stray deliveries (duplicates) after everything expected has arrived.
_AFTERMATH: Final = 0.3

_LOOK: Final = 0.05

_NAMES_HINT: Final = (
    "give each user credentials of its own ([tokens] with file, secret_env or {user} in the token), "
    "or have {user} in the URL where the server takes the name from"
)


def attend_order(info: EnvironmentInfo, scenario: Scenario) -> Attend:
    """Where the users of a scenario connect, and what with."""
    return Attend(info.websocket_url, scenario.destination, info.sockjs_url, scenario.transports, info.tokens)


def transport_sums(scenario: Scenario, board: Board, lost: Sequence[LostPush]) -> tuple[TransportSum, ...]:
    """What became of the pushes to the users of each transport, where users differ in it."""
    shares = scenario.transports
    users = Counter(transport_of(row.user, shares) for row in board.user_rows())
    missing = Counter(transport_of(push.user, shares) for push in lost)
    if len(users) < 2:
        return ()
    latencies = {name: board.transports.get(name, Histogram()) for name in shares if users[name]}
    return tuple(
        TransportSum(name, users[name], latency.count, missing[name], percentiles(latency))
        for name, latency in latencies.items()
    )


class RunStopped(Exception):
    """Somebody stopped the run before its first push."""


class Run:
    """Plays a scenario on what is there: an environment, workers, a board.

    ``phase`` is told ``running`` and ``draining``. :meth:`stop` may be called from outside at any
    time; the run is judged all the same.

    Attributes:
        name: Part of the ids of its pushes.
        markers: What happened, for the report.
        started_ns: When the first push is due; 0 until that is known.
        failure: What makes the run worthless, or nearly so.
    """

    def __init__(
        self,
        scenario: Scenario,
        cluster: ClusterKeeper,
        pool: WorkerPool,
        board: Board,
        emit: Callable[[Event], None],
        *,
        epoch_ns: int,
        record: Path | None = None,
        on_phase: Callable[[EngineState], None],
    ) -> None:
        self.scenario = scenario
        self.name = secrets.token_hex(3)
        self.markers: list[Marker] = []
        self.started_ns = 0
        self.failure: tuple[ExitCode, str] | None = None
        self._open = False
        self._cluster = cluster
        self._pool = pool
        self._board = board
        self._emit = emit
        self._epoch_ns = epoch_ns
        self._record = record
        self._on_phase = on_phase
        self._stop = asyncio.Event()
        self._force = asyncio.Event()
        self._interrupted = False
        self._settled: dict[int, Settled] = {}
        self._all_settled = asyncio.Event()
        self._started_at = 0.0
        self._info: EnvironmentInfo | None = None

    # ---- from outside -------------------------------------------------------------------------

    def stop(self, *, force: bool = False, interrupted: bool = False) -> None:
        """Stop pushing and drain; ``force`` skips the drain."""
        self._interrupted = self._interrupted or interrupted
        self._stop.set()
        if force:
            self._force.set()

    def fail(self, code: ExitCode, words: str) -> None:
        """Something broke that makes the run worthless: end it."""
        self.failure = self.failure or (code, words)
        self._stop.set()
        self._force.set()
        self._all_settled.set()

    def counts(self, worker: int) -> bool:
        """Whether what this worker reports now is about this run: its books are open."""
        return self._open and worker not in self._settled

    def settled(self, worker: int, settled: Settled) -> None:
        """A worker has closed its books."""
        self._settled[worker] = settled
        if len(self._settled) == self._pool.size:
            self._all_settled.set()

    def set_rate(self, rate: float, only: str | None) -> None:
        """Another rate from now on."""
        self._pool.broadcast(Rate(now_ns() + 20_000_000, rate, only))

    def note(self, marker: Marker) -> None:
        """Something happened that the report should show."""
        self.markers.append(marker)

    # ---- the run ------------------------------------------------------------------------------

    async def play(self) -> Result:
        """Run from the first connection to the judgement."""
        self._info = self._cluster.describe()
        try:
            await self._connect()
        except RunStopped:
            return self._judge(())
        self._begin()
        beside = [asyncio.create_task(self._fault(fault)) for fault in self.scenario.faults]
        if self.scenario.push == "push":
            beside.append(asyncio.create_task(watch_missing(self._board, self._cluster)))
        try:
            await self._push()
        finally:  # faults that are still to come do not happen
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
        self._on_phase("draining")
        self._mark("run-stop")
        self._pool.broadcast(Cease())
        if not self._force.is_set():
            await self._drain()
        return self._judge(await self._name_stages(await self._settle()))

    async def _connect(self) -> None:
        """Have the scenario's users connected and subscribed; says how far it is."""
        assert self._info is not None
        pool, scenario, board = self._pool, self.scenario, self._board
        started = now()
        pool.broadcast(attend_order(self._info, scenario))
        pool.broadcast(Targets(self._cluster.targets(), self._cluster.guarded))
        names = [f"user-{number}" for number in range(1, scenario.users + 1)]
        for index, hand in pool.deal(names).items():
            pool.send(index, Join(hand, scenario.ramp))
        wanted = set(names)
        deadline = started + scenario.ramp + _CONNECT_WITHIN
        while True:
            rows = [row for row in board.user_rows() if row.user in wanted]
            states = [row.state for row in rows]
            failed, there = states.count("failed"), states.count("connected")
            undecided = len(names) - sum(state not in ("connecting",) for state in states)
            late = now() > deadline
            done = not undecided or late
            step_state = "running" if not done else "done" if there == len(names) else "failed"
            detail = next((row.error for row in rows if row.error and row.state != "connected"), "")
            if late and not detail:
                detail = f"no word of them after {now() - started:.0f} s"
            self._emit(StartStep("users", step_state, now() - started, there, len(names), detail))
            if done:
                break
            if await self._stopped_within(_LOOK * 2):
                raise RunStopped
        if others := known_otherwise(rows):
            self._named_otherwise(others, len(names))
        if failed or late:
            self._unreachable(len(names) - there, len(names), detail)
        if self._stop.is_set():
            raise RunStopped

    def _named_otherwise(self, others: list[UserRow], wanted: int) -> NoReturn:
        """Nothing is pushed to names that the server does not know."""
        assert self._info is not None
        words = other_names(others, wanted)
        tried = f"connect users to {without_tokens(self._info.websocket_url)}"
        self._emit(Problem("users-known-otherwise", words, tried, _NAMES_HINT))
        self.failure = (ExitCode.UNREACHABLE, words)
        raise RunStopped

    def _unreachable(self, missing: int, wanted: int, detail: str) -> None:
        assert self._info is not None
        url = without_tokens(self._info.websocket_url)
        words = f"{missing} of {wanted} users could not connect to {url}: {detail}"
        unconfirmed = NoReceipts.MEANING in detail
        hint = NoReceipts.HINT if unconfirmed else "look at the gateway and its log"
        self._emit(Problem("users-not-connected", words, url, hint))
        self.failure = (ExitCode.UNREACHABLE, words)
        if missing == wanted:
            raise RunStopped

    def _begin(self) -> None:
        assert self._info is not None
        scenario = self.scenario
        self._board.begin_run()
        self._open = True
        self.started_ns = now_ns() + round(_LEAD * 1e9)
        self._started_at = time.time() + _LEAD
        for index in range(self._pool.size):
            record = str(self._record / f"{self.name}-{index}.jsonl") if self._record else ""
            self._pool.send(
                index,
                Begin(
                    run=self.name,
                    start_ns=self.started_ns,
                    epoch_ns=self._epoch_ns,
                    rate=scenario.rate,
                    duration=scenario.duration,
                    index=index,
                    of=self._pool.size,
                    destination=scenario.destination,
                    payload_bytes=scenario.payload_bytes,
                    late_after=scenario.late_after,
                    via=scenario.via,
                    push=scenario.push,
                    confirm=scenario.confirm,
                    test_path=self._info.test_path,
                    record=record,
                ),
            )
        self._on_phase("running")
        self._mark("run-start", self.started_ns)

    async def _push(self) -> None:
        """Until the plan is through, or somebody stops it."""
        if self.scenario.duration <= 0:
            await self._stop.wait()
            return
        end = self.started_ns / 1e9 + self.scenario.duration
        await self._stopped_within(end - now())
        while not self._stop.is_set() and not self._board.exhausted and now() < end + 5.0:
            await self._stopped_within(_LOOK)

    async def _fault(self, fault: Fault) -> None:
        await asyncio.sleep(self.started_ns / 1e9 + fault.at - now())
        try:
            await self._cluster.control(fault.action, fault.instance)
        except PushscopeError as error:
            words = f"fault '{fault.action} {fault.instance or ''}' at {fault.at:g} s: {error}"
            self._emit(Problem("fault-failed", words, error.tried, error.hint))
            self.failure = self.failure or (error.exit_code, words)

    async def _drain(self) -> None:
        """Wait for what is under way, and then a moment for what should not come."""
        deadline = now() + self.scenario.drain
        quiet = 0
        while now() < deadline and not self._force.is_set():
            await asyncio.sleep(_LOOK)
            # Reports come every 100 ms: two in a row must agree before it is believed.
            quiet = quiet + 1 if self._board.under_way == 0 else 0
            if quiet * _LOOK >= _AFTERMATH:
                return

    async def _settle(self) -> list[LostRow]:
        self._pool.broadcast(Settle())
        try:
            async with asyncio.timeout(15.0):
                await self._all_settled.wait()
        except TimeoutError:
            self.failure = self.failure or (ExitCode.INTERNAL, "a load worker did not close its books")
        lost = [row for settled in self._settled.values() for row in settled.lost]
        return sorted(lost, key=lambda row: row.intended_ns)

    async def _name_stages(self, lost: list[LostRow]) -> tuple[LostPush, ...]:
        """The lost pushes, each with the last place where it was seen."""
        if self.scenario.push == "test":
            return tuple(self._board.lost_push(row, NO_IDS) for row in lost)
        stages = await ask_stages(lost, self._cluster.alive(), self._cluster.guarded)
        seconds = self._board.seconds
        deaths = {name: seconds(stamp) for name, stamp in self._cluster.deaths.items()}
        return tuple(
            self._board.lost_push(
                row, stage_in_words(row, stages.get(row.id), deaths, seconds(row.intended_ns))
            )
            for row in lost
        )

    # ---- the judgement ------------------------------------------------------------------------

    def _judge(self, lost: tuple[LostPush, ...]) -> Result:
        board, info = self._board, self._info
        with contextlib.suppress(PushscopeError):  # it may be gone by now
            info = self._cluster.describe()
        board.lost = list(lost)
        latency = percentiles(board.book.total().latency)
        doubt = missing_names(board.user_rows(), self.scenario.transports)
        facts = Facts(
            scenario=self.scenario,
            environment=info,
            counts=board.counts(),
            book=board.book,
            matrix=board.matrix(),
            latency=latency,
            lag=board.lag,
            interrupted=self._interrupted,
            failure=self.failure,
            doubt=doubt.words,
            doubt_always=doubt.always,
        )
        summary, code = judge(facts)
        records = tuple(self._record.glob(f"{self.name}-*.jsonl")) if self._record else ()
        return Result(
            summary,
            code,
            lost_pushes=lost,
            points=tuple(point_of(slot) for slot in board.book.history()),
            series=board.series(),
            transports=transport_sums(self.scenario, board, lost),
            markers=tuple(self.markers),
            users=tuple(board.user_rows()),
            started_t=board.seconds(self.started_ns),
            ended_t=board.seconds(now_ns()),
            started_at=self._started_at,
            epoch_ns=self._epoch_ns,
            records=records,
            doubt=doubt.words if doubt.always else "",
            unrecorded=next((each.unrecorded for each in self._settled.values() if each.unrecorded), ""),
        )

    def _mark(self, kind: str, stamp_ns: int = 0) -> None:
        marker = Marker(self._board.seconds(stamp_ns or now_ns()), kind, "")
        self.note(marker)
        self._emit(marker)

    async def _stopped_within(self, seconds: float) -> bool:
        """Wait, but not longer than until somebody stops the run; whether somebody did."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._stop.wait()
        return self._stop.is_set()

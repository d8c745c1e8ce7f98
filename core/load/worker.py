"""A worker: simulated users, the pushes to them, and the books about both.

Users are shared out among workers, and a push is made by the worker that holds its user: so one
process knows both ends of every push, and what it reports only needs adding up. The same class
runs in a process of its own and in the engine's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from ..clock import now, now_ns
from ..errors import PushscopeError, UsageError
from ..metrics import NOWHERE, Counts, Histogram, Ledger, Push
from .account import ONCE, Account
from .correlation import HEADER, PushId, payload_for
from .crowd import Crowd
from .lane import PushAnswer
from .orders import (
    Attend,
    Begin,
    Cease,
    Delta,
    Dismiss,
    Dismissed,
    Join,
    Once,
    OnceAnswered,
    OnceArrived,
    Order,
    Part,
    Quit,
    Rate,
    Ready,
    Rejoin,
    Report,
    Settle,
    Settled,
    Targets,
    Trouble,
)
from .pacing import Pacer
from .plan import ArrivalPlan, Share, round_robin
from .pusher import Pusher

#: Seconds between reports.
REPORT_EVERY: Final = 0.1

#: Seconds for an answer to a push.
_PUSH_TIMEOUT: Final = 10.0

#: Status of a push that the instance could not hand on.
_UNAVAILABLE = 503


class Worker:
    """An async context manager that follows orders; leaving it disconnects everybody.

    ``report`` is called in the loop with every report, about ten times a second, and must not
    block.
    """

    def __init__(self, report: Callable[[Report], None]) -> None:
        self._report = report
        self._account = Account(self._once_arrived)
        self._crowd: Crowd | None = None
        self._attended: Attend | None = None
        self._stack = contextlib.AsyncExitStack()
        self._pusher: Pusher | None = None
        self._tester: Pusher | None = None
        self._targets = Targets({})
        self._turn: list[str] = []
        self._only: str | None = None
        self._pacer: Pacer | None = None
        self._chance = random.Random()
        self._meter = _Meter()
        self._timer: asyncio.TimerHandle | None = None
        self._ended = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._pusher = await self._stack.enter_async_context(Pusher({}, timeout=_PUSH_TIMEOUT))
        self._meter.begin()
        self._timer = asyncio.get_running_loop().call_later(REPORT_EVERY, self._tick)
        self._report(Ready(os.getpid()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._stop_pacing()
        try:
            await self._dismiss()
        finally:
            await self._stack.__aexit__(kind, error, trace)

    async def ended(self) -> None:
        """Return once :class:`Quit` was ordered."""
        await self._ended.wait()

    # ---- orders -------------------------------------------------------------------------------

    async def handle(self, order: Order) -> None:
        """Follow an order; what cannot be done is reported as :class:`Trouble`, never raised."""
        try:
            await self._follow(order)
        except PushscopeError as error:
            self._report(Trouble(type(error).__name__, str(error), error.tried, error.hint))

    async def _follow(self, order: Order) -> None:
        match order:
            case Attend():
                await self._attend(order)
            case Begin():
                await self._start(order)
            case Settle():
                self._settle()
            case Dismiss():
                await self._dismiss()
                self._report(Dismissed())
            case Quit():
                self._ended.set()
            case _:
                self._follow_at_once(order)

    def _follow_at_once(self, order: Join | Part | Rejoin | Targets | Rate | Cease | Once) -> None:
        match order:
            case Join() | Part() | Rejoin():
                self._move(order)
            case Targets():
                self._aim(order)
            case Rate():
                self._only = order.only
                if self._pacer is not None:
                    self._pacer.change_rate(order.at_ns, order.rate)
            case Cease():
                self._stop_pacing()
            case Once():
                self._push_once(order)

    # ---- users --------------------------------------------------------------------------------

    async def _attend(self, order: Attend) -> None:
        if order == self._attended:
            return
        await self._dismiss()
        self._crowd = Crowd(
            order.url,
            order.destination,
            self._account,
            sockjs_url=order.sockjs_url,
            transports=order.transports,
            token_of=order.tokens.resolve() if order.tokens is not None else None,
        )
        self._account.mixed = sum(share > 0 for share in order.transports.values()) > 1
        await self._crowd.__aenter__()
        self._attended = order

    async def _dismiss(self) -> None:
        crowd, self._crowd, self._attended = self._crowd, None, None
        if crowd is not None:
            await crowd.__aexit__(None, None, None)
        self._account.forget_users()

    def _move(self, order: Join | Part | Rejoin) -> None:
        crowd = self._crowd
        if crowd is None:
            return
        match order:
            case Join():
                crowd.add(order.users, over=order.over)
            case Part():
                crowd.disconnect(user for user in order.users if user in crowd.users)
            case Rejoin():
                crowd.reconnect(user for user in order.users if user in crowd.users)

    # ---- pushing ------------------------------------------------------------------------------

    def _aim(self, targets: Targets) -> None:
        self._targets = targets
        self._turn = sorted(targets.urls, key=_natural)
        for pusher in (self._pusher, self._tester):
            if pusher is not None:
                pusher.set_targets(targets.urls, targets.guarded)

    async def _start(self, begin: Begin) -> None:
        self._stop_pacing()
        if begin.push == "test" and self._tester is None:
            tester = Pusher({}, api="test", timeout=_PUSH_TIMEOUT, test_path=begin.test_path)
            tester.set_targets(self._targets.urls, self._targets.guarded)
            self._tester = await self._stack.enter_async_context(tester)
        self._only = None
        self._chance.seed(begin.run)
        ledger = self._account.open(begin)
        share = Share(ArrivalPlan.steady(begin.rate, begin.duration), begin.index, begin.of)
        self._pacer = Pacer(
            share, begin.start_ns, lambda number, due_ns: self._emit(begin, ledger, number, due_ns)
        )

    def _stop_pacing(self) -> None:
        if self._pacer is not None:
            self._pacer.stop()

    def _emit(self, begin: Begin, ledger: Ledger, number: int, intended_ns: int) -> None:
        """Make the push that is due: to whom, through whom."""
        roster = self._account.roster
        if not roster:
            return
        turn = self._turn if self._only is None else [self._only]
        number_of_user, number_of_target = round_robin(number, len(roster), max(1, len(turn)))
        user = roster[number_of_user]
        if begin.via == "random" and turn:
            number_of_target = self._chance.randrange(len(turn))
        via = turn[number_of_target] if turn else NOWHERE
        push = ledger.attempt(via, user, intended_ns, now_ns())
        if via not in self._targets.urls:
            ledger.answered(push, "refused", now_ns())
            return
        push_id = str(PushId(begin.run, via, user, push.seq))
        pusher = self._tester if begin.push == "test" else self._pusher
        assert pusher is not None
        pusher.push(
            via,
            user,
            begin.destination,
            payload_for(push_id, begin.payload_bytes),
            {HEADER: push_id},
            self._answered,
            key=(ledger, push, begin.confirm),
            intended_ns=intended_ns,
            confirm=begin.confirm,
        )

    def _answered(self, answer: PushAnswer) -> None:
        key: tuple[Ledger, Push, bool] = answer.key
        ledger, push, confirmed = key
        push.sent_ns = answer.sent_ns or push.sent_ns
        # A broker that went before it confirmed may have the push all the same: refused, unless it arrives.
        if answer.verdict == "unknown" or (confirmed and answer.status == _UNAVAILABLE):
            ledger.answered(push, "unanswered", answer.answered_ns)
        else:
            ledger.answered(push, answer.verdict, answer.answered_ns)

    # ---- single pushes ------------------------------------------------------------------------

    def _push_once(self, order: Once) -> None:
        assert self._pusher is not None
        headers = {**order.headers, HEADER: f"{ONCE}{order.ref}"}

        def done(answer: PushAnswer) -> None:
            body = answer.body.decode("utf-8", "replace") if answer.status else answer.error
            accepted_ms = (answer.answered_ns - answer.intended_ns) / 1e6
            self._report(
                OnceAnswered(
                    order.ref,
                    answer.status,
                    answer.instance,
                    answer.sessions,
                    body,
                    accepted_ms,
                    answer.intended_ns,
                )
            )

        try:
            self._pusher.push(order.via, order.user, order.destination, order.payload, headers, done)
        except UsageError as error:
            self._report(OnceAnswered(order.ref, 0, order.via, -1, str(error), 0.0, now_ns()))

    def _once_arrived(self, ref: int, user: str, received_ns: int) -> None:
        self._report(OnceArrived(ref, user, received_ns))

    # ---- reports ------------------------------------------------------------------------------

    def _settle(self) -> None:
        self._stop_pacing()
        lost = self._account.close()
        self._report(self._delta())
        self._report(Settled(lost, self._account.unrecorded))
        self._account.forget_books()
        self._pacer = None

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(REPORT_EVERY, self._tick)
        ledger = self._account.ledger
        if ledger is not None:
            ledger.overdue(now_ns())
        self._meter.tick()
        self._report(self._delta())

    def _delta(self) -> Delta:
        ledger, pacer, crowd = self._account.ledger, self._pacer, self._crowd
        lag, sent, exhausted = Histogram(), 0, True
        if pacer is not None:
            lag, pacer.lag = pacer.lag, lag
            sent, exhausted = pacer.sent, pacer.exhausted()
        return Delta(
            counts=ledger.counts if ledger is not None else Counts(),
            tallies=ledger.take() if ledger is not None else [],
            users=self._account.changed_users(),
            missing=self._account.changed_missing(),
            lag=lag,
            sent=sent,
            under_way=ledger.under_way if ledger is not None else 0,
            exhausted=exhausted,
            joining=crowd.counts["connecting"] if crowd is not None else 0,
            connected=crowd.counts["connected"] if crowd is not None else 0,
            total=len(crowd.users) if crowd is not None else 0,
            transports=self._account.new_latencies(),
            cpu_percent=self._meter.cpu_percent,
            loop_lag_ms=self._meter.loop_lag_ms,
        )


class _Meter:
    """What this process costs, and how late its loop is; smoothed over about a second."""

    def __init__(self) -> None:
        self.cpu_percent = 0.0
        self.loop_lag_ms = 0.0
        self._due = 0.0
        self._at = 0.0
        self._cpu = 0.0

    def begin(self) -> None:
        """The first tick comes after the usual time."""
        self._at = now()
        self._cpu = time.process_time()
        self._due = self._at + REPORT_EVERY

    def tick(self) -> None:
        """A report is due now, or was a moment ago."""
        at, cpu = now(), time.process_time()
        late_ms = max(0.0, at - self._due) * 1000
        share = 100 * (cpu - self._cpu) / max(1e-6, at - self._at)
        self.loop_lag_ms = max(late_ms, 0.8 * self.loop_lag_ms)
        self.cpu_percent += 0.2 * (share - self.cpu_percent)
        self._at, self._cpu = at, cpu
        self._due = at + REPORT_EVERY


def _natural(name: str) -> tuple[str, int, str]:
    """Sorts ``i2`` before ``i10``."""
    letters = name.rstrip("0123456789")
    digits = name[len(letters) :]
    return letters, int(digits or 0), name

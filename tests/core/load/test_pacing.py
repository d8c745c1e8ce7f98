"""Pacing: everything that is due is sent with its own time, nothing is dropped, lag is measured."""

from __future__ import annotations

import asyncio
import time

from core.clock import now_ns
from core.load.alarm import Alarm
from core.load.pacing import Pacer
from core.load.plan import ArrivalPlan, Share
from tests.support.processes import until

MS = 1_000_000


class Sent:
    """What a pacer emitted: number, intended time, actual time."""

    def __init__(self) -> None:
        self.all: list[tuple[int, int, int]] = []

    def emit(self, number: int, intended_ns: int) -> None:
        self.all.append((number, intended_ns, now_ns()))


async def test_the_whole_plan_at_its_times() -> None:
    sent, start = Sent(), now_ns() + 5 * MS
    pacer = Pacer(Share(ArrivalPlan.steady(500, 0.1)), start, sent.emit)
    await until(pacer.exhausted, "the plan is through")
    pacer.stop()
    assert [number for number, _, _ in sent.all] == list(range(50))
    assert [intended for _, intended, _ in sent.all] == [start + number * 2 * MS for number in range(50)]
    assert all(actual >= intended for _, intended, actual in sent.all)
    assert pacer.lag.count == pacer.sent == 50


async def test_what_became_due_while_the_loop_hung_is_sent_with_its_own_time() -> None:
    sent, start = Sent(), now_ns()
    pacer = Pacer(Share(ArrivalPlan.steady(1000, 0.2)), start, sent.emit)
    time.sleep(0.15)  # noqa: ASYNC251  # the loop hangs, on purpose
    await until(pacer.exhausted, "the plan is through")
    pacer.stop()
    assert [intended for _, intended, _ in sent.all] == [start + number * MS for number in range(200)]
    assert pacer.lag.high >= 100 * MS


async def test_the_rate_changes_and_begins_again() -> None:
    sent, start = Sent(), now_ns()
    pacer = Pacer(Share(ArrivalPlan.steady(0)), start, sent.emit)
    assert pacer.exhausted()
    pacer.change_rate(now_ns(), 1000)
    await until(lambda: pacer.sent > 20, "the new rate is used")
    pacer.change_rate(now_ns(), 0)
    count = pacer.sent
    assert pacer.exhausted()
    await asyncio.sleep(0.01)
    assert pacer.sent <= count + 1
    pacer.stop()
    pacer.stop()


async def test_two_shares_are_one_plan() -> None:
    sent, start = Sent(), now_ns()
    plan = ArrivalPlan.steady(400, 0.1)
    pacers = [Pacer(Share(plan, index, 2), start, sent.emit) for index in range(2)]
    await until(lambda: all(pacer.exhausted() for pacer in pacers), "both are through")
    for pacer in pacers:
        pacer.stop()
    assert sorted(intended for _, intended, _ in sent.all) == [
        start + number * 2_500_000 for number in range(40)
    ]


async def test_an_alarm_that_is_cleared_or_closed_does_not_ring() -> None:
    rung: list[int] = []
    rang = asyncio.Event()
    silent, loud = Alarm(lambda: rung.append(1)), Alarm(rang.set)
    silent.set(now_ns() + 2 * MS)
    silent.clear()
    loud.set(now_ns() - 5)  # in the past: at once
    await rang.wait()
    silent.set(now_ns() + 1)
    silent.close()
    silent.close()
    loud.close()
    await asyncio.sleep(0.005)
    assert rung == []

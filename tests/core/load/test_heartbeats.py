"""The timer wheel of heart-beats."""

from __future__ import annotations

import asyncio

from core.clock import now
from core.load.heartbeats import HeartbeatWheel


class Member:
    def __init__(self, again: list[float]) -> None:
        self.beat_slot = 0
        self.called: list[float] = []
        self.again = again
        self.done = asyncio.Event()

    def beat(self, now: float) -> float | None:
        self.called.append(now)
        if self.again:
            return now + self.again.pop(0)
        self.done.set()
        return None


async def test_members_are_called_after_their_deadline_and_again() -> None:
    wheel = HeartbeatWheel(resolution=0.01)
    early, late = Member([0.03]), Member([])
    begun = now()
    wheel.add(late, begun + 0.05)
    wheel.add(early, begun)
    await early.done.wait()
    await late.done.wait()
    assert len(early.called) == 2
    assert early.called[1] >= early.called[0] + 0.03
    assert late.called[0] >= begun + 0.05


async def test_a_discarded_member_is_not_called_and_may_come_back() -> None:
    wheel = HeartbeatWheel(resolution=0.01)
    gone, back, last = Member([]), Member([]), Member([])
    for member in (gone, back):
        wheel.add(member, now())
        wheel.discard(member)
    wheel.add(back, now() + 0.02)
    wheel.add(last, now() + 0.05)
    await last.done.wait()
    assert gone.called == []
    assert len(back.called) == 1


async def test_stop_forgets_all() -> None:
    wheel = HeartbeatWheel(resolution=0.01)
    member = Member([])
    wheel.add(member, now())
    wheel.stop()
    await asyncio.sleep(0.03)
    assert member.called == []

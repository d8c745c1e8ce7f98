"""One timer for the heart-beats of all users of a worker."""

from __future__ import annotations

import asyncio
from typing import Protocol

from ..clock import now


class Beating(Protocol):
    """Something that has to be looked at from time to time.

    ``beat_slot`` belongs to the wheel: where the member waits, 0 if nowhere.
    """

    beat_slot: int

    def beat(self, now: float) -> float | None:
        """Do what is due at ``now``; return when to be called next, or None for never.

        Must not raise.
        """
        ...


class HeartbeatWheel:
    """Members sorted into slots of time; one timer of the loop, however many members.

    A member is called up to one ``resolution`` late, which heart-beats allow for (STOMP 1.2,
    "Heart-beating": the receiver should tolerate an error margin).
    """

    def __init__(self, resolution: float = 0.25) -> None:
        self._resolution = resolution
        self._slots: dict[int, list[Beating]] = {}
        self._done = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, member: Beating, deadline: float) -> None:
        """Call ``member.beat`` at ``deadline`` (seconds of :func:`core.clock.now`); replaces an
        earlier deadline of it."""
        slot = max(int(deadline / self._resolution), self._done) + 1
        member.beat_slot = slot
        waiting = self._slots.get(slot)
        if waiting is None:
            self._slots[slot] = [member]
        else:
            waiting.append(member)
        if self._timer is None:
            self._done = max(self._done, int(now() / self._resolution))
            self._timer = asyncio.get_running_loop().call_later(self._resolution, self._turn)

    def discard(self, member: Beating) -> None:
        """Forget a member; harmless if it is not here."""
        member.beat_slot = 0  # its entry is skipped when its slot comes

    def stop(self) -> None:
        """Forget all and stop the timer."""
        self._slots.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _turn(self) -> None:
        time = now()
        reached = int(time / self._resolution)
        for slot in sorted(slot for slot in self._slots if slot <= reached):
            self._done = slot
            for member in self._slots.pop(slot):
                if member.beat_slot != slot:
                    continue
                member.beat_slot = 0
                deadline = member.beat(time)
                if deadline is not None:
                    self.add(member, deadline)
        self._done = reached
        self._timer = None
        if self._slots:
            self._timer = asyncio.get_running_loop().call_later(self._resolution, self._turn)

"""One wheel of deadlines for all sessions of an instance, instead of timers of their own.

Ten thousand idle clients cost one look each every few seconds, and no timer objects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .session import Session

#: Width of a slot of the wheel, and how often it is turned.
TICK_S: Final = 0.25


class SessionWheel:
    """Looks at sessions when they are due.

    Args:
        look: Called with a due session and the time; returns when to look again, or None.
    """

    def __init__(self, look: Callable[[Session, float], float | None]) -> None:
        self._look = look
        self._slots: dict[int, set[Session]] = {}

    def add(self, session: Session, at: float) -> None:
        """Look at a session at ``at``, or earlier if that was asked for before."""
        slot = int(at / TICK_S) + 1
        if session.slot:
            if session.slot <= slot:
                return
            self.remove(session)
        session.slot = slot
        self._slots.setdefault(slot, set()).add(session)

    def remove(self, session: Session) -> None:
        """Forget a session."""
        sessions = self._slots.get(session.slot)
        if sessions is not None:
            sessions.discard(session)
        session.slot = 0

    def turn(self, now: float) -> None:
        """Look at everybody who is due."""
        current = int(now / TICK_S)
        due = [slot for slot in self._slots if slot <= current]
        for slot in due:
            for session in self._slots.pop(slot):
                session.slot = 0
                again = None if session.closed else self._look(session, now)
                if again is not None and not session.closed:
                    self.add(session, again)

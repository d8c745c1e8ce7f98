"""Joins what one turn of the event loop brings for a client into one write.

The system call is what a delivered message costs; 32 messages in one write cost little more
than one. Knows no event loop: ``schedule`` is ``loop.call_soon``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from ..stages import Stage, StageLog
from .framing import Framing
from .session import Session

logger = logging.getLogger("pushscope.server")

#: Bytes that may wait for a client that does not read (Spring's send buffer limit).
DEFAULT_QUEUE_LIMIT: Final = 512 * 1024


class Outbox:
    """The sessions that have something to write in this turn.

    Args:
        schedule: Runs a callback at the end of this turn of the loop.
        clock: The loop's clock.
        stages: Where ``written`` is noted.
        on_overflow: Called with a session whose queue is over ``limit``.
        limit: Bytes that may wait for one session; exactly the limit is fine.
    """

    __slots__ = ("_clock", "_schedule", "_scheduled", "_stages", "dirty", "limit", "on_overflow")

    def __init__(
        self,
        schedule: Callable[[Callable[[], None]], object],
        clock: Callable[[], float],
        stages: StageLog,
        on_overflow: Callable[[Session], None],
        limit: int = DEFAULT_QUEUE_LIMIT,
    ) -> None:
        #: Sessions with something in ``pending``; the list object never changes.
        self.dirty: list[Session] = []
        self.limit = limit
        self._schedule = schedule
        self._clock = clock
        self._stages = stages
        #: Called with a session whose queue is over ``limit``.
        self.on_overflow = on_overflow
        self._scheduled = False

    def wake(self) -> None:
        """Have :meth:`flush` called at the end of this turn."""
        if not self._scheduled:
            self._scheduled = True
            self._schedule(self.flush)

    def put(self, session: Session, payload: bytes, *, binary: bool = False) -> None:
        """Queue one STOMP payload for one session."""
        if session.closed:
            return
        framing: Framing = session.framing
        session.pending.append(framing(payload, binary))
        if not session.dirty:
            session.dirty = True
            self.dirty.append(session)
            self.wake()

    def flush(self) -> None:
        """Write what is pending, one write per session."""
        self._scheduled = False
        dirty = self.dirty[:]
        self.dirty.clear()
        now = self._clock()
        for session in dirty:
            session.dirty = False
            pending = session.pending
            if session.paused:
                self._hold(session)
                continue
            session.flushed_at = now
            try:
                session.write(pending[0] if len(pending) == 1 else b"".join(pending))
            except RuntimeError as error:  # uvloop: closed, and not reported yet; the others go on
                logger.info("session %s: %s", session.id, error)
            pending.clear()
            if session.pending_ids:
                self._stages.set_many(session.pending_ids, Stage.WRITTEN)
                session.pending_ids.clear()

    def flush_one(self, session: Session) -> None:
        """Write now what is pending for one session, before its close; not if it does not read."""
        pending = session.pending
        if pending and not session.paused:
            session.flushed_at = self._clock()
            session.write(b"".join(pending))
            pending.clear()

    def resume(self, session: Session) -> None:
        """The connection takes bytes again: write what was held."""
        session.paused = False
        if session.held:
            data = b"".join(session.held)
            session.held.clear()
            session.held_bytes = 0
            session.flushed_at = self._clock()
            session.write(data)
        if session.held_ids:
            self._stages.set_many(session.held_ids, Stage.WRITTEN)
            session.held_ids.clear()

    def _hold(self, session: Session) -> None:
        if session.closed:
            return
        data = b"".join(session.pending)
        session.pending.clear()
        session.held.append(data)
        session.held_bytes += len(data)
        if session.pending_ids:
            session.held_ids.extend(session.pending_ids)
            session.pending_ids.clear()
        if session.held_bytes > self.limit:
            self.on_overflow(session)

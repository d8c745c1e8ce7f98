"""Joins what one turn of the event loop brings for a client into one write.

The system call is what a delivered message costs; 32 messages in one write cost little more
than one. Knows no event loop: ``schedule`` is ``loop.call_soon``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable

from ..messages.framing import Framing
from ..messages.stages import Stage, StageLog
from .held import Held, Note, SlowRule
from .session import Session

logger = logging.getLogger("pushscope.server")


class Outbox:
    """The sessions that have something to write in this turn.

    Args:
        schedule: Runs a callback at the end of this turn of the loop.
        clock: The loop's clock.
        stages: Where ``written`` is noted.
        rule: What happens to a session whose connection is full.
    """

    __slots__ = (
        "_clock",
        "_schedule",
        "_scheduled",
        "_stages",
        "dirty",
        "notes",
        "on_overflow",
        "rule",
        "slow",
    )

    def __init__(
        self,
        schedule: Callable[[Callable[[], None]], object],
        clock: Callable[[], float],
        stages: StageLog,
        rule: SlowRule,
    ) -> None:
        #: Sessions with something in ``pending``; the list object never changes.
        self.dirty: list[Session] = []
        #: Sessions whose connection is full, or for which something still waits.
        self.slow: set[Session] = set()
        #: What may be dropped of this turn's bytes, by their identity; None while nobody is slow, or
        #: if nothing is ever dropped: it costs nothing then.
        self.notes: dict[int, Note] | None = None
        self.rule = rule
        #: Called with a session whose queue is over the limit.
        self.on_overflow: Callable[[Session], None] = _cut_nobody
        self._schedule = schedule
        self._clock = clock
        self._stages = stages
        self._scheduled = False

    def wake(self) -> None:
        """Have :meth:`flush` called at the end of this turn."""
        if not self._scheduled:
            self._scheduled = True
            self._schedule(self.flush)

    def put(self, session: Session, payload: bytes, *, binary: bool = False) -> bytes:
        """Queue one STOMP payload for one session; returns the bytes as they go out."""
        framing: Framing = session.framing
        wire = framing(payload, binary)
        if session.closed:
            return wire
        session.pending.append(wire)
        if not session.dirty:
            session.dirty = True
            self.dirty.append(session)
            self.wake()
        return wire

    def note(self, wire: bytes, key: Hashable, push: str | None) -> None:
        """These bytes of this turn may be dropped; the newest of a ``key`` replaces the others."""
        if self.notes is not None:
            self.notes[id(wire)] = Note(wire, key, push)

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
        if self.notes:
            self.notes.clear()

    def flush_one(self, session: Session) -> None:
        """Write now what waits for one session, before its close; not if it does not read."""
        if session.full:
            return
        data: list[bytes] = []
        while session.held:
            piece, pushes = session.held.take()
            data.append(piece)
            self._stages.set_many(pushes, Stage.WRITTEN)
        data += session.pending
        session.pending.clear()
        if data:
            session.flushed_at = self._clock()
            session.write(b"".join(data))
            self._stages.set_many(session.pending_ids, Stage.WRITTEN)
            session.pending_ids.clear()

    # sessions whose connection is full ------------------------------------------------------

    def pause(self, session: Session) -> None:
        """The connection takes no more for now: hold what comes."""
        session.full = True
        if session.paused or session.closed:
            return
        session.paused = True
        session.paused_at = self._clock()
        session.held = Held(self.rule, session.user)
        self.slow.add(session)
        if self.rule.drops and self.notes is None:
            self.notes = {}

    def resume(self, session: Session) -> None:
        """The connection takes bytes again: write what was held, as much as it takes."""
        session.full = False
        self._drain(session)

    def forget(self, session: Session) -> None:
        """The session has ended, or nothing waits for it any more."""
        session.paused = False
        session.held = None
        self.slow.discard(session)
        if not self.slow:
            self.notes = None

    def _drain(self, session: Session) -> None:
        """Write a piece of what was held, and come again for the next one unless that was too much.

        Not everything at once: it would only move to the transport, which has no limit of its own.
        """
        held = session.held
        if held is None or session.closed or session.full:
            return
        if not held:
            self.forget(session)
            return
        data, pushes = held.take()
        session.flushed_at = session.paused_at = self._clock()
        try:
            session.write(data)
        except RuntimeError as error:  # uvloop: closed, and not reported yet
            logger.info("session %s: %s", session.id, error)
        self._stages.set_many(pushes, Stage.WRITTEN)
        # The transport says only after this turn that it is full again.
        self._schedule(lambda: self._drain(session))

    def _hold(self, session: Session) -> None:
        held, pending, pushes = session.held, session.pending, session.pending_ids
        if session.closed or held is None:
            return
        if self.notes is None:
            fits = held.add(b"".join(pending), tuple(pushes))
        else:
            fits = self._offer(held, pending, pushes, self.notes)
        pending.clear()
        pushes.clear()
        if not fits:
            self.on_overflow(session)

    def _offer(self, held: Held, pending: list[bytes], pushes: list[str], notes: dict[int, Note]) -> bool:
        """Queue one by one, because some may be dropped; False if it is too much all the same."""
        fits = True
        for wire in pending:
            note = notes.get(id(wire))
            if note is None:
                fits = held.add(wire) and fits
                continue
            if note.push in pushes:
                pushes.remove(note.push)
            else:  # a push to many: it did not end here
                note = Note(note.wire, note.key, None)
            fits = held.offer(note) and fits
        if pushes:
            held.add(b"", tuple(pushes))
        return fits


def _cut_nobody(session: Session) -> None:
    """Stands for the router until there is one."""

"""The ledger: what was pushed, what arrived, and what did not.

Rules (they are printed in the help as well):

* attempted = accepted + refused; expected = accepted − offline = delivered + lost + pending.
* *late*: delivered after the deadline; part of delivered.
* *duplicate*: the same push delivered again to its user.
* *misrouted*: received by a user it was not addressed to.
* *reordered*: a sequence number below the highest already seen in its (via, user) stream.
* *unexpected*: received, but nobody knows of such a push.
* *offline*: pushed to a user whom the scenario disconnected; not expected. A session that died
  by itself leaves its pushes expected.
* *lost*: while a run is on, missing so far (overtaken within its stream, or overdue); after
  :meth:`Ledger.settle`, never arrived.

The clock comes in as arguments. A gap, a repeat and a wrong order are noticed on arrival at
constant cost: every sequence number of a stream is looked at once when it is overtaken.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, Literal

from .intervals import Intervals
from .push import NOWHERE, Counts, Fate, Push, Tally

#: Width of a time slot; the window draws one point for each.
SLOT_NS: Final = 250_000_000

Outcome = Literal["accepted", "refused", "unanswered"]
Stray = Literal["duplicate", "misrouted", "unexpected"]


def _ignore_push(push: Push) -> None:
    """Nobody wants to know what became of a push."""


def _ignore_stray(kind: Stray, user: str, via: str, seq: int, received_ns: int) -> None:
    """Nobody wants to know of a stray delivery."""


class _Stream:
    """All pushes via one instance to one user."""

    __slots__ = ("highest", "issued", "open", "received")

    def __init__(self) -> None:
        self.issued = 0
        self.highest = 0
        self.open: dict[int, Push] = {}
        self.received = Intervals()


_NO_STREAMS: Final[dict[str, _Stream]] = {}


class Ledger:
    """Accounts of one set of users; those of several sets add up.

    ``on_final`` is told of every push once nothing more can become of it, ``on_stray`` of every
    delivery that belongs to no open push.
    """

    def __init__(
        self,
        *,
        epoch_ns: int = 0,
        late_after_ns: int = 5_000_000_000,
        overdue_ns: int = 1_000_000_000,
        in_order_of_arrival: bool = False,
        on_final: Callable[[Push], None] | None = None,
        on_stray: Callable[[Stray, str, str, int, int], None] | None = None,
    ) -> None:
        self.counts = Counts()
        self._epoch_ns = epoch_ns
        self._late_after_ns = late_after_ns
        self._overdue_ns = overdue_ns
        self._on_final = on_final or _ignore_push
        self._on_stray = on_stray or _ignore_stray
        self._streams: dict[str, dict[str, _Stream]] = {}  # by user, then by via
        self._where: dict[str, str] = {}
        self._away: set[str] = set()
        self._young: deque[Push] = deque()
        self._missing: dict[Push, None] = {}  # those counted as lost so far, in order of discovery
        self._unanswered = 0
        self._queues: dict[str, deque[Push]] | None = {} if in_order_of_arrival else None
        self._fresh: dict[tuple[str, str, int], Tally] = {}

    # ---- users --------------------------------------------------------------------------------

    def online(self, user: str, on: str) -> None:
        """The user is subscribed (the receipt came) with a session on instance ``on``."""
        self._where[user] = on or NOWHERE
        self._away.discard(user)

    def gone(self, user: str, *, asked: bool) -> None:
        """The user's session ended; ``asked`` by the scenario, or by itself.

        Asked for: what is still under way to the user becomes offline.
        """
        self._where[user] = NOWHERE
        if not asked:
            return
        self._away.add(user)
        for stream in self._streams.get(user, {}).values():
            for push in stream.open.values():
                self._excuse(push)

    def _excuse(self, push: Push) -> None:
        push.was_offline = True
        if push.fate is not Fate.PENDING:
            return
        self._found(push)
        self._tally(push, push.on, expected=-1)
        self.counts.offline += 1
        push.fate = Fate.OFFLINE

    # ---- sending ------------------------------------------------------------------------------

    def attempt(self, via: str, user: str, intended_ns: int, sent_ns: int) -> Push:
        """A push goes out now; its sequence number is the next of its stream."""
        streams = self._streams.setdefault(user, {})
        stream = streams.get(via)
        if stream is None:
            stream = streams[via] = _Stream()
        stream.issued += 1
        push = Push(via, user, stream.issued, self._where.get(user, NOWHERE), intended_ns, sent_ns)
        push.was_offline = user in self._away
        stream.open[push.seq] = push
        self._unanswered += 1
        self._young.append(push)
        if self._queues is not None:
            self._queues.setdefault(user, deque()).append(push)
        return push

    def answered(self, push: Push, outcome: Outcome, now_ns: int) -> None:
        """The instance answered, or will not any more (``unanswered``: nobody knows)."""
        push.answered_ns = now_ns
        if push.fate is not Fate.SENT:
            return  # its arrival was seen before its answer
        self._unanswered -= 1
        if outcome == "accepted":
            self._accept(push)
            return
        self.counts.refused += 1
        if outcome == "refused":
            push.fate = Fate.REFUSED
            del self._streams[push.user][push.via].open[push.seq]
            self._on_final(push)
        else:
            push.fate = Fate.UNANSWERED

    def _accept(self, push: Push) -> None:
        self.counts.pushed += 1
        if push.was_offline:
            push.missing = False
            push.fate = Fate.OFFLINE
            self.counts.offline += 1
            return
        push.fate = Fate.PENDING
        self._tally(push, push.on, expected=1)
        if push.missing:  # overtaken or overdue before its answer came
            push.missing = False
            self._miss(push)

    # ---- receiving ----------------------------------------------------------------------------

    def received(
        self, user: str, addressee: str, via: str, seq: int, received_ns: int, on: str = ""
    ) -> Push | None:
        """A delivery whose push is known by its id; the push it settled, if any.

        ``on`` is the instance of the session it came through, where that is known better than by
        the last :meth:`online`.
        """
        if addressee != user:
            return self._stray("misrouted", user, via, seq, received_ns)
        stream = self._streams.get(user, _NO_STREAMS).get(via)
        if stream is None:
            return self._stray("unexpected", user, via, seq, received_ns)
        push = stream.open.pop(seq, None)
        if push is None:
            kind: Stray = "duplicate" if seq in stream.received else "unexpected"
            return self._stray(kind, user, via, seq, received_ns)
        stream.received.add(seq)
        if seq < stream.highest:
            self.counts.reordered += 1
            push.reordered = True
        else:
            for overtaken in range(stream.highest + 1, seq):
                self._miss(stream.open.get(overtaken))
            stream.highest = seq
        self._deliver(push, received_ns, on or self._where.get(user, NOWHERE))
        return push

    def received_next(self, user: str, received_ns: int, on: str = "") -> Push | None:
        """A delivery without any id: it is taken for the oldest open push to its user."""
        queue = (self._queues or {}).get(user)
        while queue:
            push = queue.popleft()
            expected = push.fate in (Fate.SENT, Fate.PENDING, Fate.UNANSWERED)
            if expected and received_ns - push.intended_ns <= self._late_after_ns:
                return self.received(user, user, push.via, push.seq, received_ns, on)
        return self._stray("unexpected", user, NOWHERE, 0, received_ns)

    def misrouted(self, user: str, received_ns: int) -> None:
        """A delivery without an id that names another user."""
        self._stray("misrouted", user, NOWHERE, 0, received_ns)

    def unexpected(self, user: str, received_ns: int) -> None:
        """A delivery with an id that is not of this run."""
        self._stray("unexpected", user, NOWHERE, 0, received_ns)

    def _stray(self, kind: Stray, user: str, via: str, seq: int, received_ns: int) -> None:
        match kind:
            case "duplicate":
                self.counts.duplicate += 1
            case "misrouted":
                self.counts.misrouted += 1
            case "unexpected":
                self.counts.unexpected += 1
        self._on_stray(kind, user, via, seq, received_ns)

    def _deliver(self, push: Push, received_ns: int, on: str) -> None:
        counts = self.counts
        match push.fate:
            case Fate.SENT:  # the delivery was quicker than the answer to the push
                self._unanswered -= 1
                push.was_offline = push.missing = False
                self._accept(push)
            case Fate.UNANSWERED:
                counts.refused -= 1
                push.was_offline = push.missing = False
                self._accept(push)
            case Fate.OFFLINE:
                counts.offline -= 1
                self._tally(push, push.on, expected=1)
            case _:
                pass
        self._found(push)
        counts.delivered += 1
        counts.late += received_ns - push.intended_ns > self._late_after_ns
        if on == NOWHERE:
            on = push.on
        if on == push.on:
            tally = self._tally(push, on, delivered=1)
        else:
            self._tally(push, push.on, expected=-1)
            tally = self._tally(push, on, expected=1, delivered=1)
        tally.latency.record(received_ns - push.intended_ns)
        push.on = on
        push.fate = Fate.DELIVERED
        push.received_ns = received_ns
        self._on_final(push)

    # ---- what is missing ----------------------------------------------------------------------

    def _miss(self, push: Push | None) -> None:
        if push is None or push.missing or push.fate not in (Fate.SENT, Fate.PENDING):
            return
        push.missing = True
        if push.fate is Fate.PENDING:
            self._missing[push] = None
            self.counts.lost += 1
            self._tally(push, push.on, lost=1)

    def _found(self, push: Push) -> None:
        """It is not missing any more, if it was."""
        if push.missing and push.fate is Fate.PENDING:
            del self._missing[push]
            self.counts.lost -= 1
            self._tally(push, push.on, lost=-1)
        push.missing = False

    def overdue(self, now_ns: int) -> None:
        """Mark what is overdue as missing so far; call it some times a second."""
        young = self._young
        while young and now_ns - young[0].intended_ns > self._overdue_ns:
            self._miss(young.popleft())

    def settle(self) -> list[Push]:
        """The drain is over: nothing under way will arrive any more. Returns the lost ones."""
        lost: list[Push] = []
        for stream in self._all_streams():
            for push in stream.open.values():
                if push.fate is Fate.SENT:
                    self._unanswered -= 1
                    self.counts.refused += 1
                    push.fate = Fate.UNANSWERED
                self._miss(push)
                if push.fate is Fate.PENDING:
                    push.fate = Fate.LOST
                    lost.append(push)
                self._on_final(push)
            stream.open.clear()
        self._young.clear()
        self._missing.clear()
        lost.sort(key=lambda push: push.intended_ns)
        return lost

    @property
    def under_way(self) -> int:
        """Pushes that may still arrive or be answered: those without an answer and the expected."""
        return self._unanswered + self.counts.pending + len(self._missing)

    def missing_pushes(self, most: int | None = None) -> list[Push]:
        """What is missing so far, in the order in which that was noticed; only the first ``most``."""
        return list(islice(self._missing, most))

    def _all_streams(self) -> Iterator[_Stream]:
        for streams in self._streams.values():
            yield from streams.values()

    # ---- what changed -------------------------------------------------------------------------

    def _tally(self, push: Push, on: str, *, expected: int = 0, delivered: int = 0, lost: int = 0) -> Tally:
        key = (push.via, on, (push.intended_ns - self._epoch_ns) // SLOT_NS)
        tally = self._fresh.get(key)
        if tally is None:
            tally = self._fresh[key] = Tally(*key)
        tally.expected += expected
        tally.delivered += delivered
        tally.lost += lost
        return tally

    def take(self) -> list[Tally]:
        """What changed since the last call; adding up everything taken gives the whole."""
        fresh = self._fresh
        self._fresh = {}
        return list(fresh.values())

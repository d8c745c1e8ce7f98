"""Joins the three things that know a push: the users who receive it, the ledger that accounts
for it, and the correlation that tells one from another."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from ..metrics import Histogram, Ledger, Push
from .correlation import PushId, greeted_user, marker_in, parse_id
from .orders import Begin, LostRow, UserNow
from .record import Recorder
from .user import SimulatedUser, UserState

#: Ids of single pushes outside of the books begin so.
ONCE = "once."

#: Longest list of missing pushes that is reported while a run is on.
_SHOWN_MISSING = 200

#: Most user rows in one report; the rest comes with the next ones.
_ROWS = 500


class Account:
    """The sink of a worker's users; keeps the books while a run is on.

    Attributes:
        ledger: The books of the present run, or None.
        roster: Users that were connected at least once: those who may be pushed to.
        mixed: Whether users differ in their transports, so that latencies are kept by transport as well.
    """

    def __init__(self, on_once: Callable[[int, str, int], None]) -> None:
        self.ledger: Ledger | None = None
        self.roster: list[str] = []
        self.mixed = False
        self._latencies: dict[str, Histogram] = {}
        self._known: set[str] = set()
        self._users: dict[str, SimulatedUser] = {}
        self._touched: dict[str, SimulatedUser] = {}
        self._begin: Begin | None = None
        self._recorder: Recorder | None = None
        self._missing: list[LostRow] = []
        self._on_once = on_once

    # ---- UserSink -----------------------------------------------------------------------------

    def on_state(self, user: SimulatedUser, state: UserState, detail: str) -> None:
        """A user's state changed."""
        name = user.name
        self._users[name] = self._touched[name] = user
        if state == "connected" and name not in self._known:
            self._known.add(name)
            self.roster.append(name)
        if self.ledger is not None:
            _place(self.ledger, user, state, asked=detail == "asked")

    def on_attempt_failed(self, user: SimulatedUser) -> None:
        """A user's error changed."""
        self._touched[user.name] = user

    def on_message(self, user: SimulatedUser, ps_id: str | None, body: bytes, received_ns: int) -> None:
        """A message came."""
        self._touched[user.name] = user
        text = ps_id or marker_in(body)
        if text is not None and text.startswith(ONCE):
            with contextlib.suppress(ValueError):  # somebody else's header of that form
                self._on_once(int(text[len(ONCE) :]), user.name, received_ns)
            return
        ledger, begin = self.ledger, self._begin
        if ledger is None or begin is None:
            return
        if begin.push == "test":  # an id in there is the instance's own
            self._greeting(ledger, user, body, received_ns)
            return
        push_id = parse_id(text) if text else None
        if push_id is None or push_id.run != begin.run:
            ledger.unexpected(user.name, received_ns)
        else:
            push = ledger.received(user.name, push_id.user, push_id.via, push_id.seq, received_ns, user.on)
            if self.mixed:
                self._note(user, push)

    def _greeting(self, ledger: Ledger, user: SimulatedUser, body: bytes, received_ns: int) -> None:
        """A text of ``/test?username=``: it names its user, and nothing else."""
        name = greeted_user(body)
        if name is not None and name != user.name:
            ledger.misrouted(user.name, received_ns)
        else:
            push = ledger.received_next(user.name, received_ns, user.on)
            if self.mixed:
                self._note(user, push)

    def _note(self, user: SimulatedUser, push: Push | None) -> None:
        """Keep a delivery's latency by transport."""
        if push is not None:
            latency = self._latencies.setdefault(user.transport, Histogram())
            latency.record(push.received_ns - push.intended_ns)

    # ---- the books ----------------------------------------------------------------------------

    def open(self, begin: Begin) -> Ledger:
        """Begin new books with everybody where they are now."""
        late_ns = round(begin.late_after * 1e9)
        recorder = Recorder(Path(begin.record), begin.run, late_ns) if begin.record else None
        ledger = Ledger(
            epoch_ns=begin.epoch_ns,
            late_after_ns=late_ns,
            in_order_of_arrival=begin.push == "test",
            on_final=recorder.push if recorder else None,
            on_stray=recorder.stray if recorder else None,
        )
        for user in self._users.values():
            _place(ledger, user, user.state, asked=user.state == "disconnected")
        self.ledger, self._begin, self._recorder, self._missing = ledger, begin, recorder, []
        self._latencies = {}
        return ledger

    def close(self) -> list[LostRow]:
        """Close the books; returns the lost pushes."""
        if self.ledger is None:
            return []
        rows = [self._lost_row(push) for push in self.ledger.settle()]
        if self._recorder is not None:
            self._recorder.close()
        return rows

    @property
    def unrecorded(self) -> str:
        """Why what became of pushes could not be written down; "" if it could, or was not asked for."""
        return self._recorder.failure if self._recorder is not None else ""

    def forget_books(self) -> None:
        """The closed books were reported."""
        self.ledger = self._begin = self._recorder = None

    def forget_users(self) -> None:
        """All users are gone for good."""
        self.roster.clear()
        self._known.clear()
        self._users.clear()
        self._touched.clear()

    # ---- reports ------------------------------------------------------------------------------

    def changed_users(self) -> list[UserNow]:
        """Rows of users that changed since the last call, a limited number at a time."""
        names = list(self._touched)[:_ROWS]
        return [_row(self._touched.pop(name)) for name in names]

    def new_latencies(self) -> dict[str, Histogram]:
        """Latencies of deliveries since the last call, by transport; empty unless they differ."""
        latencies, self._latencies = self._latencies, {}
        return latencies

    def changed_missing(self) -> list[LostRow] | None:
        """What is missing so far, if that changed since the last call."""
        if self.ledger is None:
            return None
        rows = [self._lost_row(push) for push in self.ledger.missing_pushes(_SHOWN_MISSING)]
        if rows == self._missing:
            return None
        self._missing = rows
        return rows

    def _lost_row(self, push: Push) -> LostRow:
        run = self._begin.run if self._begin is not None else ""
        push_id = str(PushId(run, push.via, push.user, push.seq))
        return LostRow(push_id, push.user, push.via, push.on, push.seq, push.intended_ns)


def _place(ledger: Ledger, user: SimulatedUser, state: UserState, *, asked: bool) -> None:
    """Tell the books where a user is."""
    match state:
        case "connected":
            ledger.online(user.name, user.on)
        case "disconnected":
            ledger.gone(user.name, asked=True)
        case "connecting":
            pass  # not subscribed yet: it stays offline until it is
        case "reconnecting" | "failed":
            ledger.gone(user.name, asked=asked)


def _row(user: SimulatedUser) -> UserNow:
    return UserNow(
        user.name,
        user.state,
        user.on,
        user.connected_ns,
        user.subscribed_ns,
        user.reconnects,
        user.received,
        user.close_code,
        user.error,
        user.known_as,
    )

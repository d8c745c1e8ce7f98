"""What our own users did and the peers have not been told yet: it becomes numbered deltas.

A version is published as soon as the last one is acknowledged by all, so that a ramp of thousands
of users costs few messages and a single user waits for nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from ..sessions.session import Session
from ..settings.instance import InstanceSettings
from .peer_messages import Delta
from .registry import Subscriptions
from .told import told_subscriptions

#: A delta waits for the acknowledgement of the one before at most so long.
_BATCH_S: Final = 0.005
#: Subscriptions of known sessions matter to lookups and handovers only and may wait a little.
_SUBSCRIPTIONS_S: Final = 0.1
#: Sessions whose subscriptions one delta carries: 2 MiB at most, which is half of what brokers take.
_MOST_RESUBSCRIBED: Final = 250


class Peers(Protocol):
    """Who is told."""

    def up_to_date(self, seq: int) -> bool:
        """Whether all live peers have our version ``seq``."""
        ...

    def tell(self, delta: Delta) -> None:
        """Publish a version."""
        ...


class OwnChanges:
    """The changes of one instance's users, in versions.

    Attributes:
        seq: The version that was published last.
        leaving: Whether that, or one before, said that this instance is about to stop.
    """

    def __init__(
        self,
        settings: InstanceSettings,
        epoch: str,
        peers: Peers,
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self.seq = 0
        self.leaving = False
        self._settings = settings
        self._epoch = epoch
        self._peers = peers
        self._later = later
        self._join: dict[str, str] = {}
        self._leave: list[str] = []
        self._resubscribed: dict[str, Session] = {}
        self._scheduled = self._scheduled_later = False

    def joined(self, session: Session) -> None:
        """A session of ours is CONNECTED; notes which version will contain it."""
        session.joined_seq = self.seq + 1
        self._join[session.id] = session.user
        self._schedule()

    def resubscribed(self, session: Session) -> None:
        """A connected session of ours has subscribed or unsubscribed."""
        self._resubscribed[session.id] = session
        if not self._scheduled_later:
            self._scheduled_later = True
            self._later(_SUBSCRIPTIONS_S, self._flush_later)

    def left(self, session: Session) -> None:
        """A session of ours has ended."""
        self._resubscribed.pop(session.id, None)
        if self._join.pop(session.id, None) is None:
            self._leave.append(session.id)
            self._schedule()

    def begin_anew(self) -> int:
        """Everybody will be told everything: a version of its own."""
        self._join.clear()
        self._leave.clear()
        self._resubscribed.clear()
        self.seq += 1
        return self.seq

    def leave(self) -> int:
        """Tell that this instance is about to stop; returns the version that says so."""
        self.flush()
        self.seq += 1
        self.leaving = True
        self._peers.tell(Delta(self._settings.id, self._epoch, self.seq, leaving=True))
        return self.seq

    def flush(self) -> None:
        """Publish what there is to tell, if anything."""
        changed = self._resubscribed
        if not self._join and not self._leave and not changed:
            return
        subs: dict[str, Subscriptions] = {}
        while changed and len(subs) < _MOST_RESUBSCRIBED:
            session_id, session = changed.popitem()
            subs[session_id] = told_subscriptions(session)
        if changed:
            self._schedule()
        self.seq += 1
        delta = Delta(self._settings.id, self._epoch, self.seq, list(self._join.items()), self._leave, subs)
        self._join, self._leave = {}, []
        self._peers.tell(delta)

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._later(0 if self._peers.up_to_date(self.seq) else _BATCH_S, self._flush_scheduled)

    def _flush_scheduled(self) -> None:
        self._scheduled = False
        self.flush()

    def _flush_later(self) -> None:
        self._scheduled_later = False
        self.flush()

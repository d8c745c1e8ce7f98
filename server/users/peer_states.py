"""Full states between our own instances, in parts: thousands of sessions are more than one message.

A state is of one version. What changes while its parts are under way follows as deltas, which wait
at the receiver until the last part has come.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..settings.instance import InstanceSettings
from .peer_messages import Delta, State
from .registry import RemotePeer, UserRegistry
from .slices import Slicer, Work
from .told import told_subscriptions

#: Sessions in one part: well below a millisecond to write or to read.
_PART: Final = 200


class StateSender:
    """Sends our state to peers.

    Args:
        settings: Our id, and where peers listen.
        epoch: Which run of us.
        registry: Whose local sessions.
        slicer: Does it in slices.
        begin: Publishes what waits and returns the version that contains all local sessions, and
            whether it says that we are about to stop.
        send: ``send(destination, message)``.
    """

    def __init__(
        self,
        settings: InstanceSettings,
        epoch: str,
        registry: UserRegistry,
        slicer: Slicer,
        begin: Callable[[], tuple[int, bool]],
        send: Callable[[str, State], None],
    ) -> None:
        self._settings = settings
        self._epoch = epoch
        self._registry = registry
        self._slicer = slicer
        self._begin = begin
        self._send = send
        self._queued: set[str] = set()

    def send(self, epoch: str) -> None:
        """Send our state to a peer, soon, unless that is about to be done."""
        if epoch not in self._queued:
            self._queued.add(epoch)
            self._slicer.add(self._work(epoch))

    def _work(self, epoch: str) -> Work:
        self._queued.discard(epoch)
        # Version, list and first part without a pause: a delta of a later version comes behind them.
        seq, leaving = self._begin()
        sessions = list(self._registry.local_sessions().values())
        destination = self._settings.peer_destination(epoch)
        part = 0
        while True:
            begin, end = part * _PART, (part + 1) * _PART
            rows = [(each.id, each.user, told_subscriptions(each)) for each in sessions[begin:end]]
            last = end >= len(sessions)
            self._send(destination, State(self._settings.id, self._epoch, seq, rows, part, last, leaving))
            if last:
                return
            part += 1
            yield


class Incoming:
    """A state of a peer of which parts are still to come.

    Attributes:
        seq: Its version.
        part: Number of the next part.
        heard_at: When a part came last (loop time).
        seen: The sessions in it so far.
        later: Deltas that wait for its end.
    """

    __slots__ = ("heard_at", "later", "part", "seen", "seq")

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.part = 0
        self.heard_at = 0.0
        self.seen: set[str] = set()
        self.later: list[Delta] = []

    def apply(self, registry: UserRegistry, peer: RemotePeer, state: State, now: float) -> bool:
        """Apply the next part; True if that was the last one, and the peer's sessions are those."""
        self.heard_at = now
        self.part += 1
        for session_id, user, subscriptions in state.sessions:
            registry.add_remote(peer, session_id, user, subscriptions)
            self.seen.add(session_id)
        if not state.last:
            return False
        for session_id in [id for id in peer.sessions if id not in self.seen]:
            registry.remove_remote(peer, session_id)
        peer.seq = self.seq
        peer.told_at = now
        return True

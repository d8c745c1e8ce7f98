"""Which user has which sessions, here and on other instances. No network, no clock."""

from __future__ import annotations

from collections.abc import Callable

from ..sessions.session import Session


class RemotePeer:
    """Another instance of ours and what it said about its users.

    Attributes:
        id: The instance's id.
        epoch: Which run of it.
        seq: Version of its users that we have.
        acked: Version of our users that it has.
        heard_at: When it was heard last (loop time).
        suspect: Whether it has been silent for so long that its sessions may be stale.
        listed: Whether discovery has listed it.
        want_again_at: When its full state may be asked for again.
        sessions: User of each of its sessions.
    """

    __slots__ = ("acked", "epoch", "heard_at", "id", "listed", "seq", "sessions", "suspect", "want_again_at")

    def __init__(self, id: str, epoch: str, *, now: float) -> None:
        self.id = id
        self.epoch = epoch
        self.seq = -1
        self.acked = -1
        self.heard_at = now
        self.suspect = False
        self.listed = False
        self.want_again_at = 0.0
        self.sessions: dict[str, str] = {}


#: Where a session lives: here (the session itself) or on a peer.
Place = Session | RemotePeer


class UserRegistry:
    """Sessions by user. A user exists as long as it has a session somewhere."""

    def __init__(self) -> None:
        self._users: dict[str, dict[str, Place]] = {}
        self._local: dict[str, dict[str, Session]] = {}
        #: Called when a local session has come or gone.
        self.on_local_change: Callable[[], None] = _unobserved

    def __len__(self) -> int:
        return len(self._users)

    @property
    def local_users(self) -> int:
        """How many users have a session here."""
        return len(self._local)

    def places(self, user: str) -> dict[str, Place]:
        """Where the sessions of a user live, by session id; empty if there is none. Read only."""
        return self._users.get(user) or {}

    def local(self, user: str) -> dict[str, Session]:
        """The sessions of a user that live here. Read only."""
        return self._local.get(user) or {}

    def local_by_user(self) -> dict[str, dict[str, Session]]:
        """All local users. Read only."""
        return self._local

    def add_local(self, session: Session) -> None:
        """A session of ours is CONNECTED. Anonymous ones are never in the registry (spec 2.6)."""
        if session.user:
            self._users.setdefault(session.user, {})[session.id] = session
            self._local.setdefault(session.user, {})[session.id] = session
            self.on_local_change()

    def remove_local(self, session: Session) -> bool:
        """A session of ours has ended; False if it was not there."""
        mine = self._local.get(session.user)
        if mine is None or mine.pop(session.id, None) is None:
            return False
        if not mine:
            del self._local[session.user]
        self._forget(session.user, session.id)
        self.on_local_change()
        return True

    def add_remote(self, peer: RemotePeer, session_id: str, user: str) -> None:
        """A peer has a session."""
        peer.sessions[session_id] = user
        self._users.setdefault(user, {})[session_id] = peer

    def remove_remote(self, peer: RemotePeer, session_id: str) -> None:
        """A peer's session has ended; unknown ones are ignored."""
        user = peer.sessions.pop(session_id, None)
        if user is not None:
            self._forget(user, session_id)

    def clear_remote(self, peer: RemotePeer) -> None:
        """Forget all sessions of a peer."""
        for session_id, user in peer.sessions.items():
            self._forget(user, session_id)
        peer.sessions.clear()

    def _forget(self, user: str, session_id: str) -> None:
        places = self._users.get(user)
        if places is not None:
            places.pop(session_id, None)
            if not places:
                del self._users[user]


def _unobserved() -> None:
    """Nobody wants to know."""

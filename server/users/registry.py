"""Which user has which sessions, here and on other instances. No network, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

from ..sessions.session import Session

#: Subscription ids of a session with the destinations that the client asked for.
Subscriptions = tuple[tuple[str, str], ...]

#: How many instances that vanished are remembered, to tell why their users are not found.
_MOST_LAPSED: Final = 8


class RemotePeer:
    """Another instance and what it said about its users.

    Attributes:
        id: The instance's id.
        epoch: Which run of it.
        kind: ``peer`` for one of ours, ``spring`` for a stranger that publishes Spring's snapshots.
        seq: Version of its users that we have.
        acked: Version of our users that it has.
        heard_at: When it was heard last (loop time).
        told_at: When it last told us about its users (loop time).
        suspect: Whether it has been silent for so long that its sessions may be stale.
        listed: Whether discovery has listed it.
        leaving: Whether it has said that it is about to stop.
        want_again_at: When its full state may be asked for again.
        sessions: User of each of its sessions; "" for anonymous ones.
        subscriptions: Subscriptions of those of its sessions that have any, as far as it told.
    """

    __slots__ = (
        "acked",
        "epoch",
        "heard_at",
        "id",
        "kind",
        "leaving",
        "listed",
        "seq",
        "sessions",
        "subscriptions",
        "suspect",
        "told_at",
        "want_again_at",
    )

    def __init__(self, id: str, epoch: str, *, now: float, kind: Literal["peer", "spring"] = "peer") -> None:
        self.id = id
        self.epoch = epoch
        self.kind = kind
        self.seq = -1
        self.acked = -1
        self.heard_at = now
        self.told_at = now
        self.suspect = False
        self.listed = False
        self.leaving = False
        self.want_again_at = 0.0
        self.sessions: dict[str, str] = {}
        self.subscriptions: dict[str, Subscriptions] = {}


#: Where a session lives: here (the session itself) or on a peer.
Place = Session | RemotePeer

_NOWHERE: Final[dict[str, Place]] = {}
_NOBODY: Final[dict[str, Session]] = {}


class UserRegistry:
    """Sessions by user. A user exists as long as it has a session somewhere.

    Attributes:
        on_local_change: Called with the user when a local session has come or gone, or its
            subscriptions have changed.
        on_subscriptions: Called with a connected local session whose subscriptions have changed.
        before_lookup: Called before a lookup while there is anything that may have expired: what
            has expired must not be believed. None as long as there is nothing of the kind.
    """

    def __init__(self) -> None:
        self._users: dict[str, dict[str, Place]] = {}
        self._local: dict[str, dict[str, Session]] = {}
        self._here: dict[str, Session] = {}
        self._peers: dict[RemotePeer, None] = {}
        self._lapsed: deque[frozenset[str]] = deque(maxlen=_MOST_LAPSED)
        self.on_local_change: Callable[[str], None] = _unobserved
        self.on_subscriptions: Callable[[Session], None] = _unheard
        self.before_lookup: Callable[[], None] | None = None

    def __len__(self) -> int:
        return len(self._users)

    # lookups --------------------------------------------------------------------------------

    @property
    def local_users(self) -> int:
        """How many users have a session here."""
        return len(self._local)

    def places(self, user: str) -> Mapping[str, Place]:
        """Where the sessions of a user live, by session id; empty if there is none."""
        if self.before_lookup is not None:
            self.before_lookup()
        return self._users.get(user, _NOWHERE)

    def session(self, session_id: str) -> Place | None:
        """Where a session lives, anonymous ones included."""
        if self.before_lookup is not None:
            self.before_lookup()
        found: Place | None = self._here.get(session_id)
        if found is None:
            for peer in self._peers:
                if session_id in peer.sessions:
                    return peer
        return found

    def resolve(self, name: str) -> Mapping[str, Place]:
        """What the first segment of a user destination means: a user, else a session by its id."""
        found = self.places(name)
        if found:
            return found
        place = self.session(name)
        return _NOWHERE if place is None else {name: place}

    def local(self, user: str) -> Mapping[str, Session]:
        """The sessions of a user that live here."""
        return self._local.get(user, _NOBODY)

    def resolve_local(self, name: str) -> Mapping[str, Session]:
        """:meth:`resolve`, among the sessions that live here."""
        found = self._local.get(name)
        if found is not None:
            return found
        session = self._here.get(name)
        return _NOBODY if session is None else {name: session}

    def local_by_user(self) -> Mapping[str, Mapping[str, Session]]:
        """All local users."""
        return self._local

    def local_sessions(self) -> Mapping[str, Session]:
        """All connected local sessions by id, anonymous ones included."""
        return self._here

    def users(self) -> Iterator[tuple[str, Mapping[str, Place]]]:
        """All users with their places."""
        if self.before_lookup is not None:
            self.before_lookup()
        return iter(self._users.items())

    def peers(self) -> list[RemotePeer]:
        """All instances of which a session is known."""
        if self.before_lookup is not None:
            self.before_lookup()
        return list(self._peers)

    def lapsed(self, name: str) -> bool:
        """Whether a user or session was known from an instance that has been silent for too long."""
        return any(name in names for names in self._lapsed)

    # our own sessions -----------------------------------------------------------------------

    def add_local(self, session: Session) -> None:
        """A session of ours is CONNECTED. Anonymous ones have no user, only their id.

        See docs/wire/spring-relay.md §2.6.
        """
        self._here[session.id] = session
        if session.user:
            self._users.setdefault(session.user, {})[session.id] = session
            self._local.setdefault(session.user, {})[session.id] = session
            self.on_local_change(session.user)

    def remove_local(self, session: Session) -> bool:
        """A session of ours has ended; False if it was not there."""
        if self._here.pop(session.id, None) is None:
            return False
        mine = self._local.get(session.user)
        if mine is not None:
            mine.pop(session.id, None)
            if not mine:
                del self._local[session.user]
            self._forget(session.user, session.id, session)
            self.on_local_change(session.user)
        return True

    def resubscribed(self, session: Session) -> None:
        """A session of ours has subscribed or unsubscribed; ignored if it is not connected."""
        if session.id in self._here:
            self.on_subscriptions(session)
            if session.user:
                self.on_local_change(session.user)

    # what others say ------------------------------------------------------------------------

    def add_remote(
        self, peer: RemotePeer, session_id: str, user: str, subscriptions: Subscriptions | None = None
    ) -> None:
        """A peer has a session; ``subscriptions`` None leaves those as they were.

        A session of our own is never taken over by somebody who claims its id.
        """
        if not peer.sessions:
            self._peers[peer] = None
        before = peer.sessions.get(session_id)
        if before != user:
            if before:
                self._forget(before, session_id, peer)
            peer.sessions[session_id] = user
        if user:
            places = self._users.get(user)
            if places is None:
                places = self._users[user] = {}
            if not isinstance(places.get(session_id), Session):
                places[session_id] = peer
        if subscriptions:
            peer.subscriptions[session_id] = subscriptions
        elif subscriptions is not None:
            peer.subscriptions.pop(session_id, None)

    def remove_remote(self, peer: RemotePeer, session_id: str) -> None:
        """A peer's session has ended; unknown ones are ignored."""
        user = peer.sessions.pop(session_id, None)
        peer.subscriptions.pop(session_id, None)
        if user:
            self._forget(user, session_id, peer)
        if not peer.sessions:
            self._peers.pop(peer, None)

    def clear_remote(self, peer: RemotePeer, *, lapsed: bool = False) -> None:
        """Forget all sessions of a peer; ``lapsed`` if nobody said that they have ended."""
        if lapsed and peer.sessions:
            self._lapsed.append(frozenset((*peer.sessions, *peer.sessions.values())))
        for session_id, user in peer.sessions.items():
            if user:
                self._forget(user, session_id, peer)
        peer.sessions.clear()
        peer.subscriptions.clear()
        self._peers.pop(peer, None)

    def _forget(self, user: str, session_id: str, place: Place) -> None:
        places = self._users.get(user)
        if places is not None and places.get(session_id) is place:
            del places[session_id]
            if not places:
                del self._users[user]


def _unobserved(user: str) -> None:
    """Nobody wants to know."""


def _unheard(session: Session) -> None:
    """Nobody wants to know."""

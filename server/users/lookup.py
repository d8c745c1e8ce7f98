"""Looking users up, wherever they are: what application code may ask of the registry.

See docs/wire/spring-relay.md §5.3.

The semantics are those of Spring's ``MultiServerUserRegistry``, and beyond it every session names
the instance that it lives on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain

import msgspec

from ..sessions.session import Session
from .registry import Place, UserRegistry
from .told import told_subscriptions


class KnownSubscription(msgspec.Struct, frozen=True):
    """A subscription with the destination that the client asked for, such as ``/user/queue/x``."""

    id: str
    destination: str
    session: str
    user: str
    instance: str


class KnownSession(msgspec.Struct, frozen=True):
    """A session and where it lives.

    Attributes:
        id: The session's id.
        user: Its user, "" if it is anonymous.
        instance: The id of the instance that it lives on (a Spring instance's id in its snapshot).
        here: Whether that is this instance.
        subscriptions: As far as its instance has told; they may be a moment behind.
    """

    id: str
    user: str
    instance: str
    here: bool
    subscriptions: tuple[KnownSubscription, ...]


class KnownUser(msgspec.Struct, frozen=True):
    """A user with at least one session somewhere."""

    name: str
    sessions: tuple[KnownSession, ...]


class UserLookup:
    """Lookups in one instance's registry; every answer is of the moment in which it is given."""

    def __init__(self, registry: UserRegistry, instance: str) -> None:
        self._registry = registry
        self._instance = instance

    @property
    def user_count(self) -> int:
        """Local users and those of every other instance: a user on two instances counts twice."""
        registry = self._registry
        remote = sum(len({*peer.sessions.values()} - {""}) for peer in registry.peers())
        return registry.local_users + remote

    def user(self, name: str) -> KnownUser | None:
        """A user with all its sessions, or None if nobody knows it."""
        places = self._registry.places(name)
        return self._known(name, places) if places else None

    def users(self) -> Iterator[KnownUser]:
        """All users, each once; not while users come and go: take them without waiting between."""
        for name, places in self._registry.users():
            yield self._known(name, places)

    def session(self, session_id: str) -> KnownSession | None:
        """A session by its id, anonymous ones included."""
        place = self._registry.session(session_id)
        if place is None:
            return None
        user = place.user if isinstance(place, Session) else place.sessions[session_id]
        return self._session(session_id, user, place)

    def find_subscriptions(self, matches: Callable[[KnownSubscription], bool]) -> list[KnownSubscription]:
        """All subscriptions of users that ``matches`` accepts, local and remote."""
        sessions = chain.from_iterable(user.sessions for user in self.users())
        return [each for session in sessions for each in session.subscriptions if matches(each)]

    def where(self, most_users: int, most_sessions: int) -> dict[str, dict[str, str]]:
        """Instances by session id by user, of so many users with so many sessions each at most."""
        found: dict[str, dict[str, str]] = {}
        for name, places in self._registry.users():
            if len(found) == most_users:
                break
            found[name] = self.where_is(places, most_sessions)
        return found

    def where_is(self, places: Mapping[str, Place], most_sessions: int) -> dict[str, str]:
        """Instances by session id."""
        some = list(places.items())[:most_sessions] if len(places) > most_sessions else places.items()
        return {id: self._instance if isinstance(place, Session) else place.id for id, place in some}

    def _known(self, name: str, places: Mapping[str, Place]) -> KnownUser:
        return KnownUser(name, tuple(self._session(id, name, place) for id, place in places.items()))

    def _session(self, session_id: str, user: str, place: Place) -> KnownSession:
        if isinstance(place, Session):
            here, instance, told = True, self._instance, told_subscriptions(place)
        else:
            here, instance, told = False, place.id, place.subscriptions.get(session_id, ())
        subscriptions = tuple(KnownSubscription(id, at, session_id, user, instance) for id, at in told)
        return KnownSession(session_id, user, instance, here, subscriptions)

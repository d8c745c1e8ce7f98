"""How a message for a user reaches the user's sessions, whichever instance they are on.

Three ways, so that the difference can be seen: ``relay`` (Spring's user destinations over the
broker, the article's best), ``broadcast`` (its first: every instance gets everything), ``none``
(local sockets only: the bug it starts from).

Order. What is sent through one instance to one session arrives in the order in which it was
sent. Everything on one broker connection is ordered; the local short cut keeps the order because
a session is reached the same way for its whole life: it is ``direct`` unless, when it connected,
a message for its user was still on its way through the broker (see :meth:`RelayStrategy.joined`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from core.protocol import send_form, split_user_destination, user_target

from ..brokers.base import Broker, Settled
from ..counters import Counters
from ..sessions.session import Session
from ..settings import InstanceSettings
from ..stages import Stage, StageLog
from .local_delivery import VIA_HEADER, LocalDelivery, UserMessage
from .registry import Place, RemotePeer, UserRegistry

#: Unknown users whose messages may be under way; more have been lost on the way, or are an attack.
_MOST_IN_FLIGHT: Final = 100_000


class Strategy(Protocol):
    """Carries messages to users.

    Calls are in order per sender; nothing waits.
    """

    def send(self, message: UserMessage, done: Settled | None = None) -> int:
        """Send to all sessions of a user; returns how many are known to be addressed.

        ``done`` is called when the broker has confirmed all of it, at once if it has no part.

        Raises:
            BrokerUnavailable: The broker is needed and away.
        """
        ...

    def joined(self, session: Session) -> None:
        """A session has connected here; to be called before it is in the registry."""
        ...


class RelayStrategy:
    """Resolves the user's sessions on all instances; one SEND per session (spec §4)."""

    def __init__(
        self,
        settings: InstanceSettings,
        registry: UserRegistry,
        broker: Broker,
        local: LocalDelivery,
        counters: Counters,
        stages: StageLog,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._broker = broker
        self._local = local
        self._counters = counters
        self._stages = stages
        self._user_prefix = settings.prefixes.user
        #: Unresolved messages of ours that have not come back yet, by user.
        self._in_flight: dict[str, int] = {}

    def joined(self, session: Session) -> None:
        """Keep a session off the short cut if a message for its user is still in the broker.

        The message will find the session when it comes back; a later one on the short cut would
        be there first.
        """
        session.direct = self._settings.local_shortcut and session.user not in self._in_flight

    def send(self, message: UserMessage, done: Settled | None = None) -> int:
        """Send to every session of the user; broadcast if there is none to be trusted."""
        places = self._registry.places(message.user)
        if not places:
            self._broadcast(message, done)
            return 0
        if len(places) == 1:
            for session_id, place in places.items():
                return self._send_one(session_id, place, message, done)
        return self._send_many(places, message, done)

    def came_back(self, headers: Mapping[str, str], destination: str) -> None:
        """One of our own broadcasts is back: its order is settled."""
        if headers.get(VIA_HEADER) != self._settings.id:
            return
        split = split_user_destination(destination, self._settings.prefixes)
        if split is not None:
            count = self._in_flight.get(split[0], 0)
            if count > 1:
                self._in_flight[split[0]] = count - 1
            else:
                self._in_flight.pop(split[0], None)

    def broker_lost(self) -> None:
        """What was in the broker does not come back."""
        self._in_flight.clear()

    def _send_one(self, session_id: str, place: Place, message: UserMessage, done: Settled | None) -> int:
        if isinstance(place, Session):
            if place.direct:
                self._counters.resolved += 1
                self._counters.direct += 1
                if not self._local.to_session(place, message):
                    self._counters.undeliverable += 1
                if done is not None:
                    done(None)
                return 1
        elif place.suspect:
            # Its peer is silent: the user may have moved on, and only a broadcast finds out where.
            self._broadcast(message, done)
            return 1
        self._counters.resolved += 1
        self._to_broker(session_id, message, done)
        return 1

    def _send_many(self, places: dict[str, Place], message: UserMessage, done: Settled | None) -> int:
        if all(isinstance(place, RemotePeer) and place.suspect for place in places.values()):
            self._broadcast(message, done)
            return len(places)
        self._counters.resolved += 1
        remote: list[str] = []
        for session_id, place in places.items():
            if isinstance(place, Session) and place.direct:
                self._counters.direct += 1
                self._local.to_session(place, message)
            else:
                remote.append(session_id)
        for session_id in remote[:-1]:
            self._to_broker(session_id, message, None)
        if remote:  # one connection, in order: the last confirmation covers those before
            self._to_broker(remote[-1], message, done)
        elif done is not None:
            done(None)
        return len(places)

    def _to_broker(self, session_id: str, message: UserMessage, done: Settled | None) -> None:
        destination = message.destination
        self._broker.publish(
            user_target(destination, session_id),
            {"simpOrigDestination": self._user_prefix + destination[1:], **message.headers},
            message.body,
            done,
        )
        self._counters.to_broker += 1
        if message.id is not None:
            self._stages.set(message.id, Stage.TO_BROKER)

    def _broadcast(self, message: UserMessage, done: Settled | None) -> None:
        """Ask all instances whether they know the user (spec 5.2, sender)."""
        headers = {
            "simpOrigDestination": send_form(message.user, message.destination, self._settings.prefixes),
            **message.headers,
            VIA_HEADER: self._settings.id,
        }
        self._broker.publish(self._settings.unresolved_destination, headers, message.body, done)
        if len(self._in_flight) >= _MOST_IN_FLIGHT:
            self._in_flight.clear()
        self._in_flight[message.user] = self._in_flight.get(message.user, 0) + 1
        self._counters.unresolved += 1
        self._counters.to_broker += 1
        if message.id is not None:
            self._stages.set(message.id, Stage.NO_SESSION)


class BroadcastStrategy:
    """Hands every message to every instance; each looks at its own sockets."""

    def __init__(
        self,
        settings: InstanceSettings,
        registry: UserRegistry,
        broker: Broker,
        counters: Counters,
        stages: StageLog,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._broker = broker
        self._counters = counters
        self._stages = stages

    def joined(self, session: Session) -> None:
        """Everything comes through the broker."""
        session.direct = False

    def send(self, message: UserMessage, done: Settled | None = None) -> int:
        """Publish once; returns the local sessions only, the others are not known here."""
        headers = {
            "simpOrigDestination": send_form(message.user, message.destination, self._settings.prefixes),
            **message.headers,
        }
        self._broker.publish(self._settings.broadcast_destination, headers, message.body, done)
        self._counters.to_broker += 1
        if message.id is not None:
            self._stages.set(message.id, Stage.TO_BROKER)
        return len(self._registry.local(message.user))


class LocalStrategy:
    """Looks at local sockets only."""

    def __init__(
        self, registry: UserRegistry, local: LocalDelivery, counters: Counters, stages: StageLog
    ) -> None:
        self._registry = registry
        self._local = local
        self._counters = counters
        self._stages = stages

    def joined(self, session: Session) -> None:
        """There is no other way."""
        session.direct = True

    def send(self, message: UserMessage, done: Settled | None = None) -> int:
        """Deliver here or nowhere."""
        count = len(self._registry.local(message.user))
        if count:
            self._counters.resolved += 1
            self._counters.direct += self._local.to_user(message)
        else:
            self._counters.unresolved += 1
            self._counters.undeliverable += 1
            if message.id is not None:
                self._stages.set(message.id, Stage.NO_SESSION)
        if done is not None:
            done(None)
        return count

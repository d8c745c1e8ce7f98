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

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final, Protocol

from core.errors import BrokerRefused, BrokerUnavailable
from core.protocol import send_form, split_user_destination, subscribe_form, user_target

from ..brokers.base import Broker, Settled
from ..messages.counters import Counters
from ..messages.stages import Stage, StageLog
from ..sessions.session import Session
from ..settings.instance import InstanceSettings
from .handover import Handover, staying
from .local_delivery import VIA_HEADER, LocalDelivery, UserMessage, origin_of, via
from .registry import Place, RemotePeer, UserRegistry
from .undeliverable import Origin, Reason

#: Unknown users whose messages may be under way; more have been lost on the way, or are an attack.
_MOST_IN_FLIGHT: Final = 100_000
#: Ids of sessions as we or Spring make them.
_SESSION_ID: Final = re.compile(r"[0-9a-f]{16}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


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
    """Resolves the user's sessions on all instances; one SEND per session (docs/wire/spring-relay.md §4)."""

    def __init__(
        self,
        settings: InstanceSettings,
        registry: UserRegistry,
        broker: Broker,
        local: LocalDelivery,
        counters: Counters,
        stages: StageLog,
        handover: Handover,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._broker = broker
        self._local = local
        self._counters = counters
        self._stages = stages
        self._handover = handover
        self._undeliverable = local.undeliverable
        self._via = {origin: via(settings.id, origin) for origin in Origin}
        #: Unresolved messages of ours that have not come back yet, by user, and by who sent them.
        self._in_flight: dict[str, int] = {}
        self._in_flight_of: Counter[Origin] = Counter()

    def joined(self, session: Session) -> None:
        """Keep a session off the short cut if a message for its user is still in the broker.

        The message will find the session when it comes back; a later one on the short cut would
        be there first.
        """
        session.direct = self._settings.local_shortcut and session.user not in self._in_flight

    def send(self, message: UserMessage, done: Settled | None = None) -> int:
        """Send to every session of the user; broadcast if there is none to be trusted.

        Held back while the user moves from an instance that stops to another one.
        """
        self._check_shape(message)
        if self._handover.moving and self._handover.hold(message, done):
            return 0
        return self.send_now(message, done)

    def send_now(self, message: UserMessage, done: Settled | None = None) -> int:
        """:meth:`send` without holding anything back."""
        registry = self._registry
        if message.one_session:
            place = registry.session(message.user)
            places: Mapping[str, Place] = {} if place is None else {message.user: place}
        else:
            places = registry.places(message.user) or registry.resolve(message.user)
            if self._handover.moving:
                places = staying(places) or places
        if done is not None:
            done = self._noting(message, done)
        try:
            if not places:
                self._broadcast(message, done)
                return 0
            if len(places) == 1:
                for session_id, place in places.items():
                    return self._send_one(session_id, place, message, done)
            return self._send_many(places, message, done)
        except BrokerUnavailable as error:
            self._note(message, reason_of(error), Stage.RESOLVED)
            raise

    def _check_shape(self, message: UserMessage) -> None:
        """Refuse what no broker link carries, wherever the user is: where may change."""
        try:
            check_shape(self._broker, message)
        except BrokerUnavailable as error:
            self._note(message, reason_of(error), Stage.ACCEPTED)
            raise

    def came_back(self, headers: Mapping[str, str], destination: str, delivered: int) -> None:
        """An unresolved message, of ours or of others, is back after it was looked at here.

        One of ours has its order settled; if still nobody knows the user, it ended. One of a
        foreign instance is not sent on again (docs/wire/spring-relay.md §5.2).
        """
        sender, _, _ = headers.get(VIA_HEADER, "").rpartition(" ")
        if sender and sender != self._settings.id:
            return  # that instance counts it
        split = split_user_destination(destination, self._settings.prefixes)
        if split is None:
            self._note_ended(Origin.PUSH, Reason.BAD_DESTINATION, "", destination, headers)
            return
        user, rest = split
        if sender:
            self._settle_order(user, origin_of(headers))
        if delivered or self._registry.resolve(user):
            return  # whoever has the session got the same message
        reason = self._why_unknown(user) if sender else Reason.LOOP_GUARD
        self._note_ended(origin_of(headers), reason, user, rest, headers)

    def broker_lost(self) -> None:
        """What was in the broker does not come back."""
        self._in_flight.clear()
        for origin, count in self._in_flight_of.items():
            self._undeliverable.add(origin, Reason.BROKER_LOST, Stage.NO_SESSION, count)
        self._in_flight_of.clear()

    def _settle_order(self, user: str, origin: Origin) -> None:
        count = self._in_flight.get(user, 0)
        if count > 1:
            self._in_flight[user] = count - 1
        else:
            self._in_flight.pop(user, None)
        if self._in_flight_of[origin] > 0:
            self._in_flight_of[origin] -= 1

    def _why_unknown(self, user: str) -> Reason:
        if self._registry.lapsed(user):
            return Reason.EXPIRED
        return Reason.UNKNOWN_SESSION if is_session_id(user) else Reason.NO_SESSION

    def _noting(self, message: UserMessage, done: Settled) -> Settled:
        def noted(error: BrokerUnavailable | None) -> None:
            if error is not None:
                self._note(message, Reason.BROKER_REFUSED, Stage.TO_BROKER)
            done(error)

        return noted

    def _note_ended(
        self, origin: Origin, reason: Reason, user: str, destination: str, headers: Mapping[str, str]
    ) -> None:
        self._undeliverable.note(
            origin, reason, Stage.NO_SESSION, user=user, destination=destination, id=headers.get("ps-id")
        )

    def _note(self, message: UserMessage, reason: Reason, stage: Stage) -> None:
        self._undeliverable.note(
            message.origin,
            reason,
            stage,
            user=message.user,
            destination=message.destination,
            id=message.id,
        )

    def _send_one(self, session_id: str, place: Place, message: UserMessage, done: Settled | None) -> int:
        if isinstance(place, Session):
            if place.direct:
                self._counters.resolved += 1
                self._counters.direct += 1
                self._local.to_only(place, message)
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

    def _send_many(self, places: Mapping[str, Place], message: UserMessage, done: Settled | None) -> int:
        if all(isinstance(place, RemotePeer) and place.suspect for place in places.values()):
            self._broadcast(message, done)
            return len(places)
        self._counters.resolved += 1
        remote: list[str] = []
        delivered = False
        for session_id, place in places.items():
            if isinstance(place, Session) and place.direct:
                self._counters.direct += 1
                delivered |= self._local.to_session(place, message)
            else:
                remote.append(session_id)
        if not remote and not delivered:
            self._local.not_subscribed(message)
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
            {
                "simpOrigDestination": subscribe_form(destination, self._settings.prefixes),
                **message.headers,
            },
            message.body,
            done,
        )
        self._counters.to_broker += 1
        if message.id is not None:
            self._stages.set(message.id, Stage.TO_BROKER)

    def _broadcast(self, message: UserMessage, done: Settled | None) -> None:
        """Ask all instances whether they know the user (docs/wire/spring-relay.md §5.2, sender)."""
        headers = {
            "simpOrigDestination": send_form(message.user, message.destination, self._settings.prefixes),
            **message.headers,
            VIA_HEADER: self._via[message.origin],
        }
        self._broker.publish(self._settings.unresolved_destination, headers, message.body, done)
        if len(self._in_flight) >= _MOST_IN_FLIGHT:
            self._in_flight.clear()
        self._in_flight[message.user] = self._in_flight.get(message.user, 0) + 1
        self._in_flight_of[message.origin] += 1
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
        local: LocalDelivery,
        counters: Counters,
        stages: StageLog,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._broker = broker
        self._undeliverable = local.undeliverable
        self._via = {origin: via(settings.id, origin) for origin in Origin}
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
            VIA_HEADER: self._via[message.origin],
        }
        try:
            check_shape(self._broker, message)
            self._broker.publish(self._settings.broadcast_destination, headers, message.body, done)
        except BrokerUnavailable as error:
            self._undeliverable.note(
                message.origin,
                reason_of(error),
                Stage.RESOLVED,
                user=message.user,
                destination=message.destination,
                id=message.id,
            )
            raise
        self._counters.to_broker += 1
        if message.id is not None:
            self._stages.set(message.id, Stage.TO_BROKER)
        return len(self._registry.resolve_local(message.user))


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
        count = len(self._registry.resolve_local(message.user))
        if count:
            self._counters.resolved += 1
            self._counters.direct += self._local.to_user(message)
        else:
            self._counters.unresolved += 1
            self._local.undeliverable.note(
                message.origin,
                Reason.UNKNOWN_SESSION if is_session_id(message.user) else Reason.NO_SESSION,
                Stage.NO_SESSION,
                user=message.user,
                destination=message.destination,
                id=message.id,
            )
            if message.id is not None:
                self._stages.set(message.id, Stage.NO_SESSION)
        if done is not None:
            done(None)
        return count


def check_shape(broker: Broker, message: UserMessage) -> None:
    """Refuse a message that is more than the broker takes, wherever its user is.

    Raises:
        BrokerRefused: It names the limit.
    """
    broker.limits.check(message.destination, message.headers, len(message.body), message.user)


def reason_of(error: BrokerUnavailable) -> Reason:
    """Why a message did not get to the broker."""
    return Reason.BROKER_REFUSED if isinstance(error, BrokerRefused) else Reason.BROKER_UNAVAILABLE


def is_session_id(name: str) -> bool:
    """Whether a name looks like a session's id, ours or Spring's."""
    return _SESSION_ID.fullmatch(name) is not None

"""Messages for users into the queues of sessions of this instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from core.protocol import split_user_destination, subscribe_form, user_target

from ..messages.counters import Counters
from ..messages.framing import OutgoingMessage
from ..messages.stages import Stage, StageLog
from ..sessions.acknowledgements import Acknowledgements
from ..sessions.hub import Hub
from ..sessions.session import Session
from ..sessions.subscription import Kind
from ..settings.instance import InstanceSettings
from .registry import UserRegistry
from .undeliverable import Origin, Reason, Undeliverable

#: Names the instance that broadcast a message for a user whom it does not know.
VIA_HEADER: Final = "ps-via"

#: Headers of a broadcast that are not for the receiver (docs/wire/spring-relay.md §5.2, receiver).
_NOT_FOR_RECEIVER: Final = frozenset(
    {
        "subscription",
        "message-id",
        "destination",
        "simpOrigDestination",
        "redelivered",
        "ack",
        "receipt",
        "content-length",
        VIA_HEADER,
    }
)

_ORIGINS: Final = frozenset(Origin)


class UserMessage(msgspec.Struct, frozen=True, gc=False):
    """A message for a user.

    Attributes:
        user: The user's name.
        destination: The destination behind the user, such as ``/topic/greetings``.
        headers: Headers for the receiver.
        body: The body.
        id: The push's id, for the stages, or None.
        origin: Who sent it.
        one_session: Whether ``user`` is the id of a session, and only that session is meant.
    """

    user: str
    destination: str
    headers: Mapping[str, str]
    body: bytes
    id: str | None = None
    origin: Origin = Origin.PUSH
    one_session: bool = False


class LocalDelivery:
    """Puts messages for users into the queues of sessions of this instance."""

    def __init__(
        self,
        settings: InstanceSettings,
        hub: Hub,
        registry: UserRegistry,
        counters: Counters,
        stages: StageLog,
        undeliverable: Undeliverable,
        acknowledgements: Acknowledgements,
    ) -> None:
        self._acknowledgements = acknowledgements
        #: Where messages are counted that end here.
        self.undeliverable = undeliverable
        self._settings = settings
        self._hub = hub
        self._registry = registry
        self._counters = counters
        self._stages = stages
        self._count = 0

    def to_session(self, session: Session, message: UserMessage) -> bool:
        """Deliver to one session, if it has subscribed to the destination."""
        target = user_target(message.destination, session.id)
        topic = self._hub.topics.get(target)
        if topic is not None:
            self._hub.deliver(topic, self._outgoing(message))
        elif not self._to_queue(session, target, message):
            if message.id is not None:
                self._stages.set(message.id, Stage.NO_SUBSCRIBER)
            return False
        self._counters.delivered += 1
        if message.id is not None:
            self._stages.set(message.id, Stage.QUEUED)
        return True

    def to_only(self, session: Session, message: UserMessage) -> bool:
        """Deliver to one session and nobody else; it is counted if the session does not want it."""
        delivered = self.to_session(session, message)
        if not delivered:
            self.not_subscribed(message)
        return delivered

    def to_user(self, message: UserMessage) -> int:
        """Deliver to all local sessions that the message's user means; returns to how many."""
        sessions = self._registry.resolve_local(message.user)
        count = sum(self.to_session(session, message) for session in sessions.values())
        if sessions and not count:
            self.not_subscribed(message)
        return count

    def not_subscribed(self, message: UserMessage) -> None:
        """Count a message whose user is here and has not asked for it."""
        self.undeliverable.note(
            message.origin,
            Reason.NOT_SUBSCRIBED,
            Stage.NO_SUBSCRIBER,
            user=message.user,
            destination=message.destination,
            id=message.id,
        )

    def from_broadcast(self, destination: str, headers: Mapping[str, str], body: bytes) -> int:
        """A message for a user that every instance got (docs/wire/spring-relay.md §5.2, receiver).

        ``destination`` is the send form, ``/user/joe/queue/x``. Each instance serves its own
        sessions at once and sends nothing on: a second trip over the broker could be overtaken
        by a later message that was resolved at its sender.
        """
        split = split_user_destination(destination, self._settings.prefixes)
        self._counters.from_broker += 1
        if split is None:
            self._counters.wasted += 1
            return 0
        user, rest = split
        kept = {name: value for name, value in headers.items() if name not in _NOT_FOR_RECEIVER}
        origin = origin_of(headers)
        count = self.to_user(UserMessage(user, rest, kept, body, headers.get("ps-id"), origin))
        if not count:
            self._counters.wasted += 1
        return count

    def _to_queue(self, session: Session, target: str, message: UserMessage) -> bool:
        found = False
        for subscription in session.subscriptions.values():
            if subscription.kind is Kind.QUEUE and subscription.target == target:
                found = True
                outgoing = self._outgoing(message)
                id = f"{self._settings.id}-{self._count}"
                if not self._acknowledgements.local(session, subscription.id, outgoing, id):
                    self._hub.deliver_one(session, subscription.id, outgoing)
        return found

    def _outgoing(self, message: UserMessage) -> OutgoingMessage:
        self._count += 1
        headers = {
            "destination": subscribe_form(message.destination, self._settings.prefixes),
            "message-id": f"{self._settings.id}-{self._count}",
            **message.headers,
        }
        return OutgoingMessage(headers, message.body)


def via(instance: str, origin: Origin) -> str:
    """The value of :data:`VIA_HEADER`: which instance sent it on, and for whom."""
    return f"{instance} {origin}"


def origin_of(headers: Mapping[str, str]) -> Origin:
    """For whom a broadcast was sent on; foreign ones count as pushes."""
    _, _, origin = headers.get(VIA_HEADER, "").rpartition(" ")
    return Origin(origin) if origin in _ORIGINS else Origin.PUSH

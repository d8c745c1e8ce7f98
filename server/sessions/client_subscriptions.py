"""SUBSCRIBE and UNSUBSCRIBE of clients."""

from __future__ import annotations

from core.errors import BrokerUnavailable, CloseCode
from core.protocol import (
    Subscribe,
    Unsubscribe,
    application_path,
    is_broker_destination,
    is_user_destination,
    subscribe_target,
)

from ..brokers.base import Settled
from ..counters import Counters
from ..settings import InstanceSettings
from ..users.peers import PeerSync
from .guard import Guard
from .outbox import Outbox
from .refusal import Refusal
from .session import Session
from .subscription import Kind, Subscription
from .topics import TopicRelay, unheard

_MOST_SUBSCRIPTIONS = 1_000


class ClientSubscriptions:
    """Subscriptions of all clients of an instance.

    The RECEIPT of a SUBSCRIBE is sent when the broker delivers to it, and for a user destination
    only when every live peer knows the session too: a push accepted anywhere from then on
    arrives.
    """

    def __init__(
        self,
        settings: InstanceSettings,
        topics: TopicRelay,
        outbox: Outbox,
        guard: Guard,
        sync: PeerSync | None,
        counters: Counters,
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._outbox = outbox
        self._guard = guard
        self._sync = sync
        self._counters = counters

    def subscribe(self, session: Session, event: Subscribe) -> None:
        """A client subscribes.

        Raises:
            Refusal: The destination is not for clients, or nobody serves it.
        """
        destination, prefixes = event.destination, self._settings.prefixes
        if len(session.subscriptions) >= _MOST_SUBSCRIPTIONS:
            raise Refusal("too many subscriptions", f"A session may have {_MOST_SUBSCRIPTIONS}.")
        if application_path(destination, prefixes) is not None:
            subscription = Subscription(event.id, destination, destination, Kind.APPLICATION)
            session.subscriptions[event.id] = subscription
            self._receipt(session, event.receipt)
            return
        is_user = is_user_destination(destination, prefixes)
        target = subscribe_target(destination, session.id, prefixes)
        if is_user and "%2F" in destination:
            raise Refusal("Invalid destination", f"'{destination}' must not contain %2F")
        if not is_broker_destination(target, prefixes):
            raise Refusal("Unknown destination", f"'{destination}' is served by nobody here")
        if why := self._guard.refuse_subscribe(target, session.id):
            self._counters.refused_frames += 1
            raise Refusal("Access refused", f"'{destination[:300]}' cannot be subscribed to: {why}")
        self._relay(session, event, target, self._when_ready(session, event, is_user=is_user))

    def unsubscribe(self, session: Session, event: Unsubscribe) -> None:
        """A client gives up a subscription; unknown ids are ignored."""
        subscription = session.subscriptions.pop(event.id, None)
        if subscription is not None:
            self._release(session, subscription)
        self._receipt(session, event.receipt)

    def release_all(self, session: Session) -> None:
        """A client has gone."""
        for subscription in session.subscriptions.values():
            self._release(session, subscription)
        session.subscriptions.clear()

    def _relay(self, session: Session, event: Subscribe, target: str, ready: Settled) -> None:
        if target.startswith("/topic"):
            subscription = Subscription(event.id, event.destination, target, Kind.TOPIC)
            session.subscriptions[event.id] = subscription
            self._topics.join(session, event.id, target, ready)
            return
        handle = self._topics.consume(session, event.id, target, ready)
        session.subscriptions[event.id] = Subscription(
            event.id, event.destination, target, Kind.QUEUE, handle
        )

    def _when_ready(self, session: Session, event: Subscribe, *, is_user: bool) -> Settled:
        receipt = event.receipt
        if receipt is None and not session.closed:
            return unheard

        def known() -> None:
            self._receipt(session, receipt)

        def ready(error: BrokerUnavailable | None) -> None:
            if session.closed:
                return
            if error is not None:
                self._fail(session, error, receipt)
            elif is_user and self._sync is not None and session.user:
                self._sync.when_known(session.joined_seq, known)
            else:
                known()

        return ready

    def _fail(self, session: Session, error: BrokerUnavailable, receipt: str | None) -> None:
        frame = session.protocol.error("The broker refused the subscription", str(error).encode(), receipt)
        self._outbox.put(session, frame)
        self._outbox.flush_one(session)
        session.carrier.close(CloseCode.PROTOCOL_ERROR, "subscription refused")

    def _release(self, session: Session, subscription: Subscription) -> None:
        match subscription.kind:
            case Kind.TOPIC:
                self._topics.leave(session, subscription.id, subscription.target)
            case Kind.QUEUE:
                self._topics.release(subscription.token)
            case Kind.APPLICATION:
                pass  # the broker never heard of it (spec §3, DEV)

    def _receipt(self, session: Session, receipt: str | None) -> None:
        if receipt is not None and not session.closed:
            self._outbox.put(session, session.protocol.receipt(receipt))

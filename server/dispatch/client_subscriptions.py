"""SUBSCRIBE and UNSUBSCRIBE of clients."""

from __future__ import annotations

from core.protocol import (
    Subscribe,
    Unsubscribe,
    application_path,
    is_broker_destination,
    is_user_destination,
    subscribe_target,
)

from ..messages.counters import Counters
from ..messages.refusal import Refusal
from ..sessions.guard import Guard, malformed
from ..sessions.outbox import Outbox
from ..sessions.session import Session
from ..sessions.subscription import Kind, Subscription
from ..settings.instance import InstanceSettings
from .application import Application
from .relay.base import Relay

_MOST_SUBSCRIPTIONS = 1_000
_LONGEST_ID = 255


class ClientSubscriptions:
    """Subscriptions of all clients of an instance: what the broker is asked for, and what not."""

    def __init__(
        self,
        settings: InstanceSettings,
        application: Application,
        relay: Relay,
        outbox: Outbox,
        guard: Guard,
        counters: Counters,
    ) -> None:
        self._settings = settings
        self._application = application
        self._relay = relay
        self._outbox = outbox
        self._guard = guard
        self._counters = counters

    def subscribe(self, session: Session, event: Subscribe) -> None:
        """A client subscribes.

        Raises:
            Refusal: The destination is not for clients, or nobody serves it.
        """
        destination, prefixes = event.destination, self._settings.prefixes
        if len(session.subscriptions) >= _MOST_SUBSCRIPTIONS:
            raise Refusal("too many subscriptions", f"A session may have {_MOST_SUBSCRIPTIONS}.")
        if len(event.id) > _LONGEST_ID:  # every MESSAGE carries it, and a session keeps a thousand
            raise Refusal("Invalid header", f"'id' is longer than {_LONGEST_ID} characters.")
        if why := malformed(destination):
            raise Refusal("Invalid destination", f"{destination[:300]!r} cannot be subscribed to: {why}")
        if application_path(destination, prefixes) is not None:
            subscription = Subscription(event.id, destination, destination, Kind.APPLICATION)
            session.subscriptions[event.id] = subscription
            if not self._application.handle(session, event, lambda: self._receipt(session, event.receipt)):
                raise Refusal("too many messages", "They come faster than the application handles them.")
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
        self._relay.subscribe(session, event, target, is_user=is_user)

    def unsubscribe(self, session: Session, event: Unsubscribe) -> None:
        """A client gives up a subscription; unknown ids are ignored."""
        subscription = session.subscriptions.pop(event.id, None)
        # The broker never hears of those that are the application's (docs/wire/spring-relay.md §3).
        if (
            subscription is None
            or subscription.kind is Kind.APPLICATION
            or not self._relay.unsubscribe(session, subscription, event)
        ):
            self._receipt(session, event.receipt)

    def release_all(self, session: Session) -> None:
        """A client has gone."""
        self._relay.closed(session)
        session.subscriptions.clear()

    def _receipt(self, session: Session, receipt: str | None) -> None:
        if receipt is not None and not session.closed:
            self._outbox.put(session, session.protocol.receipt(receipt))

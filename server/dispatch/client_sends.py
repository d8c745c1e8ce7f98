"""SEND frames of clients, and the transactions that hold them back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from core.protocol import (
    Abort,
    Ack,
    Begin,
    Commit,
    Nack,
    Send,
    application_path,
    is_broker_destination,
    is_user_destination,
    split_user_destination,
)

from ..messages.counters import Counters
from ..messages.refusal import Refusal
from ..sessions.acknowledgements import Acknowledgements
from ..sessions.guard import LONGEST_DESTINATION, Guard, malformed
from ..sessions.outbox import Outbox
from ..sessions.session import Session
from ..sessions.transactions import Transactions
from ..settings.instance import InstanceSettings
from ..users.local_delivery import UserMessage
from ..users.undeliverable import Origin
from .application import Application
from .relay.base import Relay

#: What is added to the destination of a user, ``-user`` and the id of a session.
_SUFFIX_ROOM: Final = 48


class ClientSends:
    """Hands messages of clients to the application, to users, or to the broker."""

    def __init__(
        self,
        settings: InstanceSettings,
        application: Application,
        relay: Relay,
        outbox: Outbox,
        guard: Guard,
        counters: Counters,
        acknowledgements: Acknowledgements,
    ) -> None:
        self._acknowledgements = acknowledgements
        self._settings = settings
        self._application = application
        self._relay = relay
        self._outbox = outbox
        self._guard = guard
        self._counters = counters

    def send(self, session: Session, event: Send) -> None:
        """A client sends a message, now or when its transaction is committed.

        Raises:
            Refusal: The destination is not for clients, or nobody serves it.
            BrokerUnavailable: The broker is needed and away.
        """
        transaction = event.transaction
        if transaction is None or session.transactions is None:  # None: the broker holds them back
            self._route(session, event)
            return
        session.transactions.hold(transaction, event)

    def transact(self, session: Session, event: Begin | Commit | Abort) -> None:
        """BEGIN, COMMIT, ABORT."""
        if session.transactions is None:
            session.transactions = Transactions()
        match event:
            case Begin():
                session.transactions.begin(event.transaction)
            case Commit():
                for held in session.transactions.end(event.transaction):
                    if isinstance(held, Ack | Nack):
                        self._acknowledgements.settle_now(session, held)
                    else:
                        self._route(session, held)
            case Abort():
                session.transactions.end(event.transaction)

    def _route(self, session: Session, event: Send) -> None:
        self._counters.sends += 1
        destination, prefixes = event.destination, self._settings.prefixes
        if application_path(destination, prefixes) is not None:
            if why := malformed(destination):
                raise Refusal("Invalid destination", f"{destination[:300]!r} cannot be sent to: {why}")
            if not self._application.handle(session, event, self._when_done(session, event)):
                raise Refusal("too many messages", "They come faster than the application handles them.")
        elif is_user_destination(destination, prefixes):
            self._to_user(session, event)
        elif is_broker_destination(destination, prefixes):
            self._check(destination, destination, session)
            self._relay.publish(session, event, self._guard.headers.of_send(event.frame.headers))
        else:
            self._counters.unroutable += 1
            raise Refusal("Unknown destination", f"'{destination}' is served by nobody here")

    def _to_user(self, session: Session, event: Send) -> None:
        split = split_user_destination(event.destination, self._settings.prefixes)
        if split is None:
            raise Refusal("Invalid destination", f"'{event.destination}' names no destination of a user")
        user, rest = split
        if not is_broker_destination(rest, self._settings.prefixes):
            raise Refusal("Unknown destination", f"'{event.destination}' is served by nobody here")
        why = malformed(event.destination) or malformed(rest, LONGEST_DESTINATION - _SUFFIX_ROOM)
        self._check(event.destination, rest, session, why)
        headers = self._guard.headers.of_send(event.frame.headers)
        message = UserMessage(user, rest, headers, event.frame.body, origin=Origin.CLIENT)
        self._relay.to_user(session, event, message)

    def _check(self, destination: str, target: str, session: Session, why: str = "") -> None:
        """Refuse what clients may not send to; ``target`` is what the broker would get."""
        if why := why or self._guard.refuse_send(target, session.id):
            self._counters.refused_frames += 1
            raise Refusal("Access refused", f"'{destination[:300]}' cannot be sent to: {why}")

    def _when_done(self, session: Session, event: Send) -> Callable[[], None]:
        receipt = event.receipt
        if receipt is None:
            return _nothing

        def done() -> None:
            self._outbox.put(session, session.protocol.receipt(receipt))

        return done


def _nothing() -> None:
    """Nobody waits for it."""

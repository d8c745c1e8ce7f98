"""All clients of an instance share its one broker connection (docs/decisions/03-topics-multiplexed.md)."""

from __future__ import annotations

from collections.abc import Mapping

from core.errors import BrokerRefused, BrokerUnavailable, CloseCode
from core.protocol import Connect, Send, Subscribe, Unsubscribe

from ...brokers.base import Broker, Settled
from ...sessions.acknowledgements import Acknowledgements
from ...sessions.outbox import Outbox
from ...sessions.session import Session
from ...sessions.subscription import Kind, Subscription
from ...sessions.topics import TopicRelay
from ...users.local_delivery import LocalDelivery, UserMessage
from ...users.peers import PeerSync
from ...users.registry import UserRegistry
from ...users.strategies import Strategy
from .base import Plain, Welcome


class MultiplexedRelay:
    """Implements ``Relay``: one subscription for each topic, whoever listens; a consumer for each queue.

    The RECEIPT of a SUBSCRIBE is sent when the broker delivers to it, and for a user destination
    only when every live peer knows the session too: a push accepted anywhere from then on arrives.
    """

    def __init__(
        self,
        broker: Broker,
        topics: TopicRelay,
        strategy: Strategy,
        local: LocalDelivery,
        registry: UserRegistry,
        sync: PeerSync | None,
        outbox: Outbox,
        acknowledgements: Acknowledgements,
    ) -> None:
        self._acknowledgements = acknowledgements
        self._broker = broker
        self._topics = topics
        self._strategy = strategy
        self._local = local
        self._registry = registry
        self._sync = sync
        self._outbox = outbox

    def connect(self, session: Session, event: Connect, extra: Mapping[str, str], welcome: Welcome) -> None:
        """CONNECTED is ours and goes out at once: the connection to the broker is there already."""
        welcome(session.protocol.connected(extra))

    def publish(self, session: Session, event: Send, headers: Mapping[str, str]) -> None:
        """SEND on the shared connection."""
        settled = self._when_settled(session, event.receipt)
        self._broker.publish(event.destination, headers, event.frame.body, settled)

    def to_user(self, session: Session, event: Send, message: UserMessage) -> None:
        """Have the strategy find the user, wherever it is."""
        user = message.user
        # docs/wire/spring-relay.md §4.1: a sender that is one of the user's sessions, or names itself, means
        # itself.
        if user == session.id or (user == session.user and session.id in self._registry.local(user)):
            self._local.to_only(session, message)
            self._receipt(session, event.receipt)
            return
        self._strategy.send(message, self._when_settled(session, event.receipt))

    def subscribe(self, session: Session, event: Subscribe, target: str, *, is_user: bool) -> None:
        """Join those who listen to a topic, or consume a queue."""
        ready = self._when_ready(session, event, is_user=is_user)
        settles = event.ack != "auto"
        if target.startswith("/topic"):
            acked = settles and self._acknowledgements.topic(session, event.id)
            session.subscriptions[event.id] = Subscription(
                event.id, event.destination, target, Kind.TOPIC, acked=acked
            )
            self._topics.join(session, event.id, target, ready, acked=acked)
            return
        if settles:
            handle = self._acknowledgements.consume(session, event, target, ready)
        else:
            handle = self._topics.consume(session, event.id, target, ready)
        session.subscriptions[event.id] = Subscription(
            event.id, event.destination, target, Kind.QUEUE, handle
        )

    def unsubscribe(self, session: Session, subscription: Subscription, event: Unsubscribe) -> bool:
        """Leave; the others who listen stay."""
        self._release(session, subscription)
        return False

    def forward(self, session: Session, event: Plain) -> bool:
        """All of these are between the client and us."""
        return False

    def closed(self, session: Session) -> None:
        """Leave everything."""
        for subscription in session.subscriptions.values():
            self._release(session, subscription)

    def _release(self, session: Session, subscription: Subscription) -> None:
        self._acknowledgements.left(session, subscription.id)
        match subscription.kind:
            case Kind.TOPIC:
                self._topics.leave(session, subscription.id, subscription.target, acked=subscription.acked)
            case Kind.QUEUE:
                self._topics.release(subscription.token)
            case Kind.APPLICATION:
                pass  # the broker never heard of it (docs/wire/spring-relay.md §3)

    # receipts -------------------------------------------------------------------------------

    def _when_ready(self, session: Session, event: Subscribe, *, is_user: bool) -> Settled:
        receipt = event.receipt

        def known() -> None:
            self._receipt(session, receipt)

        def ready(error: BrokerUnavailable | None) -> None:
            if session.closed:
                return
            if error is not None:
                refused = isinstance(error, BrokerRefused)
                title = error.title if refused else "The broker refused the subscription"
                self._fail(session, title, error, receipt)
            elif is_user and receipt is not None and self._sync is not None:
                self._sync.when_known(session.joined_seq, known)
            else:
                known()

        return ready

    def _when_settled(self, session: Session, receipt: str | None) -> Settled | None:
        if receipt is None:
            return None

        def done(error: BrokerUnavailable | None) -> None:
            if session.closed:
                return
            if error is None:
                self._receipt(session, receipt)
            else:
                self._fail(session, error.title, error, receipt)

        return done

    def _fail(self, session: Session, message: str, error: BrokerUnavailable, receipt: str | None) -> None:
        self._outbox.put(session, session.protocol.error(message, str(error).encode(), receipt))
        self._outbox.flush_one(session)
        session.carrier.close(CloseCode.PROTOCOL_ERROR, message)

    def _receipt(self, session: Session, receipt: str | None) -> None:
        if receipt is not None and not session.closed:
            self._outbox.put(session, session.protocol.receipt(receipt))

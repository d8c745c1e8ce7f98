"""Users of one instance without a network: sessions, what is known of peers, and who delivers."""

from __future__ import annotations

from core.errors import BrokerUnavailable
from server.brokers.limits import MessageLimits
from server.sessions.acknowledgements import Acknowledgements
from server.sessions.session import Session
from server.settings.instance import InstanceSettings
from server.users.handover import Handover
from server.users.local_delivery import LocalDelivery, UserMessage
from server.users.registry import RemotePeer, UserRegistry
from server.users.undeliverable import Origin, Undeliverable

from .scripted_broker import Published
from .session_bench import SessionBench
from .sockjs_bench import Clock

GREETINGS = "/topic/greetings"


class UserBench(SessionBench):
    """The registry of one instance, ``i1``, its peer ``i2``, and what delivers to sessions here.

    Attributes:
        outcomes: What ``done`` was called with.
    """

    def __init__(self, settings: InstanceSettings | None = None, limits: MessageLimits | None = None) -> None:
        super().__init__(settings)
        if limits is not None:
            self.broker.limits = limits
        self.clock = Clock()
        self.registry = UserRegistry()
        self.undeliverable = Undeliverable(self.counters, lambda: 1.0)
        self.acknowledgements = Acknowledgements(
            self.broker, self.hub, self.guard, self.counters, self.stages
        )
        self.local = LocalDelivery(
            self.settings,
            self.hub,
            self.registry,
            self.counters,
            self.stages,
            self.undeliverable,
            self.acknowledgements,
        )
        self.handover = Handover(
            self.settings, self.registry, self.undeliverable, self.clock.later, lambda: self.clock.now
        )
        self.peer = RemotePeer("i2", "e2", now=0.0)
        self.outcomes: list[BrokerUnavailable | None] = []

    @property
    def published(self) -> list[Published]:
        """What the broker was given."""
        return self.broker.published

    @property
    def sent_to(self) -> list[str]:
        """Where that went."""
        return [each.destination for each in self.published]

    @property
    def counts(self) -> dict[tuple[str, str, str], int]:
        """What ended without a receiver, as plain words."""
        return {
            (str(origin), str(reason), str(stage)): count
            for (origin, reason, stage), count in self.undeliverable.counts().items()
        }

    def here(self, id: str, user: str = "joe", *, listens: str = GREETINGS, direct: bool = True) -> Session:
        """A client of this instance; "" for one that has not subscribed."""
        session = self.session(id, user)
        session.direct = direct
        self.registry.add_local(session)
        if listens:
            self.hub.join(f"{listens}-user{id}", session, "s0")
        return session

    def there(self, id: str, user: str = "joe", peer: RemotePeer | None = None) -> None:
        """A client of a peer."""
        self.registry.add_remote(peer or self.peer, id, user)


def to_user(
    user: str = "joe",
    body: bytes = b"x",
    *,
    id: str | None = "p1",
    origin: Origin = Origin.PUSH,
    one_session: bool = False,
    destination: str = GREETINGS,
) -> UserMessage:
    """A message for a user."""
    head = {} if id is None else {"ps-id": id}
    return UserMessage(user, destination, head, body, id, origin, one_session)

"""Sessions of one instance with what they write to: no network, no loop, a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable

from core.protocol import ServerSession
from server.messages.counters import Counters
from server.messages.framing import OutgoingMessage
from server.messages.stages import StageLog
from server.sessions.guard import Guard
from server.sessions.held import SlowRule
from server.sessions.hub import Hub
from server.sessions.outbox import Outbox
from server.sessions.session import Session
from server.sessions.subscription import Kind, Subscription
from server.settings.instance import InstanceSettings, SlowPolicy

from .carriers import RecordingCarrier
from .scripted_broker import ScriptedBroker


class SessionBench:
    """A hub, an outbox whose turns are ended by hand, and a broker that answers as the test says.

    Attributes:
        now: The loop's time.
        cut: Sessions that were over the limit.
        carriers: The connections by session id.
    """

    def __init__(
        self,
        settings: InstanceSettings | None = None,
        *,
        limit: int = 1024,
        policy: SlowPolicy = "terminate",
    ) -> None:
        self.settings = InstanceSettings() if settings is None else settings
        self.now = 5.0
        self.turn: list[Callable[[], None]] = []
        self.stages = StageLog()
        self.counters = Counters()
        self.cut: list[Session] = []
        self.dropped: list[tuple[str, str]] = []
        self.carriers: dict[str, RecordingCarrier] = {}
        self.broker = ScriptedBroker()
        self.guard = Guard(self.settings)
        rule = SlowRule(policy, limit, self.counters, self.stages)
        rule.on_dropped = lambda user, push: self.dropped.append((user, push))
        self.outbox = Outbox(self.turn.append, lambda: self.now, self.stages, rule)
        self.outbox.on_overflow = self.cut.append
        self.hub = Hub(self.outbox)

    def session(self, id: str, user: str = "", version: str = "1.2") -> Session:
        """A connected client."""
        carrier = self.carriers[id] = RecordingCarrier()
        protocol = ServerSession(session_id=id, server_name="t/1")
        protocol.version = version
        session = Session(id, carrier, protocol, now=0.0)
        session.user = user
        session.connected = True
        self.hub.add(session)
        return session

    def end_turn(self) -> None:
        """Run what was scheduled for the end of this turn."""
        calls, self.turn[:] = self.turn[:], []
        for call in calls:
            call()

    def written(self, id: str) -> list[bytes]:
        """The payloads that a client got, the turn's included."""
        self.end_turn()
        return self.carriers[id].payloads


def subscribe_queue(session: Session, destination: str, target: str, id: str = "q") -> None:
    """A user's queue, as the session keeps it."""
    session.subscriptions[id] = Subscription(id, destination, target, Kind.QUEUE)


def message(body: bytes, push: str | None = None, destination: str = "/topic/a") -> OutgoingMessage:
    """A MESSAGE for clients."""
    head = {"destination": destination, "message-id": "1", **({"ps-id": push} if push else {})}
    return OutgoingMessage(head, body)

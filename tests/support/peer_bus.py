"""Instances that tell each other of their users on a bus that delivers, delays and drops."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from core.errors import BrokerUnavailable
from core.protocol import ServerSession
from server.messages.counters import Counters
from server.sessions.session import Session
from server.settings.instance import InstanceSettings
from server.users.peers import PeerSync
from server.users.registry import UserRegistry
from server.users.slices import Slicer


class Wire:
    """A carrier that swallows everything."""

    def write(self, data: bytes) -> None: ...
    def close(self, code: int, reason: str) -> None: ...


class Node:
    """One instance's registry and sync on a bus."""

    def __init__(self, bus: Bus, id: str, slicer: Slicer | None = None) -> None:
        self.settings = InstanceSettings(id=id)
        self.registry = UserRegistry()
        self.counters = Counters()
        self.up = True
        self.deaf = False
        self.sync = PeerSync(
            self.settings,
            self.registry,
            self._publish,
            bus.later,
            lambda: bus.now,
            self.counters,
            slicer or Slicer(bus.later),
        )
        self._bus = bus

    def joins(self, user: str, session_id: str) -> Session:
        """A user connects here."""
        protocol = ServerSession(session_id=session_id, server_name="test/1")
        session = Session(session_id, Wire(), protocol, now=0.0)
        session.user = user
        self.registry.add_local(session)
        self.sync.changes.joined(session)
        return session

    def leaves(self, session: Session) -> None:
        """A user goes."""
        self.registry.remove_local(session)
        self.sync.changes.left(session)

    def sees(self, user: str) -> set[str]:
        """The sessions of a user that are known here."""
        return set(self.registry.places(user))

    def hears(self, destination: str) -> bool:
        """Whether a message there is for this node."""
        own = self.settings.peer_destination(self.sync.epoch)
        return not self.deaf and destination in (self.settings.peers_destination, own)

    def _publish(self, destination: str, body: bytes) -> None:
        if not self.up:
            raise BrokerUnavailable("down")
        self._bus.messages.append((destination, body))


class Bus:
    """A broker, a clock and timers."""

    def __init__(self) -> None:
        self.now = 100.0
        self.nodes: list[Node] = []
        self.messages: deque[tuple[str, bytes]] = deque()
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.log: list[str] = []
        self.drop: Callable[[bytes], bool] = lambda body: False

    def later(self, delay: float, call: Callable[[], None]) -> None:
        self.timers.append((self.now + delay, call))

    def add(self, id: str) -> Node:
        """Start an instance."""
        node = Node(self, id)
        self.nodes.append(node)
        node.sync.announce()
        self.run()
        return node

    def run(self, seconds: float = 0.0) -> None:
        """Deliver everything, then let time pass in small steps, with ticks."""
        end = self.now + seconds
        while True:
            self._deliver()
            if self.now >= end:
                return
            self.now = min(end, self.now + 0.05)
            for node in self.nodes:
                node.sync.tick()

    def _deliver(self) -> None:
        busy = True
        while busy:
            busy = False
            due = [timer for timer in self.timers if timer[0] <= self.now]
            self.timers = [timer for timer in self.timers if timer[0] > self.now]
            for _, call in due:
                call()
                busy = True
            while self.messages:
                busy = True
                destination, body = self.messages.popleft()
                if self.drop(body):
                    continue
                self.log.append(body.decode())
                for node in self.nodes:
                    if node.hears(destination):
                        node.sync.receive(body)

    def count(self, kind: str) -> int:
        """How many messages of a kind were sent."""
        return sum(f'"type":"{kind}"' in message for message in self.log)

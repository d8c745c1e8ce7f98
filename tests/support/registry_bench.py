"""Spring's side of the registry with a clock that is turned by hand and a broker that remembers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from core.errors import BrokerUnavailable
from core.protocol import ServerSession
from server.sessions.session import Session
from server.sessions.subscription import Kind, Subscription
from server.settings.instance import InstanceSettings
from server.users.registry import UserRegistry
from server.users.slices import Slicer
from server.users.spring_registry import SpringRegistry

from .carriers import RecordingCarrier

JSON = {"content-type": "application/json"}

#: As Spring 7.1 writes it (docs/wire/spring-relay.md §5.3).
SPRING_7: dict[str, Any] = {
    "id": "10.0.0.5-6f0c2f2e-0000-4000-8000-000000000001",
    "userMap": {
        "joe": {
            "name": "joe",
            "principal": None,
            "sessions": [
                {
                    "id": "remote-sess",
                    "user": {"name": "", "principal": None, "sessions": []},
                    "subscriptions": [
                        {
                            "id": "remote-sub",
                            "session": {"id": "", "user": {"name": "", "sessions": []}, "subscriptions": []},
                            "destination": "/remote-dest",
                        }
                    ],
                }
            ],
        }
    },
}
#: As Spring 4.3 writes it: nulls instead of placeholders.
SPRING_4: dict[str, Any] = {
    "id": "unknown-1",
    "userMap": {
        "joe": {
            "name": "joe",
            "sessions": [
                {
                    "id": "s4",
                    "user": None,
                    "subscriptions": [{"id": "0", "session": None, "destination": "/d"}],
                }
            ],
        }
    },
}


class RegistryBench:
    """A SpringRegistry with a clock that is turned by hand and a broker that remembers."""

    def __init__(self, **settings: object) -> None:
        self.now = 100.0
        self.up = True
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.registry = UserRegistry()
        self.published: list[tuple[str, dict[str, str], bytes]] = []
        options: dict[str, object] = {"id": "i1", **settings}
        self.spring = SpringRegistry(
            InstanceSettings(**options),  # type: ignore[arg-type]
            self.registry,
            "e1",
            self._publish,
            self._later,
            lambda: self.now,
            Slicer(self._later, lambda: self.now),  # all work is short
        )
        self.registry.on_local_change = self.spring.changed

    def join(self, user: str, session_id: str, destination: str = "/user/queue/x") -> Session:
        protocol = ServerSession(session_id=session_id, server_name="t/1")
        session = Session(session_id, RecordingCarrier(), protocol, now=self.now)
        session.user = user
        session.subscriptions["sub-0"] = Subscription("sub-0", destination, destination, Kind.TOPIC)
        self.registry.add_local(session)
        return session

    def hear(self, snapshot: object, headers: Mapping[str, str] = JSON) -> None:
        self.spring.receive(headers, json.dumps(snapshot).encode())

    def run(self, seconds: float) -> int:
        """Let time pass; how many snapshots were published."""
        before = len(self.published)
        for _ in range(round(seconds / 0.25)):
            self.now += 0.25
            while due := [timer for timer in self.timers if timer[0] <= self.now]:
                self.timers = [timer for timer in self.timers if timer[0] > self.now]
                for _, call in due:
                    call()
            self.spring.tick()
        return len(self.published) - before

    def _later(self, delay: float, call: Callable[[], None]) -> None:
        self.timers.append((self.now + delay, call))

    def _publish(self, destination: str, headers: Mapping[str, str], body: bytes) -> None:
        if not self.up:
            raise BrokerUnavailable("down")
        self.published.append((destination, dict(headers), body))

"""A Spring instance as others see it on the broker: its snapshots, its broadcasts, its users' queues.

Speaks through any broker object; its JSON is Spring's, placeholders included.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from server.brokers.base import Broker
from server.brokers.delivery import Delivery

UNRESOLVED = "/topic/unresolved-user-destination"
REGISTRY = "/topic/simp-user-registry"

#: Sessions of users, each with the destinations that it has subscribed to.
Users = Mapping[str, Mapping[str, tuple[str, ...]]]


def snapshot_7(id: str, users: Users) -> dict[str, Any]:
    """As Spring 5.3 to 7.x writes it: placeholders where there would be cycles.

    See docs/wire/spring-relay.md §5.3.
    """
    nobody: dict[str, Any] = {"name": "", "principal": None, "sessions": []}
    nothing: dict[str, Any] = {"id": "", "user": nobody, "subscriptions": []}
    return {
        "id": id,
        "userMap": {
            name: {
                "name": name,
                "principal": None,
                "sessions": [
                    {
                        "id": session,
                        "user": nobody,
                        "subscriptions": [
                            {"id": f"sub-{number}", "session": nothing, "destination": destination}
                            for number, destination in enumerate(destinations)
                        ],
                    }
                    for session, destinations in sessions.items()
                ],
            }
            for name, sessions in users.items()
        },
    }


def snapshot_4(id: str, users: Users) -> dict[str, Any]:
    """As Spring 4.3 writes it: nulls instead of placeholders, no principals."""
    found = snapshot_7(id, users)
    for user in found["userMap"].values():
        del user["principal"]
        for session in user["sessions"]:
            session["user"] = None
            for subscription in session["subscriptions"]:
                subscription["session"] = None
    return found


class SpringPeer:
    """One foreign instance.

    Attributes:
        id: As in its snapshots.
        users: Its users; told with :meth:`tell`.
        snapshots: What others published, as (headers, content), its own left out.
        unresolved: Broadcasts that it heard.
        received: What came for its sessions.
    """

    def __init__(self, broker: Broker, registry: str, unresolved: str, id: str) -> None:
        self.id = id
        self.users: dict[str, dict[str, tuple[str, ...]]] = {}
        self.snapshots: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.unresolved: list[Delivery] = []
        self.received: list[Delivery] = []
        self.registry = registry
        self._broker = broker
        self._wake = asyncio.Event()
        broker.subscribe(registry, self._hear)
        if unresolved != registry:
            broker.subscribe(unresolved, self._hear)

    def tell(self, write: Callable[[str, Users], object] = snapshot_7) -> None:
        """Publish a snapshot."""
        body = json.dumps(write(self.id, self.users)).encode()
        self._broker.publish(self.registry, {"content-type": "application/json"}, body)

    def say(self, destination: str, headers: Mapping[str, str], body: bytes) -> None:
        """Publish anything."""
        self._broker.publish(destination, headers, body)

    async def listen(self, destination: str) -> None:
        """Subscribe as one of its sessions would, ``-user<id>`` and all; return when it is in place."""
        ready = asyncio.Event()
        self._broker.subscribe(destination, self._receive, lambda error: ready.set())
        async with asyncio.timeout(20):
            await ready.wait()

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Return when this holds; looked at whenever something was heard."""
        try:
            async with asyncio.timeout(20):
                while not condition():
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            raise AssertionError(f"not within 20 s: {what}") from None

    def _hear(self, delivery: Delivery) -> None:
        if "simpOrigDestination" in delivery.headers:
            self.unresolved.append(delivery)
        elif delivery.headers.get("content-type", "").startswith("application/json"):
            content = json.loads(delivery.body)
            if content.get("id") != self.id:
                self.snapshots.append((dict(delivery.headers), content))
        self._wake.set()

    def _receive(self, delivery: Delivery) -> None:
        self.received.append(delivery)
        self._wake.set()


@asynccontextmanager
async def spring_peer(
    broker: Broker, *, registry: str = REGISTRY, unresolved: str = UNRESOLVED, id: str = "10.0.0.5-6f0c2f2e"
) -> AsyncGenerator[SpringPeer]:
    """A foreign instance on a broker of its own connection, connected."""
    up = asyncio.Event()
    await broker.start(lambda available, reason: up.set())
    try:
        async with asyncio.timeout(20):
            await up.wait()
        yield SpringPeer(broker, registry, unresolved, id)
    finally:
        await broker.stop()

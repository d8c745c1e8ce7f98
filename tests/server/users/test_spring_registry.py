"""Spring's registry broadcast: conformance cases 29 to 33, and both broadcasts on one destination."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import pytest

from core.errors import BrokerUnavailable
from core.protocol import ServerSession
from server.brokers.delivery import Delivery
from server.brokers.memory import MemoryBroker, MemoryExchange
from server.sessions.session import Session
from server.sessions.subscription import Kind, Subscription
from server.settings import InstanceSettings
from server.users.registry import UserRegistry
from server.users.slices import Slicer
from server.users.spring_registry import EXPIRES_AFTER_S, PUBLISH_EVERY_S, SpringRegistry

from ...support.carriers import RecordingCarrier
from ...support.instances import one_instance, push
from ...support.processes import until
from ...support.raw_stomp import joined

JSON = {"content-type": "application/json"}

#: As Spring 7.1 writes it (spec 5.3).
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


class Bench:
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
            Slicer(self._later),
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


def test_case_29_a_snapshot_at_once_and_then_every_ten_seconds() -> None:
    bench = Bench(registry_broadcast="always")
    bench.spring.available()
    assert len(bench.published) == 1
    assert bench.published[0][0] == "/topic/simp-user-registry"
    assert bench.run(PUBLISH_EVERY_S * 3 + 1) == 3
    bench.up = False
    assert bench.run(PUBLISH_EVERY_S * 2) == 0
    bench.up = True
    assert bench.run(PUBLISH_EVERY_S * 2) == 0  # until the broker says that it is back
    bench.spring.available()
    assert bench.run(0.5) == 0
    assert len(bench.published) == 5


def test_without_strangers_one_snapshot_says_hello_and_no_more() -> None:
    bench = Bench()
    bench.spring.available()
    bench.join("joe", "s1")
    assert bench.run(60) == 0
    bench.hear(SPRING_7)
    assert bench.run(0.5) == 1  # now somebody reads it
    assert bench.run(PUBLISH_EVERY_S * 2) == 2
    assert bench.run(120) <= 6  # and when the stranger is silent for long, it stops again


def test_changes_are_published_soon_and_together() -> None:
    bench = Bench(registry_broadcast="always")
    bench.spring.available()
    for number in range(10):
        bench.join(f"u{number}", f"s{number}")
    assert bench.run(0.5) == 1
    assert len(json.loads(bench.published[-1][2])["userMap"]) == 10


def test_our_json_has_exactly_springs_fields() -> None:
    """Conformance case 33, our side: a strict Spring mapper rejects anything else."""
    bench = Bench(registry_broadcast="always")
    bench.join("joe", "s1")
    bench.spring.available()
    _, headers, body = bench.published[0]
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {
        "id": "i1-e1",
        "userMap": {
            "joe": {
                "name": "joe",
                "sessions": [
                    {"id": "s1", "subscriptions": [{"id": "sub-0", "destination": "/user/queue/x"}]}
                ],
            }
        },
    }


def test_case_30_a_strangers_users_are_known_and_our_own_echo_changes_nothing() -> None:
    bench = Bench(registry_broadcast="always")
    bench.join("ann", "s1")
    bench.spring.available()
    _, headers, body = bench.published[0]
    bench.spring.receive(headers, body)
    bench.spring.receive(JSON, body)  # also without our mark: the id is our own
    assert not bench.spring.strangers
    bench.hear(SPRING_7)
    assert set(bench.registry.places("joe")) == {"remote-sess"}
    assert len(bench.registry) == 2


def test_case_31_local_and_remote_sessions_of_a_user_are_joined() -> None:
    bench = Bench()
    bench.join("joe", "sess123")
    bench.hear(SPRING_7)
    assert set(bench.registry.places("joe")) == {"sess123", "remote-sess"}


def test_case_32_a_snapshot_without_refresh_expires() -> None:
    bench = Bench()
    bench.hear(SPRING_7)
    bench.run(EXPIRES_AFTER_S - 1)
    assert bench.registry.places("joe")
    bench.hear(SPRING_7)
    bench.run(EXPIRES_AFTER_S - 1)
    assert bench.registry.places("joe")
    bench.run(2)
    assert not bench.registry.places("joe")
    assert not bench.spring.strangers


@pytest.mark.parametrize(("snapshot", "session"), [(SPRING_7, "remote-sess"), (SPRING_4, "s4")])
def test_case_33_old_and_new_json_are_understood(snapshot: object, session: str) -> None:
    bench = Bench()
    bench.hear(snapshot)
    assert set(bench.registry.places("joe")) == {session}


def test_a_new_snapshot_replaces_the_one_before() -> None:
    bench = Bench()
    bench.hear(SPRING_7)
    bench.hear({"id": SPRING_7["id"], "userMap": {}})
    assert not bench.registry.places("joe")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-type": "text/plain"}, json.dumps(SPRING_7).encode()),
        ({**JSON, "simpOrigDestination": "/user/joe/x"}, json.dumps(SPRING_7).encode()),
        (JSON, b"not json"),
        (JSON, b'{"id":"x","userMap":null}'),
        (JSON, b'{"id":"x","user_map":{}}'),
        (JSON, b'{"id":"x","userMap":{"joe":{"name":"joe","sessions":null}}}'),
    ],
)
def test_anything_else_is_ignored(headers: dict[str, str], body: bytes) -> None:
    bench = Bench()
    bench.spring.receive(headers, body)
    assert not bench.registry.places("joe")


def test_goodbye_is_an_empty_snapshot_for_strangers() -> None:
    bench = Bench()
    bench.join("ann", "s1")
    bench.spring.goodbye()
    assert not bench.published
    bench.hear(SPRING_7)
    bench.spring.goodbye()
    assert json.loads(bench.published[-1][2]) == {"id": "i1-e1", "userMap": {}}


async def test_a_push_reaches_a_session_of_a_stranger_as_spring_expects_it() -> None:
    exchange = MemoryExchange()
    stranger = MemoryBroker(exchange)
    got: list[Delivery] = []
    await stranger.start(lambda available, reason: None)
    stranger.subscribe("/topic/greetings-userremote-sess", got.append)
    async with one_instance(broker=MemoryBroker(exchange)) as instance, aiohttp.ClientSession() as http:
        stranger.publish("/topic/simp-user-registry", JSON, json.dumps(SPRING_7).encode())
        await until(lambda: bool(instance.registry.places("joe")), "the stranger's user is known")
        assert (await push(http, instance.url, user="joe", payload="x"))[1]["sessions"] == 1
        await until(lambda: bool(got), "it arrived")
    assert got[0].headers["simpOrigDestination"] == "/user/topic/greetings"
    assert got[0].body == b"x"
    await stranger.stop()


async def test_case_42_both_broadcasts_and_pushes_share_one_destination() -> None:
    """The article configures ``/topic/greetings`` for everything."""
    exchange = MemoryExchange()
    options: dict[str, Any] = {
        "unresolved_destination": "/topic/greetings",
        "registry_destination": "/topic/greetings",
    }
    stranger = MemoryBroker(exchange)
    await stranger.start(lambda available, reason: None)
    async with (
        one_instance(broker=MemoryBroker(exchange), **options) as one,
        one_instance(broker=MemoryBroker(exchange), id="i2", **options) as two,
        joined(one.url, "joe") as joe,
        aiohttp.ClientSession() as http,
    ):
        stranger.publish("/topic/greetings", JSON, json.dumps(SPRING_4).encode())
        await until(lambda: len(one.registry.places("joe")) == 2, "the snapshot was understood")
        unresolved = {"simpOrigDestination": "/user/joe/topic/greetings", "customHeader": "kept"}
        stranger.publish("/topic/greetings", unresolved, b"from a stranger")
        message = await joe.expect("MESSAGE")
        assert (message.body, message.headers["customHeader"]) == (b"from a stranger", "kept")
        assert message.headers["destination"] == "/user/topic/greetings"
        assert (await push(http, two.url, payload="to the topic itself"))[0] == 202
        assert (await push(http, two.url, user="joe", payload="to joe"))[0] == 202
        assert (await joe.expect("MESSAGE")).body == b"to joe"
        await joe.nothing_before_receipt()
    await stranger.stop()

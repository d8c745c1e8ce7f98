"""Spring's registry broadcast, beyond the conformance cases: when snapshots go out, and odd ones."""

from __future__ import annotations

import json

import aiohttp
import pytest

from server.brokers.delivery import Delivery
from server.brokers.memory import MemoryBroker, MemoryExchange
from server.sessions.subscription import Kind, Subscription
from server.users.spring_registry import PUBLISH_EVERY_S

from ...support.instances import one_instance, push
from ...support.processes import until
from ...support.registry_bench import JSON, SPRING_7, RegistryBench


def test_without_strangers_one_snapshot_says_hello_and_no_more() -> None:
    bench = RegistryBench()
    bench.spring.available()
    bench.join("joe", "s1")
    assert bench.run(60) == 0
    bench.hear(SPRING_7)
    assert bench.run(0.5) == 1  # now somebody reads it
    assert bench.run(PUBLISH_EVERY_S * 2) == 2
    assert bench.run(120) <= 6  # and when the stranger is silent for long, it stops again


def test_changes_are_published_soon_and_together() -> None:
    bench = RegistryBench(registry_broadcast="always")
    bench.spring.available()
    for number in range(10):
        bench.join(f"u{number}", f"s{number}")
    assert bench.run(0.5) == 1
    assert len(json.loads(bench.published[-1][2])["userMap"]) == 10


def test_our_json_has_exactly_springs_fields() -> None:
    """A strict Spring mapper rejects anything else."""
    bench = RegistryBench(registry_broadcast="always")
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


def test_a_strangers_users_are_known_and_our_own_echo_changes_nothing() -> None:
    bench = RegistryBench(registry_broadcast="always")
    bench.join("ann", "s1")
    bench.spring.available()
    _, headers, body = bench.published[0]
    bench.spring.receive(headers, body)
    bench.spring.receive(JSON, body)  # also without our mark: the id is our own
    assert len(bench.spring.strangers) == 0
    bench.hear(SPRING_7)
    assert set(bench.registry.places("joe")) == {"remote-sess"}
    assert len(bench.registry) == 2


def test_a_new_snapshot_replaces_the_one_before() -> None:
    bench = RegistryBench()
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
    bench = RegistryBench()
    bench.spring.receive(headers, body)
    assert not bench.registry.places("joe")


def test_goodbye_is_an_empty_snapshot_for_strangers() -> None:
    bench = RegistryBench()
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


def test_a_large_snapshot_is_written_and_applied_in_slices_and_is_whole() -> None:
    bench = RegistryBench(registry_broadcast="always")
    for number in range(2_000):
        bench.join(f"u{number}", f"s{number}")
    bench.spring.available()
    bench.run(1.0)
    content = json.loads(bench.published[-1][2])
    assert len(content["userMap"]) == 2_000
    other = RegistryBench()
    other.hear({**content, "id": "elsewhere"})
    other.run(1.0)
    assert len(other.registry) == 2_000
    # What stayed the same is not touched, what changed is.
    del content["userMap"]["u7"]
    content["userMap"]["u8"]["sessions"][0]["id"] = "s8-anew"
    other.hear({**content, "id": "elsewhere"})
    other.run(1.0)
    assert not other.registry.places("u7")
    assert set(other.registry.places("u8")) == {"s8-anew"}
    assert len(other.registry) == 1_999
    assert other.registry.session("s7") is other.registry.session("s8") is None


def test_a_goodbye_is_the_last_word_also_while_a_snapshot_is_being_written() -> None:
    bench = RegistryBench(registry_broadcast="always")
    for number in range(20_000):
        bench.join(f"u{number}", f"s{number}")
    bench.spring.available()
    bench.spring.goodbye()
    bench.run(2.0)
    assert json.loads(bench.published[-1][2])["userMap"] == {}


def test_changed_subscriptions_are_published() -> None:
    bench = RegistryBench(registry_broadcast="always")
    session = bench.join("joe", "s1")
    bench.spring.available()
    session.subscriptions["more"] = Subscription("more", "/app/y", "/app/y", Kind.APPLICATION)
    bench.registry.resubscribed(session)
    assert bench.run(0.5) == 1
    said = json.loads(bench.published[-1][2])["userMap"]["joe"]["sessions"][0]["subscriptions"]
    assert [each["destination"] for each in said] == ["/user/queue/x", "/app/y"]


def test_odd_snapshots_are_complained_of_loudly_and_once_for_each_sender(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = RegistryBench()
    for _ in range(3):
        bench.hear({"id": "snake", "user_map": {}})
        bench.hear({"id": "half", "userMap": {"joe": {"name": "joe", "sessions": None}}})
        bench.hear({"Id": "camel", "UserMap": {}})
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 3
    for sender, error in zip(("snake", "half", "camel"), errors, strict=True):
        assert f"snapshots of {sender}" in error


def test_what_is_nested_without_end_is_no_snapshot(caplog: pytest.LogCaptureFixture) -> None:
    bench = RegistryBench()
    for body in (b"[" * 30_000, b'{"id":"deep","userMap":{"joe":' + b"[" * 30_000):
        bench.spring.receive({"content-type": "application/json"}, body)
    assert all("Traceback" not in record.getMessage() for record in caplog.records)
    assert not bench.registry.places("joe")


def test_other_json_on_a_shared_destination_is_nobodys_business(caplog: pytest.LogCaptureFixture) -> None:
    shared = "/topic/greetings"
    bench = RegistryBench(unresolved_destination=shared, registry_destination=shared)
    bench.hear({"a": 1})
    bench.hear({"id": "x", "userMap": {}}, {"content-type": "application/json", "ps-id": "p"})
    assert not caplog.records
    assert len(bench.spring.strangers) == 0
    bench.hear({"id": "snake", "user_map": {}})
    assert len(caplog.records) == 1

"""Spring's registry broadcast, beyond the conformance cases: when snapshots go out, and odd ones."""

from __future__ import annotations

import json

import aiohttp
import pytest

from core.errors import BrokerRefused
from server.brokers.delivery import Delivery
from server.brokers.memory import MemoryBroker, MemoryExchange
from server.sessions.subscription import Kind, Subscription
from server.users.spring_registry import DEBOUNCE_S, PUBLISH_EVERY_S

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


# ---- when it is published --------------------------------------------------------------------


@pytest.mark.parametrize(("cost", "wait"), [(0.0, DEBOUNCE_S), (0.01, 0.5), (0.04, 2.0)])
def test_a_change_waits_for_others_and_for_what_the_last_snapshot_cost(cost: float, wait: float) -> None:
    bench = RegistryBench(registry_broadcast="always")
    bench.spring.available()
    bench.spring.cost_s = cost
    bench.join("joe", "s1")
    bench.join("ann", "s2")
    ((due, _),) = bench.timers
    assert due == pytest.approx(bench.now + wait)  # pyright: ignore[reportUnknownMemberType]
    bench.spring.tick()
    assert len(bench.published) == 1
    bench.now += wait + 0.001
    bench.spring.tick()
    assert len(bench.published) == 2


def test_a_change_long_after_the_last_snapshot_waits_a_tenth_of_a_second() -> None:
    bench = RegistryBench(registry_broadcast="always")
    bench.spring.available()
    bench.now += 5
    bench.spring.cost_s = 0.04
    bench.join("joe", "s1")
    assert [due for due, _ in bench.timers] == [pytest.approx(bench.now + DEBOUNCE_S)]  # pyright: ignore[reportUnknownMemberType]


def test_what_is_published_has_its_bytes_its_cost_and_our_mark() -> None:
    bench = RegistryBench(registry_broadcast="always")
    bench.join("joe", "s1")
    bench.spring.available()
    ((destination, headers, body),) = bench.published
    assert destination == "/topic/simp-user-registry"
    assert headers == {"content-type": "application/json", "ps-epoch": "e1"}
    spring = bench.spring
    assert (spring.published, spring.size) == (1, len(body))
    assert 0 < spring.cost_s < 1
    bench.spring.receive({**JSON, "ps-epoch": "other"}, body.replace(b"i1-e1", b"i2-e2"))
    assert len(bench.spring.strangers) == 0, "one of ours is not read"


def test_while_the_broker_is_away_nothing_is_due_and_its_return_makes_it_so() -> None:
    bench = RegistryBench(registry_broadcast="always")
    bench.up = False
    bench.spring.available()
    bench.join("joe", "s1")
    assert (bench.run(30), bench.spring.published, bench.timers) == (0, 0, [])
    bench.up = True
    assert bench.run(30) == 0
    bench.spring.available()
    assert len(bench.published) == 1
    assert bench.run(10) == 1


@pytest.mark.parametrize(("mode", "active"), [("off", False), ("auto", False), ("always", True)])
def test_the_mode_says_whether_it_is_published(mode: str, active: bool) -> None:
    bench = RegistryBench(registry_broadcast=mode)
    assert bench.spring.active is active
    bench.spring.available()
    assert len(bench.published) == (0 if mode == "off" else 1)
    bench.hear(SPRING_7)
    assert bench.spring.active is (mode != "off")
    bench.now += 59.9
    assert bench.spring.active is (mode != "off")
    bench.now += 0.2
    assert bench.spring.active is active


def test_after_the_goodbye_nothing_more_is_said() -> None:
    bench = RegistryBench(registry_broadcast="always")
    bench.join("joe", "s1")
    bench.spring.available()
    bench.spring.goodbye()
    assert len(bench.published) == 2
    assert bench.run(30) == 0


@pytest.mark.parametrize("headers", [{"content-type": "application/json;charset=UTF-8"}, {}])
def test_a_snapshot_is_json_whatever_else_its_type_says(headers: dict[str, str]) -> None:
    bench = RegistryBench()
    bench.hear(SPRING_7, headers)
    assert len(bench.spring.strangers) == 1


def test_a_snapshot_that_the_broker_refuses_is_complained_of_once(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(destination: str, headers: object, body: bytes) -> None:
        raise BrokerRefused("too large", title="No")

    bench = RegistryBench(registry_broadcast="always")
    bench.spring._publish = refuse  # pyright: ignore[reportPrivateUsage]
    bench.spring.available()
    bench.run(30)
    assert [record.getMessage() for record in caplog.records] == [
        "Spring instances do not hear of our users, the snapshot is refused: too large"
    ]
    assert bench.spring.published == 0


def test_so_many_senders_are_complained_of_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    bench = RegistryBench()
    for number in range(70):
        bench.hear({"ID": f"odd-{number}", "user_map": {}})
    assert len(caplog.records) == 64
    other = RegistryBench()
    other.spring.receive(JSON, b"nonsense")
    assert "snapshots of an instance without an id on" in caplog.records[-1].getMessage()


def test_at_first_nothing_was_published() -> None:
    spring = RegistryBench().spring
    assert (spring.published, spring.size, spring.cost_s) == (0, 0, 0.0)


def test_a_broker_that_is_away_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    bench = RegistryBench(registry_broadcast="always")
    bench.up = False
    bench.spring.available()
    bench.spring.goodbye()
    assert not caplog.records


def test_when_it_is_woken_what_is_due_later_is_left_to_the_ticks() -> None:
    bench = RegistryBench(registry_broadcast="always")
    bench.spring.available()
    bench.join("joe", "s1")
    ((due, wake),) = bench.timers
    bench.timers.clear()
    bench.now = due + 0.001
    wake()
    assert len(bench.published) == 2
    assert bench.timers == [], "the next one is due in ten seconds"
    bench.spring.cost_s = 0.015
    bench.join("ann", "s2")
    ((due, wake),) = bench.timers
    bench.timers.clear()
    bench.now += 0.25
    wake()
    assert (len(bench.published), [when for when, _ in bench.timers]) == (2, [due]), "too early: once more"


def test_changes_that_nobody_reads_cause_nothing() -> None:
    bench = RegistryBench()
    bench.spring.available()
    bench.hear(SPRING_7)
    bench.run(1)
    bench.now += 61
    bench.spring.tick()
    bench.run(15)
    bench.timers.clear()
    before = len(bench.published)
    bench.join("joe", "s1")
    assert (bench.timers, bench.run(30), len(bench.published)) == ([], 0, before)

"""Nothing is dropped in silence: every message without a receiver is counted by reason."""

from __future__ import annotations

import aiohttp
import pytest

from server.brokers.memory import MemoryBroker
from server.handlers import message_mapping, send_to_user
from server.instance import Instance
from server.messages.counters import Counters
from server.messages.stages import Stage
from server.users.local_delivery import UserMessage
from server.users.undeliverable import Origin, Reason, Undeliverable

from ...support.instances import cluster, one_instance, push
from ...support.processes import until
from ...support.raw_stomp import joined, raw_stomp

Counts = dict[tuple[str, str, str], int]


def counts(instance: Instance) -> Counts:
    """By origin, reason and stage."""
    told = instance.info()["undeliverable"]["counts"]
    return {(each["origin"], each["reason"], each["stage"]): each["count"] for each in told}


async def until_counted(instance: Instance, expected: Counts) -> None:
    await until(lambda: counts(instance) == expected, f"{expected}, not {counts(instance)}")


async def test_a_push_for_nobody_is_counted_where_it_came_in() -> None:
    async with cluster(2) as found:
        one, two = found.instances
        await found.push(one, user="nobody", payload="x", headers={"ps-id": "p1"})
        await found.push(one, session="0123456789abcdef", payload="x")
        await until_counted(
            one,
            {
                ("push", "no-session", "no-session"): 1,
                ("push", "unknown-session", "no-session"): 1,
            },
        )
        assert counts(two) == {}
        assert one.counters.undeliverable == 2
        newest, oldest = one.info()["undeliverable"]["recent"]
        assert (oldest["id"], oldest["user"], oldest["destination"]) == ("p1", "nobody", "/topic/greetings")
        assert newest["user"] == "0123456789abcdef"
        async with found.http.get(f"{one.url}/metrics") as response:
            text = await response.text()
        labels = 'instance="i1",origin="push",reason="no-session",stage="no-session"'
        assert f"pushscope_undeliverable_reasons_total{{{labels}}} 1.0" in text
        assert 'pushscope_undeliverable_total{instance="i1"} 2.0' in text


async def test_a_user_that_comes_while_it_is_looked_for_is_no_case() -> None:
    async with cluster(2) as found, joined(found.instances[1].url, "joe"):
        one, _ = found.instances
        await found.push(one, user="joe", payload="x")
        await found.push(one, user="nobody", payload="x")
        await until_counted(one, {("push", "no-session", "no-session"): 1})


@pytest.mark.parametrize("strategy", ["relay", "none"])
async def test_a_user_that_did_not_subscribe(strategy: str) -> None:
    async with (
        one_instance(strategy=strategy) as instance,
        aiohttp.ClientSession() as http,
        joined(instance.url, "joe", "/user/topic/other"),
    ):
        await push(http, instance.url, user="joe", payload="x")
        await until_counted(instance, {("push", "not-subscribed", "no-subscriber"): 1})


async def test_one_of_two_sessions_is_enough() -> None:
    async with (
        one_instance() as instance,
        aiohttp.ClientSession() as http,
        joined(instance.url, "joe", "/user/topic/other"),
        joined(instance.url, "joe") as joe,
    ):
        await push(http, instance.url, user="joe", payload="x")
        await joe.expect("MESSAGE")
        assert counts(instance) == {}


async def test_the_user_of_an_instance_that_fell_silent_has_expired() -> None:
    async with cluster(2) as found:
        one, two = found.instances
        async with joined(two.url, "joe"):
            await two.broker.stop()  # no goodbye, as with kill -9
            await until(lambda: not one.registry.places("joe"), "joe's instance is forgotten")
            await found.push(one, user="joe", payload="x")
            await until_counted(one, {("push", "expired", "no-session"): 1})


@message_mapping("/ask")
@send_to_user("/topic/nobody-wants-it")
def answer(message: str) -> str:
    return "answer"


async def test_frames_of_clients_and_replies_of_handlers_are_counted_too() -> None:
    async with (
        one_instance(handlers=[answer]) as instance,
        joined(instance.url, "joe") as joe,
    ):
        await joe.send("SEND", {"destination": "/user/nobody/topic/greetings"}, b"x")
        await joe.send("SEND", {"destination": "/user/joe/topic/elsewhere"}, b"x")
        await joe.send("SEND", {"destination": "/app/ask"}, b"x")
        await until_counted(
            instance,
            {
                ("client", "no-session", "no-session"): 1,
                ("client", "not-subscribed", "no-subscriber"): 1,
                ("handler", "not-subscribed", "no-subscriber"): 1,
            },
        )


async def test_a_broker_that_is_away_is_a_reason_and_no_loss() -> None:
    broker = MemoryBroker()
    async with one_instance(broker=broker) as instance, aiohttp.ClientSession() as http:
        async with raw_stomp(instance.url) as client:
            await client.connect()
            broker.set_available(False, "gone")
            assert (await push(http, instance.url, user="joe", payload="x"))[0] == 503
            await client.send("SEND", {"destination": "/user/joe/topic/greetings"}, b"x")
            assert (await client.expect("ERROR")).headers["message"] == "Broker not available."
        await until_counted(
            instance,
            {
                ("push", "broker-unavailable", "accepted"): 1,
                ("client", "broker-unavailable", "resolved"): 1,
            },
        )
        assert instance.counters.undeliverable == 0, "the senders were told"
        assert instance.counters.refused == 1


async def test_who_is_looked_for_when_the_broker_is_lost_is_not_found() -> None:
    broker = MemoryBroker()
    async with one_instance(broker=broker) as instance:
        message = UserMessage("nobody", "/topic/x", {}, b"", origin=Origin.HANDLER)
        instance.parts.users.strategy.send(message)
        broker.set_available(False, "gone")
        await until_counted(instance, {("handler", "broker-lost", "no-session"): 1})


def test_the_list_is_bounded_and_what_is_in_it_too() -> None:
    log = Undeliverable(Counters(), lambda: 1.0)
    for number in range(1_000):
        log.note(
            Origin.PUSH,
            Reason.NO_SESSION,
            Stage.NO_SESSION,
            user="u" * 10_000,
            destination="/d" * 10_000,
            id=str(number),
        )
    told = log.as_dict()
    assert told["total"] == 1_000
    assert len(told["recent"]) == 50
    assert told["recent"][0]["id"] == "999"
    assert max(len(case["destination"]) for case in told["recent"]) <= 200


def test_what_waits_for_a_client_that_is_cut_is_counted_by_why() -> None:
    counters = Counters()
    log = Undeliverable(counters, lambda: 1.0)
    log.cut("joe", ["a", "b"], Reason.QUEUE_OVERFLOW)
    log.cut("ann", ["c"], Reason.SESSION_GONE)
    assert dict(log.counts()) == {
        (Origin.PUSH, Reason.QUEUE_OVERFLOW, Stage.CUT): 2,
        (Origin.PUSH, Reason.SESSION_GONE, Stage.CUT): 1,
    }
    assert counters.undeliverable == 3


def test_a_refusal_is_a_case_and_no_loss() -> None:
    counters = Counters()
    log = Undeliverable(counters, lambda: 7.5)
    for reason in Reason:
        log.add(Origin.HANDLER, reason, Stage.ACCEPTED, 2)
    log.add(Origin.HANDLER, Reason.STOPPING, Stage.ACCEPTED, 0)
    refused = {Reason.BROKER_UNAVAILABLE, Reason.NOT_IN_STEP, Reason.STOPPING}
    assert counters.undeliverable == 2 * (len(Reason) - len(refused))
    told = log.as_dict()
    assert (told["total"], told["recent"]) == (2 * len(Reason), [])
    assert {each["reason"] for each in told["counts"]} == {str(reason) for reason in Reason}
    assert {each["count"] for each in told["counts"]} == {2}


def test_nothing_that_did_not_happen_is_listed() -> None:
    log = Undeliverable(Counters(), lambda: 7.5)
    log.add(Origin.PUSH, Reason.NO_SESSION, Stage.NO_SESSION, 0)
    assert log.as_dict() == {"total": 0, "counts": [], "recent": []}


def test_a_case_says_what_is_known_newest_first() -> None:
    log = Undeliverable(Counters(), lambda: 7.5)
    log.note(Origin.PUSH, Reason.NO_SESSION, Stage.NO_SESSION, user="u" * 201, destination="/d", id="p1")
    log.dropped("joe", "p2")
    log.cut("ann", ["p3"], Reason.SESSION_GONE)
    newest, dropped, first = log.as_dict()["recent"]
    assert (newest["stage"], newest["user"], newest["id"]) == ("cut", "ann", "p3")
    assert dropped == {
        "origin": "push",
        "reason": "slow-consumer",
        "stage": "dropped",
        "user": "joe",
        "destination": "",
        "id": "p2",
        "at": 7.5,
    }
    assert (first["user"], first["destination"], first["id"]) == ("u" * 200, "/d", "p1")

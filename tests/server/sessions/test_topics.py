"""The hub's topics and the broker's subscriptions: one for all clients of a destination."""

from __future__ import annotations

import pytest

from core.errors import BrokerUnavailable
from server.messages.stages import Stage
from server.sessions.hub import Hub
from server.sessions.topics import TopicRelay

from ...support.session_bench import SessionBench, message


class Bench(SessionBench):
    """Topics on a broker that answers when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.topics = TopicRelay(self.hub, self.broker, self.guard, self.counters, self.stages)
        self.ready: list[tuple[str, BrokerUnavailable | None]] = []

    def join(self, id: str, destination: str = "/topic/a", name: str = "") -> None:
        session = self.hub.sessions.get(id) or self.session(id)
        self.topics.join(session, "s0", destination, lambda error: self.ready.append((name or id, error)))

    def leave(self, id: str, destination: str = "/topic/a") -> None:
        self.topics.leave(self.hub.sessions[id], "s0", destination)

    def confirm(self, destination: str = "/topic/a", error: BrokerUnavailable | None = None) -> None:
        ready = self.broker.at(destination).ready
        assert ready is not None
        ready(error)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_clients_of_a_topic_share_a_subscription_and_wait_for_it_together(bench: Bench) -> None:
    bench.join("one")
    bench.join("two")
    bench.join("three", "/topic/b")
    assert bench.broker.destinations == ["/topic/a", "/topic/b"]
    assert len(bench.topics) == 2
    assert bench.ready == []
    bench.confirm()
    assert bench.ready == [("one", None), ("two", None)]
    bench.join("four")
    assert bench.ready[2:] == [("four", None)], "it is there already"
    assert len(bench.broker.subscriptions) == 2


def test_the_last_client_to_leave_ends_the_subscription_and_no_other_does(bench: Bench) -> None:
    bench.join("one")
    bench.join("two")
    bench.join("three", "/topic/b")
    bench.leave("one")
    assert bench.broker.ended == []
    assert len(bench.topics) == 2
    bench.leave("two")
    assert bench.broker.ended == [1]
    assert bench.broker.destinations == ["/topic/b"]
    bench.leave("two")
    bench.leave("one", "/topic/unknown")
    assert bench.broker.ended == [1]
    bench.join("one")
    assert bench.broker.destinations == ["/topic/b", "/topic/a"], "who comes then is subscribed anew"
    assert len(bench.topics) == 2


def test_a_refusal_is_told_to_all_who_wait_and_the_next_one_asks_again(bench: Bench) -> None:
    refusal = BrokerUnavailable("no")
    bench.join("one")
    bench.join("two")
    bench.confirm(error=refusal)
    assert bench.ready == [("one", refusal), ("two", refusal)]
    assert len(bench.topics) == 0
    bench.leave("one")
    bench.leave("two")
    assert bench.broker.ended == [], "there is no subscription to end"
    bench.join("one")
    assert len(bench.broker.subscriptions) == 2


def test_a_late_refusal_of_an_old_subscription_leaves_the_new_one(bench: Bench) -> None:
    bench.join("one")
    old = bench.broker.at("/topic/a").ready
    bench.leave("one")
    bench.join("one", name="again")
    assert old is not None
    old(BrokerUnavailable("stopped"))
    assert len(bench.topics) == 1
    bench.join("two")
    assert len(bench.broker.subscriptions) == 1


def test_a_message_goes_to_all_clients_of_its_topic_and_is_counted(bench: Bench) -> None:
    for id in ("one", "two"):
        bench.join(id)
    bench.join("three", "/topic/b")
    bench.broker.at("/topic/a").message(b"hello", {"ps-id": "p1"})
    assert bench.stages.get("p1") == Stage.QUEUED
    assert [b"hello" in bench.written(id)[0] for id in ("one", "two")] == [True, True]
    assert bench.written("three") == []
    assert (bench.counters.from_broker, bench.counters.delivered, bench.counters.wasted) == (1, 2, 0)


def test_a_message_that_comes_after_all_have_left_is_wasted(bench: Bench) -> None:
    bench.join("one")
    bench.join("two", "/topic/a")
    at = bench.broker.at("/topic/a")
    bench.leave("one")
    bench.leave("two")
    at.message(b"late", {"ps-id": "p1"})
    at.message(b"late")
    assert (bench.counters.from_broker, bench.counters.delivered, bench.counters.wasted) == (2, 0, 2)
    assert bench.stages.get("p1") == Stage.FROM_BROKER
    assert len(bench.stages) == 1


def test_a_pattern_does_not_show_what_is_for_others(bench: Bench) -> None:
    bench.join("one", "/topic/news.#")
    at = bench.broker.at("/topic/news.#")
    at.message(b"secret", {"destination": "/topic/news.x-user0123456789abcdef"})
    at.message(b"secret", {"destination": "/topic/news.x", "simpOrigDestination": "/user/topic/news.x"})
    at.message(b"public", {"destination": "/topic/news.x"})
    (payload,) = bench.written("one")
    assert b"public" in payload
    assert (bench.counters.from_broker, bench.counters.delivered, bench.counters.wasted) == (3, 1, 0)


def test_what_is_subscribed_to_by_its_name_is_shown(bench: Bench) -> None:
    bench.join("one", "/topic/x-user0123456789abcdef")
    bench.broker.at("/topic/x-user0123456789abcdef").message(
        b"mine", {"simpOrigDestination": "/user/topic/x"}
    )
    (payload,) = bench.written("one")
    assert b"destination:/user/topic/x\n" in payload


def test_each_client_of_a_queue_is_a_consumer_of_its_own(bench: Bench) -> None:
    one, two = bench.session("one"), bench.session("two")
    ready: list[BrokerUnavailable | None] = []
    first = bench.topics.consume(one, "q", "/queue/work", ready.append)
    second = bench.topics.consume(two, "q", "/queue/work", ready.append)
    assert first != second
    assert len(bench.topics) == 0
    subscribed = bench.broker.subscriptions[second]
    assert subscribed.ready is not None
    subscribed.ready(None)
    assert ready == [None]
    subscribed.message(b"job", {"ps-id": "p1"})
    subscribed.message(b"job")
    assert bench.stages.get("p1") == Stage.QUEUED
    assert len(bench.stages) == 1
    assert bench.written("one") == []
    assert [b"subscription:q\n" in payload for payload in bench.written("two")] == [True, True]
    assert (bench.counters.from_broker, bench.counters.delivered) == (2, 2)
    bench.topics.release(first)
    assert bench.broker.ended == [first]


def test_a_wildcard_of_an_exchange_does_not_show_what_is_for_others(bench: Bench) -> None:
    bench.topics.consume(bench.session("one"), "q", "/exchange/amq.topic/#", lambda error: None)
    at = bench.broker.at("/exchange/amq.topic/#")
    at.message(b"secret", {"destination": "/topic/x", "simpOrigDestination": "/user/topic/x"})
    at.message(b"public", {"destination": "/topic/x"})
    assert len(bench.written("one")) == 1
    assert (bench.counters.from_broker, bench.counters.delivered) == (2, 1)


# ---- the hub ---------------------------------------------------------------------------------


def test_the_hub_knows_who_is_there() -> None:
    bench = SessionBench()
    session = bench.session("one")
    assert bench.hub.sessions == {"one": session}
    assert bench.hub.remove(session)
    assert not bench.hub.remove(session)


def test_groups_are_of_equal_bytes_and_vanish_with_their_last_session() -> None:
    bench = SessionBench()
    hub: Hub = bench.hub
    one, two = bench.session("one"), bench.session("two")
    topic = hub.join("/topic/a", one, "s0")
    hub.join("/topic/a", two, "s0")
    hub.join("/topic/a", two, "s0", acked=True)
    assert [len(group.sessions) for group in topic.groups.values()] == [2, 1]
    assert topic.size == 3
    assert not hub.leave("/topic/a", two, "s0", acked=True)
    assert [len(group.sessions) for group in topic.groups.values()] == [2]
    assert not hub.leave("/topic/a", one, "s9"), "no such subscription"
    assert not hub.leave("/topic/b", one, "s0"), "no such topic"
    assert not hub.leave("/topic/a", one, "s0")
    assert topic.size == 1
    assert hub.leave("/topic/a", two, "s0")
    assert hub.topics == {}


def test_frames_have_an_ack_for_who_means_to_acknowledge_and_only_then() -> None:
    bench = SessionBench()
    one, two = bench.session("one"), bench.session("two")
    topic = bench.hub.join("/topic/a", one, "s0", acked=True)
    bench.hub.join("/topic/a", two, "s0")
    bench.hub.deliver(topic, message(b"m"))
    assert b"\nack:topic@s0\n" in bench.written("one")[0]
    assert b"\nack:" not in bench.written("two")[0]

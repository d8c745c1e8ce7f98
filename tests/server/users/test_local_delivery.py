"""Messages for users into the queues of sessions here: which, with what headers, and what is counted."""

from __future__ import annotations

import pytest

from core.protocol import Subscribe
from core.protocol.frames import Frame
from server.messages.stages import Stage
from server.users.local_delivery import origin_of, via
from server.users.undeliverable import Origin

from ...support.session_bench import subscribe_queue
from ...support.user_bench import GREETINGS, UserBench, to_user


@pytest.fixture
def bench() -> UserBench:
    return UserBench()


def head(payload: bytes) -> dict[str, str]:
    """The headers of a MESSAGE."""
    lines = payload.decode().split("\n\n")[0].split("\n")
    return dict(line.split(":", 1) for line in lines[1:])


def test_a_session_gets_the_destination_that_it_knows_and_a_new_id_each_time(bench: UserBench) -> None:
    session = bench.here("s1")
    assert bench.local.to_session(session, to_user())
    assert bench.local.to_only(session, to_user())
    first, second = (head(payload) for payload in bench.written("s1"))
    assert (first["destination"], first["message-id"], first["ps-id"]) == (f"/user{GREETINGS}", "i1-1", "p1")
    assert second["message-id"] == "i1-2"
    assert bench.counters.delivered == 2


def test_who_does_not_want_it_is_counted_where_nobody_else_is_meant(bench: UserBench) -> None:
    session = bench.here("s1", listens="/topic/other")
    assert not bench.local.to_session(session, to_user())
    assert bench.stages.get("p1") == Stage.NO_SUBSCRIBER
    assert bench.counts == {}
    assert not bench.local.to_only(session, to_user(id=None))
    assert bench.counts == {("push", "not-subscribed", "no-subscriber"): 1}
    assert (bench.counters.delivered, len(bench.stages)) == (0, 1)


def test_a_queue_of_a_user_is_delivered_to_each_of_its_subscriptions(bench: UserBench) -> None:
    session = bench.here("s1", listens="")
    subscribe_queue(session, "/user/queue/x", "/queue/x-users1", "a")
    subscribe_queue(session, "/user/queue/x", "/queue/x-users1", "b")
    subscribe_queue(session, "/user/queue/y", "/queue/y-users1", "c")
    assert bench.local.to_session(session, to_user(destination="/queue/x"))
    assert [head(payload)["subscription"] for payload in bench.written("s1")] == ["a", "b"]
    assert bench.counters.delivered == 1
    assert bench.stages.get("p1") == Stage.WRITTEN


def test_a_client_that_settles_gets_a_users_queue_to_settle(bench: UserBench) -> None:
    session = bench.here("s1", listens="")
    subscribe_queue(session, "/user/queue/x", "/queue/x-users1", "a")
    event = Subscribe(Frame("SUBSCRIBE", {}), "a", "/user/queue/x", "client")
    bench.acknowledgements.consume(session, event, "/queue/x-users1", lambda error: None)
    assert bench.local.to_session(session, to_user(destination="/queue/x"))
    (payload,) = bench.written("s1")
    assert head(payload)["ack"] == "s1@1"


def test_all_sessions_here_of_a_user_or_the_one_of_that_id(bench: UserBench) -> None:
    for id in ("s1", "s2"):
        bench.here(id)
    bench.here("s3", listens="")
    assert bench.local.to_user(to_user()) == 2
    assert bench.local.to_user(to_user("s1")) == 1
    assert bench.local.to_user(to_user("nobody")) == 0
    assert bench.counts == {}
    assert bench.local.to_user(to_user("s3")) == 0
    assert bench.counts == {("push", "not-subscribed", "no-subscriber"): 1}


def test_a_broadcast_is_stripped_of_what_is_not_for_the_receiver(bench: UserBench) -> None:
    bench.here("s1")
    broadcast = {
        "subscription": "7",
        "message-id": "broker-1",
        "destination": "/topic/unresolved",
        "simpOrigDestination": "x",
        "redelivered": "false",
        "ack": "1",
        "receipt": "r",
        "content-length": "2",
        "ps-via": "i2 handler",
        "ps-id": "p7",
        "mine": "1",
    }
    assert bench.local.from_broadcast(f"/user/joe{GREETINGS}", broadcast, b"hi") == 1
    (payload,) = bench.written("s1")
    got = head(payload)
    assert {name: got[name] for name in ("subscription", "destination", "message-id", "mine", "ps-id")} == {
        "subscription": "s0",
        "destination": f"/user{GREETINGS}",
        "message-id": "i1-1",
        "mine": "1",
        "ps-id": "p7",
    }
    assert not {"ps-via", "ack", "redelivered", "receipt", "simpOrigDestination"} & set(got)
    assert bench.stages.get("p7") == Stage.WRITTEN
    assert (bench.counters.from_broker, bench.counters.wasted) == (1, 0)


def test_a_broadcast_for_nobody_here_is_wasted(bench: UserBench) -> None:
    bench.here("s1", listens="")
    assert bench.local.from_broadcast(f"/user/nobody{GREETINGS}", {}, b"") == 0
    assert bench.local.from_broadcast("/user/nobody", {}, b"") == 0
    assert (bench.counters.from_broker, bench.counters.wasted, bench.counts) == (2, 2, {})
    assert bench.local.from_broadcast(f"/user/joe{GREETINGS}", {"ps-via": "i2 client"}, b"") == 0
    assert bench.counts == {("client", "not-subscribed", "no-subscriber"): 1}


def test_who_sent_a_broadcast_on_and_for_whom() -> None:
    for origin in Origin:
        assert origin_of({"ps-via": via("an instance", origin)}) is origin
    for foreign in ({}, {"ps-via": ""}, {"ps-via": "i2 nonsense"}):
        assert origin_of(foreign) is Origin.PUSH

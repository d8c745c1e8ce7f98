"""How messages for users find their way: what is sent where, what is counted, what is still under way."""

from __future__ import annotations

import pytest

from core.errors import BrokerRefused, BrokerUnavailable
from server.brokers.limits import MessageLimits
from server.messages.stages import Stage
from server.settings.instance import InstanceSettings
from server.users import strategies
from server.users.registry import RemotePeer
from server.users.strategies import (
    BroadcastStrategy,
    LocalStrategy,
    RelayStrategy,
    check_shape,
    is_session_id,
    reason_of,
)
from server.users.undeliverable import Origin, Reason

from ...support.session_bench import subscribe_queue
from ...support.user_bench import GREETINGS, UserBench, to_user

UNRESOLVED = "/topic/unresolved-user-destination"
REFUSED = BrokerRefused("no", title="No")


class RelayBench(UserBench):
    """The strategy ``relay``."""

    def __init__(self, settings: InstanceSettings | None = None, limits: MessageLimits | None = None) -> None:
        super().__init__(settings, limits)
        self.strategy = RelayStrategy(
            self.settings,
            self.registry,
            self.broker,
            self.local,
            self.counters,
            self.stages,
            self.handover,
        )

    def comes_back(self, user: str = "joe", delivered: int = 0, via: str | None = "i1 push") -> None:
        """An unresolved message has made its way through the broker."""
        headers = {"ps-id": "p9"} if via is None else {"ps-via": via, "ps-id": "p9"}
        self.strategy.came_back(headers, f"/user/{user}{GREETINGS}", delivered)

    def is_direct(self, user: str = "joe") -> bool:
        """Whether a session of the user that joined now could be reached past the broker."""
        session = self.session("probe", user)
        self.strategy.joined(session)
        return session.direct


@pytest.fixture
def bench() -> RelayBench:
    return RelayBench()


# ---- relay: one place ------------------------------------------------------------------------


def test_a_session_here_is_reached_past_the_broker(bench: RelayBench) -> None:
    bench.here("s1")
    assert bench.strategy.send(to_user(), bench.outcomes.append) == 1
    assert bench.outcomes == [None]
    assert bench.published == []
    assert b"x" in bench.written("s1")[0]
    counters = bench.counters
    assert (counters.resolved, counters.direct, counters.to_broker, counters.unresolved) == (1, 1, 0, 0)
    assert bench.stages.get("p1") == Stage.WRITTEN


def test_a_session_here_that_is_not_direct_is_reached_through_the_broker(bench: RelayBench) -> None:
    bench.here("s1", direct=False)
    assert bench.strategy.send(to_user(), bench.outcomes.append) == 1
    assert bench.sent_to == [f"{GREETINGS}-users1"]
    assert bench.outcomes == [], "the broker has not confirmed it"
    assert bench.written("s1") == []
    counters = bench.counters
    assert (counters.resolved, counters.direct, counters.to_broker) == (1, 0, 1)


def test_a_session_elsewhere_gets_its_own_destination_and_the_clients_name_for_it(bench: RelayBench) -> None:
    bench.there("s2")
    assert bench.strategy.send(to_user(body=b"hi"), bench.outcomes.append) == 1
    (sent,) = bench.published
    assert (sent.destination, sent.body) == (f"{GREETINGS}-users2", b"hi")
    assert sent.headers == {"simpOrigDestination": f"/user{GREETINGS}", "ps-id": "p1"}
    assert sent.done is not None
    sent.done(None)
    assert bench.outcomes == [None]
    assert (bench.counters.resolved, bench.counters.to_broker) == (1, 1)
    assert bench.stages.get("p1") == Stage.TO_BROKER


def test_a_message_without_an_id_has_no_stage(bench: RelayBench) -> None:
    bench.there("s2")
    bench.strategy.send(to_user(id=None))
    bench.strategy.send(to_user("nobody", id=None))
    assert len(bench.published) == 2
    assert len(bench.stages) == 0


def test_a_single_session_is_meant_by_its_id_whatever_its_user_has_besides(bench: RelayBench) -> None:
    bench.here("s1")
    bench.there("s2")
    assert bench.strategy.send(to_user("s2", one_session=True)) == 1
    assert bench.sent_to == [f"{GREETINGS}-users2"]
    assert bench.written("s1") == []
    assert bench.strategy.send(to_user("s9", one_session=True)) == 0, "it is looked for"
    assert bench.sent_to[1:] == [UNRESOLVED]
    assert bench.strategy.send(to_user("joe", one_session=True)) == 0, "no session has that id"
    assert bench.sent_to[2:] == [UNRESOLVED]


def test_what_the_broker_refuses_later_is_counted_and_told(bench: RelayBench) -> None:
    bench.there("s2")
    bench.strategy.send(to_user(), bench.outcomes.append)
    done = bench.published[0].done
    assert done is not None
    done(REFUSED)
    assert bench.outcomes == [REFUSED]
    assert bench.counts == {("push", "broker-refused", "to-broker"): 1}


def test_a_client_that_has_not_subscribed_is_a_case(bench: RelayBench) -> None:
    bench.here("s1", listens="")
    assert bench.strategy.send(to_user(), bench.outcomes.append) == 1
    assert bench.outcomes == [None]
    assert bench.counts == {("push", "not-subscribed", "no-subscriber"): 1}


# ---- relay: several places -------------------------------------------------------------------


def test_each_of_several_sessions_gets_it_once_and_the_last_one_elsewhere_confirms(
    bench: RelayBench,
) -> None:
    bench.here("s1")
    for id in ("s2", "s3", "s4"):
        bench.there(id)
    bench.here("s5", direct=False)
    assert bench.strategy.send(to_user(), bench.outcomes.append) == 5
    assert bench.sent_to == [f"{GREETINGS}-user{id}" for id in ("s2", "s3", "s4", "s5")]
    assert [each.done is not None for each in bench.published] == [False, False, False, True]
    assert bench.outcomes == []
    assert len(bench.written("s1")) == 1
    assert (bench.counters.resolved, bench.counters.direct, bench.counters.to_broker) == (1, 1, 4)
    assert bench.counts == {}


def test_with_sessions_here_only_it_is_confirmed_at_once(bench: RelayBench) -> None:
    bench.here("s1")
    bench.here("s2")
    assert bench.strategy.send(to_user(), bench.outcomes.append) == 2
    assert bench.outcomes == [None]
    assert bench.counters.direct == 2
    assert bench.published == []


def test_several_sessions_that_do_not_want_it_are_one_case_and_one_that_does_is_none(
    bench: RelayBench,
) -> None:
    bench.here("s1", listens="")
    bench.here("s2", listens="")
    bench.strategy.send(to_user())
    assert bench.counts == {("push", "not-subscribed", "no-subscriber"): 1}
    bench.here("s3")
    bench.strategy.send(to_user())
    assert bench.counts == {("push", "not-subscribed", "no-subscriber"): 1}


def test_one_elsewhere_may_want_what_none_here_wants(bench: RelayBench) -> None:
    bench.here("s1", listens="")
    bench.there("s2")
    bench.strategy.send(to_user())
    assert bench.counts == {}


# ---- relay: nobody, or nobody to be trusted --------------------------------------------------


def test_a_user_that_nobody_knows_is_looked_for_everywhere(bench: RelayBench) -> None:
    assert bench.strategy.send(to_user("joe/x", b"hi"), bench.outcomes.append) == 0
    (sent,) = bench.published
    assert (sent.destination, sent.body) == (UNRESOLVED, b"hi")
    assert sent.headers == {
        "simpOrigDestination": f"/user/joe%2Fx{GREETINGS}",
        "ps-id": "p1",
        "ps-via": "i1 push",
    }
    counters = bench.counters
    assert (counters.unresolved, counters.to_broker, counters.resolved) == (1, 1, 0)
    assert bench.stages.get("p1") == Stage.NO_SESSION


def test_a_user_of_a_silent_peer_is_looked_for_everywhere_though_known(bench: RelayBench) -> None:
    bench.there("s2")
    bench.peer.suspect = True
    assert bench.strategy.send(to_user()) == 1
    bench.there("s3")
    assert bench.strategy.send(to_user()) == 2
    assert bench.sent_to == [UNRESOLVED] * 2
    assert bench.counters.resolved == 0


def test_one_trusted_place_among_silent_ones_is_enough(bench: RelayBench) -> None:
    bench.there("s2")
    bench.peer.suspect = True
    bench.there("s3", peer=RemotePeer("i3", "e3", now=0.0))
    assert bench.strategy.send(to_user()) == 2
    assert bench.sent_to == [f"{GREETINGS}-users2", f"{GREETINGS}-users3"]
    assert bench.counters.resolved == 1


# ---- relay: what is still under way ----------------------------------------------------------


def test_a_session_stays_off_the_short_cut_until_all_messages_for_its_user_are_back(
    bench: RelayBench,
) -> None:
    assert bench.is_direct()
    bench.strategy.send(to_user())
    bench.strategy.send(to_user())
    assert not bench.is_direct()
    assert bench.is_direct("ann"), "another user"
    bench.comes_back()
    assert not bench.is_direct(), "one is still under way"
    bench.comes_back()
    assert bench.is_direct()
    bench.comes_back()
    assert bench.is_direct()


def test_without_the_short_cut_no_session_is_direct() -> None:
    bench = RelayBench(InstanceSettings(local_shortcut=False))
    assert not bench.is_direct()


def test_what_is_under_way_when_the_broker_is_lost_is_counted_by_who_sent_it(bench: RelayBench) -> None:
    for origin, count in ((Origin.PUSH, 3), (Origin.CLIENT, 1), (Origin.HANDLER, 2)):
        for _ in range(count):
            bench.strategy.send(to_user("nobody", origin=origin))
    bench.comes_back("nobody", 1, "i1 push")
    bench.comes_back("nobody", 1, "i1 client")
    bench.strategy.broker_lost()
    lost = ("broker-lost", "no-session")
    assert bench.counts == {("push", *lost): 2, ("handler", *lost): 2}
    assert bench.is_direct("nobody"), "nothing comes back any more"
    bench.strategy.broker_lost()
    assert sum(bench.counts.values()) == 4, "counted once"


def test_more_that_come_back_than_were_sent_do_not_count_below_zero(bench: RelayBench) -> None:
    bench.comes_back(delivered=1)
    bench.comes_back(delivered=1)
    bench.strategy.send(to_user())
    bench.strategy.broker_lost()
    assert bench.counts == {("push", "broker-lost", "no-session"): 1}


def test_the_memory_of_what_is_under_way_is_bounded(
    bench: RelayBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strategies, "_MOST_IN_FLIGHT", 3)
    for user in "abc":
        bench.strategy.send(to_user(user))
    assert not bench.is_direct("a")
    bench.strategy.send(to_user("d"))
    assert bench.is_direct("a"), "forgotten"
    assert not bench.is_direct("d")


# ---- relay: what comes back ------------------------------------------------------------------


def test_what_was_looked_for_in_vain_has_a_reason(bench: RelayBench) -> None:
    bench.there("s2", "gone")
    bench.registry.clear_remote(bench.peer, lapsed=True)
    bench.comes_back("nobody")
    bench.comes_back("0123456789abcdef", via="i1 client")
    bench.comes_back("gone", via="i1 handler")
    bench.comes_back("nobody", via=None)
    ended = "no-session"
    assert bench.counts == {
        ("push", "no-session", ended): 1,
        ("client", "unknown-session", ended): 1,
        ("handler", "expired", ended): 1,
        ("push", "loop-guard", ended): 1,
    }
    newest = bench.undeliverable.as_dict()["recent"][0]
    assert (newest["user"], newest["destination"], newest["id"]) == ("nobody", GREETINGS, "p9")


def test_what_found_somebody_or_is_another_instances_is_no_case(bench: RelayBench) -> None:
    bench.comes_back("joe", delivered=1)
    bench.there("s2", "ann")
    bench.comes_back("ann")
    bench.comes_back("s2")
    bench.comes_back("nobody", via="i2 push")
    assert bench.counts == {}


def test_what_names_no_user_is_a_case(bench: RelayBench) -> None:
    bench.strategy.came_back({}, "/user/joe", 0)
    assert bench.counts == {("push", "bad-destination", "no-session"): 1}


# ---- relay: a broker that does not take it ---------------------------------------------------


@pytest.mark.parametrize(
    ("error", "reason"), [(REFUSED, "broker-refused"), (BrokerUnavailable("away"), "broker-unavailable")]
)
def test_a_message_that_does_not_get_to_the_broker_is_a_case_and_an_error(
    bench: RelayBench, error: BrokerUnavailable, reason: str
) -> None:
    bench.there("s2")
    bench.broker.fails = error
    with pytest.raises(BrokerUnavailable):
        bench.strategy.send(to_user())
    with pytest.raises(BrokerUnavailable):
        bench.strategy.send(to_user("nobody"))
    assert bench.counts == {("push", reason, "resolved"): 2}
    assert (bench.counters.to_broker, bench.counters.unresolved) == (0, 0)
    bench.broker.fails = None
    assert bench.is_direct("nobody"), "nothing is under way"


def test_a_message_that_is_too_much_for_the_broker_is_refused_wherever_its_user_is() -> None:
    bench = RelayBench(limits=MessageLimits(headers=6))
    bench.here("s1")
    message = to_user()
    message.headers.update(a="1", b="2")  # type: ignore[attr-defined]
    with pytest.raises(BrokerRefused):
        bench.strategy.send(message)
    assert bench.counts == {("push", "broker-refused", "accepted"): 1}
    assert bench.written("s1") == []
    with pytest.raises(BrokerRefused):
        check_shape(bench.broker, message)


# ---- relay: users who move -------------------------------------------------------------------


def test_what_is_for_a_user_who_moves_is_held_and_then_sent(bench: RelayBench) -> None:
    bench.there("s2")
    bench.there("s2b", "ann")
    bench.peer.leaving = True
    bench.handover.begin(["joe"], bench.strategy.send_now)
    assert bench.strategy.send(to_user(), bench.outcomes.append) == 0
    assert (bench.published, bench.outcomes) == ([], [])
    assert bench.strategy.send(to_user("ann")) == 1, "she does not move"
    assert bench.sent_to == [f"{GREETINGS}-users2b"]
    stays = RemotePeer("i3", "e3", now=0.0)
    bench.registry.add_remote(stays, "s3", "joe", (("0", f"/user{GREETINGS}"),))
    assert bench.strategy.send(to_user(body=b"later")) == 1
    assert bench.sent_to[1:] == [f"{GREETINGS}-users3"] * 2
    assert [each.body for each in bench.published[1:]] == [b"x", b"later"]


# ---- broadcast -------------------------------------------------------------------------------


def broadcast() -> tuple[UserBench, BroadcastStrategy]:
    bench = UserBench(InstanceSettings(strategy="broadcast"))
    return bench, BroadcastStrategy(
        bench.settings, bench.registry, bench.broker, bench.local, bench.counters, bench.stages
    )


def test_broadcast_publishes_once_whoever_the_user_is() -> None:
    bench, strategy = broadcast()
    session = bench.here("s1")
    bench.here("s2")
    bench.there("s3")
    strategy.joined(session)
    assert not session.direct
    assert strategy.send(to_user(origin=Origin.CLIENT), bench.outcomes.append) == 2, "those here"
    assert strategy.send(to_user("nobody", id=None)) == 0
    first, second = bench.published
    assert first.destination == second.destination == bench.settings.broadcast_destination
    assert first.headers == {
        "simpOrigDestination": f"/user/joe{GREETINGS}",
        "ps-id": "p1",
        "ps-via": "i1 client",
    }
    assert first.done is not None and second.done is None
    assert bench.counters.to_broker == 2
    assert bench.stages.get("p1") == Stage.TO_BROKER
    assert len(bench.stages) == 1


def test_broadcast_counts_what_the_broker_does_not_take() -> None:
    bench, strategy = broadcast()
    bench.broker.fails = BrokerUnavailable("away")
    with pytest.raises(BrokerUnavailable):
        strategy.send(to_user())
    assert bench.counts == {("push", "broker-unavailable", "resolved"): 1}
    assert bench.counters.to_broker == 0


# ---- none ------------------------------------------------------------------------------------


def local() -> tuple[UserBench, LocalStrategy]:
    bench = UserBench(InstanceSettings(strategy="none"))
    return bench, LocalStrategy(bench.registry, bench.local, bench.counters, bench.stages)


def test_none_reaches_sessions_here_and_no_other() -> None:
    bench, strategy = local()
    session = bench.here("s1", direct=False)
    bench.here("s2")
    bench.there("s3")
    strategy.joined(session)
    assert session.direct
    assert strategy.send(to_user(), bench.outcomes.append) == 2
    assert bench.outcomes == [None]
    assert (bench.counters.resolved, bench.counters.direct, bench.counters.unresolved) == (1, 2, 0)
    assert len(bench.written("s1")) == len(bench.written("s2")) == 1
    assert bench.published == []


def test_none_counts_whom_it_does_not_know() -> None:
    bench, strategy = local()
    bench.there("s3", "ann")
    assert strategy.send(to_user("ann"), bench.outcomes.append) == 0
    assert strategy.send(to_user("0123456789abcdef", id=None)) == 0
    assert bench.outcomes == [None]
    assert bench.counts == {
        ("push", "no-session", "no-session"): 1,
        ("push", "unknown-session", "no-session"): 1,
    }
    assert (bench.counters.resolved, bench.counters.unresolved) == (0, 2)
    assert bench.stages.get("p1") == Stage.NO_SESSION
    assert len(bench.stages) == 1


# ---- words -----------------------------------------------------------------------------------


def test_an_errors_reason() -> None:
    assert reason_of(REFUSED) is Reason.BROKER_REFUSED
    assert reason_of(BrokerUnavailable("away")) is Reason.BROKER_UNAVAILABLE


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("0123456789abcdef", True),
        ("01234567-89ab-cdef-0123-456789abcdef", True),
        ("0123456789abcde", False),
        ("0123456789abcdef0", False),
        ("0123456789ABCDEF", False),
        ("joe", False),
    ],
)
def test_what_looks_like_the_id_of_a_session(name: str, is_one: bool) -> None:
    assert is_session_id(name) is is_one


def test_who_has_moved_to_this_instance_is_reached_here(bench: RelayBench) -> None:
    bench.there("s2")
    bench.peer.leaving = True
    bench.handover.begin(["joe"], bench.strategy.send_now)
    assert bench.strategy.send(to_user()) == 0
    session = bench.here("s1")
    subscribe_queue(session, f"/user{GREETINGS}", f"{GREETINGS}-users1", "s0")
    assert bench.strategy.send(to_user(body=b"later")) == 1
    assert [body in payload for body, payload in zip((b"x", b"later"), bench.written("s1"), strict=True)]
    assert bench.published == [], "nothing goes to where joe was"

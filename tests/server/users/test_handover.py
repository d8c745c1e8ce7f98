"""What is held for users whose instance stops, and when it is sent, or given up."""

from __future__ import annotations

import time

import pytest

from core.errors import BrokerUnavailable
from server.brokers.base import Settled
from server.messages.counters import Counters
from server.settings.instance import InstanceSettings
from server.users import handover
from server.users.handover import HOLD_S, MOST_BYTES, Handover, staying
from server.users.local_delivery import UserMessage
from server.users.registry import RemotePeer, UserRegistry
from server.users.undeliverable import Undeliverable
from tests.support.sockjs_bench import Clock

GREETINGS = (("0", "/user/topic/greetings"),)


class Bench:
    """A handover with two peers, a clock, and a list of what was sent."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.counters = Counters()
        self.registry = UserRegistry()
        self.leaving = RemotePeer("i2", "a", now=0)
        self.staying = RemotePeer("i3", "b", now=0)
        self.sent: list[bytes] = []
        self.away = False
        self.handover = Handover(
            InstanceSettings(),
            self.registry,
            Undeliverable(self.counters, time.time),
            self.clock.later,
            lambda: self.clock.now,
        )
        for user in ("anna", "bert"):
            self.registry.add_remote(self.leaving, f"old-{user}", user, GREETINGS)

    def leave(self) -> None:
        self.leaving.leaving = True
        self.handover.begin(self.leaving.sessions.values(), self.send)

    def send(self, message: UserMessage, done: Settled | None) -> int:
        if self.away:
            raise BrokerUnavailable("away")
        self.sent.append(message.body)
        if done is not None:
            done(None)
        return 1

    def push(
        self, body: bytes, user: str = "anna", to: str = "/topic/greetings", done: Settled | None = None
    ) -> bool:
        """Whether it was held."""
        return self.handover.hold(UserMessage(user, to, {}, body), done)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_nothing_is_held_unless_an_instance_leaves(bench: Bench) -> None:
    assert not bench.handover.moving
    assert not bench.push(b"1")


def test_held_until_the_user_has_subscribed_elsewhere(bench: Bench) -> None:
    bench.leave()
    assert bench.push(b"1")
    assert not bench.push(b"x", user="carl")  # somebody else
    bench.registry.clear_remote(bench.leaving)
    assert bench.push(b"2")
    bench.registry.add_remote(bench.staying, "new", "anna")
    bench.clock.move(1)
    assert bench.push(b"3")  # connected, and not subscribed
    assert (bench.sent, bench.handover.held) == ([], 3)
    bench.registry.add_remote(bench.staying, "new", "anna", GREETINGS)
    assert not bench.push(b"4")  # goes at once, behind what was held
    assert bench.sent == [b"1", b"2", b"3"]
    assert bench.handover.held == 0


def test_sent_without_a_further_push(bench: Bench) -> None:
    bench.leave()
    assert bench.push(b"1")
    assert bench.push(b"2")
    bench.registry.add_remote(bench.staying, "new", "anna", GREETINGS)
    bench.clock.move(0.1)
    assert bench.sent == [b"1", b"2"]


def test_another_destination_waits_for_its_own_subscription(bench: Bench) -> None:
    bench.leave()
    assert bench.push(b"queue", to="/queue/x")
    assert bench.push(b"topic")
    bench.registry.add_remote(bench.staying, "new", "anna", GREETINGS)
    bench.clock.move(0.1)
    assert bench.sent == [b"topic"]
    bench.registry.add_remote(bench.staying, "new", "anna", (*GREETINGS, ("1", "/user/queue/x")))
    bench.clock.move(0.1)
    assert bench.sent == [b"topic", b"queue"]


def test_who_does_not_come_is_given_up_and_counted(bench: Bench) -> None:
    heard: list[BrokerUnavailable | None] = []
    bench.leave()
    assert bench.push(b"1", done=heard.append)
    bench.clock.move(HOLD_S + 0.1)
    assert bench.sent == []
    assert [str(error) for error in heard] == ["user 'anna' was moving to another instance and did not come"]
    assert bench.counters.undeliverable == 1
    assert not bench.handover.moving
    assert bench.handover.held == 0


def test_who_has_come_gets_what_is_left_when_time_is_up(bench: Bench) -> None:
    bench.leave()
    assert bench.push(b"1")
    bench.registry.add_remote(bench.staying, "new", "anna")  # and its peer does not tell to what it listens
    bench.clock.move(HOLD_S + 0.1)
    assert bench.sent == [b"1"]
    assert (bench.counters.undeliverable, bench.handover.held) == (0, 0)


def test_when_this_instance_stops_too_nothing_is_forgotten_in_silence(bench: Bench) -> None:
    heard: list[BrokerUnavailable | None] = []
    bench.leave()
    assert bench.push(b"1")
    assert bench.push(b"2", user="bert", done=heard.append)
    bench.registry.add_remote(bench.staying, "new", "anna", GREETINGS)
    bench.handover.end()
    assert bench.sent == [b"1"]
    assert len(heard) == bench.counters.undeliverable == 1
    assert not bench.handover.moving
    bench.clock.move(1)


def test_one_instance_after_the_other_may_leave(bench: Bench) -> None:
    bench.leave()
    bench.registry.clear_remote(bench.leaving)
    bench.registry.add_remote(bench.staying, "new", "anna", GREETINGS)
    bench.clock.move(HOLD_S - 1)
    assert not bench.push(b"1")
    bench.staying.leaving = True
    bench.handover.begin(bench.staying.sessions.values(), bench.send)
    assert bench.push(b"2")
    bench.clock.move(HOLD_S - 1)
    assert bench.push(b"3")
    bench.registry.add_remote(RemotePeer("i4", "c", now=0), "newest", "anna", GREETINGS)
    bench.clock.move(0.1)
    assert bench.sent == [b"2", b"3"]


def test_the_size_is_bounded(bench: Bench) -> None:
    bench.leave()
    assert bench.push(bytes(MOST_BYTES - 1))
    assert bench.push(b"1")
    assert bench.push(b"2")
    assert (bench.handover.held, bench.counters.undeliverable) == (2, 1)


def test_headers_count(bench: Bench) -> None:
    bench.leave()
    long = {"x-note": "x" * (MOST_BYTES // 2)}
    held = [UserMessage("anna", "/topic/greetings", long, b"") for _ in range(2)]
    assert all(bench.handover.hold(message, None) for message in held)
    assert (bench.handover.held, bench.counters.undeliverable) == (1, 1)


def test_a_broker_that_is_away_then_is_told_to_who_waits(bench: Bench) -> None:
    heard: list[BrokerUnavailable | None] = []
    bench.leave()
    assert bench.push(b"1", done=heard.append)
    bench.away = True
    bench.registry.add_remote(bench.staying, "new", "anna", GREETINGS)
    bench.clock.move(0.1)
    assert [str(error) for error in heard] == ["away"]
    assert bench.handover.held == 0


def test_places_that_are_about_to_go_do_not_count(bench: Bench) -> None:
    bench.leave()
    bench.registry.add_remote(bench.staying, "new", "anna")
    assert staying(bench.registry.places("anna")) == {"new": bench.staying}
    assert staying(bench.registry.places("bert")) == {}
    assert staying({}) == {}


def test_bytes_that_are_sent_make_room_for_others(bench: Bench) -> None:
    bench.leave()
    for _ in range(3):
        assert bench.push(bytes(MOST_BYTES))
        assert bench.handover.held == 1
        bench.registry.add_remote(bench.staying, "new", "anna", GREETINGS)
        bench.clock.move(0.1)
        assert bench.handover.held == 0
        bench.registry.remove_remote(bench.staying, "new")
    assert (len(bench.sent), bench.counters.undeliverable) == (3, 0)
    assert bench.push(b"") and bench.push(bytes(MOST_BYTES)), "exactly so many"
    assert bench.handover.held == 2


def test_the_number_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "MOST_MESSAGES", 2)
    heard: list[BrokerUnavailable | None] = []
    bench.leave()
    assert all(bench.push(body, done=heard.append) for body in (b"1", b"2", b"3"))
    assert (bench.handover.held, bench.counters.undeliverable, len(heard)) == (2, 1, 1)


def test_one_sessions_messages_are_not_held(bench: Bench) -> None:
    bench.leave()
    message = UserMessage("anna", "/topic/greetings", {}, b"x", one_session=True)
    assert not bench.handover.hold(message, None)


def test_it_is_looked_every_little_while_and_only_while_somebody_moves(bench: Bench) -> None:
    bench.leave()
    bench.leave()
    assert bench.push(b"1")
    bench.registry.add_remote(bench.staying, "new", "anna", GREETINGS)
    bench.clock.move(0.02)
    assert bench.sent == []
    bench.clock.move(0.01)
    assert bench.sent == [b"1"]
    bench.clock.move(HOLD_S)
    assert not bench.handover.moving
    bench.registry.remove_remote(bench.staying, "new")
    bench.leave()
    assert set(bench.handover.moving) == {"anna", "bert"}
    assert bench.push(b"2")
    bench.registry.add_remote(bench.staying, "new", "anna", GREETINGS)
    bench.clock.move(0.1)
    assert bench.sent == [b"1", b"2"], "it is looked again"


def test_who_has_no_name_does_not_move(bench: Bench) -> None:
    bench.handover.begin(["", "carl"], bench.send)
    assert list(bench.handover.moving) == ["carl"]
    other = Bench()
    other.handover.begin([], other.send)
    assert not other.handover.moving

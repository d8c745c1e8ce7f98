"""The peers' protocol on a bus that delivers, delays and drops, with a clock that is turned by hand."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import pytest

from core.errors import BrokerUnavailable
from core.protocol import ServerSession
from server.messages.counters import Counters
from server.sessions.session import Session
from server.settings.instance import InstanceSettings
from server.users import peers
from server.users.peer_messages import (
    Ack,
    Alive,
    Bye,
    Delta,
    Hello,
    PeerMessage,
    State,
    Want,
    decode_peer_message,
    encode_peer_message,
)
from server.users.peers import ALIVE_EVERY_S, FORGET_AFTER_S, SUSPECT_AFTER_S, PeerSync
from server.users.registry import RemotePeer, UserRegistry
from server.users.slices import Slicer


class Wire:
    """A carrier that swallows everything."""

    def write(self, data: bytes) -> None: ...
    def close(self, code: int, reason: str) -> None: ...


class Node:
    """One instance's registry and sync on a bus."""

    def __init__(self, bus: Bus, id: str, slicer: Slicer | None = None) -> None:
        self.settings = InstanceSettings(id=id)
        self.registry = UserRegistry()
        self.counters = Counters()
        self.up = True
        self.deaf = False
        self.sync = PeerSync(
            self.settings,
            self.registry,
            self._publish,
            bus.later,
            lambda: bus.now,
            self.counters,
            slicer or Slicer(bus.later),
        )
        self._bus = bus

    def joins(self, user: str, session_id: str) -> Session:
        """A user connects here."""
        protocol = ServerSession(session_id=session_id, server_name="test/1")
        session = Session(session_id, Wire(), protocol, now=0.0)
        session.user = user
        self.registry.add_local(session)
        self.sync.changes.joined(session)
        return session

    def leaves(self, session: Session) -> None:
        """A user goes."""
        self.registry.remove_local(session)
        self.sync.changes.left(session)

    def sees(self, user: str) -> set[str]:
        """The sessions of a user that are known here."""
        return set(self.registry.places(user))

    def hears(self, destination: str) -> bool:
        """Whether a message there is for this node."""
        own = self.settings.peer_destination(self.sync.epoch)
        return not self.deaf and destination in (self.settings.peers_destination, own)

    def _publish(self, destination: str, body: bytes) -> None:
        if not self.up:
            raise BrokerUnavailable("down")
        self._bus.messages.append((destination, body))


class Bus:
    """A broker, a clock and timers."""

    def __init__(self) -> None:
        self.now = 100.0
        self.nodes: list[Node] = []
        self.messages: deque[tuple[str, bytes]] = deque()
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.log: list[str] = []
        self.drop: Callable[[bytes], bool] = lambda body: False

    def later(self, delay: float, call: Callable[[], None]) -> None:
        self.timers.append((self.now + delay, call))

    def add(self, id: str) -> Node:
        """Start an instance."""
        node = Node(self, id)
        self.nodes.append(node)
        node.sync.announce()
        self.run()
        return node

    def run(self, seconds: float = 0.0) -> None:
        """Deliver everything, then let time pass in small steps, with ticks."""
        end = self.now + seconds
        while True:
            self._deliver()
            if self.now >= end:
                return
            self.now = min(end, self.now + 0.05)
            for node in self.nodes:
                node.sync.tick()

    def _deliver(self) -> None:
        busy = True
        while busy:
            busy = False
            due = [timer for timer in self.timers if timer[0] <= self.now]
            self.timers = [timer for timer in self.timers if timer[0] > self.now]
            for _, call in due:
                call()
                busy = True
            while self.messages:
                busy = True
                destination, body = self.messages.popleft()
                if self.drop(body):
                    continue
                self.log.append(body.decode())
                for node in self.nodes:
                    if node.hears(destination):
                        node.sync.receive(body)

    def count(self, kind: str) -> int:
        """How many messages of a kind were sent."""
        return sum(f'"type":"{kind}"' in message for message in self.log)


def three() -> tuple[Bus, Node, Node, Node]:
    bus = Bus()
    nodes = bus.add("i1"), bus.add("i2"), bus.add("i3")
    bus.run(1.0)
    return bus, *nodes


def test_everybody_learns_who_came_and_who_went() -> None:
    bus, one, two, three_ = three()
    session = one.joins("joe", "s1")
    bus.run(0.1)
    assert two.sees("joe") == three_.sees("joe") == {"s1"}
    one.leaves(session)
    bus.run(0.1)
    assert two.sees("joe") == three_.sees("joe") == set()


def test_the_callback_comes_when_all_have_it_and_not_before() -> None:
    bus, one, two, three_ = three()
    known: list[set[str]] = []
    session = one.joins("joe", "s1")
    one.sync.when_known(session.joined_seq, lambda: known.append(two.sees("joe") | three_.sees("joe")))
    assert known == []
    bus.run(0.1)
    assert known == [{"s1"}]
    one.sync.when_known(session.joined_seq, lambda: known.append(set()))
    assert len(known) == 2  # at once, it is known by now


def test_alone_nobody_is_waited_for() -> None:
    bus = Bus()
    one = bus.add("i1")
    called: list[bool] = []
    session = one.joins("joe", "s1")
    one.sync.when_known(session.joined_seq, lambda: called.append(True))
    bus.run(0.01)
    assert called == [True]


def test_a_peer_that_does_not_answer_is_waited_for_only_so_long() -> None:
    bus, one, two, _ = three()
    two.deaf = True
    called: list[float] = []
    session = one.joins("joe", "s1")
    one.sync.when_known(session.joined_seq, lambda: called.append(bus.now))
    begun = bus.now
    bus.run(2.0)
    assert len(called) == 1
    assert 0.3 <= called[0] - begun <= 0.7


def test_a_thousand_users_at_once_are_few_messages() -> None:
    bus, one, two, _ = three()
    before = bus.count("delta")
    for number in range(1000):
        one.joins(f"u{number}", f"s{number}")
        if number % 100 == 0:
            bus.run()
    bus.run(0.1)
    assert len(two.registry) == 1000
    assert bus.count("delta") - before <= 15


def test_what_was_missed_is_asked_for() -> None:
    bus, one, two, _ = three()
    two.deaf = True
    one.joins("joe", "s1")
    bus.run(0.1)
    two.deaf = False
    assert two.sees("joe") == set()
    bus.run(ALIVE_EVERY_S * 2)  # the next sign of life shows the gap
    assert two.sees("joe") == {"s1"}


def test_a_gap_in_the_deltas_is_mended() -> None:
    bus, one, two, _ = three()
    two.deaf = True
    gone = one.joins("joe", "s1")
    bus.run(0.1)
    two.deaf = False
    one.leaves(gone)
    one.joins("pete", "s2")
    bus.run(0.3)
    assert (two.sees("joe"), two.sees("pete")) == (set(), {"s2"})


def test_a_newcomer_gets_everything_and_is_waited_for_from_then_on() -> None:
    bus, one, two, three_ = three()
    one.joins("joe", "s1")
    two.joins("joe", "s2")
    bus.run(0.1)
    four = bus.add("i4")
    bus.run(0.1)
    assert four.sees("joe") == {"s1", "s2"}
    four.deaf = True
    called: list[bool] = []
    session = three_.joins("pete", "s3")
    three_.sync.when_known(session.joined_seq, lambda: called.append(True))
    bus.run(0.2)
    assert not called


def test_goodbye_takes_the_users_along_at_once() -> None:
    bus, one, two, _ = three()
    two.joins("joe", "s1")
    bus.run(0.1)
    two.sync.goodbye()
    two.deaf = True
    bus.run()
    assert one.sees("joe") == set()
    assert len(one.sync.peers) == 1


def test_what_discovery_drops_is_gone_and_its_last_words_are_not_heard() -> None:
    bus, one, two, _ = three()
    two.joins("joe", "s1")
    bus.run(0.1)
    one.sync.listed(frozenset({"i1", "i2", "i3"}))
    two.joins("late", "s2")
    one.sync.listed(frozenset({"i1", "i3"}))
    assert one.sees("joe") == set()
    bus.run(0.1)
    assert one.sees("late") == set()
    assert {peer.id for peer in one.sync.peers.values()} == {"i3"}


def test_who_was_dropped_and_lives_comes_back() -> None:
    bus, one, two, _ = three()
    two.joins("joe", "s1")
    bus.run(0.1)
    one.sync.listed(frozenset({"i1", "i2", "i3"}))
    one.sync.listed(frozenset({"i1", "i3"}))
    one.sync.listed(frozenset({"i1", "i2", "i3"}))
    bus.run(2.0)
    assert one.sees("joe") == {"s1"}


def test_a_restarted_instance_replaces_its_former_run() -> None:
    bus, one, two, _ = three()
    two.joins("joe", "s1")
    bus.run(0.1)
    bus.nodes.remove(two)
    again = bus.add("i2")
    again.joins("pete", "s2")
    bus.run(0.1)
    assert (one.sees("joe"), one.sees("pete")) == (set(), {"s2"})


def test_silence_makes_suspect_and_then_forgotten() -> None:
    bus, one, two, _ = three()
    two.joins("joe", "s1")
    bus.run(0.1)
    bus.nodes.remove(two)
    bus.run(SUSPECT_AFTER_S + 0.2)
    peer = next(peer for peer in one.sync.peers.values() if peer.id == "i2")
    assert peer.suspect
    assert one.sees("joe") == {"s1"}
    called: list[bool] = []
    session = one.joins("pete", "s2")
    one.sync.when_known(session.joined_seq, lambda: called.append(True))
    bus.run(0.05)
    assert called, "a suspect peer holds nobody up"
    bus.run(FORGET_AFTER_S)
    assert one.sees("joe") == set()


def test_after_standing_still_an_instance_learns_first_what_it_missed() -> None:
    bus, one, two, _ = three()
    session = two.joins("joe", "s1")
    bus.run(0.1)
    bus.nodes.remove(one)  # paused: it hears nothing and its clock goes on
    two.leaves(session)
    bus.run(3.0)
    bus.nodes.append(one)
    assert not one.sync.in_step(bus.now)
    one.sync.tick()
    assert not one.sync.in_step(bus.now)
    bus.run()
    assert one.sync.in_step(bus.now)
    assert one.sees("joe") == set()


def test_a_broker_that_was_away_is_made_up_for() -> None:
    bus, one, two, _ = three()
    one.up = two.up = False
    one.joins("joe", "s1")
    bus.run(0.5)
    assert two.sees("joe") == set()
    one.up = two.up = True
    one.sync.announce()
    two.sync.announce()
    bus.run(0.2)
    assert two.sees("joe") == {"s1"}
    assert one.sync.in_step(bus.now) and two.sync.in_step(bus.now)


def test_expected_instances_are_waited_for_but_not_for_ever() -> None:
    bus, one, _, _ = three()
    one.sync.expect(frozenset({"i1", "i2", "i9"}))
    caught_up: list[bool] = []
    one.sync.when_in_step(lambda: caught_up.append(True))
    bus.run(0.5)
    assert not caught_up
    bus.run(1.0)
    assert caught_up


def test_garbage_on_the_destination_is_ignored() -> None:
    bus, one, _, _ = three()
    for body in (b"", b"{}", b'{"type":"what"}', b"\xff", b'{"type":"delta","id":1}'):
        one.sync.receive(body)
    bus.run(0.1)
    assert len(one.sync.peers) == 2


def test_before_it_has_asked_anybody_an_instance_is_not_in_step() -> None:
    bus = Bus()
    node = Node(bus, "i1")
    node.sync.tick()
    assert not node.sync.in_step(bus.now)
    node.sync.announce()
    assert node.sync.in_step(bus.now)


def test_after_a_loss_of_the_broker_all_peers_are_asked_also_those_only_discovery_knows() -> None:
    bus, one, _, _ = three()
    one.sync.listed(frozenset({"i1", "i2", "i3", "i4"}))
    one.sync.announce()
    assert not one.sync.in_step(bus.now)
    bus.run()
    assert not one.sync.in_step(bus.now)  # i4 is listed and has not said anything
    bus.add("i4")
    bus.run()
    assert one.sync.in_step(bus.now)


def test_a_large_state_comes_in_parts_and_what_changes_meanwhile_is_not_lost() -> None:
    bus, one, _, _ = three()
    sessions = [one.joins(f"u{number}", f"s{number}") for number in range(1_000)]
    bus.run(0.1)
    four = Node(bus, "i4")
    bus.nodes.append(four)
    parts_before = bus.count("state")
    four.sync.announce()
    # Between Hello and the last part somebody leaves, somebody comes.
    one.leaves(sessions[999])
    one.joins("late", "s-late")
    bus.run(0.5)
    assert bus.count("state") - parts_before >= 5
    assert four.sees("late") == {"s-late"}
    assert four.sees("u999") == set()
    assert len(four.registry) == 1_000
    assert four.sync.in_step(bus.now)


def test_a_lost_part_of_a_state_is_asked_for_again() -> None:
    bus, one, _, _ = three()
    for number in range(1_000):
        one.joins(f"u{number}", f"s{number}")
    bus.run(0.1)
    bus.drop = lambda body: b'"part":2' in body
    four = Node(bus, "i4")
    bus.nodes.append(four)
    four.sync.announce()
    bus.run(0.05)
    assert len(four.registry) < 1_000
    bus.drop = lambda body: False
    bus.run(3.0)
    assert len(four.registry) == 1_000


def test_who_left_is_not_in_a_new_state() -> None:
    bus, one, two, _ = three()
    gone = one.joins("gone", "s1")
    one.joins("stays", "s2")
    bus.run(0.1)
    two.deaf = True
    one.leaves(gone)
    bus.run(0.1)
    two.deaf = False
    bus.run(ALIVE_EVERY_S * 2)
    assert (two.sees("gone"), two.sees("stays")) == (set(), {"s2"})


def test_anonymous_sessions_are_known_by_their_ids_only() -> None:
    bus, one, two, _ = three()
    session = one.joins("", "s1")
    bus.run(0.1)
    assert two.sees("s1") == set()
    assert len(two.registry) == 0
    assert two.registry.session("s1") is not None
    one.leaves(session)
    bus.run(0.1)
    assert two.registry.session("s1") is None


def test_nobody_takes_over_a_session_that_is_here() -> None:
    _, one, two, _ = three()
    session = one.joins("joe", "s1")
    (peer,) = (each for each in one.sync.peers.values() if each.id == two.settings.id)
    one.registry.add_remote(peer, "s1", "joe")
    assert one.registry.places("joe")["s1"] is session
    one.registry.clear_remote(peer)
    assert one.registry.places("joe")["s1"] is session


def test_what_is_no_message_of_a_peer_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    _, one, _, _ = three()
    for body in (b"\xff", b"{}", b"[" * 30_000):
        one.sync.receive(body)
    assert [record.getMessage() for record in caplog.records if "not understood" in record.getMessage()]
    assert len(one.sync.peers) == 2


def test_who_missed_that_an_instance_leaves_learns_it_with_its_state() -> None:
    bus, one, two, three_ = three()
    one.joins("joe", "s1")
    bus.run(0.1)
    moving: list[tuple[str, list[str]]] = []
    two.sync.on_leaving = lambda users: moving.append(("two", list(users)))
    three_.sync.on_leaving = lambda users: moving.append(("three", list(users)))
    two.deaf = True
    one.sync.leave(lambda: None)
    bus.run()
    assert moving == [("three", ["joe"])]
    two.deaf = False
    bus.run(2 * ALIVE_EVERY_S)
    assert moving == [("three", ["joe"]), ("two", ["joe"])]
    late = bus.add("i4")  # began when it was said already
    bus.run(0.1)
    assert [peer.id for peer in late.sync.peers.values() if peer.leaving] == ["i1"]


# ---- one instance, message by message --------------------------------------------------------


class One:
    """An instance whose peers are the test: it says what they say, and reads what is said to them."""

    def __init__(self) -> None:
        self.bus = Bus()
        # All work is short by this clock.
        self.node = Node(self.bus, "i1", Slicer(self.bus.later, lambda: self.bus.now))
        self.sync = self.node.sync
        self.sync.announce()
        self.bus.messages.clear()

    def hear(self, *messages: PeerMessage) -> None:
        for message in messages:
            self.sync.receive(encode_peer_message(message))

    def said(self) -> list[PeerMessage]:
        """What was said since the last time."""
        said = [decode_peer_message(body) for _, body in self.bus.messages]
        self.bus.messages.clear()
        return said

    def known(self, seq: int = 5) -> RemotePeer:
        """A peer, in step at a version."""
        self.hear(State("i2", "e2", seq, []))
        self.said()
        return self.sync.peers["e2"]


def sessions(seq: int, *ids: str) -> Delta:
    return Delta("i2", "e2", seq, [(id, "joe") for id in ids])


def test_a_delta_is_applied_in_its_turn_once_and_acknowledged() -> None:
    one = One()
    peer = one.known(5)
    one.hear(sessions(6, "a"))
    assert (peer.seq, one.node.sees("joe")) == (6, {"a"})
    assert one.said() == [Ack("i1", one.sync.epoch, 6)]
    one.hear(Delta("i2", "e2", 6, [("b", "joe")]), sessions(5, "c"))
    assert (peer.seq, one.node.sees("joe")) == (6, {"a"}), "what is known is not applied again"
    assert one.said() == [Ack("i1", one.sync.epoch, 6)] * 2
    one.hear(sessions(8, "d"))
    assert (peer.seq, one.node.sees("joe")) == (6, {"a"}), "the seventh is missing"
    assert one.said() == [Want("i1", one.sync.epoch)]


def test_a_delta_takes_away_before_it_adds_and_tells_subscriptions_of_who_is_there() -> None:
    one = One()
    peer = one.known(5)
    one.hear(sessions(6, "a", "b"))
    one.bus.now += 1
    one.hear(
        Delta("i2", "e2", 7, [("a", "ann")], ["a", "b"], {"a": (("0", "/x"),), "unknown": (("0", "/x"),)})
    )
    assert peer.sessions == {"a": "ann"}
    assert peer.subscriptions == {"a": (("0", "/x"),)}
    assert peer.told_at == one.bus.now


def test_from_a_stranger_the_whole_state_is_wanted_once_and_again_a_little_later() -> None:
    one = One()
    one.hear(sessions(1, "a"), sessions(2, "b"))
    assert one.said() == [Want("i1", one.sync.epoch)]
    one.bus.now += 0.19
    one.hear(sessions(3, "c"))
    assert one.said() == []
    one.bus.now += 0.02
    one.hear(sessions(4, "d"))
    assert one.said() == [Want("i1", one.sync.epoch)]
    assert one.node.sees("joe") == set()


def test_a_sign_of_life_with_another_version_shows_that_something_was_missed() -> None:
    one = One()
    one.known(5)
    one.hear(Alive("i2", "e2", 5), Hello("i2", "e2", 5))
    assert [type(each) for each in one.said()] == [State]
    one.hear(Alive("i2", "e2", 6))
    assert one.said() == [Want("i1", one.sync.epoch)]
    one.bus.now += 1
    one.hear(Hello("i2", "e2", 4))
    assert [type(each) for each in one.said()] == [State, Want]


def test_what_changes_while_a_state_comes_waits_for_its_last_part() -> None:
    one = One()
    one.hear(State("i2", "e2", 5, [("a", "joe", ())], 0, last=False))
    one.said()
    one.hear(sessions(6, "b"), sessions(5, "old"))
    peer = one.sync.peers["e2"]
    assert set(peer.sessions) == {"a"}
    one.hear(State("i2", "e2", 5, [("c", "joe", ())], 1))
    assert (peer.seq, set(peer.sessions)) == (6, {"a", "b", "c"})
    assert one.said()[-1] == Ack("i1", one.sync.epoch, 6)


def test_while_parts_come_the_state_is_not_wanted_again_and_after_silence_it_is() -> None:
    one = One()
    one.hear(State("i2", "e2", 5, [], 0, last=False))
    one.said()
    one.bus.now += 0.9
    one.hear(Alive("i2", "e2", 5))
    assert one.said() == []
    one.bus.now += 0.2
    one.hear(Alive("i2", "e2", 5))
    assert one.said() == [Want("i1", one.sync.epoch)]


def test_a_part_that_does_not_follow_ends_the_state_and_it_is_wanted_anew() -> None:
    one = One()
    one.hear(State("i2", "e2", 5, [], 0, last=False))
    one.said()
    one.hear(State("i2", "e2", 5, [("a", "joe", ())], 2))
    assert one.said() == [Want("i1", one.sync.epoch)]
    assert one.node.sees("joe") == set()
    one.hear(State("i2", "e2", 4, [("a", "joe", ())], 1))
    assert one.node.sees("joe") == set()


def test_an_old_state_changes_nothing_and_is_acknowledged() -> None:
    one = One()
    peer = one.known(5)
    one.hear(sessions(6, "a"), State("i2", "e2", 5, []))
    assert (peer.seq, one.node.sees("joe")) == (6, {"a"})
    assert one.said()[-1] == Ack("i1", one.sync.epoch, 6)


def test_an_acknowledgement_of_less_than_before_takes_nothing_back() -> None:
    one = One()
    peer = one.known()
    seq = one.sync.changes.seq
    one.hear(Ack("i2", "e2", seq))
    assert one.sync.up_to_date(seq)
    one.hear(Ack("i2", "e2", seq - 1))
    assert peer.acked == seq
    assert not one.sync.up_to_date(seq + 1)


def test_an_acknowledgement_lets_the_next_version_go_at_once() -> None:
    one = One()
    one.known()
    one.node.joins("joe", "s1")
    assert one.said() == []
    one.hear(Ack("i2", "e2", one.sync.changes.seq - 1))
    assert one.said() == [], "not yet all is known"
    one.hear(Ack("i2", "e2", one.sync.changes.seq))
    assert [type(each) for each in one.said()] == [Delta]


def test_the_last_words_of_who_has_gone_are_not_heard_for_a_second() -> None:
    one = One()
    one.known()
    one.hear(Bye("i2", "e2"), sessions(6, "a"))
    assert (one.sync.peers, one.said()) == ({}, [])
    one.bus.now += 1.1
    one.hear(Bye("i2", "e2"))
    assert one.sync.peers == {}
    one.hear(sessions(7, "a"))
    assert set(one.sync.peers) == {"e2"}, "it is there after all"


def test_who_says_hello_is_there_again_at_once() -> None:
    one = One()
    one.known()
    one.hear(Bye("i2", "e2"), Hello("i2", "e2", 5))
    assert set(one.sync.peers) == {"e2"}


def test_a_peer_that_leaves_is_noted_and_who_still_comes_to_it_too() -> None:
    one = One()
    peer = one.known()
    moving: list[list[str]] = []
    one.sync.on_leaving = lambda users: moving.append(list(users))
    one.hear(sessions(6, "a"), Delta("i2", "e2", 7, leaving=True))
    assert (peer.leaving, moving) == (True, [["joe"]])
    one.hear(Delta("i2", "e2", 8, [("b", "ann")]), Delta("i2", "e2", 9, [], ["b"]))
    assert moving[1:] == [["ann"]]


def test_our_own_echo_is_not_counted_and_others_are() -> None:
    one = One()
    one.hear(Alive("i1", one.sync.epoch, 99))
    assert (one.node.counters.registry_messages, one.sync.peers) == (0, {})
    one.hear(Alive("i2", "e2", 1))
    assert one.node.counters.registry_messages == 1


def test_a_sign_of_life_every_half_second_and_no_oftener() -> None:
    one = One()
    signs: list[float] = []
    for _ in range(24):
        one.bus.now += 0.125
        one.sync.tick()
        signs += [one.bus.now for each in one.said() if each == Alive("i1", one.sync.epoch, 1)]
    assert signs == [100.5, 101.0, 101.5, 102.0, 102.5, 103.0]


@pytest.mark.parametrize(("silent", "suspect"), [(1.5, False), (1.6, True)])
def test_a_peer_is_suspect_after_its_silence(silent: float, suspect: bool) -> None:
    one = One()
    peer = one.known()
    for _ in range(3):
        one.bus.now += silent / 3
        one.sync.tick()
    assert peer.suspect is suspect
    one.hear(Alive("i2", "e2", 5))
    assert not peer.suspect


def test_a_peer_that_is_forgotten_has_lapsed_and_one_that_says_goodbye_has_not() -> None:
    one = One()
    one.known()
    one.hear(sessions(6, "a"))
    for _ in range(11):
        one.bus.now += 0.5
        one.sync.tick()
    assert one.sync.peers == {}
    assert one.node.registry.lapsed("joe")
    one.hear(State("i3", "e3", 1, [("b", "ann", ())]), Bye("i3", "e3"))
    assert not one.node.registry.lapsed("ann")


def test_without_discovery_peers_have_a_moment_to_speak_up() -> None:
    bus = Bus()
    node = Node(bus, "i1")
    node.sync.announce()
    node.sync.listen()
    over: list[float] = []
    node.sync.when_in_step(lambda: over.append(bus.now))
    bus.run(0.1)
    assert over == []
    node.sync.receive(encode_peer_message(Alive("i2", "e2", 1)))
    bus.run(0.2)
    assert over == [], "who has spoken up is waited for"
    node.sync.receive(encode_peer_message(State("i2", "e2", 1, [])))
    assert len(over) == 1
    alone = Node(bus, "i9")
    alone.sync.announce()
    alone.sync.listen()
    bus.run(0.1)
    assert not alone.sync.in_step(bus.now)
    bus.run(0.1)
    assert alone.sync.in_step(bus.now)


def test_what_is_too_much_to_wait_is_seen_as_a_gap_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "_MOST_WAITING", 2)
    one = One()
    one.hear(State("i2", "e2", 5, [], 0, last=False))
    one.hear(*(sessions(seq, f"s{seq}") for seq in (6, 7, 8)))
    one.hear(State("i2", "e2", 5, [], 1))
    assert one.sync.peers["e2"].seq == 7
    one.said()
    one.hear(sessions(9, "s9"))
    assert Want("i1", one.sync.epoch) in one.said()


@pytest.mark.parametrize(
    ("message", "tag"),
    [
        (Hello("i1", "e1", 7), "hello"),
        (State("i1", "e1", 7, [("s", "joe", (("0", "/a"),))], 2, last=False, leaving=True), "state"),
        (Delta("i1", "e1", 7, [("s", "joe")], ["t"], {"s": (("0", "/a"),)}, leaving=True), "delta"),
        (Ack("i1", "e1", 7), "ack"),
        (Alive("i1", "e1", 7), "alive"),
        (Want("i1", "e1"), "want"),
        (Bye("i1", "e1"), "bye"),
    ],
)
def test_what_is_said_is_understood_as_it_was_meant_and_cannot_be_changed(
    message: PeerMessage, tag: str
) -> None:
    encoded = encode_peer_message(message)
    assert decode_peer_message(encoded) == message
    assert f'"type":"{tag}"' in encoded.decode()
    with pytest.raises(AttributeError):
        message.id = "other"  # type: ignore[misc]

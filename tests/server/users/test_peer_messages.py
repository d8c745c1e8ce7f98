"""The peers' protocol message by message: what one instance does and says about what it hears."""

from __future__ import annotations

import pytest

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
from server.users.registry import RemotePeer
from server.users.slices import Slicer

from ...support.peer_bus import Bus, Node


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


def test_a_peer_whose_users_are_at_version_zero_has_told_them() -> None:
    one = One()
    one.known(0)
    one.sync.expect(frozenset({"i1", "i2"}))
    assert one.sync.in_step(one.bus.now)
    one.sync.expect(frozenset({"i3"}))
    assert not one.sync.in_step(one.bus.now)

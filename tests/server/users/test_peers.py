"""The peers' protocol on a bus that delivers, delays and drops, with a clock that is turned by hand."""

from __future__ import annotations

import pytest

from server.users.peers import ALIVE_EVERY_S, FORGET_AFTER_S, SUSPECT_AFTER_S

from ...support.peer_bus import Bus, Node


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

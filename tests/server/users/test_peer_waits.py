"""What is waited for from peers: versions that they are to know, states that they are to tell."""

from __future__ import annotations

import pytest

from server.users.peer_waits import StateWaits, VersionWaits


class Versions:
    """Waits, and which of them were called back, in order."""

    def __init__(self) -> None:
        self.waits = VersionWaits()
        self.called: list[str] = []

    def add(self, name: str, version: int, deadline: float = 100.0) -> None:
        self.waits.add(version, deadline, lambda: self.called.append(name))


def test_versions_up_to_the_known_one_are_called_back_in_their_order() -> None:
    versions = Versions()
    for name, version in (("c", 3), ("a", 1), ("b1", 2), ("b2", 2)):
        versions.add(name, version)
    versions.waits.release(0, now=0.0)
    assert versions.called == []
    versions.waits.release(2, now=0.0)
    assert versions.called == ["a", "b1", "b2"]
    versions.waits.release(9, now=0.0)
    versions.waits.release(9, now=0.0)
    assert versions.called == ["a", "b1", "b2", "c"]


def test_a_deadline_ends_the_wait_of_its_own_callback_only(caplog: pytest.LogCaptureFixture) -> None:
    versions = Versions()
    versions.add("long", 1, deadline=20.0)
    versions.add("short", 2, deadline=10.0)
    versions.add("short too", 4, deadline=10.0)
    versions.add("last", 3, deadline=30.0)
    versions.waits.release(0, now=9.9)
    assert (versions.called, caplog.records) == ([], [])
    versions.waits.release(0, now=10.0)
    assert versions.called == ["short", "short too"]
    assert [record.getMessage() for record in caplog.records] == [
        "2 receipts were sent although a peer did not answer in time"
    ]
    versions.waits.release(1, now=10.0)
    assert versions.called[2:] == ["long"]
    versions.waits.release(0, now=30.0)
    assert versions.called[3:] == ["last"]
    assert len(caplog.records) == 2


def test_what_is_known_in_time_is_not_late(caplog: pytest.LogCaptureFixture) -> None:
    versions = Versions()
    versions.add("a", 1, deadline=10.0)
    versions.waits.release(1, now=10.0)
    assert versions.called == ["a"]
    assert not caplog.records


def test_callbacks_of_equal_version_and_deadline_keep_their_order() -> None:
    versions = Versions()
    for name in "abcd":
        versions.add(name, 1)
    versions.waits.release(1, now=0.0)
    assert versions.called == list("abcd")


class States:
    """The other kind."""

    def __init__(self) -> None:
        self.waits = StateWaits()
        self.over: list[str] = []

    def when_over(self, name: str) -> None:
        self.waits.when_over(lambda: self.over.append(name))


def test_before_anybody_was_asked_nothing_is_over() -> None:
    states = States()
    states.when_over("a")
    states.waits.told("x")
    states.waits.expire(1e12)
    assert not states.waits.over
    assert states.over == []
    states.waits.begin((), 5.0)
    assert states.waits.over
    assert states.over == ["a"]
    states.when_over("b")
    assert states.over == ["a", "b"], "at once, and the first one not again"


def test_all_are_waited_for_who_were_asked_first_or_added() -> None:
    states = States()
    states.waits.begin({"one", "two"}, 5.0)
    states.waits.add({"three"}, 6.0)
    states.when_over("a")
    states.waits.told("one", "nobody")
    states.waits.told("three")
    assert not states.waits.over
    states.waits.told("two")
    assert states.waits.over
    assert states.over == ["a"]
    states.waits.told("two")
    assert states.over == ["a"]


def test_who_asks_anew_waits_for_the_new_ones_only() -> None:
    states = States()
    states.waits.begin({"one"}, 5.0)
    states.waits.begin({"two"}, 5.0)
    states.waits.told("two")
    assert states.waits.over


def test_the_wait_ends_at_the_newest_deadline(caplog: pytest.LogCaptureFixture) -> None:
    states = States()
    states.waits.begin({"one", "two"}, 5.0)
    states.waits.add({"three"}, 6.0)
    states.when_over("a")
    states.waits.expire(5.9)
    assert not states.waits.over
    states.waits.expire(6.0)
    assert states.waits.over
    assert states.over == ["a"]
    states.waits.expire(7.0)
    assert [record.getMessage() for record in caplog.records] == ["3 peers did not tell their users in time"]

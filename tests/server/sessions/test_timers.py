"""The wheel: whom it looks at, and when."""

from __future__ import annotations

import pytest

from server.sessions.session import Session
from server.sessions.timers import TICK_S, SessionWheel

from ...support.session_bench import SessionBench


class Bench:
    """A wheel, and whom it looked at."""

    def __init__(self) -> None:
        self.looked: list[tuple[str, float]] = []
        self.again: dict[str, float] = {}
        self.ends: set[str] = set()
        self.wheel = SessionWheel(self._look)
        self._sessions = SessionBench()

    def session(self, id: str) -> Session:
        return self._sessions.session(id)

    def turn(self, now: float) -> list[str]:
        """Turn the wheel; who was looked at."""
        before = len(self.looked)
        self.wheel.turn(now)
        return [id for id, _ in self.looked[before:]]

    def _look(self, session: Session, now: float) -> float | None:
        self.looked.append((session.id, now))
        if session.id in self.ends:
            session.end()
        return self.again.get(session.id)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_session_is_looked_at_once_when_it_is_due_and_not_before(bench: Bench) -> None:
    bench.wheel.add(bench.session("a"), 10.0)
    assert bench.turn(10.0 - TICK_S) == bench.turn(10.0) == []
    assert bench.turn(10.0 + TICK_S) == ["a"]
    assert bench.looked == [("a", 10.0 + TICK_S)]
    assert bench.turn(20.0) == []


def test_a_turn_that_comes_late_looks_at_all_who_are_due(bench: Bench) -> None:
    for id, at in (("a", 1.0), ("b", 2.0), ("c", 9.0)):
        bench.wheel.add(bench.session(id), at)
    assert sorted(bench.turn(5.0)) == ["a", "b"]
    assert bench.turn(9.5) == ["c"]


def test_the_look_says_when_to_look_again(bench: Bench) -> None:
    bench.again["a"] = 20.0
    session = bench.session("a")
    bench.wheel.add(session, 10.0)
    assert bench.turn(11.0) == ["a"]
    assert session.slot
    assert bench.turn(19.9) == []
    assert bench.turn(20.5) == ["a"]


def test_an_earlier_time_replaces_a_later_one_and_not_the_other_way_round(bench: Bench) -> None:
    session = bench.session("a")
    bench.wheel.add(session, 10.0)
    bench.wheel.add(session, 20.0)
    assert bench.turn(11.0) == ["a"]
    bench.wheel.add(session, 30.0)
    bench.wheel.add(session, 20.0)
    assert bench.turn(21.0) == ["a"]
    assert bench.turn(40.0) == [], "its later place is empty"


def test_a_session_that_is_removed_is_not_looked_at(bench: Bench) -> None:
    one, two = bench.session("a"), bench.session("b")
    bench.wheel.add(one, 10.0)
    bench.wheel.add(two, 10.0)
    bench.wheel.remove(one)
    bench.wheel.remove(bench.session("never added"))
    assert one.slot == 0
    assert bench.turn(11.0) == ["b"]
    bench.wheel.add(one, 12.0)
    assert bench.turn(13.0) == ["a"], "it may come back"


def test_who_has_ended_is_neither_looked_at_nor_kept(bench: Bench) -> None:
    bench.again["b"] = 20.0
    bench.ends.add("b")
    gone, ends = bench.session("a"), bench.session("b")
    bench.wheel.add(gone, 10.0)
    bench.wheel.add(ends, 10.0)
    gone.end()
    assert bench.turn(11.0) == ["b"]
    assert (gone.slot, ends.slot) == (0, 0)
    assert bench.turn(30.0) == []

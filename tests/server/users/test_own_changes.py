"""What our own users did, in versions: what is in a delta, when it is published, and in which order."""

from __future__ import annotations

from collections.abc import Callable

from server.sessions.session import Session
from server.sessions.subscription import Kind, Subscription
from server.settings.instance import InstanceSettings
from server.users.own_changes import OwnChanges
from server.users.peer_messages import Delta

from ...support.session_bench import SessionBench


class Bench:
    """Changes, what was told of them, and the timers that are to run."""

    def __init__(self) -> None:
        self.told: list[Delta] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.acknowledged = True
        self.changes = OwnChanges(InstanceSettings(id="i1"), "e1", self, self._later)
        self._sessions = SessionBench()

    def up_to_date(self, seq: int) -> bool:
        return self.acknowledged

    def tell(self, delta: Delta) -> None:
        self.told.append(delta)

    def session(self, id: str, user: str = "joe", *subscriptions: str) -> Session:
        session = self._sessions.session(id, user)
        for at in subscriptions:
            session.subscriptions[at] = Subscription(at, f"/topic/{at}", f"/topic/{at}", Kind.TOPIC)
        return session

    def run(self) -> list[float]:
        """Run the timers; returns how long they were to wait."""
        timers, self.timers = self.timers, []
        for _, call in timers:
            call()
        return [delay for delay, _ in timers]

    def _later(self, delay: float, call: Callable[[], None]) -> None:
        self.timers.append((delay, call))


def test_who_came_is_in_the_version_that_was_promised() -> None:
    bench = Bench()
    one, two = bench.session("s1"), bench.session("s2", "")
    bench.changes.joined(one)
    bench.changes.joined(two)
    assert (one.joined_seq, two.joined_seq, bench.changes.seq) == (1, 1, 0)
    assert bench.told == []
    assert bench.run() == [0], "one timer for both, at once when all know the version before"
    assert bench.told == [Delta("i1", "e1", 1, [("s1", "joe"), ("s2", "")])]
    assert bench.changes.seq == 1
    bench.changes.flush()
    assert len(bench.told) == 1, "there is nothing more to tell"


def test_while_the_version_before_is_not_acknowledged_changes_are_gathered_a_little() -> None:
    bench = Bench()
    bench.acknowledged = False
    bench.changes.joined(bench.session("s1"))
    assert bench.run() == [0.005]
    bench.changes.left(bench.session("s9"))
    bench.changes.joined(bench.session("s2"))
    assert bench.run() == [0.005], "and again for the next one"
    assert bench.told[1:] == [Delta("i1", "e1", 2, [("s2", "joe")], ["s9"])]
    assert [delta.seq for delta in bench.told] == [1, 2]


def test_who_went_before_anybody_was_told_was_never_there() -> None:
    bench = Bench()
    session = bench.session("s1", "joe", "a")
    bench.changes.joined(session)
    bench.changes.resubscribed(session)
    bench.changes.left(session)
    bench.run()
    assert bench.told == []
    assert bench.changes.seq == 0


def test_who_went_later_is_told_to_have_left() -> None:
    bench = Bench()
    session = bench.session("s1", "joe", "a")
    bench.changes.joined(session)
    bench.run()
    bench.changes.resubscribed(session)
    bench.changes.left(session)
    bench.run()
    assert bench.told[1:] == [Delta("i1", "e1", 2, [], ["s1"])]


def test_subscriptions_wait_longer_and_are_told_whole_and_once() -> None:
    bench = Bench()
    session = bench.session("s1", "joe", "a", "b")
    bench.changes.resubscribed(session)
    bench.changes.resubscribed(session)
    assert bench.run() == [0.1]
    assert bench.told == [Delta("i1", "e1", 1, subs={"s1": (("a", "/topic/a"), ("b", "/topic/b"))})]
    session.subscriptions.clear()
    bench.changes.resubscribed(session)
    assert bench.run() == [0.1]
    assert bench.told[1:] == [Delta("i1", "e1", 2, subs={"s1": ()})]


def test_a_delta_that_goes_anyway_takes_the_subscriptions_along() -> None:
    bench = Bench()
    session = bench.session("s1", "joe", "a")
    bench.changes.resubscribed(session)
    bench.changes.joined(session)
    assert bench.run() == [0.1, 0]
    assert bench.told == [Delta("i1", "e1", 1, [("s1", "joe")], [], {"s1": (("a", "/topic/a"),)})]


def test_many_sessions_that_resubscribe_are_told_in_several_versions() -> None:
    bench = Bench()
    for number in range(600):
        bench.changes.resubscribed(bench.session(f"s{number}", "joe", "a"))
    rounds = 0
    while bench.timers:
        bench.run()
        rounds += 1
    assert [len(delta.subs) for delta in bench.told] == [250, 250, 100]
    assert [delta.seq for delta in bench.told] == [1, 2, 3]
    assert len({id for delta in bench.told for id in delta.subs}) == 600
    assert rounds == 3


def test_to_begin_anew_is_a_version_and_what_waited_is_in_the_state_by_then() -> None:
    bench = Bench()
    session = bench.session("s1", "joe", "a")
    bench.changes.joined(session)
    bench.changes.resubscribed(session)
    bench.changes.left(bench.session("s9"))
    assert bench.changes.begin_anew() == bench.changes.seq == 1
    bench.run()
    assert bench.told == []
    assert bench.changes.begin_anew() == 2


def test_to_leave_is_the_last_version_and_says_so() -> None:
    bench = Bench()
    assert not bench.changes.leaving
    bench.changes.joined(bench.session("s1"))
    assert bench.changes.leave() == bench.changes.seq == 2
    assert bench.changes.leaving
    assert bench.told == [
        Delta("i1", "e1", 1, [("s1", "joe")]),
        Delta("i1", "e1", 2, leaving=True),
    ]

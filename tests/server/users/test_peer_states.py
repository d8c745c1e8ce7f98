"""Full states in parts: which parts are sent, with what in them, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from server.settings.instance import InstanceSettings
from server.users.peer_messages import State
from server.users.peer_states import Incoming, StateSender
from server.users.registry import RemotePeer, UserRegistry
from server.users.slices import Slicer

from ...support.session_bench import SessionBench, subscribe_queue


class Bench:
    """A sender whose work goes on by hand."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, State]] = []
        self.turn: list[Callable[[], None]] = []
        self.registry = UserRegistry()
        self.begun = 0
        self.ticks = iter(range(10**6))
        self.settings = InstanceSettings(id="i1")
        self.sender = StateSender(
            self.settings,
            "e1",
            self.registry,
            # Every look at the clock is a second: a step of work for each turn.
            Slicer(lambda _, call: self.turn.append(call), lambda: next(self.ticks) / 2000),
            self._begin,
            lambda destination, state: self.sent.append((destination, state)),
        )
        self._sessions = SessionBench()

    def join(self, ids: Iterable[str]) -> None:
        for id in ids:
            session = self._sessions.session(id, f"user of {id}")
            subscribe_queue(session, "/user/queue/x", f"/queue/x-user{id}")
            self.registry.add_local(session)

    def run(self) -> None:
        while self.turn:
            self.turn.pop(0)()

    def _begin(self) -> tuple[int, bool]:
        self.begun += 1
        return 7, True


def test_without_a_session_a_state_is_one_empty_part() -> None:
    bench = Bench()
    bench.sender.send("e2")
    bench.run()
    assert bench.sent == [
        (bench.settings.peer_destination("e2"), State("i1", "e1", 7, [], 0, True, leaving=True))
    ]


def test_parts_are_numbered_and_hold_each_session_once() -> None:
    bench = Bench()
    ids = [f"s{number}" for number in range(450)]
    bench.join(ids)
    bench.sender.send("e2")
    assert len(bench.sent) == 1, "the rest comes in later turns"
    bench.run()
    states = [state for _, state in bench.sent]
    assert [len(state.sessions) for state in states] == [200, 200, 50]
    assert [(state.part, state.last) for state in states] == [(0, False), (1, False), (2, True)]
    assert {state.seq for state in states} == {7}
    rows = [row for state in states for row in state.sessions]
    assert rows == [(id, f"user of {id}", (("q", "/user/queue/x"),)) for id in ids]
    assert bench.begun == 1


def test_a_full_part_is_the_last_one_if_nothing_follows() -> None:
    bench = Bench()
    bench.join(f"s{number}" for number in range(200))
    bench.sender.send("e2")
    bench.run()
    assert [(state.part, state.last) for _, state in bench.sent] == [(0, True)]


def test_what_is_about_to_be_sent_is_not_sent_twice() -> None:
    bench = Bench()
    bench.join(f"s{number}" for number in range(450))
    bench.sender.send("e2")
    bench.sender.send("e3")
    bench.sender.send("e3")
    bench.run()
    assert [destination[-2:] for destination, _ in bench.sent] == ["e2"] * 3 + ["e3"] * 3
    bench.sender.send("e3")
    bench.run()
    assert len(bench.sent) == 9, "asked for later it is sent again"


def test_parts_are_applied_in_order_and_the_last_one_ends_what_is_not_in_them() -> None:
    registry, peer, incoming = UserRegistry(), RemotePeer("i2", "e2", now=0.0), Incoming(5)
    registry.add_remote(peer, "old", "ann")
    registry.add_remote(peer, "a", "joe")
    first = State("i2", "e2", 5, [("a", "joe", (("0", "/topic/x"),))], 0, last=False)
    assert not incoming.apply(registry, peer, first, now=1.0)
    assert (incoming.part, incoming.heard_at, peer.seq) == (1, 1.0, -1)
    assert set(peer.sessions) == {"old", "a"}
    assert peer.told_at == 0.0
    assert incoming.apply(registry, peer, State("i2", "e2", 5, [("b", "joe", ())], 1), now=2.0)
    assert (incoming.part, peer.seq, peer.told_at) == (2, 5, 2.0)
    assert peer.sessions == {"a": "joe", "b": "joe"}
    assert peer.subscriptions == {"a": (("0", "/topic/x"),)}
    assert not registry.places("ann")

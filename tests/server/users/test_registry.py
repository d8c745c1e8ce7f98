"""Who is where: what is known of sessions here and at peers, and what is told when it changes."""

from __future__ import annotations

import pytest

from server.sessions.session import Session
from server.users.registry import RemotePeer, UserRegistry

from ...support.session_bench import SessionBench


class Bench:
    """A registry, two peers, and what it said of changes."""

    def __init__(self) -> None:
        self.registry = UserRegistry()
        self.changed: list[str] = []
        self.resubscribed: list[str] = []
        self.registry.on_local_change = self.changed.append
        self.registry.on_subscriptions = lambda session: self.resubscribed.append(session.id)
        self.one, self.two = (RemotePeer(id, f"e-{id}", now=7.0) for id in ("i2", "i3"))
        self._sessions = SessionBench()

    def session(self, id: str, user: str = "joe") -> Session:
        return self._sessions.session(id, user)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_new_peer_has_told_nothing(bench: Bench) -> None:
    peer = bench.one
    assert (peer.kind, peer.seq, peer.acked, peer.heard_at, peer.told_at) == ("peer", -1, -1, 7.0, 7.0)
    assert (peer.suspect, peer.listed, peer.leaving, peer.want_again_at) == (False, False, False, 0.0)


def test_sessions_here_are_known_by_user_and_by_id(bench: Bench) -> None:
    registry = bench.registry
    one, two, anonymous = bench.session("s1"), bench.session("s2"), bench.session("s3", "")
    for session in (one, two, anonymous):
        registry.add_local(session)
    assert bench.changed == ["joe", "joe"]
    assert (len(registry), registry.local_users) == (1, 1)
    assert registry.places("joe") == registry.local("joe") == {"s1": one, "s2": two}
    assert registry.session("s3") is anonymous
    assert registry.resolve("joe") == registry.resolve_local("joe") == {"s1": one, "s2": two}
    assert registry.resolve("s3") == registry.resolve_local("s3") == {"s3": anonymous}
    assert registry.resolve("nobody") == registry.resolve_local("nobody") == registry.local("nobody") == {}
    assert registry.local_by_user() == {"joe": {"s1": one, "s2": two}}
    assert set(registry.local_sessions()) == {"s1", "s2", "s3"}


def test_the_last_session_takes_its_user_along(bench: Bench) -> None:
    registry = bench.registry
    one, two, anonymous = bench.session("s1"), bench.session("s2"), bench.session("s3", "")
    for session in (one, two, anonymous):
        registry.add_local(session)
    bench.changed.clear()
    assert registry.remove_local(one)
    assert (registry.places("joe"), registry.local_users) == ({"s2": two}, 1)
    assert registry.remove_local(two)
    assert (len(registry), registry.local_users, registry.local_by_user()) == (0, 0, {})
    assert bench.changed == ["joe", "joe"]
    assert registry.remove_local(anonymous)
    assert not registry.remove_local(one)
    assert bench.changed == ["joe", "joe"]
    assert registry.session("s3") is None


def test_changed_subscriptions_are_told_of_connected_sessions(bench: Bench) -> None:
    session, anonymous = bench.session("s1"), bench.session("s2", "")
    bench.registry.resubscribed(session)
    assert (bench.changed, bench.resubscribed) == ([], [])
    bench.registry.add_local(session)
    bench.registry.add_local(anonymous)
    bench.changed.clear()
    bench.registry.resubscribed(session)
    bench.registry.resubscribed(anonymous)
    assert (bench.changed, bench.resubscribed) == (["joe"], ["s1", "s2"])


def test_sessions_at_peers_are_known_and_forgotten_one_by_one(bench: Bench) -> None:
    registry = bench.registry
    registry.add_remote(bench.one, "r1", "joe", (("0", "/a"),))
    registry.add_remote(bench.two, "r2", "joe")
    registry.add_remote(bench.two, "r3", "")
    assert registry.places("joe") == {"r1": bench.one, "r2": bench.two}
    assert registry.peers() == [bench.one, bench.two]
    assert registry.session("r3") is bench.two
    assert registry.resolve("r3") == {"r3": bench.two}
    assert (len(registry), registry.local_users) == (1, 0)
    assert bench.one.subscriptions == {"r1": (("0", "/a"),)}
    registry.remove_remote(bench.one, "r1")
    assert (bench.one.subscriptions, registry.peers()) == ({}, [bench.two])
    registry.remove_remote(bench.one, "r1")
    registry.remove_remote(bench.two, "r3")
    assert registry.session("r3") is None
    assert registry.peers() == [bench.two]
    registry.remove_remote(bench.two, "r2")
    assert (len(registry), registry.peers(), dict(registry.users())) == (0, [], {})


def test_subscriptions_stay_until_others_are_told(bench: Bench) -> None:
    registry = bench.registry
    registry.add_remote(bench.one, "r1", "joe", (("0", "/a"),))
    registry.add_remote(bench.one, "r1", "joe")
    assert bench.one.subscriptions == {"r1": (("0", "/a"),)}
    registry.add_remote(bench.one, "r1", "joe", (("0", "/b"),))
    assert bench.one.subscriptions == {"r1": (("0", "/b"),)}
    registry.add_remote(bench.one, "r1", "joe", ())
    assert bench.one.subscriptions == {}
    registry.add_remote(bench.one, "r1", "joe", ())


def test_a_session_that_becomes_another_users_is_no_longer_the_first_ones(bench: Bench) -> None:
    bench.registry.add_remote(bench.one, "r1", "joe")
    bench.registry.add_remote(bench.one, "r1", "ann")
    assert (dict(bench.registry.places("joe")), dict(bench.registry.places("ann"))) == ({}, {"r1": bench.one})
    bench.registry.add_remote(bench.one, "r1", "")
    assert len(bench.registry) == 0
    bench.registry.add_remote(bench.one, "r1", "joe")
    assert set(bench.registry.places("joe")) == {"r1"}


def test_a_peer_that_claims_a_session_of_another_one_does_not_lose_it_for_both(bench: Bench) -> None:
    registry = bench.registry
    registry.add_remote(bench.one, "r1", "joe")
    registry.add_remote(bench.two, "r1", "joe")
    registry.remove_remote(bench.one, "r1")
    assert registry.places("joe") == {"r1": bench.two}


def test_who_lapsed_is_remembered_for_a_while_and_who_left_is_not(bench: Bench) -> None:
    registry = bench.registry
    registry.add_remote(bench.one, "r1", "joe", (("0", "/a"),))
    registry.add_remote(bench.one, "r2", "")
    registry.add_remote(bench.two, "r3", "ann")
    registry.clear_remote(bench.one, lapsed=True)
    registry.clear_remote(bench.two)
    assert (len(registry), registry.peers()) == (0, [])
    assert (bench.one.sessions, bench.one.subscriptions) == ({}, {})
    assert [registry.lapsed(name) for name in ("joe", "r1", "r2", "ann", "r3")] == [True] * 3 + [False] * 2
    registry.clear_remote(bench.one, lapsed=True)
    for number in range(8):
        assert registry.lapsed("joe"), "eight are remembered"
        registry.add_remote(bench.two, f"x{number}", "other")
        registry.clear_remote(bench.two, lapsed=True)
    assert not registry.lapsed("joe")


def test_before_each_lookup_what_has_expired_may_be_taken_away(bench: Bench) -> None:
    asked: list[int] = []
    bench.registry.before_lookup = lambda: asked.append(1)
    bench.registry.places("a")
    bench.registry.session("a")
    bench.registry.users()
    bench.registry.peers()
    assert len(asked) == 4
    bench.registry.resolve("a")
    assert len(asked) >= 5

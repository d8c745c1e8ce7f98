"""Lookups and what ``/info`` says about users, on the objects themselves."""

from __future__ import annotations

from server.messages.stages import Stage
from server.sessions.subscription import Kind, Subscription
from server.users.lookup import UserLookup
from server.users.registry import RemotePeer
from server.users.report import UsersReport
from server.users.slices import Slicer
from server.users.spring_registry import SpringRegistry
from server.users.undeliverable import Origin, Reason

from ...support.user_bench import UserBench


class Bench(UserBench):
    """Joe here and at i2, Ann at i2, somebody anonymous there."""

    def __init__(self) -> None:
        super().__init__()
        session = self.here("s1", listens="")
        session.subscriptions["0"] = Subscription("0", "/user/queue/a", "/queue/a-users1", Kind.QUEUE)
        self.registry.add_remote(self.peer, "r1", "joe", (("9", "/topic/b"),))
        self.registry.add_remote(self.peer, "r2", "ann")
        self.registry.add_remote(self.peer, "r3", "")
        self.lookup = UserLookup(self.registry, "i1")
        self.slicer = Slicer(self.clock.later, lambda: self.clock.now)
        self.peers: list[RemotePeer] = [self.peer]

    def report(self, spring: SpringRegistry | None = None) -> UsersReport:
        return UsersReport(
            "i1",
            self.registry,
            lambda: self.peers,
            spring,
            self.slicer,
            self.undeliverable,
            lambda: self.clock.now,
        )


def test_a_user_has_all_sessions_wherever_they_are() -> None:
    bench = Bench()
    joe = bench.lookup.user("joe")
    assert joe is not None and joe.name == "joe"
    here, there = joe.sessions
    assert (here.id, here.user, here.instance, here.here) == ("s1", "joe", "i1", True)
    assert (there.id, there.user, there.instance, there.here) == ("r1", "joe", "i2", False)
    (told,) = there.subscriptions
    assert (told.id, told.destination, told.session, told.user, told.instance) == (
        "9",
        "/topic/b",
        "r1",
        "joe",
        "i2",
    )
    assert bench.lookup.user("nobody") is None
    assert [user.name for user in bench.lookup.users()] == ["joe", "ann"]
    assert bench.lookup.user_count == 3, "joe counts on both, who has no name on none"


def test_a_session_is_found_by_its_id() -> None:
    bench = Bench()
    for id, user, instance in (("s1", "joe", "i1"), ("r2", "ann", "i2"), ("r3", "", "i2")):
        found = bench.lookup.session(id)
        assert found is not None
        assert (found.id, found.user, found.instance) == (id, user, instance)
    assert bench.lookup.session("joe") is None


def test_subscriptions_are_found_by_what_matches() -> None:
    bench = Bench()
    assert [each.destination for each in bench.lookup.find_subscriptions(lambda each: True)] == [
        "/user/queue/a",
        "/topic/b",
    ]
    (found,) = bench.lookup.find_subscriptions(lambda each: each.instance == "i2")
    assert found.session == "r1"


def test_who_is_where_is_bounded() -> None:
    bench = Bench()
    assert bench.lookup.where(5, 5) == {"joe": {"s1": "i1", "r1": "i2"}, "ann": {"r2": "i2"}}
    assert bench.lookup.where(1, 5) == {"joe": {"s1": "i1", "r1": "i2"}}
    assert bench.lookup.where(2, 1) == {"joe": {"s1": "i1"}, "ann": {"r2": "i2"}}
    assert bench.lookup.where(5, 2)["joe"] == {"s1": "i1", "r1": "i2"}
    assert bench.lookup.where(0, 5) == {}


# ---- the report ------------------------------------------------------------------------------


def test_where_says_what_it_left_out() -> None:
    bench = Bench()
    report = bench.report()
    assert report.where(most=1) == {"where": {"joe": {"s1": "i1", "r1": "i2"}}, "where_left_out": 1}
    assert report.where()["where_left_out"] == 0
    assert report.where(most=-1) == {"where": {}, "where_left_out": 2}
    assert report.where(most=5_000)["where_left_out"] == 0
    assert report.where("ann") == {"where": {"ann": {"r2": "i2"}}, "where_left_out": 0}
    assert report.where("r3") == {"where": {"r3": {"r3": "i2"}}, "where_left_out": 0}
    assert report.where("nobody") == {"where": {}, "where_left_out": 0}


def test_of_one_users_sessions_some_are_listed_and_of_one_asked_for_nearly_all() -> None:
    bench = Bench()
    for number in range(30):
        bench.there(f"x{number}", "many")
    assert len(bench.report().where()["where"]["many"]) == 20
    assert len(bench.report().where("many")["where"]["many"]) == 30


def test_many_users_are_listed_up_to_a_thousand() -> None:
    bench = Bench()
    for number in range(1_100):
        bench.there(f"x{number}", f"u{number}")
    assert len(bench.report().where(most=2_000)["where"]) == 1_000
    assert bench.report().where(most=2_000)["where_left_out"] == 102
    assert len(bench.report().where()["where"]) == 50


def test_the_report_says_how_old_a_peers_word_is() -> None:
    bench = Bench()
    bench.clock.now = 10.0
    bench.peer.heard_at, bench.peer.told_at, bench.peer.seq = 8.5, 4.25, 12
    bench.slicer.longest_s, bench.slicer.spent_s = 0.0123456, 0.5432101
    bench.undeliverable.note(Origin.PUSH, Reason.NO_SESSION, Stage.NO_SESSION)
    told = bench.report().as_dict()
    assert told["registry"] == {
        "users": 2,
        "sessions": 4,
        "peers": [
            {
                "id": "i2",
                "epoch": "e2",
                "kind": "peer",
                "sessions": 3,
                "suspect": False,
                "version": 12,
                "age_s": 1.5,
                "changed_s": 5.75,
            }
        ],
        "snapshots": {"active": False, "published": 0, "bytes": 0, "cost_ms": 0.0},
        "longest_slice_ms": 12.346,
        "work_ms": 543.21,
    }
    assert told["undeliverable"]["total"] == 1


def test_a_hundred_peers_are_listed_and_springs_are_among_them() -> None:
    bench = Bench()
    spring = SpringRegistry(
        bench.settings,
        bench.registry,
        "e1",
        bench.broker.publish,
        bench.clock.later,
        lambda: bench.clock.now,
        bench.slicer,
    )
    spring.receive({}, b'{"id":"far","userMap":{"eve":{"name":"eve","sessions":[{"id":"z"}]}}}')
    spring.published, spring.size, spring.cost_s = 3, 70, 0.0023456
    told = bench.report(spring).as_dict()["registry"]
    assert [(peer["id"], peer["kind"]) for peer in told["peers"]] == [("i2", "peer"), ("far", "spring")]
    assert told["sessions"] == 5
    assert told["snapshots"] == {"active": True, "published": 3, "bytes": 70, "cost_ms": 2.346}
    bench.peers = [RemotePeer(f"i{number}", "e", now=0.0) for number in range(120)]
    assert len(bench.report(spring).as_dict()["registry"]["peers"]) == 100

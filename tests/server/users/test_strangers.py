"""What foreign instances said of their users, for how long it is believed, and what is changed by it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import msgspec
import pytest

from server.users import strangers
from server.users.registry import UserRegistry
from server.users.slices import Slicer
from server.users.spring_json import (
    decode_snapshot,
    decode_user,
    encode_entry,
    join_snapshot,
    resembles_snapshot,
)
from server.users.spring_snapshot import LocalSnapshot
from server.users.strangers import EXPIRES_AFTER_S, Strangers

from ...support.session_bench import SessionBench, subscribe_queue


class Bench:
    """Strangers with a clock of the test."""

    def __init__(self) -> None:
        self.now = 100.0
        self.registry = UserRegistry()
        self.odd: list[tuple[str, str]] = []
        self.known = Strangers(
            self.registry,
            Slicer(lambda _, call: call(), lambda: self.now),
            lambda: self.now,
            lambda id, what: self.odd.append((id, what)),
        )

    def hear(self, id: str, **users: list[str]) -> bool:
        """A snapshot: session ids by user."""
        content = {
            "id": id,
            "userMap": {
                user: {"name": user, "sessions": [{"id": each} for each in ids]}
                for user, ids in users.items()
            },
        }
        return self.known.hear(decode_snapshot(msgspec.json.encode(content)))

    def sees(self, user: str) -> set[str]:
        return set(self.registry.places(user))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_first_snapshot_of_each_is_new(bench: Bench) -> None:
    assert bench.hear("one", joe=["a"])
    assert not bench.hear("one", joe=["a"])
    assert bench.hear("two", joe=["b"])
    assert [stranger.id for stranger in bench.known] == ["one", "two"]
    assert len(bench.known) == 2
    assert bench.sees("joe") == {"a", "b"}
    (stranger, _) = bench.known
    assert (stranger.kind, stranger.epoch, stranger.busy, stranger.gone) == ("spring", "one", False, False)


def test_a_snapshot_replaces_what_was_said_before(bench: Bench) -> None:
    bench.hear("one", joe=["a", "b"], ann=["c"])
    bench.now += 1
    bench.hear("one", joe=["b", "d"], eve=["e"])
    assert (bench.sees("joe"), bench.sees("ann"), bench.sees("eve")) == ({"b", "d"}, set(), {"e"})
    (stranger,) = bench.known
    assert (stranger.heard_at, stranger.told_at) == (101.0, 101.0)


def test_a_session_that_became_another_users_stays_the_new_ones(bench: Bench) -> None:
    bench.hear("one", joe=["a"], ann=["b"])
    bench.hear("one", ann=["b", "a"])
    assert (bench.sees("joe"), bench.sees("ann")) == (set(), {"a", "b"})


def test_what_was_said_is_believed_for_twenty_seconds(bench: Bench) -> None:
    bench.hear("one", joe=["a"])
    bench.now += 10
    bench.hear("two", ann=["b"])
    bench.now = 100 + EXPIRES_AFTER_S
    assert bench.sees("joe") == {"a"}, "exactly as long"
    bench.now += 0.1
    assert bench.sees("joe") == set(), "a lookup is enough"
    assert (bench.registry.lapsed("joe"), bench.registry.lapsed("ann")) == (True, False)
    assert bench.sees("ann") == {"b"}
    bench.now += 10
    bench.known.expire()
    assert len(bench.known) == 0
    assert bench.registry.before_lookup is None
    assert bench.hear("one", joe=["a"]), "it is new again"
    assert bench.registry.before_lookup is not None
    assert bench.sees("joe") == {"a"}


def test_who_goes_on_speaking_is_believed_on(bench: Bench) -> None:
    for _ in range(5):
        bench.hear("one", joe=["a"])
        bench.now += 15
        assert bench.sees("joe") == {"a"}


def test_so_many_foreign_instances_are_believed_and_no_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert strangers.MOST_STRANGERS == 256
    monkeypatch.setattr(strangers, "MOST_STRANGERS", 2)
    assert bench.hear("one") and bench.hear("two", joe=["a"])
    assert not bench.hear("three", joe=["b"])
    assert bench.odd == [("three", "there are 2 other foreign instances already")]
    assert not bench.hear("two", joe=["c"]), "who is known is heard"
    assert bench.sees("joe") == {"c"}


def test_a_user_that_is_odd_does_not_keep_the_others_from_being_known(bench: Bench) -> None:
    users = {"joe": {"name": "joe", "sessions": 7}, "ann": {"name": "ann", "sessions": [{"id": "b"}]}}
    odd = msgspec.json.encode({"id": "one", "userMap": users})
    bench.hear("one", joe=["a"])
    bench.known.hear(decode_snapshot(odd))
    assert (bench.sees("joe"), bench.sees("ann")) == (set(), {"b"})
    ((id, what),) = bench.odd
    assert id == "one" and what.startswith("user 'joe': ")


# ---- the JSON --------------------------------------------------------------------------------


def test_an_entry_is_what_spring_writes_and_is_read_again() -> None:
    session = SessionBench().session("s1", "joe")
    subscribe_queue(session, "/user/queue/x", "/queue/x-users1", "0")
    entry = encode_entry('jo"e', [session])
    body = join_snapshot("i1-e", [entry, encode_entry("ann", [])])
    assert msgspec.json.decode(body) == {
        "id": "i1-e",
        "userMap": {
            'jo"e': {
                "name": 'jo"e',
                "sessions": [{"id": "s1", "subscriptions": [{"id": "0", "destination": "/user/queue/x"}]}],
            },
            "ann": {"name": "ann", "sessions": []},
        },
    }
    snapshot = decode_snapshot(body)
    assert decode_user(snapshot.userMap['jo"e']) == {"s1": (("0", "/user/queue/x"),)}
    assert join_snapshot("i1", ()) == b'{"id":"i1","userMap":{}}'


@pytest.mark.parametrize(
    ("body", "like"),
    [
        (b'{"user_map":{}}', True),
        (b'{"UserMap" : 1}', True),
        (b'{"_user-map"', True),
        (b'{"users":{}}', False),
    ],
)
def test_what_looks_like_a_snapshot_with_other_names(body: bytes, like: bool) -> None:
    assert resembles_snapshot(body) is like


def test_our_snapshot_is_kept_up_to_date_user_by_user() -> None:
    sessions, registry = SessionBench(), UserRegistry()
    one, two = sessions.session("s1", "joe"), sessions.session("s2", "ann")
    registry.add_local(one)
    local = LocalSnapshot("i1", registry)
    assert len(local) == 0
    list(local.refresh())
    assert list(msgspec.json.decode(local.body())["userMap"]) == ["joe"]
    registry.add_local(two)
    list(local.refresh())
    assert len(local) == 1, "nobody said that there is a change"
    registry.remove_local(one)
    local.changed("joe")
    local.changed("ann")
    local.changed("never here")
    list(local.refresh())
    assert list(msgspec.json.decode(local.body())["userMap"]) == ["ann"]


def test_a_large_snapshot_is_written_with_pauses() -> None:
    sessions, registry = SessionBench(), UserRegistry()
    for number in range(100):
        registry.add_local(sessions.session(f"s{number}", f"u{number}"))
    local = LocalSnapshot("i1", registry)
    assert len(list(local.refresh())) == 3
    assert len(local) == 100


class Slow(Bench):
    """The same where work goes on a step a turn, by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.turn: list[Callable[[], None]] = []
        ticks = itertools.count()
        self.known = Strangers(
            self.registry,
            Slicer(lambda _, call: self.turn.append(call), lambda: next(ticks) / 2000),
            lambda: self.now,
            lambda id, what: self.odd.append((id, what)),
        )

    def run(self) -> int:
        turns = 0
        while self.turn:
            turns += 1
            self.turn.pop(0)()
        return turns


def many(count: int) -> dict[str, list[str]]:
    return {f"u{number}": [f"s{number}"] for number in range(count)}


def test_a_large_snapshot_is_applied_in_steps_of_32_users() -> None:
    bench = Slow()
    bench.hear("one", **many(100))
    assert len(bench.registry) == 32
    assert bench.run() == 3
    assert len(bench.registry) == 100
    bench.hear("one")
    bench.run()
    assert len(bench.registry) == 0


def test_the_newest_of_several_snapshots_that_came_meanwhile_is_applied() -> None:
    bench = Slow()
    bench.hear("one", **many(100))
    bench.hear("one", joe=["a"])
    bench.hear("one", ann=["b"])
    bench.run()
    assert (len(bench.registry), bench.sees("ann")) == (1, {"b"})
    (stranger,) = bench.known
    assert not stranger.busy


def test_who_expires_while_it_is_applied_leaves_nobody_behind() -> None:
    for before in ({}, many(100)):
        bench = Slow()
        bench.hear("one", **before)
        bench.run()
        bench.hear("one", **({} if before else many(100)))
        bench.now += EXPIRES_AFTER_S + 1
        bench.known.expire()
        bench.run()
        assert (len(bench.known), len(bench.registry)) == (0, 0)

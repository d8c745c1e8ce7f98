"""The account: which deliveries belong to which push, and which to none."""

from __future__ import annotations

from pathlib import Path

import msgspec

from core.load.account import Account
from core.load.crowd import Crowd
from core.load.orders import Begin
from core.load.record import read_deliveries
from core.load.user import SimulatedUser
from core.metrics import Counts


class Books:
    """An account with two users on two instances, and a run called ``r``."""

    def __init__(self, record: Path | None = None, push: str = "push") -> None:
        self.once: list[tuple[int, str, int]] = []
        self.account = Account(lambda ref, user, at: self.once.append((ref, user, at)))
        self._crowd = Crowd("ws://h/ws", "/topic/x", self.account)  # nobody dials
        self.users = {name: self._user(name, on) for name, on in (("a", "i1"), ("b", "i2"))}
        begin = Begin("r", 0, 0, 1.0, 1.0, record=str(record) if record else "")
        self.ledger = self.account.open(msgspec.structs.replace(begin, push=push))

    def _user(self, name: str, on: str) -> SimulatedUser:
        user = SimulatedUser(name, "ws://h/ws", "/topic/x", self.account, home=self._crowd)
        user.on = on
        user.state = "connected"
        self.account.on_state(user, "connected", "")
        return user

    def push(self, via: str, user: str) -> None:
        push = self.ledger.attempt(via, user, 0, 0)
        self.ledger.answered(push, "accepted", 1)

    def deliver(self, user: str, ps_id: str | None, body: bytes = b"", at: int = 5) -> None:
        self.account.on_message(self.users[user], ps_id, body, at)


def test_a_delivery_by_header_and_by_marker() -> None:
    books = Books()
    books.push("i1", "a")
    books.push("i1", "a")
    books.deliver("a", "r.i1.a.1")
    books.deliver("a", None, b"ps-id:r.i1.a.2;xxx")
    assert books.ledger.counts == Counts(pushed=2, delivered=2)


def test_deliveries_that_belong_to_none() -> None:
    books = Books()
    books.push("i1", "a")
    books.deliver("b", "r.i1.a.1")  # somebody else's
    books.deliver("a", "other.i1.a.1")  # of another run
    books.deliver("a", "what?")
    books.deliver("a", None, b"hello")
    books.deliver("a", "r.i1.a.1")
    books.deliver("a", "r.i1.a.1")
    assert books.ledger.counts == Counts(pushed=1, delivered=1, misrouted=1, unexpected=3, duplicate=1)


def test_greetings_are_matched_in_order_and_by_name() -> None:
    books = Books(push="test")
    books.push("i1", "a")
    books.push("i2", "a")
    books.deliver("a", None, b"hello:a")
    books.deliver("a", "some-id-of-the-instance", b'"hello:a"')
    books.deliver("b", None, b"hello:a")
    books.deliver("b", None, b"hello:b")
    assert books.ledger.counts == Counts(pushed=2, delivered=2, misrouted=1, unexpected=1)


def test_single_pushes_stay_outside_of_the_books() -> None:
    books = Books()
    books.deliver("a", "once.17", at=9)
    books.deliver("a", "once.what")
    assert books.once == [(17, "a", 9)]
    assert books.ledger.counts == Counts()


def test_users_are_placed_when_the_books_open_and_when_they_move() -> None:
    books = Books()
    user = books.users["a"]
    user.state = "reconnecting"
    books.account.on_state(user, "reconnecting", "the socket died")
    books.push("i1", "a")
    user.state = "disconnected"
    books.account.on_state(user, "disconnected", "asked")
    books.push("i1", "a")
    again = books.account.open(Begin("s", 0, 0, 1.0, 1.0))
    push = again.attempt("i1", "a", 0, 0)
    again.answered(push, "accepted", 1)
    assert books.ledger.counts == Counts(pushed=2, offline=2)
    assert again.counts == Counts(pushed=1, offline=1)
    assert books.account.roster == ["a", "b"]


def test_what_became_of_everything_is_written_down(tmp_path: Path) -> None:
    path = tmp_path / "deliveries.jsonl"
    books = Books(record=path)
    for _ in range(3):
        books.push("i1", "a")
    refused = books.ledger.attempt("i2", "b", 7, 8)
    books.ledger.answered(refused, "refused", 9)
    books.deliver("a", "r.i1.a.2")
    books.deliver("a", "r.i1.a.1")
    books.deliver("a", "r.i1.a.1")
    books.deliver("b", "x")
    (lost,) = books.account.close()
    assert (lost.id, lost.user, lost.via, lost.on, lost.seq) == ("r.i1.a.3", "a", "i1", "i1", 3)
    assert [(row.id, row.verdict) for row in read_deliveries(path)] == [
        ("r.i2.b.1", "refused"),
        ("r.i1.a.2", "ok"),
        ("r.i1.a.1", "reordered"),
        ("r.i1.a.1", "duplicate"),
        ("", "unexpected"),
        ("r.i1.a.3", "lost"),
    ]


def test_rows_of_users_that_changed_are_told_once() -> None:
    books = Books()
    assert [row.user for row in books.account.changed_users()] == ["a", "b"]
    books.deliver("b", "x")
    assert [(row.user, row.on) for row in books.account.changed_users()] == [("b", "i2")]
    assert books.account.changed_users() == []


def test_missing_pushes_are_told_when_they_change() -> None:
    books = Books()
    books.push("i1", "a")
    books.push("i1", "a")
    assert books.account.changed_missing() is None
    books.deliver("a", "r.i1.a.2")
    assert [row.seq for row in books.account.changed_missing() or ()] == [1]
    assert books.account.changed_missing() is None
    books.deliver("a", "r.i1.a.1")
    assert books.account.changed_missing() == []

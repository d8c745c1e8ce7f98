"""What other instances are told of a session's subscriptions, within bounds."""

from __future__ import annotations

import msgspec

from server.sessions.subscription import Kind, Subscription
from server.users.told import MOST_BYTES, told_subscriptions

from ...support.session_bench import SessionBench


def told(*destinations: str) -> list[str]:
    session = SessionBench().session("s1")
    for number, destination in enumerate(destinations):
        subscription = Subscription(str(number), destination, "elsewhere", Kind.TOPIC)
        session.subscriptions[subscription.id] = subscription
    found = told_subscriptions(session)
    assert [id for id, _ in found] == [str(number) for number in range(len(found))]
    return [destination for _, destination in found]


def test_it_is_what_the_client_asked_for() -> None:
    assert told() == []
    assert told("/user/queue/x", "/topic/y") == ["/user/queue/x", "/topic/y"]


def test_a_hundred_are_told_and_no_more() -> None:
    assert len(told(*["/a"] * 100)) == 100
    assert len(told(*["/a"] * 101)) == 100


def test_exactly_so_many_bytes_of_json_are_told_and_not_one_more() -> None:
    room = MOST_BYTES - len(msgspec.json.encode(("0", "")))
    assert len(told("x" * room)) == 1
    assert told("x" * (room + 1)) == []
    half = (MOST_BYTES - 2 * len(msgspec.json.encode(("0", "")))) // 2
    assert len(told("x" * half, "y" * half)) == 2
    assert len(told("x" * half, "y" * (half + 1))) == 1
    assert told("\x01" * (room // 6 + 1)) == [], "escaped, it is six times as long"

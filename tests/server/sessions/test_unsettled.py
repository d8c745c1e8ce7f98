"""What a client holds: by subscription, in its order, with the bytes that are kept of it."""

from __future__ import annotations

from server.sessions.unsettled import Held, HoldingSubscription, Unsettled

from ...support.session_bench import message


def given(unsettled: Unsettled, consumer: HoldingSubscription, *ids: str, kept: bytes = b"") -> None:
    for id in ids:
        held = Held(consumer, "" if kept else f"t-{id}")
        if kept:
            held.keep(message(kept))
        unsettled.add(id, held)


def test_one_message_is_meant_or_all_up_to_it() -> None:
    unsettled = Unsettled()
    each = HoldingSubscription("1", cumulative=False)
    upto = HoldingSubscription("2", cumulative=True)
    given(unsettled, each, "a", "b", "c")
    given(unsettled, upto, "d", "e", "f")
    assert (each.handle, upto.handle) == (-1, -1)
    assert each.meant("b") == ["b"]
    assert upto.meant("d") == ["d"]
    assert upto.meant("e") == ["d", "e"]
    assert upto.meant("f") == ["d", "e", "f"]


def test_what_is_taken_is_gone_from_both_lists_with_its_bytes() -> None:
    unsettled = Unsettled()
    consumer = HoldingSubscription("1", cumulative=False)
    given(unsettled, consumer, "a", "b", kept=b"12345")
    size = len(message(b"12345").tail)
    given(unsettled, consumer, "c")
    assert unsettled.local_bytes == 2 * size
    assert list(consumer.held) == list(unsettled.held) == ["a", "b", "c"]
    taken = unsettled.take("a")
    assert (taken.consumer, taken.token, taken.size) == (consumer, "", size)
    assert unsettled.take("c").token == "t-c"
    assert unsettled.local_bytes == size
    assert list(consumer.held) == list(unsettled.held) == ["b"]


def test_a_subscription_that_ends_takes_its_own_along() -> None:
    unsettled = Unsettled()
    one, two = (HoldingSubscription(id, cumulative=True) for id in "12")
    unsettled.consumers = {"1": one, "2": two}
    unsettled.topics = {"3"}
    given(unsettled, one, "a", "b", kept=b"x")
    given(unsettled, two, "c")
    unsettled.leave("1")
    assert (list(unsettled.held), list(unsettled.consumers)) == (["c"], ["2"])
    assert (one.held, unsettled.local_bytes) == ({}, 0)
    unsettled.leave("3")
    unsettled.leave("unknown")
    assert unsettled.topics == set()
    assert list(unsettled.held) == ["c"]

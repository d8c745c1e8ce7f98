"""What waits for a client that does not read: the four policies, without a network."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from server.messages.counters import Counters
from server.messages.stages import Stage, StageLog
from server.sessions.held import PIECE, Held, Note, SlowRule
from server.settings.instance import SlowPolicy


class Queue:
    """One session's queue under a policy."""

    def __init__(self, policy: SlowPolicy, limit: int = 10) -> None:
        self.counters = Counters()
        self.stages = StageLog()
        self.rule = SlowRule(policy, limit, self.counters, self.stages)
        self.held = Held(self.rule)

    def offer(self, *wires: bytes, keys: Sequence[object] = ()) -> list[bool]:
        """Messages; each is its own push, ``p:<bytes>``."""
        return [
            self.held.offer(Note(wire, keys[number] if keys else wire, f"p:{wire.decode()}"))
            for number, wire in enumerate(wires)
        ]

    @property
    def rest(self) -> bytes:
        data, _ = self.held.take()
        return data


def test_terminate_keeps_everything_and_says_when_it_is_too_much() -> None:
    queue = Queue("terminate")
    assert queue.held.add(b"12345", ["a"]) and queue.held.add(b"67890", ["b"])
    assert not queue.held.add(b"!", ["c"])
    assert queue.held.size == 11
    assert queue.held.take() == (b"1234567890!", ["a", "b", "c"])
    assert not queue.held and queue.held.size == 0


def test_drop_oldest_drops_whole_messages_from_the_front() -> None:
    queue = Queue("drop-oldest")
    assert queue.offer(b"aaaa", b"bbbb", b"cc", b"dd") == [True] * 4
    assert queue.held.size == 8
    assert queue.counters.dropped_oldest == 1
    assert queue.stages.get("p:aaaa") == Stage.DROPPED and queue.stages.get("p:bbbb") is None
    assert queue.rest == b"bbbbccdd"


def test_drop_newest_keeps_what_came_first() -> None:
    queue = Queue("drop-newest")
    assert queue.offer(b"aaaa", b"bbbb", b"ccc", b"dd") == [True] * 4
    assert queue.counters.dropped_newest == 1
    assert queue.stages.get("p:ccc") == Stage.DROPPED
    assert queue.rest == b"aaaabbbbdd"


def test_conflate_keeps_the_newest_of_each_destination() -> None:
    queue = Queue("conflate")
    assert queue.offer(b"a1", b"b1", b"a2", b"b2", b"a3", keys="ababa") == [True] * 5
    assert queue.counters.conflated == 3
    assert queue.rest == b"b2a3"
    # Different destinations do not conflate: beyond the limit the client is cut.
    assert queue.offer(b"xxxxx", b"yyyyy", b"z") == [True, True, False]


@pytest.mark.parametrize("policy", ["drop-oldest", "drop-newest", "conflate"])
def test_what_may_not_be_dropped_never_is(policy: SlowPolicy) -> None:
    queue = Queue(policy)
    assert queue.held.add(b"RRRR")
    queue.offer(b"aaa", b"bbb", keys="aa")
    assert queue.held.add(b"SSSS") is (policy != "conflate")
    rest = queue.rest
    assert rest.replace(b"aaa", b"").replace(b"bbb", b"") == b"RRRRSSSS"
    assert queue.held.add(b"R" * 10) and not queue.held.add(b"S"), "too much of it cuts the client"
    assert queue.rest == b"R" * 10 + b"S"


@pytest.mark.parametrize("policy", ["drop-oldest", "drop-newest"])
def test_a_message_that_never_fits_is_dropped(policy: SlowPolicy) -> None:
    queue = Queue(policy)
    assert queue.offer(b"aaa", b"x" * 11, b"b") == [True] * 3
    assert queue.rest == (b"aaab" if policy == "drop-newest" else b"b")
    assert queue.stages.get("p:" + "x" * 11) == Stage.DROPPED


def test_it_is_written_in_pieces_of_whole_frames() -> None:
    queue = Queue("drop-oldest", limit=10 * PIECE)
    frame = b"f" * (PIECE // 2 + 1)
    for number in range(5):
        queue.held.offer(Note(frame, number, f"p{number}"))
    assert queue.held.take() == (frame * 2, ["p0", "p1"])
    assert queue.held.take() == (frame * 2, ["p2", "p3"])
    assert queue.held.take() == (frame, ["p4"])
    # What was written meanwhile is not dropped again.
    queue.rule.limit = 10
    assert queue.offer(b"aaaaaa", b"bbbbbb") == [True, True]
    assert queue.rest == b"bbbbbb"
    assert queue.counters.dropped_oldest == 1


def test_many_receipts_before_many_messages_cost_no_more_than_few() -> None:
    queue = Queue("drop-oldest", limit=200_000)
    for _ in range(20_000):
        queue.held.add(b"RECEIPT")
    for number in range(40_000):  # half of them do not fit; quadratic would take minutes
        queue.held.offer(Note(b"%06d" % number, number, None))
    assert queue.held.size <= 200_000
    assert queue.counters.dropped_oldest == 40_000 - 60_000 // 6


def test_the_pushes_that_wait_are_known() -> None:
    queue = Queue("drop-oldest")
    queue.held.add(b"x", ["one"])
    queue.offer(b"y")
    assert queue.held.pushes == ["one", "p:y"]
    assert queue.held.clear() == ["one", "p:y"]
    assert not queue.held and queue.held.size == 0


@pytest.mark.parametrize(
    ("policy", "counts"),
    [
        ("terminate", (0, 0, 0)),
        ("drop-oldest", (1, 0, 0)),
        ("drop-newest", (0, 1, 0)),
        ("conflate", (0, 0, 1)),
    ],
)
def test_each_policy_counts_what_it_drops_as_its_own(
    policy: SlowPolicy, counts: tuple[int, int, int]
) -> None:
    queue = Queue(policy)
    told: list[tuple[str, str]] = []
    queue.rule.on_dropped = lambda user, push: told.append((user, push))
    queue.rule.dropped("joe", "p")
    counted = queue.counters
    assert (counted.dropped_oldest, counted.dropped_newest, counted.conflated) == counts
    assert queue.stages.get("p") == Stage.DROPPED
    assert told == [("joe", "p")]
    queue.rule.dropped("joe", None)
    assert len(told) == len(queue.stages) == 1, "what has no id has no stage"
    assert queue.rule.drops is (policy != "terminate")


def test_the_size_is_that_of_what_waits_whatever_was_dropped_and_taken() -> None:
    queue = Queue("drop-oldest")
    queue.offer(b"aaaa", b"bbbb", b"cccc")
    queue.held.add(b"R")
    assert (queue.held.size, bool(queue.held)) == (9, True)
    assert queue.rest == b"bbbbccccR"
    assert (queue.held.size, bool(queue.held)) == (0, False)
    conflated = Queue("conflate", limit=6)
    assert conflated.offer(b"aaaa", b"b", b"cc", keys="aba") == [True] * 3
    assert conflated.held.size == 3
    assert conflated.held.pushes == ["p:b", "p:cc"]
    assert conflated.held.add(b"RRR") and not conflated.held.add(b"R")


def test_exactly_the_limit_fits_under_every_policy() -> None:
    for policy in ("terminate", "drop-oldest", "drop-newest", "conflate"):
        queue = Queue(policy)
        assert queue.offer(b"aaaaa", b"bbbbb") == [True, True]
        assert (queue.held.size, queue.stages.get("p:aaaaa"), queue.stages.get("p:bbbbb")) == (10, None, None)


def test_without_a_push_nothing_waits_by_name() -> None:
    queue = Queue("drop-oldest")
    queue.held.offer(Note(b"x", 1, None))
    assert queue.held.pushes == []
    assert queue.held.take() == (b"x", [])


def test_drop_newest_cuts_who_is_over_the_limit_with_what_may_not_be_dropped() -> None:
    queue = Queue("drop-newest")
    assert not queue.held.add(b"R" * 11)
    assert queue.offer(b"a") == [False]
    assert queue.counters.dropped_newest == 1
    assert queue.rest == b"R" * 11


def test_drop_newest_makes_room_for_what_may_not_be_dropped_from_the_back() -> None:
    queue = Queue("drop-newest")
    queue.offer(b"aaaa", b"bbbb")
    assert queue.held.add(b"RRRR")
    assert queue.rest == b"aaaaRRRR"
    assert queue.counters.dropped_newest == 1

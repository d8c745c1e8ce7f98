"""A push, the sums over many, and what is known before anything has happened."""

from __future__ import annotations

import pytest

from core.metrics.push import Counts, Fate, Push, Tally


def test_a_new_push_has_no_answer_no_arrival_and_no_verdict() -> None:
    push = Push("i1", "u", 3, "i2", 100, 120)
    assert (push.via, push.user, push.seq, push.on) == ("i1", "u", 3, "i2")
    assert (push.intended_ns, push.sent_ns, push.answered_ns, push.received_ns) == (100, 120, 0, 0)
    assert push.fate is Fate.SENT
    assert (push.missing, push.reordered, push.was_offline) == (False, False, False)


def test_a_push_says_in_a_failed_assertion_what_it_is() -> None:
    shown = repr(Push("i1", "u", 3, "i2", 100, 120))
    assert shown.startswith("Push(")
    for part in ("via='i1'", "user='u'", "seq=3", "on='i2'", "intended_ns=100", "fate=<Fate.SENT: 0>"):
        assert part in shown


def test_fates_have_the_numbers_that_records_are_written_with() -> None:
    assert {fate.name: fate.value for fate in Fate} == {
        "SENT": 0,
        "PENDING": 1,
        "OFFLINE": 2,
        "REFUSED": 3,
        "UNANSWERED": 4,
        "DELIVERED": 5,
        "LOST": 6,
    }


def test_sums_follow_from_what_was_counted() -> None:
    counts = Counts(pushed=10, refused=3, offline=2, delivered=5, lost=1)
    assert (counts.attempted, counts.expected, counts.pending) == (13, 8, 2)
    assert counts.reach == pytest.approx(62.5)  # pyright: ignore[reportUnknownMemberType]


def test_reach_is_unknown_where_nothing_was_expected() -> None:
    assert Counts().reach is None
    assert Counts(pushed=2, offline=2).reach is None
    assert Counts(pushed=2).reach == 0.0


def test_adding_adds_every_sum() -> None:
    names = Counts.__struct_fields__
    one = Counts(**{name: number for number, name in enumerate(names, 1)})
    one.add(Counts(**{name: 100 * number for number, name in enumerate(names, 1)}))
    assert [getattr(one, name) for name in names] == [101 * number for number in range(1, len(names) + 1)]


def test_a_tally_begins_with_nothing() -> None:
    tally = Tally("i1", "i2", 7)
    assert (tally.expected, tally.delivered, tally.lost, tally.latency.count) == (0, 0, 0, 0)
    assert Tally("i1", "i2", 7).latency is not tally.latency

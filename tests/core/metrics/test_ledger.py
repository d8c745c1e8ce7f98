"""The ledger: verdicts by example, identities for every sequence of events."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from core.metrics.ledger import SLOT_NS, Ledger, Outcome, Stray
from core.metrics.push import Counts, Fate, Push

MS = 1_000_000
SECOND = 1_000_000_000
OUTCOMES: tuple[Outcome, ...] = ("accepted", "refused", "unanswered")


def ledger_with_a_user() -> Ledger:
    ledger = Ledger()
    ledger.online("u", "i1")
    return ledger


def pushed(ledger: Ledger, at_ns: int = 0, *, via: str = "i1", user: str = "u") -> Push:
    push = ledger.attempt(via, user, at_ns, at_ns)
    ledger.answered(push, "accepted", at_ns)
    return push


def test_a_push_that_arrives_is_delivered_with_its_latency() -> None:
    ledger = ledger_with_a_user()
    push = pushed(ledger, 10 * SLOT_NS)
    assert ledger.received("u", "u", "i1", push.seq, 10 * SLOT_NS + 3 * MS) is push
    (tally,) = ledger.take()
    assert (tally.via, tally.on, tally.slot, tally.expected, tally.delivered) == ("i1", "i1", 10, 1, 1)
    assert tally.latency.high == 3 * MS
    assert ledger.counts == Counts(pushed=1, delivered=1)


def test_latency_counts_from_the_intended_time() -> None:
    ledger = ledger_with_a_user()
    push = ledger.attempt("i1", "u", intended_ns=0, sent_ns=80 * MS)
    ledger.received("u", "u", "i1", push.seq, 81 * MS)
    assert ledger.take()[0].latency.high == 81 * MS


def test_a_delivery_quicker_than_its_answer_counts_once() -> None:
    ledger = ledger_with_a_user()
    push = ledger.attempt("i1", "u", 0, 0)
    ledger.received("u", "u", "i1", push.seq, MS)
    ledger.answered(push, "accepted", 2 * MS)
    assert ledger.counts == Counts(pushed=1, delivered=1)


def test_a_gap_is_noticed_when_the_next_one_arrives_and_healed_by_the_late_one() -> None:
    ledger = ledger_with_a_user()
    first, second, third = (pushed(ledger, number) for number in range(3))
    ledger.received("u", "u", "i1", third.seq, 10)
    assert (ledger.counts.lost, ledger.counts.pending) == (2, 0)
    assert ledger.missing_pushes() == [first, second]
    ledger.received("u", "u", "i1", second.seq, 11)
    assert (ledger.counts.lost, ledger.counts.reordered) == (1, 1)
    assert ledger.settle() == [first]
    assert ledger.counts == Counts(pushed=3, delivered=2, lost=1, reordered=1)


def test_an_overdue_push_is_missing_until_it_arrives_and_late_after_the_deadline() -> None:
    ledger = ledger_with_a_user()
    push = pushed(ledger)
    ledger.overdue(SECOND)
    assert ledger.counts.lost == 0
    ledger.overdue(SECOND + 1)
    assert ledger.counts.lost == 1
    ledger.received("u", "u", "i1", push.seq, 5 * SECOND + 1)
    assert ledger.counts == Counts(pushed=1, delivered=1, late=1)


def test_strays_are_told_apart() -> None:
    seen: list[tuple[Stray, str, str, int, int]] = []

    def note(kind: Stray, user: str, via: str, seq: int, received_ns: int) -> None:
        seen.append((kind, user, via, seq, received_ns))

    ledger = Ledger(on_stray=note)
    ledger.online("u", "i1")
    push = pushed(ledger)
    ledger.received("u", "u", "i1", push.seq, 1)
    ledger.received("u", "u", "i1", push.seq, 2)
    ledger.received("u", "other", "i1", 1, 3)
    ledger.received("u", "u", "i1", 77, 4)
    ledger.received("u", "u", "i9", 1, 5)
    assert [(kind, at) for kind, *_, at in seen] == [
        ("duplicate", 2),
        ("misrouted", 3),
        ("unexpected", 4),
        ("unexpected", 5),
    ]
    assert ledger.counts == Counts(pushed=1, delivered=1, duplicate=1, misrouted=1, unexpected=2)


def test_strays_without_an_id_name_no_instance_and_no_number() -> None:
    seen: list[tuple[Stray, str, str, int, int]] = []

    def note(kind: Stray, user: str, via: str, seq: int, received_ns: int) -> None:
        seen.append((kind, user, via, seq, received_ns))

    ledger = Ledger(on_stray=note)
    ledger.online("u", "i1")
    ledger.misrouted("u", 3)
    ledger.unexpected("u", 4)
    assert ledger.received_next("u", 5) is None
    assert seen == [
        ("misrouted", "u", "-", 0, 3),
        ("unexpected", "u", "-", 0, 4),
        ("unexpected", "u", "-", 0, 5),
    ]
    assert ledger.counts == Counts(misrouted=1, unexpected=2)


def test_an_answer_after_the_arrival_changes_nothing() -> None:
    for outcome in OUTCOMES:
        ledger = ledger_with_a_user()
        push = ledger.attempt("i1", "u", 0, 0)
        ledger.received("u", "u", "i1", push.seq, MS)
        ledger.answered(push, outcome, 2 * MS)
        assert (push.fate, push.answered_ns) == (Fate.DELIVERED, 2 * MS)
        assert ledger.counts == Counts(pushed=1, delivered=1)
        assert ledger.under_way == 0


def test_only_an_asked_disconnect_makes_pushes_offline() -> None:
    ledger = ledger_with_a_user()
    pushed(ledger)  # under way when the user is disconnected
    ledger.gone("u", asked=True)
    pushed(ledger)
    ledger.online("u", "i2")
    ledger.gone("u", asked=False)
    lost = pushed(ledger)
    assert ledger.settle() == [lost]
    assert lost.on == "-"
    assert ledger.counts == Counts(pushed=3, offline=2, lost=1)


def test_an_offline_push_that_arrives_all_the_same_is_a_delivery() -> None:
    ledger = ledger_with_a_user()
    ledger.gone("u", asked=True)
    push = pushed(ledger)
    ledger.online("u", "i2")
    ledger.received("u", "u", "i1", push.seq, 1)
    assert ledger.counts == Counts(pushed=1, delivered=1)


def test_a_push_without_an_answer_is_refused_until_it_arrives() -> None:
    ledger = ledger_with_a_user()
    silent = ledger.attempt("i1", "u", 0, 0)
    ledger.answered(silent, "unanswered", 1)
    refused = ledger.attempt("i1", "u", 0, 0)
    ledger.answered(refused, "refused", 1)
    assert ledger.counts == Counts(refused=2)
    ledger.received("u", "u", "i1", silent.seq, 2)
    ledger.received("u", "u", "i1", refused.seq, 3)
    assert ledger.counts == Counts(pushed=1, refused=1, delivered=1, unexpected=1)


def test_a_delivery_elsewhere_moves_the_push_to_that_cell() -> None:
    ledger = ledger_with_a_user()
    push = pushed(ledger)
    ledger.gone("u", asked=False)
    ledger.online("u", "i2")
    ledger.received("u", "u", "i1", push.seq, 1)
    cells = {(tally.via, tally.on): (tally.expected, tally.delivered) for tally in ledger.take()}
    assert cells == {("i1", "i1"): (0, 0), ("i1", "i2"): (1, 1)}


def test_order_of_arrival_matches_the_oldest_open_push() -> None:
    ledger = Ledger(in_order_of_arrival=True)
    ledger.online("u", "i1")
    first = pushed(ledger, via="i1")
    second = pushed(ledger, via="i2")
    assert ledger.received_next("u", 1) is first
    assert ledger.received_next("u", 2) is second
    assert ledger.received_next("u", 3) is None
    assert ledger.counts == Counts(pushed=2, delivered=2, unexpected=1)


@pytest.mark.parametrize("outcome", ["accepted", "refused", "unanswered"])
def test_every_push_is_told_of_exactly_once_when_final(outcome: str) -> None:
    final: list[Push] = []
    ledger = Ledger(on_final=final.append)
    push = ledger.attempt("i1", "u", 0, 0)
    ledger.answered(push, outcome, 1)  # pyright: ignore[reportArgumentType]
    ledger.settle()
    assert final == [push]


USERS = st.sampled_from(["u1", "u2", "u3"])
INSTANCES = st.sampled_from(["i1", "i2"])


class AnySequenceOfEvents(RuleBasedStateMachine):
    """Whatever happens in whatever order, the sums agree with a recount of the pushes."""

    pushes: Bundle[Push] = Bundle("pushes")

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.all: list[Push] = []
        self.now = 0
        self.cells: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])

    @rule(step=st.integers(min_value=0, max_value=2 * SECOND))
    def time_passes(self, step: int) -> None:
        self.now += step
        self.ledger.overdue(self.now)

    @rule(user=USERS, on=INSTANCES)
    def subscribes(self, user: str, on: str) -> None:
        self.ledger.online(user, on)

    @rule(user=USERS, asked=st.booleans())
    def goes(self, user: str, asked: bool) -> None:
        self.ledger.gone(user, asked=asked)

    @rule(target=pushes, user=USERS, via=INSTANCES, count=st.integers(min_value=1, max_value=4))
    def sends(self, user: str, via: str, count: int):  # type: ignore[no-untyped-def]
        sent = [self.ledger.attempt(via, user, self.now, self.now) for _ in range(count)]
        self.all += sent
        return multiple(*sent)

    @rule(push=pushes, outcome=st.sampled_from(["accepted", "accepted", "refused", "unanswered"]))
    def is_answered(self, push: Push, outcome: str) -> None:
        self.ledger.answered(push, outcome, self.now)  # pyright: ignore[reportArgumentType]

    @rule(push=pushes)
    def arrives(self, push: Push) -> None:
        self.ledger.received(push.user, push.user, push.via, push.seq, self.now)

    @rule(push=pushes, user=USERS)
    def arrives_somewhere(self, push: Push, user: str) -> None:
        self.ledger.received(user, push.user, push.via, push.seq, self.now)

    @invariant()
    def identities_hold(self) -> None:
        counts = self.ledger.counts
        fates = [push.fate for push in self.all]
        assert counts.pushed == sum(fate in (Fate.PENDING, Fate.OFFLINE, Fate.DELIVERED) for fate in fates)
        assert counts.refused == sum(fate in (Fate.REFUSED, Fate.UNANSWERED) for fate in fates)
        assert counts.offline == fates.count(Fate.OFFLINE)
        assert counts.delivered == fates.count(Fate.DELIVERED)
        assert counts.lost == len(self.ledger.missing_pushes())
        assert counts.pending + counts.lost == fates.count(Fate.PENDING)
        assert counts.attempted + fates.count(Fate.SENT) == len(self.all)
        assert self.ledger.under_way == fates.count(Fate.SENT) + fates.count(Fate.PENDING)
        assert min(getattr(counts, name) for name in counts.__struct_fields__) >= 0
        assert counts.pending >= 0

    @invariant()
    def cells_add_up(self) -> None:
        for tally in self.ledger.take():
            cell = self.cells[tally.via, tally.on]
            for at, change in enumerate((tally.expected, tally.delivered, tally.lost, tally.latency.count)):
                cell[at] += change
        counts = self.ledger.counts
        sums = [sum(cell[at] for cell in self.cells.values()) for at in range(4)]
        assert sums == [counts.expected, counts.delivered, counts.lost, counts.delivered]
        for expected, delivered, lost, _ in self.cells.values():
            assert expected >= delivered + lost >= 0
            assert lost >= 0

    def teardown(self) -> None:
        lost = self.ledger.settle()
        self.identities_after_the_drain(lost)

    def identities_after_the_drain(self, lost: list[Push]) -> None:
        counts = self.ledger.counts
        assert counts.pending == 0
        assert counts.lost == len(lost) == sum(push.fate is Fate.LOST for push in self.all)
        assert counts.attempted == len(self.all)
        self.cells_add_up()


AnySequenceOfEvents.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAnySequenceOfEvents = AnySequenceOfEvents.TestCase

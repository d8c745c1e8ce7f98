"""Series: slots, cells and totals are the same pushes seen from several sides."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.metrics import Histogram, SeriesBook, Tally
from core.metrics.series import KEPT_SLOTS, OPEN_SLOTS


def tally(via: str, on: str, slot: int, *latencies: int, lost: int = 0) -> Tally:
    histogram = Histogram()
    histogram.record_many(latencies)
    return Tally(via, on, slot, len(latencies) + lost, len(latencies), lost, histogram)


@st.composite
def tallies_of_a_run(draw: st.DrawFn) -> list[Tally]:
    return [
        tally(
            draw(st.sampled_from(["i1", "i2"])),
            draw(st.sampled_from(["i1", "i2", "-"])),
            draw(st.integers(min_value=0, max_value=5)),
            *draw(st.lists(st.integers(min_value=10_000, max_value=10**9), max_size=4)),
            lost=draw(st.integers(min_value=0, max_value=2)),
        )
        for _ in range(draw(st.integers(min_value=0, max_value=12)))
    ]


@given(tallies_of_a_run())
def test_series_cells_and_total_agree(tallies: list[Tally]) -> None:
    book = SeriesBook()
    for one in tallies:
        book.add(one)
    total = book.total()
    assert total.delivered == sum(one.delivered for one in tallies) == total.latency.count
    for side in ("via:", "on:"):
        points = [point for point in book.history() if point.series.startswith(side)]
        assert sum(point.count for point in points) == total.delivered
        assert sum(point.lost for point in points) == total.lost
    assert sum(book.total(via=via).expected for via in ("i1", "i2")) == total.expected


def test_a_slot_is_handed_out_when_closed_and_again_when_it_changed() -> None:
    book = SeriesBook()
    book.add(tally("i1", "i2", 4, 1_000_000))
    assert book.changed(before_slot=4) == []
    assert [(point.series, point.slot, point.count) for point in book.changed(5)] == [
        ("on:i2", 4, 1),
        ("via:i1", 4, 1),
    ]
    assert book.changed(5) == []
    book.add(tally("i1", "i2", 4, 3_000_000))
    assert {point.max for point in book.changed(9)} == {3_000_000}


def test_a_lost_push_makes_a_point_without_a_latency() -> None:
    book = SeriesBook()
    book.add(tally("i1", "i2", 0, lost=2))
    point = book.changed(1)[0]
    assert (point.count, point.lost, point.p50, point.max) == (0, 2, None, None)


def test_an_old_slot_keeps_its_summary_and_still_counts() -> None:
    book = SeriesBook()
    book.add(tally("i1", "i1", 0, 1_000_000, 2_000_000))
    before = book.changed(1)[0]
    assert book.changed(OPEN_SLOTS + 5) == []
    book.add(tally("i1", "i1", 0, 90_000_000_000, lost=-1))
    after = book.changed(OPEN_SLOTS + 6)[0]
    assert (after.p50, after.p99) == (before.p50, before.p99)
    assert (after.count, after.max, after.lost) == (3, 90_000_000_000, -1)


def test_what_is_too_old_is_forgotten() -> None:
    book = SeriesBook()
    book.add(tally("i1", "i1", 0, 1_000_000))
    book.changed(OPEN_SLOTS + KEPT_SLOTS)
    assert book.history() != []
    book.changed(OPEN_SLOTS + KEPT_SLOTS + 1)
    assert book.history() == []
    assert book.total().delivered == 1

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


def test_a_point_shows_the_median_the_95th_and_the_99th_percentile() -> None:
    book = SeriesBook()
    one = tally("i1", "i1", 0, *(number * 1_000_000 for number in range(1, 1001)))
    book.add(one)
    point = book.changed(1)[0]
    assert (point.p50, point.p95, point.p99) == one.latency.percentiles((50, 95, 99))
    assert (point.series, point.slot, point.count, point.max) == ("on:i1", 0, 1000, 1_000_000_000)


def test_an_old_slot_without_a_delivery_has_no_latency_until_one_comes() -> None:
    book = SeriesBook()
    book.add(tally("i1", "i1", 0, lost=1))
    book.changed(1)
    book.changed(OPEN_SLOTS + 5)
    book.add(tally("i1", "i1", 0, lost=1))
    silent = book.changed(OPEN_SLOTS + 6)[0]
    assert (silent.count, silent.lost, silent.p50, silent.max) == (0, 2, None, None)
    book.add(tally("i1", "i1", 0, 5, lost=-1))
    late = book.changed(OPEN_SLOTS + 7)[0]
    assert (late.count, late.lost, late.p50, late.max) == (1, 1, None, 5)


def test_a_slot_keeps_its_histogram_for_a_minute() -> None:
    book = SeriesBook()
    book.add(tally("i1", "i1", 1, 1_000_000))
    book.changed(OPEN_SLOTS + 1)
    book.add(tally("i1", "i1", 1, 3_000_000, 3_000_000))
    still_open = book.changed(OPEN_SLOTS + 1)[0]
    assert still_open.p50 is not None and still_open.p50 > 2_900_000
    book.changed(OPEN_SLOTS + 2)
    book.add(tally("i1", "i1", 1, 9_000_000, 9_000_000, 9_000_000, 9_000_000))
    closed = book.changed(OPEN_SLOTS + 3)[0]
    assert (closed.p50, closed.count, closed.max) == (still_open.p50, 7, 9_000_000)


def test_history_is_by_series_and_time() -> None:
    book = SeriesBook()
    for slot in (3, 1, 2):
        book.add(tally("i2", "i1", slot, 1_000_000))
    assert [(point.series, point.slot) for point in book.history()] == [
        ("on:i1", 1),
        ("on:i1", 2),
        ("on:i1", 3),
        ("via:i2", 1),
        ("via:i2", 2),
        ("via:i2", 3),
    ]
    assert book.series() == ["on:i1", "via:i2"]


def test_a_total_can_be_of_one_side_or_one_cell() -> None:
    book = SeriesBook()
    book.add(tally("i1", "i1", 0, 1_000_000))
    book.add(tally("i1", "i2", 0, 2_000_000, lost=2))
    book.add(tally("i2", "i2", 1, 3_000_000, 3_000_000))
    sides = {
        (via, on): (total.expected, total.delivered, total.lost)
        for via in (None, "i1", "i2")
        for on in (None, "i1", "i2")
        if (total := book.total(via, on))
    }
    assert sides == {
        (None, None): (6, 4, 2),
        (None, "i1"): (1, 1, 0),
        (None, "i2"): (5, 3, 2),
        ("i1", None): (4, 2, 2),
        ("i1", "i1"): (1, 1, 0),
        ("i1", "i2"): (3, 1, 2),
        ("i2", None): (2, 2, 0),
        ("i2", "i1"): (0, 0, 0),
        ("i2", "i2"): (2, 2, 0),
    }

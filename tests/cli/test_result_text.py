"""The result of a run as lines for a terminal."""

from __future__ import annotations

import msgspec

from cli.result_text import lost_lines, matrix_lines, result_lines, transport_lines
from core.report.figures import Cell, LostPush, Percentiles, TransportSum
from tests.support.results import flawless, with_losses, without_pushes


def test_a_run_that_passed() -> None:
    assert list(result_lines(flawless())) == [
        "pushes    96 attempted, 0 refused, 0 to users offline",
        "arrived   96 of 96 (reach 100 %), 0 late",
        "verdicts  lost 0, duplicate 0, misrouted 0, reordered 0, unexpected 0",
        "latency   p50 2.01, p95 3, p99 3, max 3 ms",
        "",
        "          on i1    on i2",
        "via i1  ✓ 24/24  ✓ 24/24",
        "via i2  ✓ 24/24  ✓ 24/24",
    ]


def test_transports_have_a_line_each_where_users_differ_in_them() -> None:
    sums = (
        TransportSum("websocket", 2, 40, 0, Percentiles(p50=1.5, p99=2.25)),
        TransportSum("xhr-polling", 1, 0, 3, Percentiles()),
    )
    assert list(transport_lines(sums)) == [
        "websocket    2 users, ✓ 40/40, p50 1.5, p99 2.25 ms",
        "xhr-polling  1 users, ✕ 0/3",
    ]
    lines = list(result_lines(msgspec.structs.replace(flawless(), transports=sums)))
    assert lines[-2:] == list(transport_lines(sums))


def test_losses_are_listed_with_their_last_stage() -> None:
    lines = list(result_lines(with_losses()))
    assert "via i1  ✓ 16/16  ✕ 1/2  ✕ 0/1" in lines
    assert "lost at 1.01 s: u<1> #4 via i1 on i2: to-broker on i1; instance i2 died" in lines
    assert "✓ reach > 1: 89.47" in lines


def test_a_run_without_a_push_has_nothing_but_its_reason() -> None:
    assert list(result_lines(without_pushes())) == []


def test_a_matrix_with_many_instances_and_a_hole() -> None:
    cells = [
        Cell(f"i{via}", on, 5, 5, 0, 1.0, 1.0)
        for via in (1, 2, 10)
        for on in ("-", "i10", "i2")
        if (via, on) != (2, "-")
    ]
    header, *rows = matrix_lines(cells)
    assert header.split() == ["on", "i2", "on", "i10", "on", "-"]
    assert [row.split()[1] for row in rows] == ["i1", "i2", "i10"]
    assert rows[1].endswith("·")
    assert len({len(row) for row in rows}) == 1


def test_a_long_list_is_cut() -> None:
    lost = [LostPush(f"r.i1.u.{seq}", "u", "i1", "i2", seq, 1.0, "written on i2") for seq in range(12)]
    lines = list(lost_lines(lost, 0.0))
    assert len(lines) == 11
    assert lines[-1] == "… and 2 more"

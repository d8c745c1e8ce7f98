"""The result of a run in words and small tables, for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.report.figures import Cell, LostPush, TransportSum
    from core.report.result import Result

#: Lost pushes that are listed one by one.
_LISTED = 10


def result_lines(result: Result) -> Iterator[str]:
    """The compact result; the reason is not part of it, it is the last line of the program."""
    summary = result.summary
    if not summary.attempted:
        return
    reach = "" if summary.reach is None else f" (reach {_short(summary.reach, 3)} %)"
    yield (
        f"pushes    {summary.attempted} attempted, {summary.refused} refused, "
        f"{summary.offline} to users offline"
    )
    yield f"arrived   {summary.delivered} of {summary.expected}{reach}, {summary.late} late"
    yield (
        f"verdicts  lost {summary.lost}, duplicate {summary.duplicate}, misrouted {summary.misrouted}, "
        f"reordered {summary.reordered}, unexpected {summary.unexpected}"
    )
    latency = summary.latency_ms
    if latency.p50 is not None:
        numbers = ", ".join(
            f"{name} {_short(getattr(latency, name))}" for name in ("p50", "p95", "p99", "max")
        )
        yield f"latency   {numbers} ms"
    if summary.matrix:
        yield ""
        yield from matrix_lines(summary.matrix)
    if result.transports:
        yield ""
        yield from transport_lines(result.transports)
    if result.lost_pushes:
        yield ""
        yield from lost_lines(result.lost_pushes, result.started_t)
    for threshold in summary.thresholds:
        value = "unknown" if threshold.value is None else _short(threshold.value)
        yield f"{'✓' if threshold.ok else '✕'} {threshold.expr}: {value}"


def matrix_lines(cells: Iterable[Cell]) -> Iterator[str]:
    """Delivered of pushed, by the instance that was asked (rows) and the user's (columns)."""
    known = {(cell.via, cell.on): cell for cell in cells}
    columns = _natural({on for _, on in known})
    rows = _natural({via for via, _ in known})
    header = ["", *(f"on {on}" for on in columns)]
    table = [header, *([f"via {via}", *(_cell(known, via, on) for on in columns)] for via in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    for row in table:
        first, *rest = row
        cells_text = (text.rjust(width) for text, width in zip(rest, widths[1:], strict=True))
        yield "  ".join((first.ljust(widths[0]), *cells_text)).rstrip()


def _cell(cells: Mapping[tuple[str, str], Cell], via: str, on: str) -> str:
    cell = cells.get((via, on))
    if cell is None:
        return "·"
    return f"{'✓' if cell.delivered == cell.pushed else '✕'} {cell.delivered}/{cell.pushed}"


def transport_lines(sums: Iterable[TransportSum]) -> Iterator[str]:
    """A line for each transport: users, what arrived of what should have, latency."""
    listed = list(sums)
    width = max(len(each.transport) for each in listed)
    for each in listed:
        latency = each.latency
        numbers = ""
        if latency.p50 is not None and latency.p99 is not None:
            numbers = f", p50 {_short(latency.p50)}, p99 {_short(latency.p99)} ms"
        sign = "✕" if each.lost else "✓"
        arrived = f"{sign} {each.delivered}/{each.delivered + each.lost}"
        yield f"{each.transport.ljust(width)}  {each.users} users, {arrived}{numbers}"


def lost_lines(lost: Iterable[LostPush], started_t: float) -> Iterator[str]:
    """Which pushes did not arrive, and where they were last seen; the first ones."""
    listed = list(lost)
    for push in listed[:_LISTED]:
        yield (
            f"lost at {push.t - started_t:.2f} s: {push.user} #{push.seq} via {push.via} "
            f"on {push.on}: {push.stage}"
        )
    if len(listed) > _LISTED:
        yield f"… and {len(listed) - _LISTED} more"


def _natural(names: Iterable[str]) -> list[str]:
    """``i2`` before ``i10``, and who is nowhere last."""
    return sorted(names, key=lambda name: (name == "-", len(name), name))


def _short(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if "." in f"{value:.{digits}f}" else str(value)

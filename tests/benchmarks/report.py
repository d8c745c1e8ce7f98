"""What a measurement yields, and the table of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        section: What was measured: rows of one section stand in one table.
        name: Whose figure it is.
        value: The median.
        unit: Of the value, such as ``µs CPU``, ``ms``, ``KiB``.
        floor: What ``value`` is compared with, in the same unit; None for a figure that stands alone.
        ratio: How many times the floor (or another ratio that the bar is about).
        bar: The bar in words, such as ``≤ 1.5 ×``; empty without one.
        ok: Whether the bar is met; None without one.
        note: Anything else worth a word: spread, p99, rounds.
    """

    section: str
    name: str
    value: float
    unit: str
    floor: float | None = None
    ratio: float | None = None
    bar: str = ""
    ok: bool | None = None
    note: str = ""


def at_most_times(
    section: str, name: str, value: float, unit: str, floor: float, limit: float | None = None, note: str = ""
) -> Row:
    """A figure beside its floor; with ``limit`` it should be at most so many times the floor."""
    ratio = value / floor
    bar = "" if limit is None else f"≤ {limit:g} ×"
    return Row(section, name, value, unit, floor, ratio, bar, None if limit is None else ratio <= limit, note)


def at_least_times(
    section: str, name: str, value: float, unit: str, slower: float, limit: float, note: str = ""
) -> Row:
    """A cost that should be at least ``limit`` times smaller than that of a slower candidate."""
    ratio = slower / value
    return Row(section, name, value, unit, slower, ratio, f"≥ {limit:g} × faster", ratio >= limit, note)


def at_most(section: str, name: str, value: float, unit: str, limit: float, note: str = "") -> Row:
    """A figure that should be at most ``limit``, in its own unit."""
    return Row(section, name, value, unit, bar=f"≤ {limit:g} {unit}", ok=value <= limit, note=note)


def at_most_more(
    section: str, name: str, value: float, unit: str, floor: float, limit: float | None = None, note: str = ""
) -> Row:
    """A figure beside another; with ``limit`` it should be at most so much more, in its own unit."""
    bar = "" if limit is None else f"≤ {limit:g} {unit} more"
    return Row(
        section,
        name,
        value,
        unit,
        floor,
        bar=bar,
        ok=None if limit is None else value - floor <= limit,
        note=note,
    )


def as_data(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The rows for JSON."""
    return [asdict(row) for row in rows]


def print_rows(rows: Sequence[Row], console: Console) -> None:
    """Print a table for each section, in the order in which sections came."""
    for section in dict.fromkeys(row.section for row in rows):
        table = Table(
            "", "value", "unit", "floor", "ratio", "bar", "", "", title=section, title_justify="left"
        )
        for column in (1, 3, 4):
            table.columns[column].justify = "right"
        for row in rows:
            if row.section == section:
                table.add_row(*_cells(row))
        console.print(table)


def _cells(row: Row) -> tuple[str, ...]:
    verdict = {None: "", True: "[green]ok[/]", False: "[red]over[/]"}[row.ok]
    floor = "" if row.floor is None else _figure(row.floor)
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return row.name, _figure(row.value), row.unit, floor, ratio, row.bar, verdict, row.note


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"

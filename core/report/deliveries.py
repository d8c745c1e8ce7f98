"""deliveries.csv: one row for every push, and one for every delivery that belongs to none."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..cleaning import for_cell
from ..load.record import Delivery, read_deliveries
from .result import Result

#: Columns; times are seconds since the first push was due, with microseconds.
COLUMNS: Final = (
    "id", "user", "via", "on", "seq", "intended", "sent", "accepted", "received", "latency_ms",
    "verdict", "stage",
)  # fmt: skip


def write_deliveries(result: Result, path: Path) -> None:
    """Write all rows in the order of intended sending; strays follow at the time of their arrival."""
    deliveries = [delivery for record in result.records for delivery in read_deliveries(record)]
    deliveries.sort(key=lambda delivery: delivery.intended_ns or delivery.received_ns)
    stages = {lost.id: lost.stage for lost in result.lost_pushes}
    zero_ns = result.epoch_ns + round(result.started_t * 1e9)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(tuple(_cells(delivery, stages, zero_ns)) for delivery in deliveries)


def _cells(delivery: Delivery, stages: dict[str, str], zero_ns: int) -> Iterator[str | int]:
    yield for_cell(delivery.id)
    yield for_cell(delivery.user)
    yield for_cell(delivery.via)
    yield for_cell(delivery.on)
    yield delivery.seq
    accepted_ns = 0 if delivery.verdict in ("refused", "unanswered") else delivery.answered_ns
    for stamp_ns in (delivery.intended_ns, delivery.sent_ns, accepted_ns, delivery.received_ns):
        yield f"{(stamp_ns - zero_ns) / 1e9:.6f}" if stamp_ns else ""
    both = delivery.intended_ns and delivery.received_ns
    yield f"{(delivery.received_ns - delivery.intended_ns) / 1e6:.3f}" if both else ""
    yield delivery.verdict
    yield for_cell(stages.get(delivery.id, "")) if delivery.verdict == "lost" else ""

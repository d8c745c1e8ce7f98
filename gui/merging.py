"""Coalescing: what waits for the window is merged, so that a slow repaint never builds a queue.

Only snapshots are merged, and only neighbours: the order among everything else stays.
"""

from __future__ import annotations

import msgspec

from core.engine.messages import Event, LogLine, Snapshot

#: Log lines kept while the window is busy; beyond that the oldest of the wait are dropped.
MAX_WAITING_LINES = 5000


def merge_into(pending: list[Event], event: Event) -> None:
    """Append ``event``, or merge it with the snapshot that waits at the end."""
    last = pending[-1] if pending else None
    if isinstance(event, Snapshot) and isinstance(last, Snapshot):
        pending[-1] = merge(last, event)
        return
    if isinstance(event, LogLine) and len(pending) >= MAX_WAITING_LINES:
        _drop_oldest_line(pending)
    pending.append(event)


def merge(older: Snapshot, newer: Snapshot) -> Snapshot:
    """Both snapshots as one: states of the newer, increments of both.

    ``points`` and ``users`` hold only what changed, so the older's must not get lost.
    """
    points = {(point.series, point.t): point for point in (*older.points, *newer.points)}
    users = {row.user: row for row in (*older.users, *newer.users)}
    return msgspec.structs.replace(
        newer,
        points=tuple(points.values()),
        users=tuple(users.values()),
    )


def _drop_oldest_line(pending: list[Event]) -> None:
    for index, event in enumerate(pending):
        if isinstance(event, LogLine):
            del pending[index]
            return

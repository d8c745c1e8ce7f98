"""The events of an engine on their way to one reader, who may be slow.

Nothing piles up: of snapshots that wait, one remains that tells everything they told; of log
lines the oldest are dropped; everything else is kept in order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Self

import msgspec

from ..environment import LogLine
from ..report.figures import Point, UserRow
from .messages import Event, Snapshot

#: Log lines that may wait.
_LOG_LINES: Final = 2000


class EventFeed:
    """An async iterator of events; ends after :meth:`close` once everything was read."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._logs = 0
        self._wake = asyncio.Event()
        self._closed = False

    def put(self, event: Event) -> None:
        """Queue an event; never waits."""
        if self._closed:
            return
        last = self._events[-1] if self._events else None
        if isinstance(event, Snapshot) and isinstance(last, Snapshot):
            self._events[-1] = merge_snapshots(last, event)
            return
        if isinstance(event, LogLine):
            self._logs += 1
            if self._logs > _LOG_LINES:
                self._drop_oldest_log()
        self._events.append(event)
        self._wake.set()

    def close(self) -> None:
        """No more events will come."""
        self._closed = True
        self._wake.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        event = self._events.popleft()
        self._logs -= isinstance(event, LogLine)
        return event

    def _drop_oldest_log(self) -> None:
        for position, event in enumerate(self._events):
            if isinstance(event, LogLine):
                del self._events[position]
                self._logs -= 1
                return


def merge_snapshots(old: Snapshot, new: Snapshot) -> Snapshot:
    """One snapshot that tells what two in a row told: the newer state, the changes of both."""
    points: dict[tuple[str, float], Point] = {}
    for point in (*old.points, *new.points):
        points[point.series, point.t] = point
    users: dict[str, UserRow] = {}
    for row in (*old.users, *new.users):
        users[row.user] = row
    return msgspec.structs.replace(new, points=tuple(points.values()), users=tuple(users.values()))

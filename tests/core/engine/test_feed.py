"""The feed: a slow reader loses log lines only, and snapshots that wait become one."""

from __future__ import annotations

import msgspec

from core.engine.feed import EventFeed
from core.engine.messages import Event, Snapshot
from core.environment import LogLine
from core.report.figures import Marker, Percentiles, Point, Totals, UserRow


def snapshot(t: float, *points: Point, users: tuple[UserRow, ...] = ()) -> Snapshot:
    return Snapshot(
        t, t, "running", 0, 0, 0.0, Totals(), Percentiles(), 0.0, 0.0, 0.0, points=points, users=users
    )


def point(series: str, t: float, count: int) -> Point:
    return Point(series, t, count, None, None, None, None)


async def read_all(feed: EventFeed) -> list[Event]:
    feed.close()
    return [event async for event in feed]


async def test_snapshots_that_wait_become_one_that_tells_all() -> None:
    feed = EventFeed()
    row = UserRow("u", "connected", "i1", 0.0, 0, 1)
    feed.put(snapshot(1.0, point("on:i1", 0.5, 1), point("on:i2", 0.5, 2), users=(row,)))
    newer = msgspec.structs.replace(row, received=2)
    feed.put(snapshot(2.0, point("on:i1", 0.5, 3), point("on:i1", 1.0, 4), users=(newer,)))
    (merged,) = await read_all(feed)
    assert isinstance(merged, Snapshot)
    assert merged.t == 2.0
    assert {(each.series, each.t): each.count for each in merged.points} == {
        ("on:i1", 0.5): 3,
        ("on:i2", 0.5): 2,
        ("on:i1", 1.0): 4,
    }
    assert merged.users == (newer,)


async def test_what_happened_between_snapshots_keeps_its_place() -> None:
    feed = EventFeed()
    marker = Marker(1.5, "kill", "i1")
    for event in (snapshot(1.0), marker, snapshot(2.0)):
        feed.put(event)
    assert [type(event) for event in await read_all(feed)] == [Snapshot, Marker, Snapshot]


async def test_of_log_lines_the_oldest_are_dropped() -> None:
    feed = EventFeed()
    marker = Marker(0.0, "kill", "i1")
    feed.put(marker)
    for number in range(2500):
        feed.put(LogLine("i1", str(number)))
    events = await read_all(feed)
    assert events[0] == marker
    assert events[1:] == [LogLine("i1", str(number)) for number in range(500, 2500)]


async def test_nothing_comes_after_the_end() -> None:
    feed = EventFeed()
    feed.close()
    feed.put(Marker(0.0, "kill", "i1"))
    assert await read_all(feed) == []

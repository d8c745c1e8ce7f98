"""The event feed: bounded for slow readers, complete in what matters."""

from __future__ import annotations

import asyncio

from core.environment import EnvironmentEvent, InstanceChanged, InstanceInfo, InstanceState, LogLine
from server.supervisor.feed import EventFeed, Subscription


def _change(state: InstanceState, sessions: int = -1, name: str = "i1") -> InstanceChanged:
    return InstanceChanged(InstanceInfo(name, state, "http://127.0.0.1:1", sessions=sessions))


async def _rest(reader: Subscription) -> list[EnvironmentEvent]:
    return [event async for event in reader]


async def test_each_reader_gets_everything_from_its_subscription_on() -> None:
    feed = EventFeed()
    early = feed.subscribe()
    feed.publish(LogLine("i1", "one"))
    late = feed.subscribe()
    feed.publish(LogLine("i1", "two"))
    feed.close()
    assert await _rest(early) == [LogLine("i1", "one"), LogLine("i1", "two")]
    assert await _rest(late) == [LogLine("i1", "two")]


async def test_a_slow_reader_loses_the_oldest_lines_and_no_state() -> None:
    feed = EventFeed(log_lines=2)
    reader = feed.subscribe()
    feed.publish(_change("ready"))
    for number in range(5):
        feed.publish(LogLine("i1", str(number)))
    feed.publish(_change("dead"))
    feed.close()
    assert await _rest(reader) == [_change("ready"), LogLine("i1", "3"), LogLine("i1", "4"), _change("dead")]


async def test_of_samples_the_newest_is_kept() -> None:
    feed = EventFeed()
    reader = feed.subscribe()
    for sessions in range(3):
        feed.publish(_change("ready", sessions))
        feed.publish(_change("ready", sessions, "i2"))
    feed.publish(_change("paused"))
    feed.publish(_change("ready"))
    feed.close()
    assert await _rest(reader) == [
        _change("ready", 2),
        _change("ready", 2, "i2"),
        _change("paused"),
        _change("ready"),
    ]


async def test_a_read_sample_is_not_replaced() -> None:
    feed = EventFeed()
    reader = feed.subscribe()
    feed.publish(_change("ready", 1))
    assert await anext(reader) == _change("ready", 1)
    feed.publish(_change("ready", 2))
    assert await anext(reader) == _change("ready", 2)


async def test_a_waiting_reader_wakes_up() -> None:
    feed = EventFeed()
    reader = feed.subscribe()
    waiting = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0)
    feed.publish(LogLine("i1", "hello"))
    assert await waiting == LogLine("i1", "hello")


async def test_end_while_waiting() -> None:
    feed = EventFeed()
    waiting = asyncio.ensure_future(_rest(feed.subscribe()))
    await asyncio.sleep(0)
    feed.close()
    assert await waiting == []
    assert await _rest(feed.subscribe()) == []


async def test_a_reader_that_left_keeps_nothing() -> None:
    feed = EventFeed()
    reader = feed.subscribe()
    feed.publish(LogLine("i1", "one"))
    await reader.aclose()
    feed.publish(LogLine("i1", "two"))
    assert await _rest(reader) == []

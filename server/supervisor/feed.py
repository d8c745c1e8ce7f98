"""Events of a cluster to any number of readers, each at its own pace.

A reader that is slow, or stopped reading, costs a bounded amount: of log lines it loses the
oldest, of samples it keeps the newest; a change of state is never lost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Self

from core.environment import EnvironmentEvent, InstanceChanged, LogLine

_LOG_LINES = 2000


class Subscription:
    """One reader: an async iterator that ends when the feed is closed and everything was read."""

    def __init__(self, feed: EventFeed, log_lines: int) -> None:
        self._feed = feed
        self._log_lines = log_lines
        self._events: dict[int, EnvironmentEvent] = {}
        self._next = 0
        self._logs: deque[int] = deque()
        self._samples: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._closed = False

    def put(self, event: EnvironmentEvent) -> None:
        """Queue an event (called by the feed)."""
        if isinstance(event, InstanceChanged) and self._replace_sample(event):
            return
        number = self._next = self._next + 1
        self._events[number] = event
        if isinstance(event, LogLine):
            self._logs.append(number)
            if len(self._logs) > self._log_lines:
                del self._events[self._logs.popleft()]
        elif isinstance(event, InstanceChanged):
            self._samples[event.instance.id] = number
        self._wake.set()

    def _replace_sample(self, event: InstanceChanged) -> bool:
        """Whether the newest unread event of this instance tells the same state: then replace it."""
        number = self._samples.get(event.instance.id, -1)
        waiting = self._events.get(number)
        if not isinstance(waiting, InstanceChanged):
            return False
        if (waiting.instance.state, waiting.instance.pid) != (event.instance.state, event.instance.pid):
            return False
        self._events[number] = event
        return True

    def close(self) -> None:
        """No more events will come (called by the feed)."""
        self._closed = True
        self._wake.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> EnvironmentEvent:
        while not self._events:
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        number = next(iter(self._events))
        event = self._events.pop(number)
        if isinstance(event, LogLine):
            self._logs.popleft()
        return event

    async def aclose(self) -> None:
        """Stop reading; nothing is kept for this reader any more."""
        self._feed.drop(self)
        self._events.clear()
        self._logs.clear()
        self.close()


class EventFeed:
    """Hands each published event to every reader that subscribed before."""

    def __init__(self, *, log_lines: int = _LOG_LINES) -> None:
        self._log_lines = log_lines
        self._readers: list[Subscription] = []
        self._closed = False

    def publish(self, event: EnvironmentEvent) -> None:
        """Hand an event to all readers; never blocks."""
        for reader in self._readers:
            reader.put(event)

    def subscribe(self) -> Subscription:
        """A new reader of everything from now on."""
        reader = Subscription(self, self._log_lines)
        if self._closed:
            reader.close()
        else:
            self._readers.append(reader)
        return reader

    def drop(self, reader: Subscription) -> None:
        """Forget a reader; nothing happens if it is forgotten already."""
        if reader in self._readers:
            self._readers.remove(reader)

    def close(self) -> None:
        """End all readers once they have read what is queued."""
        self._closed = True
        for reader in self._readers:
            reader.close()
        self._readers.clear()

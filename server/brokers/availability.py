"""When an instance's broker came and went, where it was, and why it went."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from .base import Availability, Broker

_MOST_CHANGES: Final = 20


class BrokerChange(msgspec.Struct, frozen=True):
    """The broker came or went.

    Attributes:
        at_s: When, in seconds since the start of the instance.
        available: Whether it came.
        node: Which broker, as its URL without login, or what it calls itself.
        reason: Why it went, "" if it came.
    """

    at_s: float
    available: bool
    node: str
    reason: str = ""


class BrokerWatch:
    """Remembers the last changes and tells all who have to do something about them.

    Args:
        broker: The broker; told about as its :attr:`~server.brokers.base.Broker.url`.
        clock: The loop's clock.
        listeners: Told of every change, in this order.
    """

    def __init__(self, broker: Broker, clock: Callable[[], float], listeners: Sequence[Availability]) -> None:
        #: The last changes, oldest first.
        self.changes: deque[BrokerChange] = deque(maxlen=_MOST_CHANGES)
        self._broker = broker
        self._clock = clock
        self._started_at = clock()
        self._listeners = listeners

    def on_availability(self, available: bool, reason: str) -> None:
        """The broker has come or gone."""
        at = round(self._clock() - self._started_at, 3)
        self.changes.append(BrokerChange(at, available, self._broker.url, reason))
        for listener in self._listeners:
            listener(available, reason)

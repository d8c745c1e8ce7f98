"""What has changed lately: the queue behind ``/apps/delta`` (docs/wire/discovery.md §3). Pure: time comes in.

An instance that changes twice is in it once, with what happened last: a client that has seen
neither is brought to the same state, and Eureka's own clients take MODIFIED of somebody whom they
do not know as ADDED.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

Action = Literal["ADDED", "MODIFIED", "DELETED"]
Key = tuple[str, str]
T = TypeVar("T")

#: How long a change is told, as Netflix's server does; a client that was away for longer finds
#: that its hash code differs and takes the whole registry.
RETENTION_S = 180.0

#: More changes than this push out the oldest; their readers find the hash code different.
MOST = 10_000


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """What happened last to one instance, and when."""

    subject: T
    action: Action
    at: float


class RecentChanges(Generic[T]):
    """The changes of the last :data:`RETENTION_S`, the oldest first."""

    def __init__(self, retention_s: float = RETENTION_S, most: int = MOST) -> None:
        self._retention_s = retention_s
        self._most = most
        self._changes: dict[Key, Change[T]] = {}
        self._revision = 0
        self._told = -1
        self._version = 0

    @property
    def version(self) -> int:
        """``versions__delta``: how many different deltas have been told."""
        return self._version

    def note(self, key: Key, subject: T, action: Action, now: float) -> None:
        """Remember what has just happened to ``key``."""
        self._forget_old(now)
        self._changes.pop(key, None)
        self._changes[key] = Change(subject, action, now)
        if len(self._changes) > self._most:
            del self._changes[next(iter(self._changes))]
        self._revision += 1

    def tell(self, now: float) -> tuple[Change[T], ...]:
        """What is still to be told at ``now``; a new version if it is not what was told last."""
        self._forget_old(now)
        if self._told != self._revision:
            self._told = self._revision
            self._version += 1
        return tuple(self._changes.values())

    def _forget_old(self, now: float) -> None:
        """Drop what is told no more; the oldest stand first. Nobody may ever ask for a delta."""
        while self._changes:
            oldest = next(iter(self._changes))
            if self._changes[oldest].at + self._retention_s > now:
                return
            del self._changes[oldest]
            self._revision += 1

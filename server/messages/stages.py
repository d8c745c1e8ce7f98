"""Where every push is, or where it ended: the newest pushes of one instance.

A lost push should name its place (accepted, resolved, to the broker, from the broker, queued,
written). Each instance knows its own part; whoever asks joins them.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

#: How many pushes are remembered at least.
DEFAULT_CAPACITY: Final = 200_000


class Stage(StrEnum):
    """The stages of a push, in the order in which it passes them."""

    ACCEPTED = "accepted"
    RESOLVED = "resolved"
    NO_SESSION = "no-session"
    NO_SUBSCRIBER = "no-subscriber"
    TO_BROKER = "to-broker"
    FROM_BROKER = "from-broker"
    QUEUED = "queued"
    WRITTEN = "written"
    CUT = "cut"
    DROPPED = "dropped"


class StageLog:
    """Last stage by push id; bounded, the oldest are forgotten.

    Two generations instead of a ring: setting an entry costs one dict store and nothing is
    ever deleted one by one. Between ``capacity`` and twice as many entries are kept.
    """

    __slots__ = ("_capacity", "_new", "_old")

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        self._capacity = capacity
        self._new: dict[str, str] = {}
        self._old: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def set(self, push: str, stage: str) -> None:
        """Note the last stage of a push."""
        new = self._new
        new[push] = stage
        if len(new) >= self._capacity:
            self._old, self._new = new, {}

    def set_many(self, pushes: Iterable[str], stage: str) -> None:
        """Note the same stage for several pushes."""
        for push in pushes:
            self.set(push, stage)

    def get(self, push: str) -> str | None:
        """The last stage of a push, or None if it is unknown here or forgotten."""
        stage = self._new.get(push)
        return stage if stage is not None else self._old.get(push)

    def select(self, pushes: Iterable[str]) -> dict[str, str]:
        """The stages of those pushes that are known here."""
        found: dict[str, str] = {}
        for push in pushes:
            stage = self.get(push)
            if stage is not None:
                found[push] = stage
        return found

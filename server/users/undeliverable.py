"""Messages for users that ended without a receiver: counted by reason, the newest ones listed.

Nothing is dropped in silence (docs/wire/spring-relay.md §10.1): whoever finds that a message goes no further
says so here, with the stage that it had reached. ``/info`` and ``/metrics`` show it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from ..messages.counters import Counters
from ..messages.stages import Stage

#: The newest cases that are kept, with user and destination.
_MOST_RECENT: Final = 50
_LONGEST_TEXT: Final = 200


class Origin(StrEnum):
    """Who sent a message for a user."""

    PUSH = "push"
    CLIENT = "client"
    HANDLER = "handler"


class Reason(StrEnum):
    """Why a message for a user has no receiver."""

    #: No instance knows the user.
    NO_SESSION = "no-session"
    #: It was addressed to one session, and no instance has it.
    UNKNOWN_SESSION = "unknown-session"
    #: The user was known only from an instance that has fallen silent.
    EXPIRED = "expired"
    #: The user is connected, and has not subscribed to the destination.
    NOT_SUBSCRIBED = "not-subscribed"
    #: The client left before the message was written.
    SESSION_GONE = "session-gone"
    #: The client did not read and was cut with the message in its queue.
    QUEUE_OVERFLOW = "queue-overflow"
    #: The client did not read, and messages for it are dropped then rather than the client cut.
    SLOW_CONSUMER = "slow-consumer"
    #: The broker was away; the sender was told.
    BROKER_UNAVAILABLE = "broker-unavailable"
    #: The broker did not take it; the sender was told if it had asked.
    BROKER_REFUSED = "broker-refused"
    #: The broker was lost while the user was being looked for.
    BROKER_LOST = "broker-lost"
    #: This instance was not in step with its peers; the sender was told.
    NOT_IN_STEP = "not-in-step"
    #: This instance is about to stop; the sender was told.
    STOPPING = "stopping"
    #: A broadcast of a foreign instance for a user unknown here: it is not broadcast again.
    LOOP_GUARD = "loop-guard"
    #: The destination names no user, or nothing behind the user.
    BAD_DESTINATION = "bad-destination"


#: Reasons of which the sender was told at once: refused, not dropped.
REFUSALS: Final = frozenset({Reason.BROKER_UNAVAILABLE, Reason.NOT_IN_STEP, Reason.STOPPING})


class Case(msgspec.Struct, frozen=True):
    """One message that ended.

    Attributes:
        origin: Who sent it.
        reason: Why it ended.
        stage: The last stage that it reached.
        user: The user or session that it was for.
        destination: The destination behind the user.
        id: The push's id, or None.
        at: When (seconds since the epoch).
    """

    origin: str
    reason: str
    stage: str
    user: str
    destination: str
    id: str | None
    at: float


class Undeliverable:
    """The count of one instance.

    Args:
        counters: ``undeliverable`` is the sum of what was dropped; refusals are not in it.
        clock: Seconds since the epoch.
    """

    def __init__(self, counters: Counters, clock: Callable[[], float]) -> None:
        self._counters = counters
        self._clock = clock
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._recent: deque[Case] = deque(maxlen=_MOST_RECENT)

    def note(
        self,
        origin: Origin,
        reason: Reason,
        stage: Stage,
        *,
        user: str = "",
        destination: str = "",
        id: str | None = None,
    ) -> None:
        """One message ended here."""
        self.add(origin, reason, stage, 1)
        user, destination = user[:_LONGEST_TEXT], destination[:_LONGEST_TEXT]
        self._recent.append(Case(origin, reason, stage, user, destination, id, self._clock()))

    def add(self, origin: Origin, reason: Reason, stage: Stage, count: int) -> None:
        """Several messages ended of which nothing more is known."""
        if count:
            self._counts[origin, reason, stage] += count
            if reason not in REFUSALS:
                self._counters.undeliverable += count

    def cut(self, user: str, ids: Iterable[str], reason: Reason) -> None:
        """A client left with these pushes in its queue."""
        for id in ids:
            self.note(Origin.PUSH, reason, Stage.CUT, user=user, id=id)

    def dropped(self, user: str, id: str) -> None:
        """A push was dropped from the queue of a client that did not read."""
        self.note(Origin.PUSH, Reason.SLOW_CONSUMER, Stage.DROPPED, user=user, id=id)

    def counts(self) -> Mapping[tuple[str, str, str], int]:
        """How many, by (origin, reason, last stage)."""
        return self._counts

    def as_dict(self) -> dict[str, Any]:
        """For ``/info``: the counts, and the newest cases, newest first."""
        return {
            "total": sum(self._counts.values()),
            "counts": [
                {"origin": str(origin), "reason": str(reason), "stage": str(stage), "count": count}
                for (origin, reason, stage), count in sorted(self._counts.items())
            ],
            "recent": [msgspec.structs.asdict(case) for case in reversed(self._recent)],
        }

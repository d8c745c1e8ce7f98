"""One push and what became of it, and the sums over many of them."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from .histogram import Histogram

#: Where a user is while nobody knows: before the first subscription, and while reconnecting.
NOWHERE = "-"


class Fate(IntEnum):
    """What is known about a push.

    A push starts as SENT. An answer makes it PENDING (accepted and expected), OFFLINE (accepted,
    not expected), REFUSED, or UNANSWERED (counted as refused; if it arrives all the same, it had
    been accepted). PENDING ends as DELIVERED or, when the drain ends, as LOST.
    """

    SENT = 0
    PENDING = 1
    OFFLINE = 2
    REFUSED = 3
    UNANSWERED = 4
    DELIVERED = 5
    LOST = 6


class Push:
    """One push of a stream; all times are nanoseconds of the one clock, 0 where unknown.

    ``on`` is the instance that the user's session was on when the push was due, and after its
    delivery the one it was delivered on. ``missing`` marks one that a later push of its stream
    has overtaken, or that is overdue.
    """

    __slots__ = (
        "answered_ns",
        "fate",
        "intended_ns",
        "missing",
        "on",
        "received_ns",
        "reordered",
        "sent_ns",
        "seq",
        "user",
        "via",
        "was_offline",
    )

    def __init__(self, via: str, user: str, seq: int, on: str, intended_ns: int, sent_ns: int) -> None:
        self.via = via
        self.user = user
        self.seq = seq
        self.on = on
        self.intended_ns = intended_ns
        self.sent_ns = sent_ns
        self.answered_ns = 0
        self.received_ns = 0
        self.fate = Fate.SENT
        self.missing = False
        self.reordered = False
        self.was_offline = False

    def __repr__(self) -> str:
        """All that is known, on one line."""
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"Push({fields})"


class Counts(msgspec.Struct):
    """The sums of a ledger.

    Three identities hold at every moment: ``attempted = pushed + refused``,
    ``expected = pushed - offline`` and ``expected = delivered + lost + pending``.
    """

    pushed: int = 0
    refused: int = 0
    offline: int = 0
    delivered: int = 0
    lost: int = 0
    duplicate: int = 0
    misrouted: int = 0
    reordered: int = 0
    late: int = 0
    unexpected: int = 0

    @property
    def attempted(self) -> int:
        """Pushes whose outcome at the instance is known: accepted or refused."""
        return self.pushed + self.refused

    @property
    def expected(self) -> int:
        """Accepted pushes to users whom nobody had asked to be away."""
        return self.pushed - self.offline

    @property
    def pending(self) -> int:
        """Expected pushes that are still under way."""
        return self.expected - self.delivered - self.lost

    @property
    def reach(self) -> float | None:
        """Delivered ÷ expected in percent; None when nothing was expected."""
        return 100.0 * self.delivered / self.expected if self.expected else None

    def add(self, other: Counts) -> None:
        """Add the sums of another ledger."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Tally(msgspec.Struct):
    """What changed for one (via, on) and one time slot, the slot of the intended sending.

    ``expected``, ``delivered`` and ``lost`` are differences and may be negative: a push moves to
    another cell when it is delivered elsewhere, and out of ``lost`` when it arrives after all.
    """

    via: str
    on: str
    slot: int
    expected: int = 0
    delivered: int = 0
    lost: int = 0
    latency: Histogram = msgspec.field(default_factory=Histogram)

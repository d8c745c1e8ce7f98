"""Heart-beats: what both sides agreed on, and when to do what next (STOMP 1.2, "Heart-beating")."""

from __future__ import annotations

from typing import Final

from ..errors import HeartbeatLost

#: A beat goes out after this part of the agreed interval without writing. The peer expects data *at
#: least* every interval, and our timers and the network add to it.
SEND_AFTER: Final = 0.8
_MAX_MS: Final = 2**31 - 1


def parse_heartbeat(text: str | None) -> tuple[int, int]:
    """The pair of a ``heart-beat`` header, in milliseconds.

    Absent, and, as with Spring, without a comma: (0, 0).

    Raises:
        ValueError: Anything else that is not two plain integers of at most 31 bits.
    """
    if text is None or "," not in text:
        return 0, 0
    sends, _, wants = text.partition(",")
    for part in (sends, wants):
        if not (part.isascii() and part.isdigit() and len(part) <= 10 and int(part) <= _MAX_MS):
            raise ValueError(text)
    return int(sends), int(wants)


class Heartbeats:
    """Deadlines of one connection; seconds of the caller's clock.

    Attributes:
        send_every: Agreed interval of our sending, in seconds; 0 for none.
        expect_every: Agreed interval of the peer's sending, in seconds; 0 for none.
        last_sent: When anything was last written; the caller sets it.
        last_received: When anything last came; the session sets it.
    """

    __slots__ = ("_tolerance", "expect_every", "last_received", "last_sent", "send_every")

    def __init__(
        self, ours: tuple[int, int], theirs: tuple[int, int], *, now: float, tolerance: float
    ) -> None:
        """Agree: each direction beats at the slower of the two sides' values, 0 meaning not at all.

        Args:
            ours: (can send, want) of our side, in milliseconds.
            theirs: The same of the peer.
            now: Time of the agreement.
            tolerance: After how many silent intervals the peer counts as lost.
        """
        self.send_every = _agree(ours[0], theirs[1])
        self.expect_every = _agree(theirs[0], ours[1])
        self.last_sent = now
        self.last_received = now
        self._tolerance = tolerance

    def next_deadline(self) -> float | None:
        """When ``tick`` has something to do at the earliest, unless more is written or read."""
        send, lost = self._send_at(), self._lost_at()
        if send is None or lost is None:
            return lost if send is None else send
        return min(send, lost)

    def due(self, now: float) -> bool:
        """Whether a beat is to be sent now; if so it counts as written.

        Raises:
            HeartbeatLost: The peer has been silent for too long.
        """
        lost = self._lost_at()
        if lost is not None and now >= lost:
            silent = now - self.last_received
            raise HeartbeatLost(
                f"no heart-beat for {silent:.1f} s; one was agreed on every {self.expect_every:g} s"
            )
        send = self._send_at()
        if send is None or now < send:
            return False
        self.last_sent = now
        return True

    def _send_at(self) -> float | None:
        return self.last_sent + self.send_every * SEND_AFTER if self.send_every else None

    def _lost_at(self) -> float | None:
        return self.last_received + self.expect_every * self._tolerance if self.expect_every else None


def _agree(sends: int, wants: int) -> float:
    return max(sends, wants) / 1000 if sends and wants else 0.0

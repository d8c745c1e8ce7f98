"""When to try again: a value, used by whoever holds a connection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReconnectPolicy:
    """Delays between attempts: growing, capped, spread.

    Many clients that lose the same server must not come back at the same moment, so a share of
    each delay is left to chance.

    Attributes:
        first: Longest delay in seconds before the first attempt.
        factor: What each further delay is multiplied with.
        maximum: Longest delay in seconds.
        jitter: Share of a delay that chance may take away, 0 to 1.
        attempts: Attempts in a row before giving up; 0 never gives up.
    """

    first: float = 0.5
    factor: float = 2.0
    maximum: float = 30.0
    jitter: float = 0.5
    attempts: int = 0

    def delay(self, attempt: int, chance: float) -> float | None:
        """Seconds to wait before attempt number ``attempt`` (from 0) since the last success.

        ``chance`` is a random number from 0 to 1. None: give up.
        """
        if self.attempts and attempt >= self.attempts:
            return None
        # The exponent is bounded: 2 ** 5000 would overflow after a weekend of failures.
        longest = min(self.maximum, self.first * self.factor ** min(attempt, 64))
        return longest * (1 - self.jitter * chance)


#: What simulated users do: back at once, but not all in the same moment.
EAGER = ReconnectPolicy(first=0.2, factor=1.6, maximum=1.0, jitter=0.8)

"""Round numbers for axes: limits that seldom change, ticks that read well. No Qt here."""

from __future__ import annotations

import math

Ticks = list[tuple[float, str]]

_LIMITS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_STEPS = (1.0, 2.0, 5.0, 10.0)

#: The lowest value that a logarithmic axis shows, in milliseconds.
LOG_FLOOR = 0.1


def nice_limit(value: float) -> float:
    """The smallest round number that is not below ``value``."""
    if not math.isfinite(value) or value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    for factor in _LIMITS:
        if factor * power >= value * (1 - 1e-9):
            return factor * power
    return 10.0 * power


def nice_step(span: float, ticks: int) -> float:
    """A round step that divides ``span`` into about ``ticks`` parts."""
    raw = span / max(1, ticks)
    power = 10.0 ** math.floor(math.log10(raw))
    return next(factor * power for factor in _STEPS if factor * power >= raw * (1 - 1e-9))


def linear_ticks(limit: float, ticks: int = 4) -> Ticks:
    """Ticks from zero to ``limit``; zero itself has none, it is the axis."""
    step = nice_step(limit, ticks)
    count = int(limit / step + 1e-9)
    return [(k * step, plain(k * step)) for k in range(1, count + 1)]


def log_ticks(limit: float) -> Ticks:
    """Ticks at 1, 2 and 5 of each decade (1 alone over many decades), at their logarithms."""
    low, high = math.log10(LOG_FLOOR), math.log10(limit)
    factors = (1, 2, 5) if high - low <= 3 else (1,)
    found: Ticks = []
    for power in range(math.floor(low), math.ceil(high) + 1):
        for factor in factors:
            at = math.log10(factor) + power
            if low - 1e-9 <= at <= high + 1e-9:
                found.append((at, plain(factor * 10.0**power)))
    return found


def plain(value: float) -> str:
    """A tick's number without trailing zeros or an exponent."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return text or "0"


class Limit:
    """The upper end of a y axis: grows at once, shrinks only after the data stayed far below it
    for a while, so that the axis does not jump."""

    def __init__(self, lowest: float = 1.0, patience: int = 12) -> None:
        self._lowest = lowest
        self._patience = patience
        self._below = 0
        self.value = lowest

    def follow(self, highest: float) -> float:
        """The limit for data whose highest value is ``highest``; call it once per redraw."""
        wish = max(self._lowest, nice_limit(highest * 1.08))
        if wish > self.value:
            self.value, self._below = wish, 0
        elif wish < self.value * 0.7:
            self._below += 1
            if self._below >= self._patience:
                self.value, self._below = wish, 0
        else:
            self._below = 0
        return self.value

    def reset(self) -> None:
        """Begin anew, as after a change of window or scale."""
        self.value, self._below = self._lowest, 0

"""Numbers, durations and sizes as people read them; the locale is the interface language's."""

from __future__ import annotations

from PySide6.QtCore import QLocale

#: Where there is no value: an en dash, never a zero.
NONE = "–"


def integer(value: int) -> str:
    """``98310`` as ``98,310`` (or as the language writes it)."""
    return QLocale().toString(value)


def decimal(value: float, digits: int = 1) -> str:
    """A number with a fixed count of decimals, so that columns line up."""
    return QLocale().toString(float(value), "f", digits)


def millis(value: float | None) -> str:
    """A latency without its unit; whole numbers from 1000 on."""
    if value is None:
        return NONE
    return decimal(value, 1 if abs(value) < 1000 else 0)


def rate(value: float) -> str:
    """Pushes per second: one decimal below ten, if it has any."""
    if value < 10 and abs(value - round(value)) >= 0.05:
        return decimal(value, 1)
    return integer(round(value))


def percent(part: float, whole: float) -> str:
    """A share without its sign, rounded so that less than all never reads 100 and more than
    none never reads 0."""
    if whole <= 0:
        return NONE
    share = 100.0 * part / whole
    if part >= whole:
        return decimal(share, 0)
    digits = 1 if share < 99.9 else 2
    step = 10.0**-digits
    shown = int(share / step) * step  # cut, never round up: 99.999 % is not 100 %
    return decimal(max(shown, step if part > 0 else 0.0), digits)


def clock(seconds: float) -> str:
    """``102`` as ``00:01:42``."""
    whole = max(0, int(seconds))
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def short_clock(seconds: float) -> str:
    """``102`` as ``1:42``, ``3702`` as ``1:01:42``."""
    whole = max(0, int(seconds))
    if whole >= 3600:
        return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}"


def seconds(value: float) -> str:
    """A step's duration without its unit."""
    return decimal(value, 1)


def mebibytes(value: int) -> str:
    """A memory size in MiB without its unit; a dash where unknown."""
    return NONE if value < 0 else integer(round(value / (1 << 20)))

"""Thresholds: expressions such as ``p99 < 50``, ``lost == 0`` or ``p95{via:i1} <= 20 ms``.

``metric [{scope}] operator number [unit]``. Latencies are milliseconds unless the number says
``us`` or ``s``; ``reach`` is percent.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

#: Metrics in milliseconds.
LATENCIES: Final = ("p50", "p90", "p95", "p99", "p999", "max", "mean", "sender_lag")

#: Metrics that count pushes or deliveries of the whole run.
COUNTS: Final = (
    "attempted",
    "refused",
    "pushed",
    "offline",
    "expected",
    "delivered",
    "pending",
    "lost",
    "duplicate",
    "misrouted",
    "reordered",
    "late",
    "unexpected",
)

#: Metrics that may be narrowed to a via and an on.
SCOPED: Final = ("p50", "p90", "p95", "p99", "p999", "max", "mean", "expected", "delivered", "lost", "reach")

_METRICS: Final = (*LATENCIES, *COUNTS, "reach")
_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_FACTORS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0}
_EXPRESSION: Final = re.compile(
    r"\s*(?P<metric>[A-Za-z_]\w*)\s*(?:\{(?P<scope>[^}]*)\})?"
    r"\s*(?P<operator><=|>=|==|!=|<|>)"
    r"\s*(?P<number>[+-]?\d+(?:\.\d+)?)\s*(?P<unit>us|ms|s|%)?\s*"
)


class ThresholdError(ValueError):
    """An expression that cannot be understood; the message says where and what would be right."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A parsed expression; ``limit`` is in the metric's own unit."""

    expr: str
    metric: str
    operator: str
    limit: float
    via: str | None = None
    on: str | None = None

    def holds(self, value: float | None) -> bool:
        """Whether the value is within the threshold; a value that does not exist is not."""
        return value is not None and _OPERATORS[self.operator](value, self.limit)


def parse_threshold(expr: str) -> Threshold:
    """Understand one expression.

    Raises:
        ThresholdError: says what is wrong and what would be right.
    """
    match = _EXPRESSION.fullmatch(expr)
    if match is None:
        raise ThresholdError(_what_is_wrong(expr))
    metric = match["metric"]
    if metric not in _METRICS:
        raise ThresholdError(f"unknown metric {metric!r}{_did_you_mean(metric, _METRICS)}")
    limit = _limit(metric, float(match["number"]), match["unit"])
    via, on = _scope(metric, match["scope"])
    return Threshold(" ".join(expr.split()), metric, match["operator"], limit, via, on)


def _what_is_wrong(expr: str) -> str:
    """A sentence about an expression that has not even the right shape."""
    shape = "expected something like 'p99 < 50' or 'lost == 0'"
    if not expr.strip():
        return f"empty threshold; {shape}"
    if re.search(r"[^=<>!]=[^=]", expr):
        return f"{expr!r}: use '==' to compare; {shape}"
    return f"cannot understand {expr!r}; {shape}"


def _limit(metric: str, number: float, unit: str | None) -> float:
    if unit is None:
        return number
    if metric in LATENCIES and unit in _FACTORS:
        return number * _FACTORS[unit]
    if metric == "reach" and unit == "%":
        return number
    proper = "us, ms or s" if metric in LATENCIES else "%" if metric == "reach" else "no unit"
    raise ThresholdError(f"{metric} takes {proper}, not {unit!r}")


def _scope(metric: str, scope: str | None) -> tuple[str | None, str | None]:
    if scope is None:
        return None, None
    if metric not in SCOPED:
        raise ThresholdError(f"{metric} cannot be narrowed; these can: {', '.join(SCOPED)}")
    found: dict[str, str] = {}
    for part in scope.split(","):
        name, colon, value = (piece.strip() for piece in part.partition(":"))
        if name not in ("via", "on") or not colon or not value:
            raise ThresholdError(f"cannot understand {{{scope}}}; expected {{via:i1}}, {{on:i2}} or both")
        found[name] = value
    return found.get("via"), found.get("on")


def _did_you_mean(word: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"

"""The summary of a run: its numbers, and the judgement with its reason in words."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from typing import Any, Final, Literal

import msgspec

from ..environment import EnvironmentInfo
from ..errors import EXIT_PRECEDENCE, ExitCode
from ..load.scenario import Scenario
from ..metrics import Counts, Histogram, SeriesBook, parse_threshold
from ..redaction import without_tokens
from ..version import VERSION
from .figures import Cell, Percentiles

#: A push that left so much too late measured the generator, not the target.
SATURATED_MS: Final = 50.0

#: Late senders make a result worthless when they are more than one in a hundred, and more than a
#: handful: in a short run, one hiccup of the machine is one in a hundred.
_SATURATED_SHARE: Final = 0.01
_SATURATED_LEAST: Final = 10

Verdict = Literal["pass", "fail", "error", "saturated", "interrupted"]


class ThresholdResult(msgspec.Struct, frozen=True):
    """One threshold: what was asked, what it was, and whether it holds."""

    expr: str
    value: float | None
    ok: bool


class SenderLag(msgspec.Struct, frozen=True):
    """How late pushes left, in milliseconds."""

    p50: float | None = None
    p99: float | None = None
    max: float | None = None


class Summary(msgspec.Struct, frozen=True):
    """The content of summary.json, in its order (docs/measuring.md, "What a run leaves behind")."""

    result: Verdict
    reason: str
    attempted: int
    refused: int
    pushed: int
    offline: int
    expected: int
    delivered: int
    pending: int
    reach: float | None
    lost: int
    duplicate: int
    misrouted: int
    reordered: int
    late: int
    unexpected: int
    latency_ms: Percentiles
    matrix: tuple[Cell, ...]
    thresholds: tuple[ThresholdResult, ...]
    sender_lag_ms: SenderLag
    environment: dict[str, Any]
    scenario: dict[str, Any]
    versions: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return msgspec.to_builtins(self)


class Facts(msgspec.Struct, frozen=True):
    """What is known at the end of a run.

    Attributes:
        scenario: What was asked for.
        environment: Where it ran; None if it never started.
        counts: The ledger's sums.
        book: Latencies by series and cell.
        matrix: The cells.
        latency: Percentiles of all deliveries.
        lag: How late pushes were sent.
        interrupted: Somebody ended it before its time.
        failure: What kept it from running, with its exit code.
        doubt: What may explain losses; named beside them, and without them if ``doubt_always``.
    """

    scenario: Scenario
    environment: EnvironmentInfo | None
    counts: Counts
    book: SeriesBook
    matrix: tuple[Cell, ...]
    latency: Percentiles
    lag: Histogram
    interrupted: bool = False
    failure: tuple[ExitCode, str] | None = None
    doubt: str = ""
    doubt_always: bool = False


def judge(facts: Facts) -> tuple[Summary, ExitCode]:
    """The summary of a run and the exit code that belongs to it."""
    thresholds = tuple(_check(expr, facts) for expr in facts.scenario.thresholds)
    found = dict(_findings(facts, thresholds))
    code = next((code for code in EXIT_PRECEDENCE if code in found), ExitCode.PASS)
    reason = "; ".join(found[code] for code in EXIT_PRECEDENCE if code in found) or _praise(facts)
    counts = facts.counts
    if facts.doubt and counts.lost:
        reason += f"; likely cause: {facts.doubt}"
    elif facts.doubt and facts.doubt_always:
        reason += f"; {facts.doubt}"
    names = [name for name in Counts.__struct_fields__ if name not in ("pushed", "refused", "offline")]
    summary = Summary(
        result=_RESULTS.get(code, "error"),
        reason=reason,
        attempted=counts.attempted,
        refused=counts.refused,
        pushed=counts.pushed,
        offline=counts.offline,
        expected=counts.expected,
        pending=counts.pending,
        reach=None if counts.reach is None else round(counts.reach, 4),
        **{name: getattr(counts, name) for name in names},
        latency_ms=facts.latency,
        matrix=facts.matrix,
        thresholds=thresholds,
        sender_lag_ms=_sender_lag(facts.lag),
        environment=_environment(facts.environment),
        scenario=_scenario(facts.scenario),
        versions=versions(),
    )
    return summary, code


_RESULTS: Final[dict[ExitCode, Verdict]] = {
    ExitCode.PASS: "pass",
    ExitCode.THRESHOLD: "fail",
    ExitCode.DELIVERY: "fail",
    ExitCode.SATURATED: "saturated",
    ExitCode.INTERRUPTED: "interrupted",
}


def _findings(facts: Facts, thresholds: tuple[ThresholdResult, ...]) -> Iterator[tuple[ExitCode, str]]:
    """Everything that keeps a run from passing."""
    counts = facts.counts
    if facts.interrupted:
        yield ExitCode.INTERRUPTED, f"interrupted; so far {_delivered(counts)}"
    if facts.failure is not None:
        yield facts.failure
    elif counts.attempted and not counts.pushed:
        yield ExitCode.UNREACHABLE, f"no instance accepted any of {_count(counts.attempted, 'push')}"
    late = facts.lag.above(round(SATURATED_MS * 1e6))
    if late > max(_SATURATED_LEAST, _SATURATED_SHARE * facts.lag.count):
        words = f"{late} of {facts.lag.count} pushes left more than {SATURATED_MS:.0f} ms late"
        yield ExitCode.SATURATED, f"generator saturated, result not trustworthy: {words}"
    broken = [
        f"{number} {name}"
        for name in ("lost", "duplicate", "misrouted", "reordered")
        if (number := getattr(counts, name))
    ]
    if broken:
        yield ExitCode.DELIVERY, f"delivery rule failed: {', '.join(broken)} of {counts.expected} expected"
    failed = [f"{one.expr} (is {_number(one.value)})" for one in thresholds if not one.ok]
    if failed:
        yield ExitCode.THRESHOLD, f"threshold failed: {', '.join(failed)}"


def _praise(facts: Facts) -> str:
    p99 = facts.latency.p99
    tail = "" if p99 is None else f", p99 {_number(p99)} ms"
    return f"passed: {_delivered(facts.counts)}{tail}"


def _delivered(counts: Counts) -> str:
    return f"{counts.delivered} of {counts.expected} expected pushes delivered"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 'es' if noun.endswith('h') else 's'}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")


def _check(expr: str, facts: Facts) -> ThresholdResult:
    threshold = parse_threshold(expr)
    value = metric_value(facts, threshold.metric, threshold.via, threshold.on)
    shown = None if value is None else round(value, 4)
    return ThresholdResult(threshold.expr, shown, threshold.holds(value))


def metric_value(facts: Facts, metric: str, via: str | None, on: str | None) -> float | None:
    """The value of a threshold's metric, over everything or narrowed to a via and an on."""
    if metric == "sender_lag":
        return _sender_lag(facts.lag).p99
    total = facts.book.total(via, on)
    if metric == "reach":
        return 100.0 * total.delivered / total.expected if total.expected else None
    if metric == "mean":
        mean = total.latency.mean()
        return None if mean is None else mean / 1e6
    if metric in _PERCENTS:
        value = total.latency.percentile(_PERCENTS[metric])
        return None if value is None else value / 1e6
    return float(getattr(total if via or on else facts.counts, metric))


_PERCENTS: Final = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p999": 99.9, "max": 100.0}


def _sender_lag(lag: Histogram) -> SenderLag:
    values = lag.percentiles((50, 99, 100))
    return SenderLag(*(None if value is None else round(value / 1e6, 3) for value in values))


def _environment(info: EnvironmentInfo | None) -> dict[str, Any]:
    if info is None:
        return {}
    return {
        "name": info.name,
        "kind": info.kind,
        "gateway_url": without_tokens(info.gateway_url),
        "websocket_url": without_tokens(info.websocket_url),
        "strategy": info.strategy,
        "broker": info.broker,
        "instances": [
            {"id": each.id, "state": each.state, "push_url": without_tokens(each.push_url)}
            for each in info.instances
        ],
    }


def _scenario(scenario: Scenario) -> dict[str, Any]:
    correlation = "ps-id header" if scenario.push == "push" else "order of arrival"
    return {**msgspec.to_builtins(scenario), "correlation": correlation}


def versions() -> dict[str, str]:
    """Of this program and what it runs on."""
    return {
        "pushscope": VERSION,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
    }

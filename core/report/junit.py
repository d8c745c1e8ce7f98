"""junit.xml: delivery rules and thresholds as test cases, which every CI shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..cleaning import for_attribute, for_markup
from ..errors import ExitCode
from .result import Result


class _Case(NamedTuple):
    group: str
    name: str
    failure: str = ""
    error: str = ""


def render_junit(result: Result) -> str:
    """The text of the file."""
    cases = list(_cases(result))
    failures = sum(bool(case.failure) for case in cases)
    errors = sum(bool(case.error) for case in cases)
    seconds = max(0.0, result.ended_t - result.started_t)
    name = str(result.summary.scenario.get("name", "run"))
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="pushscope" tests="{len(cases)}" failures="{failures}" errors="{errors}" '
        f'time="{seconds:.3f}">',
        f'  <testsuite name={for_attribute(name)} tests="{len(cases)}" failures="{failures}" '
        f'errors="{errors}" time="{seconds:.3f}">',
    ]
    for case in cases:
        group = for_attribute(f"pushscope.{case.group}")
        head = f"    <testcase classname={group} name={for_attribute(case.name)}"
        kind = "failure" if case.failure else "error"
        words = case.failure or case.error
        if words:
            first = words.splitlines()[0]
            lines.append(
                f"{head}><{kind} message={for_attribute(first)}>{for_markup(words)}</{kind}></testcase>"
            )
        else:
            lines.append(f"{head}/>")
    lines += [
        f"    <system-out>{for_markup(result.reason)}</system-out>",
        "  </testsuite>",
        "</testsuites>",
        "",
    ]
    return "\n".join(lines)


def _cases(result: Result) -> Iterator[_Case]:
    summary = result.summary
    for rule in ("lost", "duplicate", "misrouted", "reordered"):
        number = getattr(summary, rule)
        words = f"{number} {rule} of {summary.expected} expected" if number else ""
        if rule == "lost" and number:
            words = "\n".join((words, *_lost_lines(result)))
        yield _Case("delivery", f"{rule} == 0", words)
    for threshold in summary.thresholds:
        value = "unknown" if threshold.value is None else f"{threshold.value:g}"
        yield _Case("thresholds", threshold.expr, "" if threshold.ok else f"{threshold.expr}: is {value}")
    trusted = result.exit_code in (ExitCode.PASS, ExitCode.THRESHOLD, ExitCode.DELIVERY)
    yield _Case("run", "the run can be judged", error="" if trusted else summary.reason)


def _lost_lines(result: Result, most: int = 50) -> Iterator[str]:
    for lost in result.lost_pushes[:most]:
        at = lost.t - result.started_t
        yield f"{lost.id} at {at:.3f} s via {lost.via} on {lost.on}: {lost.stage}"
    more = len(result.lost_pushes) - most
    if more > 0:
        yield f"and {more} more (deliveries.csv)"

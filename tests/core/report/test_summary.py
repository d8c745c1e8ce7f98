"""The judgement: which code wins, and what the reason says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from core.errors import ExitCode
from core.load.scenario import Scenario
from core.metrics import Histogram
from core.report.summary import judge
from tests.support.results import MS, facts_of, flawless, tally, with_losses

KEYS = [
    "result", "reason", "attempted", "refused", "pushed", "offline", "expected", "delivered", "pending",
    "reach", "lost", "duplicate", "misrouted", "reordered", "late", "unexpected", "latency_ms", "matrix",
    "thresholds", "sender_lag_ms", "environment", "scenario", "versions",
]  # fmt: skip

GOOD = tally("i1", "i2", 0, 1.0, 2.0)


def test_the_keys_of_summary_json_in_their_order() -> None:
    summary = flawless().summary
    assert list(msgspec.json.decode(msgspec.json.encode(summary))) == KEYS
    assert list(summary.to_dict()) == KEYS
    first: dict[str, Any] = summary.to_dict()["matrix"][0]
    assert list(first) == ["via", "on", "pushed", "delivered", "lost", "p50", "p99"]
    assert list(summary.to_dict()["latency_ms"]) == ["p50", "p90", "p95", "p99", "p999", "max"]


def test_a_run_that_passes() -> None:
    result = flawless()
    assert (result.exit_code, result.summary.result, result.passed) == (ExitCode.PASS, "pass", True)
    assert result.reason.startswith("passed: 96 of 96 expected pushes delivered, p99 ")


@pytest.mark.parametrize("rule", ["lost", "duplicate", "misrouted", "reordered"])
def test_each_delivery_rule(rule: str) -> None:
    facts = facts_of(GOOD)
    setattr(facts.counts, rule, 3)
    summary, code = judge(facts)
    assert (code, summary.result) == (ExitCode.DELIVERY, "fail")
    assert summary.reason == f"delivery rule failed: 3 {rule} of 2 expected"


def test_late_and_unexpected_fail_nothing_by_themselves() -> None:
    assert judge(facts_of(GOOD, late=1, unexpected=5, refused=2))[1] is ExitCode.PASS


def test_thresholds_and_their_values() -> None:
    exprs = (
        "p99 < 1",
        "max <= 2",
        "reach == 100 %",
        "p50{via:i1,on:i2} < 5",
        "p50{via:i9} < 5",
        "expected{on:i2} == 2",
    )
    summary, code = judge(facts_of(GOOD, scenario=Scenario(thresholds=exprs)))
    assert code is ExitCode.THRESHOLD
    assert [each.ok for each in summary.thresholds] == [False, True, True, True, False, True]
    assert summary.reason == "threshold failed: p99 < 1 (is 2), p50{via:i9} < 5 (is unknown)"


def test_the_stronger_code_wins_and_the_reason_says_all() -> None:
    facts = facts_of(GOOD, scenario=Scenario(thresholds=("p99 < 1",)), lost=1)
    summary, code = judge(facts)
    assert code is ExitCode.DELIVERY
    assert summary.reason.split("; ")[1].startswith("threshold failed")
    slow = Histogram()
    slow.record_many([80 * MS] * 11)
    summary, code = judge(msgspec.structs.replace(facts, lag=slow))
    assert (code, summary.result) == (ExitCode.SATURATED, "saturated")
    assert summary.reason.startswith("generator saturated, result not trustworthy: 11 of 11 pushes left")
    failure = (ExitCode.UNREACHABLE, "3 users could not connect")
    assert judge(msgspec.structs.replace(facts, failure=failure))[1] is ExitCode.UNREACHABLE
    summary, code = judge(msgspec.structs.replace(facts, failure=failure, interrupted=True))
    assert (code, summary.result) == (ExitCode.INTERRUPTED, "interrupted")


@pytest.mark.parametrize(
    ("late", "all_", "code"), [(10, 10, 0), (11, 20, 30), (50, 10_000, 0), (101, 10_000, 30)]
)
def test_a_hiccup_is_no_saturation(late: int, all_: int, code: int) -> None:
    lag = Histogram()
    lag.record_many([80 * MS] * late + [MS] * (all_ - late))
    assert judge(msgspec.structs.replace(facts_of(GOOD), lag=lag))[1] == code


def test_nothing_accepted_is_no_success() -> None:
    summary, code = judge(facts_of(refused=7))
    assert code is ExitCode.UNREACHABLE
    assert summary.reason == "no instance accepted any of 7 pushes"


def test_losses_are_in_the_cells() -> None:
    summary = with_losses().summary
    assert {(cell.via, cell.on): (cell.pushed, cell.delivered, cell.lost) for cell in summary.matrix} == {
        ("i1", "-"): (1, 0, 1),
        ("i1", "i1"): (16, 16, 0),
        ("i1", "i2"): (2, 1, 1),
    }
    assert (summary.expected, summary.delivered, summary.lost, summary.pending) == (19, 17, 2, 0)

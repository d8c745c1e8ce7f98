"""Scenarios: what makes sense, and what a mistake is answered with."""

from __future__ import annotations

import pytest

from core.environment import ClusterSpec
from core.errors import UsageError
from core.load.scenario import Fault, Scenario, parse_fault, require_sense, scenario_mistakes, spec_mistakes


def test_the_defaults_make_sense() -> None:
    assert list(scenario_mistakes(Scenario())) == []
    assert list(spec_mistakes(ClusterSpec())) == []


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        (Scenario(users=-1), "users: -1 is not between 0 and 100000"),
        (Scenario(rate=1e9), "rate: 1e"),
        (Scenario(destination="topic"), "does not start with '/'"),
        (Scenario(destination="/user/topic/x"), "without the '/user' prefix"),
        (Scenario(faults=(Fault(at=-1, action="kill", instance="i1"),)), "before the first push"),
        (Scenario(faults=(Fault(at=1, action="kill"),)), "which instance is to kill"),
        (Scenario(thresholds=("lost = 0",)), "use '=='"),
    ],
)
def test_nonsense_is_refused(scenario: Scenario, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        require_sense(scenario)


@pytest.mark.parametrize(
    "spec",
    [
        ClusterSpec(instances=0),
        ClusterSpec(instances=65),
        ClusterSpec(ports=(1,)),
        ClusterSpec(default_user=""),
    ],
)
def test_a_cluster_that_makes_no_sense(spec: ClusterSpec) -> None:
    assert len(list(spec_mistakes(spec))) == 1


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("kill i2 @8", Fault(at=8, action="kill", instance="i2")),
        ("  pause  i1  @ 0.5s ", Fault(at=0.5, action="pause", instance="i1")),
        ("add @3", Fault(at=3, action="add")),
    ],
)
def test_faults_of_the_command_line(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    "text", ["", "kill", "kill i2", "kill i2 8", "explode i2 @8", "kill @8", "kill i2 @soon"]
)
def test_a_fault_that_is_not_one(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_fault(text)
    assert "kill i2 @8" in caught.value.hint

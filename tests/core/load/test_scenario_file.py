"""Scenario files: every mistake names file, key and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.environment import ClusterSpec
from core.errors import ExitCode, ScenarioError
from core.load.scenario import Fault, Scenario
from core.load.scenario_file import ScenarioFile, format_scenario, load_scenario, parse_scenario

GOOD = """\
# kills one of three
name = "kill-one"
users = 60
rate = 200
duration = 20
thresholds = ["p99 < 50", "reach >= 99"]

[cluster]
instances = 3

[[faults]]
at = 8
action = "kill"
instance = "i2"
"""


def test_a_whole_file() -> None:
    assert parse_scenario(GOOD) == ScenarioFile(
        Scenario(
            name="kill-one",
            users=60,
            rate=200.0,
            duration=20.0,
            thresholds=("p99 < 50", "reach >= 99"),
            faults=(Fault(at=8.0, action="kill", instance="i2"),),
        ),
        ClusterSpec(instances=3),
    )


@pytest.mark.parametrize(
    ("text", "line", "key", "message", "hint"),
    [
        ("name = 'x'\nuserz = 5\n", 2, "userz", "unknown key", "did you mean 'users'?"),
        ("\n\nfrequency = 5\n", 3, "frequency", "unknown key", "known: name, users"),
        ("users = 'many'\n", 1, "users", "expected a whole number, got a text in quotes", ""),
        ("users = 1.5\n", 1, "users", "expected a whole number, got a number", ""),
        ("rate = true\n", 1, "rate", "expected a number, got true or false", ""),
        ("name = 'x'\nusers = -3\n", 2, "users", "-3 is not between 0 and 100000", ""),
        ("via = 'sometimes'\n", 1, "via", "'sometimes'", "choose one of round-robin, random"),
        ("thresholds = [\n  'p99 < 50',\n  'lost = 0',\n]\n", 1, "thresholds[1]", "use '=='", ""),
        ("[[faults]]\nat = 1\naction = 'kil'\n", 3, "faults[0].action", "'kil'", "choose one of kill, stop"),
        ("[[faults]]\nat = 1\n", 1, "faults[0]", "lacks the key 'action'", ""),
        (
            "[[faults]]\nat = 1\naction = 'add'\n[[faults]]\nat = 2\naction = 'add'\ntarget = 'i1'\n",
            7,
            "faults[1].target",
            "unknown key",
            "known: at, action, instance",
        ),
        ("[[faults]]\nat = 1\naction = 'kill'\n", 1, "faults[0].instance", "which instance is to kill", ""),
        ("faults = [{at = 1, action = 'kill', who = 'i1'}]\n", 1, "faults[0].who", "unknown key", ""),
        ("[cluster]\ninstance = 3\n", 2, "cluster.instance", "unknown key", "did you mean 'instances'?"),
        ("[cluster]\ninstances = 99\n", 2, "cluster.instances", "99 is not between 1 and 64", ""),
        ("[cluster]\nstrategy = 'rely'\n", 2, "cluster.strategy", "'rely'", "relay, broadcast, none"),
        ("cluster = 3\n", 1, "cluster", "must be a table", "[cluster]"),
        ("users = 5\nrate = \n", 2, "", "Invalid value", "TOML"),
        ("users = 5\nusers = 6\n", 2, "", "Cannot overwrite", "TOML"),
    ],
)
def test_a_mistake_names_file_key_and_line(text: str, line: int, key: str, message: str, hint: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, file="my.toml")
    error = caught.value
    assert (error.file, error.line, error.key) == ("my.toml", line, key)
    assert str(error).startswith(f"my.toml:{line}: {key}")
    assert message in str(error)
    assert hint in error.hint
    assert error.exit_code is ExitCode.USAGE


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"nothing\.toml: No such file"):
        load_scenario(tmp_path / "nothing.toml")


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(ScenarioError, match="not UTF-8"):
        load_scenario(tmp_path / "bad.toml")


SCENARIOS = st.builds(
    Scenario,
    name=st.text(max_size=20),
    users=st.integers(min_value=0, max_value=1000),
    rate=st.floats(min_value=0, max_value=1000),
    duration=st.floats(min_value=0, max_value=1000),
    via=st.sampled_from(["round-robin", "random"]),
    thresholds=st.sampled_from([(), ("p99 < 50", "lost == 0")]),
    faults=st.sampled_from([(), (Fault(1.5, "kill", "i1"), Fault(2.0, "add"))]),
)


@given(SCENARIOS, st.sampled_from([None, ClusterSpec(), ClusterSpec(instances=2, ports=(8080, 8081))]))
def test_what_is_written_is_read_again(scenario: Scenario, cluster: ClusterSpec | None) -> None:
    assert parse_scenario(format_scenario(scenario, cluster)) == ScenarioFile(scenario, cluster)

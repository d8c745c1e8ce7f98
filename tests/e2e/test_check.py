"""``pushscope check``: the three strategies, as a person sees them."""

from __future__ import annotations

import subprocess

import pytest

from core.launch import self_command


def check(*words: str) -> tuple[int, list[str], str]:
    done = subprocess.run(self_command("check", *words), capture_output=True, text=True, timeout=100)
    return done.returncode, done.stdout.splitlines(), done.stderr


def matrix(lines: list[str]) -> list[list[str]]:
    """The rows of the matrix: their sign and count for each column."""
    rows = [line.split() for line in lines if line.startswith("via ")]
    return [[" ".join(row[at : at + 2]) for at in range(2, len(row), 2)] for row in rows]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("strategy", ["relay", "broadcast"])
def test_strategies_that_reach_everybody(strategy: str) -> None:
    code, lines, stderr = check("--strategy", strategy)
    assert code == 0, (lines, stderr)
    assert matrix(lines) == [["✓ 2/2", "✓ 2/2"], ["✓ 2/2", "✓ 2/2"]]
    assert lines[-1] == "passed: every push reached its user, 8 of 8"


@pytest.mark.timeout(120)
def test_without_a_strategy_the_off_diagonal_half_fails_and_is_named() -> None:
    code, lines, stderr = check("--strategy", "none")
    assert code == 11, (lines, stderr)
    assert matrix(lines) == [["✓ 2/2", "✕ 0/2"], ["✕ 0/2", "✓ 2/2"]]
    assert [line for line in lines if line.startswith("a push via")] == [
        "a push via i1 does not reach users on i2: 0 of 2 arrived (last seen: no-session on i1)",
        "a push via i2 does not reach users on i1: 0 of 2 arrived (last seen: no-session on i2)",
    ]
    assert lines[-1] == "delivery rule failed: 4 lost of 8 expected"


@pytest.mark.timeout(120)
def test_three_instances() -> None:
    code, lines, stderr = check("--instances", "3")
    assert code == 0, (lines, stderr)
    assert len(matrix(lines)) == 3
    assert all(cell.startswith("✓") for row in matrix(lines) for cell in row)


def test_a_strategy_that_does_not_exist() -> None:
    code, lines, stderr = check("--strategy", "telepathy")
    assert (code, lines) == (2, [])
    assert "telepathy" in stderr


def test_half_of_a_target() -> None:
    code, _, stderr = check("--gateway", "http://127.0.0.1:1")
    assert code == 2
    assert "--push" in stderr


def test_a_target_where_nobody_answers() -> None:
    code, _, stderr = check(
        "--gateway", "http://127.0.0.1:1", "--push", "http://127.0.0.1:{1,2}/test?username={user}"
    )
    assert code == 20
    assert "nobody answers at 127.0.0.1:1" in stderr

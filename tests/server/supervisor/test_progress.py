"""Steps of a start as they are told."""

from __future__ import annotations

import asyncio

import pytest

from core.environment import StartStep
from core.errors import ClusterStartError
from server.supervisor.progress import step, together


def _short(told: list[StartStep]) -> list[tuple[str, int, str]]:
    return [(each.state, each.done, each.detail) for each in told]


def test_a_step_that_succeeds() -> None:
    told: list[StartStep] = []
    with step("instances", 2, told.append) as current:
        current.advance()
        current.advance()
    assert _short(told) == [("running", 0, ""), ("running", 1, ""), ("running", 2, ""), ("done", 2, "")]
    assert {(each.key, each.total) for each in told} == {("instances", 2)}
    assert told[0].seconds <= told[-1].seconds


def test_a_failed_step_carries_the_end_of_the_log() -> None:
    told: list[StartStep] = []
    log = tuple(str(number) for number in range(100))
    with pytest.raises(ClusterStartError), step("broker", 1, told.append):
        raise ClusterStartError("it ended", log=log)
    assert told[-1].state == "failed"
    assert told[-1].detail.splitlines() == ["it ended", *log[-20:]]


async def test_the_first_error_is_raised_and_the_others_are_cancelled() -> None:
    told: list[StartStep] = []

    async def fail() -> None:
        with step("broker", 1, told.append):
            await asyncio.sleep(0)
            await together(_raise("no broker"))

    async def wait() -> None:
        with step("discovery", 1, told.append):
            await asyncio.Event().wait()

    with pytest.raises(ClusterStartError, match="no broker"):
        await together(wait(), fail())
    assert {each.key: each.state for each in told} == {"broker": "failed", "discovery": "waiting"}


async def _raise(message: str) -> None:
    raise ClusterStartError(message)

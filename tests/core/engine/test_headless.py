"""A run from a Python program: what runs beside it and ends it."""

from __future__ import annotations

import asyncio

import pytest

from core import Scenario, run
from core.errors import UsageError
from server import LocalCluster

ENDLESS = Scenario(users=4, rate=100)


def one_loop() -> LocalCluster:
    return LocalCluster(2, broker="memory:", in_process=True)


async def test_a_run_ends_when_what_runs_beside_it_is_over() -> None:
    begun = asyncio.Event()

    async def drain_and_back() -> None:
        begun.set()
        await cluster.control("add", None)

    async with one_loop() as cluster:
        result = await run(ENDLESS, cluster, workers=0, until=drain_and_back)
        assert len(cluster.describe().instances) == 3
    assert begun.is_set()
    assert result.passed, result.reason


async def test_what_goes_wrong_beside_a_run_is_raised_when_it_is_over() -> None:
    async def fail() -> None:
        raise OSError("no such deployment")

    async with one_loop() as cluster:
        with pytest.raises(OSError, match="no such deployment"):
            await run(ENDLESS, cluster, workers=0, until=fail)


async def test_what_runs_beside_a_run_does_not_outlive_it() -> None:
    cancelled = asyncio.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with one_loop() as cluster:
        scenario = Scenario(users=4, rate=100, duration=0.5)
        result = await run(scenario, cluster, workers=0, until=forever)
    assert cancelled.is_set()
    assert result.summary.attempted == 50


async def test_a_run_that_nothing_ends_is_refused() -> None:
    async with one_loop() as cluster:
        with pytest.raises(UsageError, match="never ends") as refused:
            await run(ENDLESS, cluster)
    assert "until" in refused.value.hint

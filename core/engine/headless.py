"""A run from a Python program: one call, one result."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from ..environment import Environment
from ..errors import PushscopeError, UsageError
from ..load.scenario import Scenario, require_sense
from ..report.result import Result
from ..report.write import prepare_folder
from .engine import Engine
from .messages import Finished, Problem, StartRun, StateChanged, StopRun


async def run(
    scenario: Scenario,
    environment: Environment,
    *,
    workers: int | None = None,
    out: str | os.PathLike[str] | None = None,
    until: Callable[[], Coroutine[Any, Any, object]] | None = None,
) -> Result:
    """Run a scenario against an environment that has been started, and return the result.

    The environment is left as it is, except for what the scenario's faults did to it. A run that
    fails its rules is a result, not an exception: look at ``result.passed`` and ``result.reason``.

    Args:
        scenario: Needs a duration, or ``until``.
        environment: Such as a ``LocalCluster`` within its ``async with``.
        workers: Processes that hold the users; 0 holds them in this event loop, None picks.
        out: A folder for summary.json, report.html, junit.xml and deliveries.csv; those of an earlier
            run are removed first. If one cannot be written, the result has the exit code 1 and says so.
        until: Called when the pushing begins and run beside it, a rolling update say; when it
            returns, the pushing ends and the run is judged. It is cancelled if the run is over first.

    Raises:
        Exception: Whatever ``until`` raises, once the run is over.
        UsageError: the scenario makes no sense.
        ReportNotWritten: the folder cannot be written to, as is plain from the beginning.
        PushscopeError: the engine itself failed.
    """
    require_sense(scenario)
    if scenario.duration <= 0 and until is None:
        raise UsageError("a run without a duration never ends", hint="give the scenario a duration, or until")
    folder = str(prepare_folder(Path(out))) if out is not None else ""
    problem = ""
    beside: asyncio.Task[None] | None = None
    async with Engine(environment=environment, workers=workers) as engine:
        try:
            await engine.handle(StartRun(scenario, out=folder))
            async for event in engine.events():
                match event:
                    case Finished() | StateChanged(run="failed"):
                        break
                    case StateChanged(run="running") if until is not None and beside is None:
                        beside = asyncio.create_task(_end_after(until, engine), name="run-until")
                    case Problem(detail=detail):
                        problem = detail
                    case _:
                        pass
        finally:
            await _end(beside)
        result = engine.result
    if beside is not None and not beside.cancelled():
        beside.result()
    if result is None:
        raise PushscopeError(f"the engine failed: {problem}", hint="please report this")
    return result


async def _end_after(until: Callable[[], Coroutine[Any, Any, object]], engine: Engine) -> None:
    try:
        await until()
    finally:
        await engine.handle(StopRun())


async def _end(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task

"""A run from a Python program: one call, one result."""

from __future__ import annotations

import os
from pathlib import Path

from ..environment import Environment
from ..errors import PushscopeError, UsageError
from ..load.scenario import Scenario, require_sense
from ..report.result import Result
from ..report.write import prepare_folder
from .engine import Engine
from .messages import Finished, Problem, StartRun, StateChanged


async def run(
    scenario: Scenario,
    environment: Environment,
    *,
    workers: int | None = None,
    out: str | os.PathLike[str] | None = None,
) -> Result:
    """Run a scenario against an environment that has been started, and return the result.

    The environment is left as it is, except for what the scenario's faults did to it. A run that
    fails its rules is a result, not an exception: look at ``result.passed`` and ``result.reason``.

    Args:
        scenario: Needs a duration.
        environment: Such as a ``LocalCluster`` within its ``async with``.
        workers: Processes that hold the users; 0 holds them in this event loop, None picks.
        out: A folder for summary.json, report.html, junit.xml and deliveries.csv.

    Raises:
        UsageError: the scenario makes no sense, or the folder cannot be written to.
        PushscopeError: the engine itself failed.
    """
    require_sense(scenario)
    if scenario.duration <= 0:
        raise UsageError("a run without a duration never ends", hint="give the scenario a duration")
    folder = str(prepare_folder(Path(out))) if out is not None else ""
    problem = ""
    async with Engine(environment=environment, workers=workers) as engine:
        await engine.handle(StartRun(scenario, out=folder))
        async for event in engine.events():
            match event:
                case Finished() | StateChanged(run="failed"):
                    break
                case Problem(detail=detail):
                    problem = detail
                case _:
                    pass
        result = engine.result
    if result is None:
        raise PushscopeError(f"the engine failed: {problem}", hint="please report this")
    return result

"""Runs an engine in this process and shows what it does: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Protocol

from core.environment import ClusterSpec, Environment, StartStep
from core.errors import PushscopeError
from core.signals import on_stop_signals

if TYPE_CHECKING:
    from core.engine.messages import Event, Snapshot, StartRun
    from core.report.result import Result


class View(Protocol):
    """Shows a run to a person; called in the loop, must not block for long."""

    def step(self, step: StartStep) -> None:
        """Starting goes on."""
        ...

    def snapshot(self, snapshot: Snapshot) -> None:
        """The state of everything, ten times a second."""
        ...

    def say(self, line: str) -> None:
        """Something happened that deserves a line of its own."""
        ...

    def close(self) -> None:
        """Nothing more will come; may be called twice."""
        ...


async def watch_run(
    command: StartRun,
    environment_factory: Callable[[ClusterSpec], Environment],
    view: View,
    *,
    workers: int | None,
    stop_is_planned: bool = False,
) -> Result:
    """Run a scenario from the start of the cluster to its end, and return the result.

    The first Ctrl-C (or SIGTERM) stops pushing and judges what there is, the second one does not
    wait for the drain. Unless ``stop_is_planned``, such a run counts as interrupted.

    Raises:
        PushscopeError: the engine could not even begin, or failed.
    """
    from core.engine.engine import Engine
    from core.engine.messages import StopRun

    stops = 0
    async with Engine(environment_factory, workers=workers) as engine:
        asked: asyncio.Queue[StopRun] = asyncio.Queue()

        def stop() -> None:
            nonlocal stops
            stops += 1
            asked.put_nowait(StopRun(force=stops > 1, interrupted=not stop_is_planned))

        async def pass_on() -> None:
            while True:
                await engine.handle(await asked.get())

        on_stop_signals(stop)
        passing = asyncio.create_task(pass_on())
        try:
            await engine.handle(command)
            problem = await _until_finished(engine.events(), view)
        finally:
            passing.cancel()
            view.close()
        result = engine.result
    if result is None:
        raise problem or PushscopeError("the engine failed", hint="please report this")
    return result


async def _until_finished(events: AsyncIterator[Event], view: View) -> PushscopeError | None:
    """Show events until the run is judged; returns what went wrong, if the engine said so."""
    from core.engine.messages import Finished, Problem, Snapshot, StateChanged
    from core.report.figures import Marker

    problem: PushscopeError | None = None
    async for event in events:
        match event:
            case Finished() | StateChanged(run="failed"):
                break
            case Snapshot():
                view.snapshot(event)
            case StartStep():
                view.step(event)
            case Marker(kind=kind, target=target) if target:
                view.say(f"{_MARKERS.get(kind, kind)} {target}")
            case Problem(detail=detail, tried=tried, hint=hint):
                problem = PushscopeError(detail, tried=tried, hint=hint)
                view.say(f"problem: {detail}")
                for word, words in (("tried", tried), ("next", hint)):
                    if words:
                        view.say(f"  {word}: {words}")
            case _:
                pass
    return problem


_MARKERS = {
    "kill": "killed",
    "dead": "died by itself:",
    "stop": "stopped",
    "pause": "paused",
    "drain": "out of service:",
    "undrain": "in service again:",
    "broker-lost": "the broker is gone for",
    "broker-back": "the broker is back for",
}

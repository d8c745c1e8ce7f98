"""``pushscope demo``: the demo cluster, users and pushes, in the window or in the terminal."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import msgspec
import typer

from .output import say

#: Seconds without a terminal, where nobody can press Ctrl-C after having seen enough.
_UNWATCHED = 20.0


def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="In the terminal instead of the window.")
    ] = False,
    duration: Annotated[
        float | None, typer.Option(help="Seconds; until Ctrl-C, or 20 without a terminal.")
    ] = None,
) -> int:
    """Three instances, 60 users, 40 pushes a second: see latency and delivery per instance."""
    if not headless:
        from .window import open_window

        return open_window(start_demo=True)
    return asyncio.run(_in_terminal(duration))


async def _in_terminal(duration: float | None) -> int:
    from core.engine.messages import StartRun
    from core.load.shipped import load
    from server.supervisor import LocalCluster

    from .demo_view import open_demo_view
    from .result_text import result_lines
    from .watching import watch_run

    watched = sys.stdout.isatty()
    seconds = duration if duration is not None else 0.0 if watched else _UNWATCHED
    shipped = load("demo")
    scenario = msgspec.structs.replace(shipped.scenario, duration=seconds)
    view = open_demo_view(shipped.cluster)
    command = StartRun(scenario, shipped.cluster)
    result = await watch_run(command, LocalCluster.from_spec, view, workers=None, stop_is_planned=True)
    for line in result_lines(result):
        say(line)
    say(result.reason)
    return result.exit_code

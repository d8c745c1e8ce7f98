"""Headless core of Pushscope: protocols, clients, load, measuring, reports.

Imports neither ``server`` nor ``gui``; needs no screen. For programs and tests::

    from pushscope.core import Scenario, run
    from pushscope.server import LocalCluster

    async with LocalCluster(instances=2) as cluster:
        result = await run(Scenario(users=50, rate=100, duration=5), cluster)
    assert result.lost == 0
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine.headless import run
    from .load.scenario import Fault, Scenario
    from .report.result import Result

__all__ = ["Fault", "Result", "Scenario", "run"]


def __getattr__(name: str) -> object:
    """Load what a program asks for: every process of a cluster imports this package, few run scenarios."""
    match name:
        case "run":
            from .engine.headless import run

            return run
        case "Scenario" | "Fault":
            from .load import scenario

            return getattr(scenario, name)
        case "Result":
            from .report.result import Result

            return Result
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

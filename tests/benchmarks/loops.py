"""The kinds of event loop that roles may run on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def loop_factories() -> dict[str, LoopFactory]:
    """Every kind of loop on this machine by name; roles run on the first."""
    found: dict[str, LoopFactory] = {}
    if sys.platform != "win32":
        import uvloop

        found["uvloop"] = uvloop.new_event_loop
    found["asyncio"] = asyncio.new_event_loop
    return found


def best_loop() -> LoopFactory:
    """The kind that roles run on."""
    return next(iter(loop_factories().values()))

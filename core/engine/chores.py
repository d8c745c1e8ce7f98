"""The tasks of an engine: none is lost sight of, and what fails is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ..errors import PushscopeError
from .messages import Problem

logger = logging.getLogger("pushscope.engine")


class Chores:
    """Keeps tasks until they are done.

    Args:
        tell: Called with what went wrong.
        on_bug: Called after an error that is not one of ours was told.
    """

    def __init__(self, tell: Callable[[Problem], None], on_bug: Callable[[], None]) -> None:
        self._tell = tell
        self._on_bug = on_bug
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside everything else."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def quietly(self, work: Awaitable[object]) -> None:
        """Await something whose failure is a :class:`Problem` and nothing worse."""
        try:
            await work
        except PushscopeError as error:
            self._tell(problem_of(error))

    async def cancel_others(self) -> None:
        """Cancel everything but the task that asks for it, and wait for the end of all."""
        others = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        logger.error("the engine failed", exc_info=error)
        self._tell(Problem("internal", f"{type(error).__name__}: {error}", hint="please report this"))
        self._on_bug()


def problem_of(error: PushscopeError) -> Problem:
    """An error as an event; a log that it carries becomes part of the detail."""
    log: tuple[str, ...] = getattr(error, "log", ())
    return Problem(type(error).__name__, "\n".join((str(error), *log)), error.tried, error.hint)

"""Tasks that run beside their caller: kept until they are done, and no failure is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

logger = logging.getLogger("pushscope.tasks")

T = TypeVar("T")


class BackgroundTasks:
    """Owns tasks that nobody awaits.

    A task that fails is logged with its name, as an error of ``pushscope.tasks``, as soon as it ends.
    Whoever owns tasks ends with :meth:`finish` or :meth:`cancel`.

    Args:
        on_failure: Called besides with the error of a task that failed.
    """

    def __init__(self, on_failure: Callable[[BaseException], None] | None = None) -> None:
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        """How many are not done."""
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, T], name: str, *, awaited: bool = False) -> asyncio.Task[T]:
        """Run a coroutine as a task.

        Args:
            work: The coroutine.
            name: What it does, for the log, such as ``dial i2``.
            awaited: Whether the caller awaits the task and so gets its failure, which is not logged then.
        """
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard if awaited else self._ended)
        return task

    async def finish(self) -> None:
        """Wait until all have ended, however they end, also those that start meanwhile."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def cancel(self) -> None:
        """Cancel all but the task that asks for it, and wait until they have ended."""
        others = self._tasks - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = log_failure(task)
        if error is not None and self._on_failure is not None:
            self._on_failure(error)


def log_failure(task: asyncio.Task[Any]) -> BaseException | None:
    """Log the failure of a task that has ended; a done callback for tasks that others own.

    Returns:
        The error; None if the task returned or was cancelled.
    """
    if task.cancelled() or (error := task.exception()) is None:
        return None
    logger.error("the background task %r failed", task.get_name(), exc_info=error)
    return error

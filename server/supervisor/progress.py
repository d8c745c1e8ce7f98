"""The steps of a start, told to whoever shows a checklist, and how they run together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import cast

from core.environment import StartStep, StepState
from core.errors import ClusterStartError

_DETAIL_LINES = 20


class Step:
    """One step under way; :meth:`advance` counts within it."""

    def __init__(self, key: str, total: int, tell: Callable[[StartStep], None]) -> None:
        self._key = key
        self._total = total
        self._tell = tell
        self._done = 0
        self._began = time.perf_counter()

    def advance(self) -> None:
        """One more of ``total`` is done."""
        self._done += 1
        self.say("running")

    def say(self, state: StepState, detail: str = "") -> None:
        """Tell the step's state now."""
        seconds = time.perf_counter() - self._began
        self._tell(StartStep(self._key, state, seconds, self._done, self._total, detail))


@contextmanager
def step(key: str, total: int, tell: Callable[[StartStep], None]) -> Generator[Step]:
    """Tell a step's beginning and end; a failed one carries the tail of its log.

    A step that was cancelled because another one failed goes back to *waiting*.
    """
    current = Step(key, total, tell)
    current.say("running")
    try:
        yield current
    except Exception as error:
        current.say("failed", _detail(error))
        raise
    except BaseException:
        current.say("waiting")
        raise
    current.say("done")


async def together(*steps: Coroutine[None, None, None]) -> None:
    """Run them side by side; the first that fails cancels the others and is raised itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in steps:
                group.create_task(each)
    except ExceptionGroup as failed:  # not except*: up to Python 3.11.3 it wraps what is raised in it
        raise _first(failed) from None


async def to_the_end(task: asyncio.Task[None]) -> None:
    """Wait until the task has ended, however often the caller is cancelled meanwhile.

    Whoever waits may give up; what the task undoes is undone all the same before this returns.

    Raises:
        CancelledError: the caller was cancelled; raised at the end.
    """
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


def _first(failed: ExceptionGroup[Exception]) -> Exception:
    error = failed.exceptions[0]
    return _first(cast("ExceptionGroup[Exception]", error)) if isinstance(error, ExceptionGroup) else error


def _detail(error: Exception) -> str:
    lines = [str(error)]
    if isinstance(error, ClusterStartError):
        lines += error.log[-_DETAIL_LINES:]
    return "\n".join(lines)

"""The tasks of an engine: what fails becomes an event."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..errors import PushscopeError
from ..reasons import reason_of
from ..tasks import BackgroundTasks
from .messages import Problem


class Chores(BackgroundTasks):
    """Background tasks whose failure is a :class:`Problem`.

    Args:
        tell: Called with what went wrong.
        on_bug: Called after an error that is not one of ours was told.
    """

    def __init__(self, tell: Callable[[Problem], None], on_bug: Callable[[], None]) -> None:
        super().__init__(self._failed)
        self._tell = tell
        self._on_bug = on_bug

    async def quietly(self, work: Awaitable[object]) -> None:
        """Await something whose failure is a :class:`Problem` and nothing worse."""
        try:
            await work
        except PushscopeError as error:
            self._tell(problem_of(error))

    def _failed(self, error: BaseException) -> None:
        self._tell(
            Problem("internal", f"{type(error).__name__}: {reason_of(error)}", hint="please report this")
        )
        self._on_bug()


def problem_of(error: PushscopeError) -> Problem:
    """An error as an event; a log that it carries becomes part of the detail."""
    log: tuple[str, ...] = getattr(error, "log", ())
    return Problem(type(error).__name__, "\n".join((str(error), *log)), error.tried, error.hint)

"""Roles that share the caller's event loop: for tests and notebooks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Protocol, runtime_checkable

from core.errors import UsageError
from core.reasons import reason_of

from ..roles.options import Options
from ..roles.running import RunningRole, SharedLoop, open_role

#: Whose log a line is: set in the task that runs a role, and inherited by all that it starts.
_log_of: ContextVar[Callable[[str], None] | None] = ContextVar("pushscope_log_of", default=None)

_KILLED = -9


@runtime_checkable
class Abortable(Protocol):
    """A role that can be ended as if its process had been killed."""

    def abort(self) -> None:
        """Cut all connections and stop listening, without a word to anybody."""
        ...


class _ToRole(logging.Handler):
    """Hands a log line to the role in whose tasks it was written."""

    def emit(self, record: logging.LogRecord) -> None:
        """See :class:`logging.Handler`."""
        take = _log_of.get()
        if take is not None:
            take(f"{record.levelname} {record.name}: {record.getMessage()}")


class LoopLauncher:
    """Starts roles as tasks of the running loop; see :class:`server.supervisor.launcher.Launcher`.

    What they log arrives as far as the program's logging lets it pass: for the lines of level
    INFO, ``logging.getLogger("pushscope").setLevel(logging.INFO)``.
    """

    def __init__(self) -> None:
        self._shared = SharedLoop()
        self._handler = _ToRole()
        self._running = 0

    async def start(self, name: str, options: Options, on_line: Callable[[str], None]) -> RunningTask:
        """Start a role and return when it is ready."""
        self._count(1)
        role = RunningTask(name, options, self._shared, on_line, lambda: self._count(-1))
        try:
            await role.ready()
        except BaseException:
            await role.stop(0)
            raise
        return role

    def _count(self, change: int) -> None:
        self._running += change
        logger = logging.getLogger("pushscope")
        if self._running:
            logger.addHandler(self._handler)
        else:
            logger.removeHandler(self._handler)


class RunningTask:
    """A role in a task of this loop."""

    pid = None

    def __init__(
        self,
        name: str,
        options: Options,
        shared: SharedLoop,
        on_line: Callable[[str], None],
        on_end: Callable[[], None],
    ) -> None:
        self.url = ""
        self._name = name
        self._leave = asyncio.Event()
        self._ready: asyncio.Future[RunningRole] = asyncio.get_running_loop().create_future()
        self._role: RunningRole | None = None
        self._killed = False
        self._on_end = on_end
        self._task = asyncio.create_task(self._run(options, shared, on_line), name=name)

    async def ready(self) -> None:
        """Wait until it serves."""
        self._role = await self._ready
        self.url = self._role.url

    async def wait(self) -> int:
        """Wait for its end; killed is -9, as for a process."""
        await asyncio.wait((self._task,))
        if self._killed:
            return _KILLED
        return 1 if self._task.cancelled() or self._task.exception() is not None else 0

    async def stop(self, grace: float) -> None:
        """Ask it to stop; cancel it after ``grace`` seconds."""
        self._leave.set()
        if self._role is None:
            self._task.cancel()
        _, late = await asyncio.wait((self._task,), timeout=grace)
        if late:
            self._task.cancel()
            await asyncio.wait((self._task,))

    def signal(self, action: str) -> None:
        """Kill it; it cannot be paused, because its loop is ours."""
        if action != "kill" or not isinstance(self._role, Abortable):
            raise UsageError(
                f"cannot {action} {self._name}: it shares this process",
                hint="run the cluster in processes (in_process=False)",
            )
        self._killed = True
        self._role.abort()
        self._leave.set()

    async def _run(self, options: Options, shared: SharedLoop, on_line: Callable[[str], None]) -> None:
        _log_of.set(on_line)
        try:
            async with open_role(options, shared) as role:
                if not self._ready.done():
                    self._ready.set_result(role)
                await self._leave.wait()
        except asyncio.CancelledError:
            self._ready.cancel()
            raise
        except Exception as error:
            if self._ready.done():
                on_line(f"{type(error).__name__}: {reason_of(error)}")
                raise
            self._ready.set_exception(error)
        finally:
            self._on_end()

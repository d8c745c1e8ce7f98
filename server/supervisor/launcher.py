"""How a role is started: the seam between the supervisor and processes (or one event loop)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from core.child import Child, spawn_child
from core.errors import ClusterStartError, PortTakenError

from ..roles.options import Options, to_environment, to_words
from ..roles.process import CHILD_FLAG, Failed, Ready

#: Longest wait for a role's ready line. Half a second is usual; a starved machine takes long.
_READY_WITHIN = 30.0


class Running(Protocol):
    """A started role. After its end all methods may still be called and do nothing."""

    @property
    def url(self) -> str:
        """Where it serves."""
        ...

    @property
    def pid(self) -> int | None:
        """Its process, or None if it shares ours."""
        ...

    async def wait(self) -> int:
        """Wait for its end, asked for or not, and return its exit code (negative: a signal)."""
        ...

    async def stop(self, grace: float) -> None:
        """Ask it to stop, end it hard after ``grace`` seconds; nothing of it is left afterwards."""
        ...

    def signal(self, action: str) -> None:
        """``kill`` it, ``pause`` or ``resume`` it, at once.

        Raises:
            UsageError: not possible here.
        """
        ...


class Launcher(Protocol):
    """Starts roles; the two implementations are processes and one event loop."""

    async def start(self, name: str, options: Options, on_line: Callable[[str], None]) -> Running:
        """Start a role and return when it is ready; nothing is left of one that fails.

        Args:
            name: For messages and logs.
            options: Which role, and how.
            on_line: Called with each line of its log.

        Raises:
            PortTakenError: its port is in use.
            ClusterStartError: it did not become ready; with the tail of its log.
        """
        ...


class ProcessLauncher:
    """Each role is a process of its own, as in real life."""

    async def start(self, name: str, options: Options, on_line: Callable[[str], None]) -> Running:
        """See :class:`Launcher`."""
        child = await spawn_child(
            [*to_words(options), CHILD_FLAG],
            name=name,
            environment=to_environment(options),
            on_line=on_line,
        )
        try:
            line = await child.ready_line(_READY_WITHIN)
            return RunningProcess(child, _parse(name, line, child.tail))
        except BaseException:
            await child.end(grace=0)
            raise


class RunningProcess:
    """A role in its own process."""

    def __init__(self, child: Child, ready: Ready) -> None:
        self._child = child
        self._ready = ready

    @property
    def url(self) -> str:
        """Where it serves."""
        return self._ready.url

    @property
    def pid(self) -> int | None:
        """Its process."""
        return self._child.pid

    async def wait(self) -> int:
        """Wait for its end and return its exit code."""
        return await self._child.wait()

    async def stop(self, grace: float) -> None:
        """SIGTERM (a paused one is resumed for it), then SIGKILL."""
        await self._child.end(grace)

    def signal(self, action: str) -> None:
        """Kill, pause or resume the process."""
        match action:
            case "kill":
                self._child.kill()
            case "pause":
                self._child.pause()
            case _:
                self._child.resume()


def _parse(name: str, line: bytes, log: Sequence[str]) -> Ready:
    try:
        answer = msgspec.json.decode(line, type=dict[str, object])
        if "error" not in answer:
            return msgspec.convert(answer, Ready)
        failed = msgspec.convert(answer, Failed)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ClusterStartError(
            f"{name} said something else than its ready line: {line[:200]!r}", log=tuple(log)
        ) from error
    if failed.error == "port-taken":
        raise PortTakenError(failed.port, host=failed.host)
    raise ClusterStartError(
        f"{name} did not start: {failed.message}", log=tuple(log), tried=failed.tried, hint=failed.hint
    )

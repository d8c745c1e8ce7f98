"""Children of ours and their lifeline: the parent's side (the child's is :mod:`core.lifeline`).

A child runs ``self_command(…)``, in a session of its own, so that Ctrl-C in a terminal reaches
the parent only, which then stops its children in order. Its standard input is the control pipe
(and may carry commands), its standard output carries data, its standard error log lines.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from .errors import ClusterStartError
from .launch import self_command
from .lifeline import child_environment

#: Windows' twin of a session of its own: Ctrl-C does not reach it.
_CREATION_FLAGS: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
_LOG_LINES = 200
_LINE_LIMIT = 16 * 1024
#: Lines of standard output may be long: workers send their deltas there.
_STDOUT_LIMIT = 16 * 1024 * 1024


class Child:
    """One child process; made by :func:`spawn_child`, ended by :meth:`end`.

    Attributes:
        name: For messages.
        pid: Process id.
        tail: The last lines of its standard error, oldest first.
    """

    def __init__(
        self,
        name: str,
        process: Process,
        transport: asyncio.SubprocessTransport,
        on_line: Callable[[str], None] | None,
    ) -> None:
        self.name = name
        self.pid: int = process.pid
        self.tail: deque[str] = deque(maxlen=_LOG_LINES)
        self._process = process
        self._transport = transport
        self._on_line = on_line
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        self.stdin: asyncio.StreamWriter = process.stdin
        self.stdout: asyncio.StreamReader = process.stdout
        self._pumps = [asyncio.create_task(self._pump(process.stderr), name=f"log of {name}")]

    @property
    def returncode(self) -> int | None:
        """Exit code (negative: the signal that ended it), or None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for the end of the process and return its exit code."""
        return await self._process.wait()

    async def ready_line(self, within: float) -> bytes:
        """The one line by which the child says that it is ready; later output goes to the log.

        Raises:
            ClusterStartError: it ended before, or said nothing in time; with the log's tail.
        """
        try:
            async with asyncio.timeout(within):
                line = await self.stdout.readline()
        except TimeoutError:
            raise ClusterStartError(
                f"{self.name} (pid {self.pid}) was not ready after {within:g} s", log=tuple(self.tail)
            ) from None
        if not line.endswith(b"\n"):
            code = await self.wait()
            await self._drain_log()
            raise ClusterStartError(
                f"{self.name} (pid {self.pid}) {describe_exit(code)} before it was ready",
                log=tuple(self.tail),
            )
        self._pumps.append(asyncio.create_task(self._pump(self.stdout), name=f"output of {self.name}"))
        return line

    def kill(self) -> None:
        """End it at once (SIGKILL); a paused one too. Does not wait."""
        self._send(getattr(signal, "SIGKILL", signal.SIGTERM))

    def pause(self) -> None:
        """Freeze it: it keeps its connections and answers nothing (SIGSTOP)."""
        if sys.platform == "win32":
            import psutil

            psutil.Process(self.pid).suspend()
        else:
            self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused one run again (SIGCONT); nothing happens to a running one."""
        if sys.platform == "win32":
            import psutil

            psutil.Process(self.pid).resume()
        else:
            self._send(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to stop in order; a paused one is resumed for it. Does not wait.

        SIGTERM, and where there is none the end of the control pipe says the same.
        """
        if sys.platform == "win32":
            self.resume()
            self.stdin.close()
        else:
            self._send(signal.SIGTERM)
            self._send(signal.SIGCONT)

    async def end(self, grace: float = 4.0) -> int:
        """Ask it to stop, kill it after ``grace`` seconds, and return its exit code.

        Nothing of the child is left when this returns, also when the caller is cancelled
        meanwhile (then it is killed).
        """
        try:
            if self.returncode is None:
                self.terminate()
                async with asyncio.timeout(grace):
                    await self._process.wait()
        except TimeoutError:
            pass
        finally:
            if self.returncode is None:
                self.kill()
            await self._close()
        assert self.returncode is not None
        return self.returncode

    async def _close(self) -> None:
        await self._process.wait()
        await self._drain_log()
        self._transport.close()

    async def _drain_log(self) -> None:
        # A grandchild may hold the pipe open: its words are not worth waiting for.
        _, late = await asyncio.wait(self._pumps, timeout=0.5)
        for pump in late:
            pump.cancel()
        await asyncio.wait(self._pumps)

    def _send(self, number: int) -> None:
        if self.returncode is None:
            # It may have ended without the loop having noticed yet. Not by the transport: Popen looks
            # whether the process has ended, and so takes its exit code away from the loop.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def _pump(self, stream: asyncio.StreamReader) -> None:
        """Split what the child writes into lines, whatever their length."""
        rest = b""
        while chunk := await stream.read(_LINE_LIMIT):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._note(line)
            if len(rest) >= _LINE_LIMIT:
                self._note(rest)
                rest = b""
        if rest:
            self._note(rest)

    def _note(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip("\r")
        self.tail.append(text)
        if self._on_line is not None:
            self._on_line(text)


async def spawn_child(
    arguments: Sequence[str],
    *,
    name: str = "",
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Child:
    """Start ``pushscope <arguments>`` as a child of this process.

    Args:
        arguments: The subcommand and its arguments; no secrets, everybody can read them.
        name: For messages; the subcommand by default.
        environment: Additional environment variables; the place for secrets.
        on_line: Called with each line of the child's standard error.

    Call it from the loop of the main thread (``core.lifeline``). When the caller is cancelled
    meanwhile, nothing is left of the child.
    """
    return await spawn_command(
        self_command(*arguments), name=name or arguments[0], environment=environment, on_line=on_line
    )


async def spawn_command(
    command: Sequence[str],
    *,
    name: str,
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Child:
    """Start any program as a child, as :func:`spawn_child` does."""
    loop = asyncio.get_running_loop()
    starting = asyncio.ensure_future(
        loop.subprocess_exec(
            lambda: SubprocessStreamProtocol(limit=_STDOUT_LIMIT, loop=loop),
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=child_environment(environment),
            start_new_session=sys.platform != "win32",
            creationflags=_CREATION_FLAGS,
        )
    )
    try:
        transport, protocol = await asyncio.shield(starting)
    except asyncio.CancelledError:
        transport, protocol = await starting
        await Child(name, Process(transport, protocol, loop), transport, None).end(grace=0)
        raise
    return Child(name, Process(transport, protocol, loop), transport, on_line)


def describe_exit(code: int) -> str:
    """An exit code in words: ``ended with exit code 21`` or ``was ended by SIGKILL``."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"

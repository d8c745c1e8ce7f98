"""The engine in a process of its own: commands on standard input, events on standard output.

Commands are read by a thread and never wait behind events: while a slow reader keeps the output
full, events are held back and merged, and commands are followed all the same. End of standard
input means that whoever started us is gone: everything is stopped, and the process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from typing import Final

from ..errors import ExitCode, UsageError
from ..files_limit import raise_files_limit
from ..lifeline import bind_to_parent, exit_within
from ..load.worker_process import loop_factory
from ..logs import log_to_stderr
from ..pipes import LineWriter, read_lines
from ..signals import on_stop_signals
from .cluster import EnvironmentFactory
from .engine import Engine
from .messages import Command, Problem, Shutdown
from .wire import decode_command, encode_event

#: Seconds from the end of standard input to a hard end.
_STOP_WITHIN: Final = 10.0

#: Events that may wait for the pipe before further ones are merged.
_WAITING: Final = 8


def run_engine(environment_factory: EnvironmentFactory) -> int:
    """Run until :class:`Shutdown` or the end of standard input; the result is the exit code."""
    bind_to_parent()
    raise_files_limit()
    log_to_stderr(logging.WARNING, "%(levelname)s %(name)s: %(message)s")
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(environment_factory))
    return ExitCode.PASS


async def _serve(environment_factory: EnvironmentFactory) -> None:
    commands: asyncio.Queue[Command | Problem] = asyncio.Queue()
    writer = LineWriter(sys.stdout.fileno())

    def on_line(line: bytes) -> None:
        try:
            commands.put_nowait(decode_command(line))
        except UsageError as error:
            commands.put_nowait(Problem("bad-command", str(error), error.tried))

    def parent_gone() -> None:
        exit_within(_STOP_WITHIN)
        commands.put_nowait(Shutdown())

    on_stop_signals(lambda: commands.put_nowait(Shutdown()))
    read_lines(sys.stdin.fileno(), on_line, parent_gone)
    async with Engine(environment_factory) as engine:
        writing = asyncio.create_task(_write(engine, writer))
        following = asyncio.create_task(_follow(engine, commands, writer))
        await engine.ended()
        await writing
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
    writer.close()


async def _follow(engine: Engine, commands: asyncio.Queue[Command | Problem], writer: LineWriter) -> None:
    while True:
        command = await commands.get()
        if isinstance(command, Problem):
            writer.write(encode_event(command))
        else:
            await engine.handle(command)


async def _write(engine: Engine, writer: LineWriter) -> None:
    async for event in engine.events():
        writer.write(encode_event(event))
        await writer.drained(_WAITING)

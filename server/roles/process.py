"""One role in a process of its own, from its options to its exit code."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Callable, Sequence

import msgspec

from core.errors import ExitCode, PortTakenError, PushscopeError
from core.files_limit import raise_files_limit
from core.lifeline import bind_to_parent, exit_within, watch_control_pipe
from core.logs import log_to_stderr
from core.signals import on_stop_signals

from .options import Options, from_words, role_of
from .running import open_role

logger = logging.getLogger("pushscope.roles")

#: The last word of a process of a cluster, whose words are those of :func:`~.options.to_words`.
CHILD_FLAG = "--child"

#: Seconds from SIGTERM to a hard exit; below the five that ``serve`` promises.
_STOP_WITHIN = 4.5


class Ready(msgspec.Struct, frozen=True):
    """The line by which a role says that it serves."""

    role: str
    id: str
    url: str
    port: int
    pid: int


class Failed(msgspec.Struct, frozen=True):
    """The line that comes instead when it cannot; ``error`` is ``port-taken`` or ``start-failed``."""

    error: str
    message: str
    tried: str = ""
    hint: str = ""
    host: str = ""
    port: int = 0


def run_role(options: Options, announce: Callable[[Ready], None]) -> int:
    """Run a role until SIGTERM, Ctrl-C or the parent's end; the return value is the exit code.

    Args:
        options: Which role, and how.
        announce: Called once, when it is ready.

    Raises:
        PushscopeError: it could not start.
    """
    parent = bind_to_parent()
    raise_files_limit()
    _log_to_stderr()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(options, announce, watch_parent=parent is not None))


def run_child(words: Sequence[str]) -> int:
    """Run the role that these words of a command line name, as a process of a cluster.

    Prints exactly one line on standard output: :class:`Ready` or :class:`Failed`.
    """
    try:
        options = from_words([word for word in words if word != CHILD_FLAG])
        return run_role(options, _print_line)
    except PortTakenError as error:
        _print_line(Failed("port-taken", str(error), error.tried, error.hint, error.host, error.port))
        return error.exit_code
    except PushscopeError as error:
        _print_line(Failed("start-failed", str(error), error.tried, error.hint))
        return error.exit_code


async def _serve(options: Options, announce: Callable[[Ready], None], *, watch_parent: bool) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    stopping = asyncio.Event()
    ready = False

    def stop() -> None:
        if not stopping.is_set():
            stopping.set()
            exit_within(_STOP_WITHIN)
            if not ready:
                task.cancel()

    def stop_from_thread() -> None:
        loop.call_soon_threadsafe(stop)

    on_stop_signals(stop)
    if watch_parent:
        watch_control_pipe(stop_from_thread)
    try:
        async with open_role(options) as role:
            settle_garbage()
            ready = True
            announce(Ready(role_of(options), options.id, role.url, role.port, os.getpid()))
            if last := getattr(role, "last_words", ""):
                logger.warning("%s", last)
            await stopping.wait()
    except asyncio.CancelledError:
        if not stopping.is_set():
            raise
    return ExitCode.PASS


def settle_garbage() -> None:
    """Have the garbage collector look rarely, and not at what is there now."""
    gc.freeze()  # what was imported lives as long as the process: not worth looking at again
    # A connection leaves little garbage; looking every 700 objects was a fifth of its cost.
    gc.set_threshold(20_000, 20, 20)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop where there is one: it takes half the time of a turn."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def _log_to_stderr() -> None:
    form = "%(asctime)s.%(msecs)03d %(levelname)s %(name)s: %(message)s"
    log_to_stderr(logging.WARNING, form, "%H:%M:%S")
    logging.getLogger("pushscope").setLevel(logging.INFO)


def _print_line(value: Ready | Failed) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()

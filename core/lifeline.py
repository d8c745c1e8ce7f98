"""No child outlives its parent: the child's side.

A child has two ties to the process that started it:

* its standard input is the *control pipe*: end of file means that the parent is gone. This works
  on every system, however the parent died.
* on Linux the kernel is asked to send SIGKILL as well (``PR_SET_PDEATHSIG``), because a paused
  child (SIGSTOP) reads no pipe.

The parent's side is :mod:`core.child`. Whoever starts a child by other means (the window, with
QProcess) does three things: passes :func:`child_environment` as its environment, keeps its
standard input open for as long as it shall live, and starts it from the *main thread*, since the
kernel's tie is to the thread that forked, not to the process.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping

#: Environment variable by which a parent tells its pid to the child; unset: nobody's child.
PARENT_VARIABLE = "PUSHSCOPE_PARENT"

#: Seconds that a child has for an orderly stop after its parent died.
ORPHAN_GRACE = 2.0

_PR_SET_PDEATHSIG = 1
_SIGKILL = 9
_ORPHANED = 130
_STDIN = 0


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment for a child of this process: ours, the parent's pid, and ``extra``."""
    return {**os.environ, "PYTHONIOENCODING": "utf-8", PARENT_VARIABLE: str(os.getpid()), **(extra or {})}


def bind_to_parent() -> int | None:
    """Tie this process to the one that started it; the first thing that a child does.

    Returns the parent's pid, or None for a process that a person started, to which nothing
    happens. Ends the process at once if the parent died before we came here. The variable is
    taken out of the environment, so that only a direct child sees it.
    """
    given = os.environ.pop(PARENT_VARIABLE, "")
    if not given.isdecimal():
        return None
    parent = int(given)
    if sys.platform == "linux":
        _ask_kernel()
    # Windows: the launcher of a virtual environment is a process of its own in between.
    if sys.platform != "win32" and os.getppid() != parent:
        os._exit(_ORPHANED)
    return parent


def _ask_kernel() -> None:
    """Have the kernel kill us when the thread that forked us ends (prctl(2))."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


def watch_control_pipe(on_parent_gone: Callable[[], None], *, grace: float = ORPHAN_GRACE) -> None:
    """Call ``on_parent_gone`` in a thread of its own when standard input ends.

    The process is ended hard ``grace`` seconds later if it has not ended by then, also when its
    event loop hangs. Bytes that arrive are ignored; a child that takes commands from its
    standard input reads it itself and calls :func:`exit_within` at its end.
    """

    def watch() -> None:
        try:
            while os.read(_STDIN, 4096):
                pass
        except OSError:
            pass  # the pipe broke: the parent is gone as well
        exit_within(grace)
        on_parent_gone()

    threading.Thread(target=watch, name="pushscope-lifeline", daemon=True).start()


def exit_within(seconds: float) -> None:
    """End this process hard after so many seconds unless it has ended before."""
    timer = threading.Timer(seconds, os._exit, (_ORPHANED,))
    timer.daemon = True
    timer.start()

"""What Ctrl-C does while there is no event loop to take it: the program leaves, without a traceback.

Imports next to nothing: it is there before anything else is loaded.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

#: :attr:`core.errors.ExitCode.INTERRUPTED`, without what it takes to load that.
_INTERRUPTED = 130


def leave_at_once(_number: int, _frame: FrameType | None) -> None:
    """End the process; for as long as there is nothing that would have to be stopped in order.

    An exception would come out of the middle of an import, where some of it is printed and some is
    taken for a missing module.
    """
    os._exit(_INTERRUPTED)


def leave_on_interrupt() -> None:
    """Have Ctrl-C end the process from now on, unless whoever started us wants it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave_at_once)


def raise_on_interrupt() -> None:
    """From now on there may be something to stop: Ctrl-C is a KeyboardInterrupt, as usual."""
    if signal.getsignal(signal.SIGINT) is leave_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def ignore_interrupts() -> None:
    """The result stands and all is stopped: Ctrl-C comes too late to change it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

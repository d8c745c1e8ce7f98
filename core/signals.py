"""The signals by which a person or a service manager ends a program, in an event loop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from types import FrameType

#: Ctrl-C, a polite kill, and the end of the terminal (not on Windows).
_STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")


def on_stop_signals(stop: Callable[[], None]) -> None:
    """Have the running loop call ``stop`` whenever one of them arrives.

    Must be called in the main thread. Stays for the life of the loop; from then on they no longer
    end the process by themselves.
    """
    loop = asyncio.get_running_loop()

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop)

    for name in _STOPPING:
        number = getattr(signal, name, None)
        if number is None or (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):
            continue  # nohup: whoever started us wants us to outlive the terminal
        try:
            loop.add_signal_handler(number, stop)
        except NotImplementedError:  # Windows
            signal.signal(number, handle)

"""Lines for a person, from an event loop that must not wait for whoever reads them."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from types import TracebackType
from typing import Self

from core.cleaning import clean_line

_WAITING_LINES = 10_000
_LAST_WORDS = 0.5


class LineWriter:
    """Writes lines to a file descriptor from a thread of its own.

    A terminal that is stopped (Ctrl-S), or a pipe that nobody reads, would otherwise stop the
    loop and with it the handling of signals. While the reader does not read, lines are dropped.
    Not through ``sys.stderr``: the interpreter flushes that at its end, and would wait for the
    lock that our thread holds.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING_LINES)
        self._thread = threading.Thread(target=self._run, name="pushscope-lines", daemon=True)

    def write(self, line: str) -> None:
        """Queue a line; returns at once."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(clean_line(line))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
        self._thread.join(_LAST_WORDS)

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # the reader went away
            while (line := self._lines.get()) is not None:
                rest = memoryview(f"{line}\n".encode(errors="replace"))
                while rest:
                    rest = rest[os.write(self._fd, rest) :]

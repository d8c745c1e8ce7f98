"""Lines for a person, from an event loop that must not wait for whoever reads them."""

from __future__ import annotations

import contextlib
import queue
import threading
from types import TracebackType
from typing import Self, TextIO

_WAITING_LINES = 10_000
_LAST_WORDS = 0.5


class LineWriter:
    """Writes lines to a stream from a thread of its own.

    A terminal that is stopped (Ctrl-S), or a pipe that nobody reads, would otherwise stop the
    loop and with it the handling of signals. While the reader does not read, lines are dropped.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING_LINES)
        self._thread = threading.Thread(target=self._run, name="pushscope-lines", daemon=True)

    def write(self, line: str) -> None:
        """Queue a line; returns at once."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(line)

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
        with contextlib.suppress(OSError, ValueError):  # the reader went away
            while (line := self._lines.get()) is not None:
                self._stream.write(line + "\n")
                if self._lines.empty():
                    self._stream.flush()

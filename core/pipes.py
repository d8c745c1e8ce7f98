"""Lines through a pipe, in and out, without ever blocking the loop; the same on every system.

A thread reads and a thread writes, because event loops cannot wait on a plain pipe everywhere
(Windows), and because commands must be taken while data waits to go out.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import BinaryIO


def read_lines(
    stream: BinaryIO, on_line: Callable[[bytes], None], on_end: Callable[[], None]
) -> threading.Thread:
    """Have ``on_line`` called in the running loop for each line, and ``on_end`` after the last one.

    The thread is a daemon: it does not keep the process.
    """
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            for line in stream:
                loop.call_soon_threadsafe(on_line, line)
        except (OSError, ValueError):
            pass  # the pipe broke, or was closed under us: the end as well
        loop.call_soon_threadsafe(on_end)

    def quietly() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
            read()

    thread = threading.Thread(target=quietly, name="pushscope-lines-in", daemon=True)
    thread.start()
    return thread


class LineWriter:
    """Writes lines in a thread of its own; a reader that is gone is not an error here.

    Must be made in the loop in which :meth:`drained` is awaited.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self._written = asyncio.Event()
        self._broken = False
        self._thread = threading.Thread(target=self._run, name="pushscope-lines-out", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Queue a line that ends with a line feed; returns at once."""
        self._queue.put(line)

    async def drained(self, most: int) -> None:
        """Return when at most so many lines wait for the pipe, or nobody reads it any more."""
        while self._queue.qsize() > most and not self._broken:
            self._written.clear()
            await self._written.wait()

    def close(self, within: float = 2.0) -> None:
        """Wait until everything is handed over, at most so many seconds."""
        self._queue.put(None)
        self._thread.join(within)

    def _run(self) -> None:
        try:
            while (line := self._queue.get()) is not None:
                self._stream.write(line)
                if self._queue.empty():
                    self._stream.flush()
                self._tell()
            self._stream.flush()
        except (OSError, ValueError):
            self._broken = True  # nobody reads any more; our own control pipe will say so too
            self._tell()

    def _tell(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._written.set)

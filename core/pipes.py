"""Lines through a pipe, in and out, without ever blocking the loop; the same on every system.

A thread reads and a thread writes, because event loops cannot wait on a plain pipe everywhere
(Windows), and because commands must be taken while data waits to go out. Both use the file
descriptor itself: Python's buffered streams have a lock, and an interpreter that ends while a
thread holds it aborts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Final

_CHUNK: Final = 1 << 16


def read_lines(fd: int, on_line: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
    """Have ``on_line`` called in the running loop for each line, and ``on_end`` after the last one.

    Lines come with their line feed. The thread is a daemon: it does not keep the process.
    """
    loop = asyncio.get_running_loop()

    def read() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
            for line in _lines(fd):
                loop.call_soon_threadsafe(on_line, line)
            loop.call_soon_threadsafe(on_end)

    threading.Thread(target=read, name="pushscope-lines-in", daemon=True).start()


def _lines(fd: int) -> Iterator[bytes]:
    rest = b""
    with contextlib.suppress(OSError):  # the pipe broke, or was closed under us: the end as well
        while chunk := os.read(fd, _CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line + b"\n"
    if rest:
        yield rest


class LineWriter:
    """Writes lines in a thread of its own; a reader that is gone is not an error here.

    Must be made in the loop in which :meth:`drained` is awaited.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
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
                rest = memoryview(line)
                while rest:
                    rest = rest[os.write(self._fd, rest) :]
                self._tell()
        except OSError:
            self._broken = True  # nobody reads any more; our own control pipe will say so too
            self._tell()

    def _tell(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._written.set)

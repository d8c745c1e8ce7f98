"""The one bridge between the engine and Qt.

The engine is a child process: commands go to its stdin as JSON lines, events come from its stdout.
Its stdin stays open as a lifeline; when the window dies it closes and the engine ends everything
that it started. Three threads do the blocking work, so neither a full pipe nor a flood of events
holds the window up, and a command never waits behind data.
"""

from __future__ import annotations

import logging
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import IO

from PySide6.QtCore import QObject, Qt, Signal

from core.engine.messages import Command, Event, Shutdown
from core.engine.wire import decode_event, encode_command
from core.errors import UsageError
from core.lifeline import child_environment

from .merging import merge_into

log = logging.getLogger("pushscope.gui")


class EngineLink(QObject):
    """What the session needs of an engine: send commands, hear events, learn of its end.

    ``received`` carries a non-empty list of events in order, at most one Snapshot in a row;
    ``ended`` carries the exit code and the last lines of its stderr. Both arrive in the thread
    of the window.
    """

    received = Signal(object)
    ended = Signal(int, str)

    def start(self) -> None:
        """Begin; raises OSError if the engine cannot be started."""
        raise OSError("no engine behind this link")

    def send(self, command: Command) -> None:
        """Hand a command over; returns at once, also when the engine is gone."""

    def shutdown(self, timeout: float) -> bool:
        """Stop the engine and wait; blocking. False if it had to be killed."""
        return True


class EngineProcess(EngineLink):
    """An engine in a child process."""

    _wake = Signal()
    _gone = Signal(int)

    def __init__(self, command: Sequence[str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._pending: list[Event] = []
        self._lock = threading.Lock()
        self._tail: deque[str] = deque(maxlen=40)
        self._threads: list[threading.Thread] = []
        self._wake.connect(self._drain, Qt.ConnectionType.QueuedConnection)
        self._gone.connect(self._on_gone, Qt.ConnectionType.QueuedConnection)

    @property
    def pid(self) -> int | None:
        """The engine's process id while there is one."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the child and its threads; call it in the main thread (``core.lifeline``).

        Raises:
            OSError: the program could not be started.
        """
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_environment(),
            creationflags=flags,
            start_new_session=sys.platform != "win32",  # Ctrl-C is for the window, which stops it in order
        )
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        errors = self._run("errors", self._read_errors, process.stderr)
        self._run("commands", self._write, process.stdin)
        self._run("events", self._read, process.stdout, process, errors)

    def send(self, command: Command) -> None:
        """Queue a command for the writer thread."""
        self._outgoing.put(encode_command(command))

    def shutdown(self, timeout: float) -> bool:
        """Ask the engine to end; after ``timeout`` seconds kill it (its children then end by
        their own lifelines)."""
        process = self._process
        if process is None:
            return True
        self.send(Shutdown())
        in_time = True
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            in_time = False
            process.kill()
            process.wait(2)
        self._outgoing.put(None)
        for thread in self._threads:
            thread.join(2)
        return in_time

    def _run(self, name: str, target: Callable[..., None], *args: object) -> threading.Thread:
        thread = threading.Thread(target=target, args=args, name=f"engine-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _write(self, pipe: IO[bytes]) -> None:
        try:
            with pipe:
                while (line := self._outgoing.get()) is not None:
                    pipe.write(line)
                    pipe.flush()
        except OSError:  # the engine is gone; its end is reported by the reader
            pass

    def _read_errors(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                self._tail.append(line.decode("utf-8", "replace").rstrip())

    def _read(self, pipe: IO[bytes], process: subprocess.Popen[bytes], errors: threading.Thread) -> None:
        with pipe:
            for line in pipe:
                try:
                    event = decode_event(line)
                except UsageError as error:
                    self._tail.append(f"{error}: {error.tried}")
                    continue
                with self._lock:
                    first = not self._pending
                    merge_into(self._pending, event)
                if first:
                    self._wake.emit()
        code = process.wait()
        errors.join(2)
        self._gone.emit(code)

    def _drain(self) -> None:
        with self._lock:
            events, self._pending = self._pending, []
        if events:
            self.received.emit(events)

    def _on_gone(self, code: int) -> None:
        self._drain()
        self._outgoing.put(None)
        self.ended.emit(code, "\n".join(self._tail))

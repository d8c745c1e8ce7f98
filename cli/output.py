"""What the program writes to its terminal: cleaned of what is not text, and never the end of it.

A pipe whose reader has left (``| head -1``) ends nothing: what is to be done is done, and the exit
code is that of the work. A disk that is full is an error at the end.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, TextIO

import typer

from core.cleaning import clean_text

if TYPE_CHECKING:
    from typing_extensions import Buffer


def say(text: str, *, err: bool = False) -> None:
    """Write lines for a person, to standard output or error; parts of them may come from elsewhere."""
    typer.echo(clean_text(text), err=err)


class _Steady(io.FileIO):
    """Standard output or error; drops what nobody can read any more.

    Attributes:
        failure: Why nothing more can be written, where that is not its reader's wish.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number, "wb", closefd=False)
        self.failure: OSError | None = None
        self._over = False

    def write(self, data: Buffer, /) -> int | None:
        if not self._over:
            try:
                return super().write(data)
            except BrokenPipeError:
                self._over = True
            except OSError as error:
                self._over, self.failure = True, error
        return memoryview(data).nbytes


class Written:
    """Whether what was said has been written, once :func:`steady_output` is over.

    Attributes:
        failure: Why standard output could not take it all; None if it did, or if nobody wanted more.
    """

    def __init__(self) -> None:
        self.failure: OSError | None = None


@contextlib.contextmanager
def steady_output() -> Generator[Written]:
    """Put streams that outlive their readers in the place of standard output and error."""
    before = sys.stdout, sys.stderr
    written = Written()
    out, raw = _steady(sys.stdout)
    sys.stdout, sys.stderr = out, _steady(sys.stderr)[0]
    try:
        yield written
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before
        written.failure = raw.failure if raw is not None else None


def _steady(stream: TextIO) -> tuple[TextIO, _Steady | None]:
    """The stream's steady twin; the stream itself where it is no file of the system's (a test's)."""
    unchanged = stream, None
    if not isinstance(stream, io.TextIOWrapper) or (sys.platform == "win32" and stream.isatty()):
        return unchanged
    try:
        raw = _Steady(stream.fileno())
    except (OSError, ValueError):  # it is closed
        return unchanged
    stream.flush()
    twin = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    return twin, raw

"""Reads one frame exactly, line by line, with every check and a clear fault.

The parser has a fast way for usual frames and comes here for all others: frames that arrive in
pieces, CRLF, escapes, repeated headers, and whatever is wrong. This reader is the authority; both
ways give the same frames (a property test holds them together), and a fault depends only on the
bytes, never on how they were split.
"""

from __future__ import annotations

from typing import Final

from ..errors import RemoteProtocolError
from .commands import COMMANDS, UNESCAPED, WITH_BODY
from .escaping import unescape
from .frames import Frame
from .limits import Limits

#: Longest command and a CR; a longer first line cannot become a command.
_MAX_COMMAND: Final = max(map(len, COMMANDS)) + 1
#: More digits than any limit has; also keeps int() cheap.
_MAX_DIGITS: Final = 18
_SHOWN: Final = 60


def content_length(text: str) -> int | None:
    """Value of a ``content-length``, or None if it is to be ignored (docs/wire/stomp.md §2).

    A value that is not a plain non-negative integer is ignored, and NUL ends the body then.
    """
    if not (text.isascii() and text.isdigit()):
        return None
    return int(text) if len(text) <= _MAX_DIGITS else 10**_MAX_DIGITS


class FrameReader:
    """Reads the frame that begins at ``start`` of a buffer that only grows.

    ``read`` may be called again whenever more bytes have been appended; what was looked at before
    is not looked at again, so the cost is linear in the bytes, however small the pieces.
    """

    __slots__ = (
        "_announced", "_any_command", "_body_at", "_command", "_headers", "_lenient", "_limits", "_line_at",
        "_lines", "_repeated", "_scanned", "_start", "end",
    )  # fmt: skip

    def __init__(
        self, limits: Limits, *, start: int = 0, lenient: bool = False, any_command: bool = False
    ) -> None:
        self._limits = limits
        self._any_command = any_command
        self._lenient = lenient
        self._start = start
        self._line_at = start
        self._scanned = start
        self._body_at = -1
        self._announced: int | None = None
        self._lines = 0
        self._command = ""
        self._headers: dict[str, str] = {}
        self._repeated: list[tuple[str, str]] = []
        #: Offset behind the frame's NUL, once it is complete.
        self.end = -1

    def rebase(self) -> None:
        """The caller has cut off everything before the frame: it now begins at offset 0."""
        self._line_at -= self._start
        self._scanned -= self._start
        if self._body_at >= 0:
            self._body_at -= self._start
        self._start = 0

    def read(self, buffer: bytes | bytearray) -> Frame | None:
        """The frame, or None as long as bytes are missing.

        Raises:
            RemoteProtocolError: The bytes cannot become a frame, or pass a limit.
        """
        if self._body_at < 0 and not self._read_head(buffer):
            return None
        body = self._read_body(buffer)
        if body is None:
            return None
        if body and self._command in COMMANDS and self._command not in WITH_BODY:
            raise RemoteProtocolError(f"{self._command} must not have a body; this one has {len(body)} bytes")
        return Frame(self._command, self._headers, body, tuple(self._repeated))

    def _read_head(self, buffer: bytes | bytearray) -> bool:
        while True:
            line_end = buffer.find(b"\n", self._scanned)
            self._check_line(buffer, line_end if line_end >= 0 else len(buffer))
            if line_end < 0:
                self._scanned = len(buffer)
                return False
            line = bytes(buffer[self._line_at : line_end])
            self._line_at = self._scanned = line_end + 1
            if line.endswith(b"\r"):
                line = line[:-1]
            if b"\r" in line:
                raise RemoteProtocolError("carriage return without line feed in the head of a frame")
            if not self._command:
                self._read_command(line)
            elif line:
                self._read_header(line)
            else:
                self._begin_body()
                return True
            self._check_announced(len(buffer) > self._line_at)

    def _check_line(self, buffer: bytes | bytearray, line_end: int) -> None:
        """Check length and NUL of a line that may still be incomplete.

        Whichever comes first in the stream is reported, so that the split does not matter.
        """
        limits = self._limits
        frame_limit = self._start + limits.max_frame
        limit = min(self._line_at + limits.max_header_line, frame_limit)
        if not self._command:
            limit = min(limit, self._line_at + _MAX_COMMAND)
        if buffer.find(b"\0", self._scanned, min(line_end, limit)) >= 0:
            raise RemoteProtocolError(
                "the frame ended inside its head: the blank line between headers and body is missing"
            )
        if line_end <= limit:
            return
        if limit == frame_limit:
            raise self._oversize()
        if not self._command:
            raise _unknown_command(bytes(buffer[self._line_at : limit]), cut=True)
        raise RemoteProtocolError(
            f"header line {self._lines + 1} of {self._command} is longer than {limits.max_header_line} bytes"
        )

    def _check_announced(self, more_follows: bool) -> None:
        """Refuse a body that is announced too big before it is here, as soon as more bytes follow."""
        announced = self._announced
        if announced is None or not more_follows:
            return
        if announced > self._limits.max_body:
            raise self._oversize_body(announced)
        if announced > self._limits.max_frame:
            raise self._oversize(announced)

    def _read_command(self, line: bytes) -> None:
        # "replace" cannot invent a command: the replacement character is in none of them
        word = line.decode("utf-8", "replace")
        command = COMMANDS.get(word)
        if command is None:
            if not (self._any_command and word.isascii() and word.isalpha() and word.isupper()):
                raise _unknown_command(line, cut=False)
            command = word
        self._command = command

    def _read_header(self, line: bytes) -> None:
        self._lines += 1
        if self._lines > self._limits.max_headers:
            raise RemoteProtocolError(f"{self._command} has more than {self._limits.max_headers} headers")
        raw_name, colon, raw_value = line.partition(b":")
        place = f"header line {self._lines} of {self._command}"
        if not colon or not raw_name:
            raise RemoteProtocolError(f"{place} is not of the form name:value")
        try:
            name, value = raw_name.decode(), raw_value.decode()
        except UnicodeDecodeError:
            raise RemoteProtocolError(f"{place} is not UTF-8") from None
        if b"\\" in line and self._command not in UNESCAPED:
            try:
                name = unescape(name, lenient=self._lenient)
                value = unescape(value, lenient=self._lenient)
            except ValueError as error:
                raise RemoteProtocolError(
                    f"undefined escape {error} in {place} ({name[:_SHOWN]!r}); "
                    r"defined are \r, \n, \c and \\"
                ) from None
        if name in self._headers:
            self._repeated.append((name, value))
            return
        self._headers[name] = value
        if name == "content-length":
            self._announced = content_length(value)

    def _begin_body(self) -> None:
        self._body_at = self._scanned = self._line_at
        if self._announced is None:
            return
        self._check_announced(True)
        size = self._body_at - self._start + self._announced
        if size > self._limits.max_frame:
            raise self._oversize(size)

    def _read_body(self, buffer: bytes | bytearray) -> bytes | None:
        begin = self._body_at
        if self._announced is not None:
            end = begin + self._announced
            if len(buffer) <= end:
                return None
            if buffer[end]:
                raise RemoteProtocolError(
                    f"{self._command} must be terminated with a null octet after the "
                    f"{self._announced} bytes that its content-length announces"
                )
        else:
            body_limit = begin + self._limits.max_body
            limit = min(body_limit, self._start + self._limits.max_frame)
            end = buffer.find(b"\0", self._scanned, limit + 1)
            if end < 0:
                if len(buffer) > limit:
                    raise self._oversize_body() if limit == body_limit else self._oversize()
                self._scanned = len(buffer)
                return None
        self.end = end + 1
        return bytes(buffer[begin:end])

    def _oversize(self, size: int | None = None) -> RemoteProtocolError:
        announced = f" (this one announces {size})" if size else ""
        command = self._command or "frame"
        return RemoteProtocolError(
            f"{command} exceeds the limit of {self._limits.max_frame} bytes a frame{announced}"
        )

    def _oversize_body(self, size: int | None = None) -> RemoteProtocolError:
        announced = f" (this one announces {size})" if size else ""
        return RemoteProtocolError(
            f"{self._command} exceeds the limit of {self._limits.max_body} bytes a body{announced}"
        )


def _unknown_command(line: bytes, *, cut: bool) -> RemoteProtocolError:
    shown = line.decode("utf-8", "backslashreplace")
    hint = "; a blank line came where a command was expected" if not line else ""
    return RemoteProtocolError(f"unknown command {shown!r}{'…' if cut else ''}{hint}")

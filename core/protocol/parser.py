"""Incremental STOMP parser: bytes in, frames and heart-beats out.

Decisions where specifications leave room or Spring differs (docs/wire/stomp.md §2):

- A CRLF that is split over two chunks waits for its second half.
- Further NULs after a frame are tolerated like the end-of-lines that are allowed there.
- ``content-type`` is kept as it came, parsable or not.
- Frames that were complete before a fault are delivered before it.
- NUL inside a head is a fault at once: it is always a forgotten blank line, and waiting for one
  would look like a hang.
- A chunk that holds nothing but end-of-lines is one heart-beat, however many there are. Heart-beats
  are therefore the only events that depend on how the stream was split.
"""

from __future__ import annotations

import re
from typing import Final

from ..errors import RemoteProtocolError
from .commands import COMMANDS, UNESCAPED, WITH_BODY
from .escaping import unescape
from .events import Malformed
from .frames import HEARTBEAT, Frame, Heartbeat
from .limits import CLIENT_LIMITS, Limits
from .reader import FrameReader, content_length

#: What may stand between frames: line ends, and NULs that we tolerate.
_GAP: Final = re.compile(rb"[\n\0]*(?:\r\n[\n\0]*)*")
_CR: Final = 13


class StompParser:
    """Parses one direction of one connection, with limits.

    Args:
        limits: What the peer may make us hold.
        any_command: Take every word of capital letters for a command, for sessions that answer an
            unknown one and go on.

    Attributes:
        lenient: Set for a peer that speaks STOMP 1.0: an unknown escape is text, not a fault.
    """

    __slots__ = (
        "_any_command",
        "_dead",
        "_fast_frame",
        "_fast_head",
        "_limits",
        "_max_headers",
        "_pending",
        "_reader",
        "lenient",
    )

    def __init__(self, limits: Limits = CLIENT_LIMITS, *, any_command: bool = False) -> None:
        self._limits = limits
        self._any_command = any_command
        # in a head that is no longer than this no single line can be too long
        self._fast_head = min(limits.max_header_line, limits.max_frame - 2)
        self._fast_frame = min(limits.max_frame, limits.max_body)
        self._max_headers = limits.max_headers
        self._pending: bytearray | None = None
        self._reader: FrameReader | None = None
        self._dead = False
        self.lenient = False

    @property
    def buffered(self) -> int:
        """Bytes held of a frame that is not complete yet; at most ``limits.max_frame`` + 1."""
        return len(self._pending) if self._pending else 0

    @property
    def dead(self) -> bool:
        """Whether a fault has ended the stream."""
        return self._dead

    def feed(self, data: bytes) -> list[Frame | Heartbeat | Malformed]:
        """Take the next bytes and return what they complete.

        After a :class:`Malformed`, which is always the last event, every call returns nothing.
        """
        events: list[Frame | Heartbeat | Malformed] = []
        if self._dead or not data:
            return events
        try:
            if self._pending is not None:
                data = self._resume(data, events)
            if data:
                self._parse(data, events)
        except RemoteProtocolError as error:
            self._dead = True
            self._pending = self._reader = None
            # The traceback, and that of what it came from, refers to this call and so to the events:
            # without them it is freed at once, not when the collector comes.
            error.__context__ = None
            events.append(Malformed(error.with_traceback(None)))
        return events

    def _resume(self, data: bytes, events: list[Frame | Heartbeat | Malformed]) -> bytes:
        """Complete what is pending; returns the bytes that follow it."""
        pending = self._pending
        assert pending is not None
        pending += data
        reader = self._reader
        if reader is None:  # only a CR, whose LF should come now
            self._pending = None
            return bytes(pending)
        frame = reader.read(pending)
        if frame is None:
            return b""
        self._pending = self._reader = None
        events.append(frame)
        return bytes(pending[reader.end :])

    def _parse(self, data: bytes, events: list[Frame | Heartbeat | Malformed]) -> None:
        """Parse from a place between two frames to the end of the data."""
        pieces = data.split(b"\0")  # usually each is a frame, but bodies may contain NUL
        rest = pieces.pop()
        done = end = 0
        for piece in pieces:
            begin, end = end, end + len(piece) + 1
            if begin < done or not piece:
                continue
            if piece[0] <= _CR:
                gap = _gap(piece)
                if gap == len(piece):
                    continue
                if piece[gap] == _CR:
                    raise _bare_cr()
                piece = piece[gap:]
                begin += gap
            frame = self._fast(piece)
            if frame is None:
                reader = self._new_reader(begin)
                frame = reader.read(data)
                if frame is None:
                    return self._keep(data, begin, reader)
                done = reader.end
            events.append(frame)
        if rest:
            self._begin(data, end)
        if not events and self._pending is None and b"\n" in data:
            events.append(HEARTBEAT)

    def _begin(self, data: bytes, begin: int) -> None:
        """Begin with the last frame, of which no NUL has come."""
        begin += _gap(data[begin:])
        if begin == len(data):
            return
        if data[begin] == _CR:
            if begin + 1 < len(data):
                raise _bare_cr()
            self._pending = bytearray(b"\r")
            return
        reader = self._new_reader(begin)
        reader.read(data)
        self._keep(data, begin, reader)

    def _new_reader(self, begin: int) -> FrameReader:
        return FrameReader(self._limits, start=begin, lenient=self.lenient, any_command=self._any_command)

    def _keep(self, data: bytes, begin: int, reader: FrameReader) -> None:
        reader.rebase()
        self._reader = reader
        self._pending = bytearray(data[begin:] if begin else data)

    def _fast(self, piece: bytes) -> Frame | None:
        """The frame before a NUL if it is whole and usual, else None for the exact reader to look at.

        Everything that could be a fault, and all that is rare, is left to the reader.
        """
        raw, blank, body = piece.partition(b"\n\n")
        if not blank or len(raw) > self._fast_head:
            return None
        try:
            head = raw.decode()
            lines = head.split("\n")
            command = COMMANDS[lines.pop(0)]
        except (UnicodeDecodeError, KeyError):
            return None
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                return None
            headers[name] = value
        if "\\" in head:
            headers = _unescaped(command, headers)
        if len(headers) != len(lines) or len(lines) > self._max_headers or "" in headers or "\r" in head:
            return None
        announced = headers.get("content-length")
        if announced is not None and announced != str(len(body)) and content_length(announced) is not None:
            return None
        if body and (command not in WITH_BODY or len(piece) > self._fast_frame):
            return None
        return Frame(command, headers, body)


def _gap(data: bytes) -> int:
    """Where what may stand between frames ends."""
    match = _GAP.match(data)
    return match.end() if match else 0


def _bare_cr() -> RemoteProtocolError:
    return RemoteProtocolError("carriage return without line feed between frames")


def _unescaped(command: str, headers: dict[str, str]) -> dict[str, str]:
    """Headers without escapes; fewer than there were if something is wrong or occurs twice."""
    if command in UNESCAPED:
        return headers
    try:
        return {unescape(name): unescape(value) for name, value in headers.items()}
    except ValueError:
        return {}

"""Incremental STOMP parser: bytes in, frames and heart-beats out.

Decisions where specifications leave room or Spring differs (Spring relay specification §1.2, DEV):

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
from .commands import COMMANDS, WITH_BODY
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

    Attributes:
        lenient: Set for a peer that speaks STOMP 1.0: an unknown escape is text, not a fault.
    """

    __slots__ = (
        "_dead", "_fast_end", "_fast_head", "_limits", "_max_headers", "_pending", "_reader", "lenient",
    )  # fmt: skip

    def __init__(self, limits: Limits = CLIENT_LIMITS) -> None:
        self._limits = limits
        # in a head that is no longer than this no single line can be too long
        self._fast_head = min(limits.max_header_line, limits.max_frame - 2)
        self._max_headers = limits.max_headers
        self._fast_end = 0
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
            events.append(Malformed(error))
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
        pos, end = 0, len(data)
        while pos < end:
            if data[pos] <= _CR:
                pos = self._skip_gap(data, pos, events)
                if pos == end:
                    return
            frame = self._fast(data, pos)
            if frame is not None:
                pos = self._fast_end
            else:
                reader = FrameReader(self._limits, start=pos, lenient=self.lenient)
                frame = reader.read(data)
                if frame is None:
                    reader.rebase()
                    self._reader = reader
                    self._pending = bytearray(data[pos:] if pos else data)
                    return
                pos = reader.end
            events.append(frame)

    def _skip_gap(self, data: bytes, pos: int, events: list[Frame | Heartbeat | Malformed]) -> int:
        """Skip what may stand between frames; returns where the next frame begins."""
        begin, end = pos, len(data)
        gap = _GAP.match(data, pos)
        pos = gap.end() if gap else pos
        if pos == end:
            if not events and data.find(b"\n", begin) >= 0:
                events.append(HEARTBEAT)
        elif data[pos] == _CR:
            if pos + 1 < end:
                raise RemoteProtocolError("carriage return without line feed between frames")
            self._pending = bytearray(b"\r")
            return end
        return pos

    def _fast(self, data: bytes, pos: int) -> Frame | None:
        """The frame at ``pos`` if it is whole and usual, else None for the exact reader to look at.

        Everything that could be a fault, and all that is rare, is left to the reader.
        """
        nul = data.find(b"\0", pos)
        head_end = data.find(b"\n\n", pos, nul)
        if nul < 0 or head_end < 0 or head_end - pos > self._fast_head:
            return None
        try:
            head = data[pos:head_end].decode()
            command, *lines = head.split("\n")
            command = COMMANDS[command]
        except (UnicodeDecodeError, KeyError):
            return None
        if "\\" in head or "\r" in head:
            return None
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                return None
            headers[name] = value
        if len(headers) != len(lines) or len(lines) > self._max_headers or "" in headers:
            return None
        begin = head_end + 2
        if "content-length" in headers and headers["content-length"] != str(nul - begin):
            nul = _announced_end(data, begin, nul, headers["content-length"])
        if nul != begin and not self._may_have_body(command, nul - pos, nul - begin):
            return None
        self._fast_end = nul + 1
        return Frame(command, headers, data[begin:nul])

    def _may_have_body(self, command: str, frame_size: int, body_size: int) -> bool:
        limits = self._limits
        return command in WITH_BODY and frame_size <= limits.max_frame and 0 < body_size <= limits.max_body


def _announced_end(data: bytes, begin: int, nul: int, announced: str) -> int:
    """Where a body that is not as long as the first NUL suggests ends; -1 if something is wrong."""
    length = content_length(announced)
    if length is None:
        return nul
    end = begin + length
    return end if end < len(data) and not data[end] else -1

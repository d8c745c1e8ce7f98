"""Frames out of the bodies of SockJS's HTTP transports (docs/wire/sockjs.md §5), without input or output.

Any split of the same bytes gives the same frames. A frame is limited; an endless one is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar

from ...errors import CloseCode, RemoteProtocolError
from ...protocol.sockjs_client import eventsource_data

_Bytes = TypeVar("_Bytes", bytes, bytearray)


class Splitter(Protocol):
    """Cuts the body of one response after another into frames."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take a piece of a body; the frames that are complete now. Must be iterated to its end.

        Raises:
            RemoteProtocolError: A frame is too long, or not escaped as it must be.
        """
        ...

    def end(self) -> bool:
        """A body has ended: begin anew. Whether it ended between two frames."""
        ...


class LineSplitter:
    """xhr and xhr-streaming: a frame a line, ended by LF; empty lines mean nothing."""

    __slots__ = ("_max", "_tail")

    def __init__(self, max_frame: int) -> None:
        self._max = max_frame
        self._tail: bytes | bytearray = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Whole lines, without their ends."""
        tail = self._tail
        if not data:
            return
        end = data.rfind(b"\n") + 1
        if not end:
            self._tail = _longer(tail, data, self._max)
            return
        lines = (bytes(tail) + data[: end - 1] if tail else data[: end - 1]).split(b"\n")
        self._tail = data[end:]
        for line in lines:
            if line:
                yield _limited(line, self._max)
        _limited(self._tail, self._max)

    def end(self) -> bool:
        """See :class:`Splitter`."""
        whole = not self._tail
        self._tail = b""
        return whole


class EventSplitter:
    """eventsource: an event a frame (HTML, "Interpreting an event stream"), its data unescaped.

    Lines end with CRLF, LF or CR; of fields only ``data`` matters.
    """

    __slots__ = ("_after_cr", "_data", "_max", "_size", "_tail")

    def __init__(self, max_frame: int) -> None:
        self._max = max_frame
        self._tail: bytes | bytearray = b""
        self._data: list[bytes] = []
        self._size = 0
        self._after_cr = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The data of whole events."""
        if not self._tail and not self._data and data[:6] == b"data: " and data[-4:] == b"\r\n\r\n":
            event = data[6:-4]
            if b"\n" not in event and b"\r" not in event:  # one whole event: nearly always
                self._after_cr = False
                if event:
                    yield eventsource_data(_limited(data[:-4], self._max)[6:])
                return
        if self._after_cr and data[:1] == b"\n":
            data = data[1:]
            self._after_cr = False
        if not data:
            return
        self._after_cr = data[-1:] == b"\r"
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        end = data.rfind(b"\n") + 1
        if not end:
            self._tail = _longer(self._tail, data, self._max)
            return
        lines = (bytes(self._tail) + data[: end - 1]).split(b"\n")
        self._tail = data[end:]
        yield from self._events(lines)
        _limited(self._tail, self._max)

    def end(self) -> bool:
        """See :class:`Splitter`."""
        whole = not self._tail and not self._data
        self._tail = b""
        self._data.clear()
        self._size = 0
        self._after_cr = False
        return whole

    def _events(self, lines: list[bytes]) -> Iterator[bytes]:
        for line in lines:
            if not _limited(line, self._max):
                if self._data:
                    event = b"\n".join(self._data)
                    self._data.clear()
                    self._size = 0
                    if event:  # else there is nothing to dispatch
                        yield eventsource_data(event)
            elif line[:5] == b"data:":
                self._size += len(line)
                if self._size > self._max:
                    raise _too_long(self._max)
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])


def _longer(tail: bytes | bytearray, data: bytes, most: int) -> bytearray:
    """The beginning of a frame, and more of it; grows in place."""
    if len(tail) + len(data) > most:
        raise _too_long(most)
    if not isinstance(tail, bytearray):
        tail = bytearray(tail)
    tail += data
    return tail


def _limited(frame: _Bytes, most: int) -> _Bytes:
    """The frame, if it is not too long."""
    if len(frame) > most:
        raise _too_long(most)
    return frame


def _too_long(most: int) -> RemoteProtocolError:
    """What is wrong with a frame that does not end."""
    return RemoteProtocolError(f"a frame of more than {most} bytes", close_code=CloseCode.TOO_BIG)

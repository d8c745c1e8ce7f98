"""Reads MESSAGE frames that look like the last one, at a third of the price of a parser.

A server writes the same headers in the same order into every MESSAGE of a kind. From one frame that
the exact parser has read, :class:`MessageLayout` makes a pattern for its like. The pattern is
strict: it accepts whole, unescaped ASCII heads of exactly these names, and a body of exactly the
announced length. Whatever it does not accept goes to the parser; so it never decides what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..protocol import Frame

#: Longer heads are left to the parser, which limits lines.
_LONGEST_HEAD = 16 * 1024

_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]+").fullmatch


class MessageLayout:
    """The shape of the last MESSAGE; shared by users, because they talk to the same servers."""

    __slots__ = ("_id", "_length", "_match")

    def __init__(self) -> None:
        self._match: Callable[[bytes], re.Match[bytes] | None] | None = None
        self._id = 0
        self._length = 0

    def learn(self, frame: Frame) -> None:
        """Expect more MESSAGE frames with headers of these names in this order."""
        names = list(frame.headers)
        if frame.repeated or "content-length" not in names or not all(map(_PLAIN_NAME, names)):
            return
        lines = [re.escape(name.encode()) + rb":([^\n\r\\\0]*+)\n" for name in names]
        self._match = re.compile(rb"MESSAGE\n" + b"".join(lines) + rb"\n").match
        self._id = names.index("ps-id") + 1 if "ps-id" in names else 0
        self._length = names.index("content-length") + 1

    def read(self, data: bytes) -> tuple[str | None, bytes] | None:
        """``ps-id`` and body if ``data`` is exactly one such frame, else None."""
        if self._match is None:
            return None
        head = self._match(data)
        if head is None:
            return None
        begin = head.end()
        length = len(data) - begin - 1
        if begin > _LONGEST_HEAD or length < 0 or data[-1] or head[self._length] != b"%d" % length:
            return None
        if not data[:begin].isascii():
            return None
        return (head[self._id].decode() if self._id else None), data[begin:-1]

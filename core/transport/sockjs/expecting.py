"""A request whose answer has to have a certain status."""

from __future__ import annotations

import asyncio

from .connection import Call

#: How much of an answer's body an error shows.
_BODY_SHOWN = 300


class ExpectingCall(Call):
    """Tells a good answer's :meth:`part` s and its end, :meth:`whole`, from a bad one, :meth:`refused`.

    A bad answer is the end at once, with the words that came with its head: its body may be endless, or
    never come.
    """

    __slots__ = ("_good", "_status")

    def __init__(self, request: bytes, good: tuple[int, ...], *, repeatable: bool = False) -> None:
        super().__init__(request, repeatable=repeatable)
        self._good = good
        self._status = 0

    def head(self, status: int, cookies: list[str]) -> None:
        """See :class:`~.connection.Call`."""
        self._status = status
        if cookies:
            self.cookies(cookies)
        if status not in self._good:
            asyncio.get_running_loop().call_soon(self._refuse, b"")

    def body(self, data: bytes) -> None:
        """See :class:`~.connection.Call`."""
        if self._status in self._good:
            self.part(data)
        else:
            self._refuse(data)

    def done(self) -> None:
        """See :class:`~.connection.Call`."""
        if self._status in self._good:
            self.whole()
        else:
            self._refuse(b"")

    def cookies(self, values: list[str]) -> None:
        """The server has set cookies."""

    def part(self, data: bytes) -> None:
        """A piece of a good answer."""

    def whole(self) -> None:
        """A good answer is whole."""

    def refused(self, status: int, text: str) -> None:
        """An answer with another status, and the beginning of what it says."""

    def _refuse(self, body: bytes) -> None:
        if self._status:
            status, self._status = self._status, 0
            self.abort()
            self.refused(status, body[:_BODY_SHOWN].decode("utf-8", "replace").strip())

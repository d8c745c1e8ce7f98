"""Writing to a connection that has ended a moment ago."""

from __future__ import annotations

import asyncio

import pytest

from server.sockets.lingering import OrderlyTransport


class Ended(asyncio.Transport):
    """A transport that has ended, of which nobody has been told yet: uvloop's raises then."""

    def __init__(self, *, closing: bool) -> None:
        super().__init__()
        self._closing = closing

    def is_closing(self) -> bool:
        return self._closing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


def test_what_is_written_after_the_end_is_dropped() -> None:
    OrderlyTransport(Ended(closing=True)).write(b"x")


def test_other_mistakes_are_told() -> None:
    with pytest.raises(RuntimeError):
        OrderlyTransport(Ended(closing=False)).write(b"x")

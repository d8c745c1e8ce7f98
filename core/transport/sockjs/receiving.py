"""The receiving half of the transports over HTTP: a request that brings frames (docs/wire/sockjs.md §5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from .expecting import ExpectingCall
from .splitting import EventSplitter, LineSplitter, Splitter


class Receiving:
    """How a transport receives: method and path of its request, and how frames are cut from the answer."""

    __slots__ = ("accept", "method", "path", "splitter")

    def __init__(
        self, method: str, path: str, splitter: Callable[[int], Splitter], accept: str = "*/*"
    ) -> None:
        self.method = method
        self.path = path
        self.splitter = splitter
        self.accept = accept


XHR_STREAMING: Final = Receiving("POST", "/xhr_streaming", LineSplitter)
XHR_POLLING: Final = Receiving("POST", "/xhr", LineSplitter)
EVENTSOURCE: Final = Receiving("GET", "/eventsource", EventSplitter, "text/event-stream")


class Receiver(Protocol):
    """The carrier that receives."""

    def cookies(self, values: list[str]) -> None:
        """The server has set cookies."""
        ...

    def take(self, data: bytes, received_ns: int) -> None:
        """A piece of an answer came."""
        ...

    def received(self) -> None:
        """An answer has ended."""
        ...

    def refused(self, status: int, text: str) -> None:
        """An answer that is not 200."""
        ...

    def lost(self, why: str) -> None:
        """An answer broke off."""
        ...


class Receive(ExpectingCall):
    """The request that brings frames."""

    __slots__ = ("_receiver",)

    def __init__(self, request: bytes, receiver: Receiver) -> None:
        # The server that had it would have opened or interrupted the session: nothing is lost unseen.
        super().__init__(request, (200,), repeatable=True)
        self._receiver = receiver

    def cookies(self, values: list[str]) -> None:
        """See :class:`~.expecting.ExpectingCall`."""
        self._receiver.cookies(values)

    def part(self, data: bytes) -> None:
        """Frames."""
        self._receiver.take(data, self.received_ns)

    def whole(self) -> None:
        """The next one is due."""
        self._receiver.received()

    def refused(self, status: int, text: str) -> None:
        """The end."""
        self._receiver.refused(status, text)

    def failed(self, why: str) -> None:
        """It broke off."""
        self._receiver.lost(why)

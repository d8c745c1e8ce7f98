"""The seam between a SockJS service and what is served over it: an echo, STOMP, anything.

The service makes a :class:`Connection` for every session and gives it to the application, which
returns a :class:`Listener`. Everything happens in one event loop, without tasks; who would rather
write a coroutine per session takes :class:`~.conversation.Conversations`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from ..access.admission import Principal

#: Text; bytes are what a raw WebSocket's binary messages are. Sent over SockJS, bytes become text.
Message = str | bytes

#: How a payload becomes bytes that :meth:`Connection.send_framed` takes: ``(payload, binary) -> bytes``.
Framing = Callable[[bytes, bool], bytes]


class Request(msgspec.Struct, frozen=True):
    """The request that began a session.

    Attributes:
        path: Path of the request, with the prefix.
        query: Raw query.
        headers: Names in lower case, and values.
        client: Address of the other side, "" if it is not known.
        scheme: ``http``, ``https``, ``ws`` or ``wss``.
        principal: Whom it names, None for nobody.
    """

    path: str
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    client: str
    scheme: str
    principal: Principal | None = None

    @property
    def user(self) -> str:
        """Name of the user, "" for nobody."""
        return "" if self.principal is None else self.principal.name

    def header(self, name: bytes) -> str:
        """A header's first value, or ""."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name), "")


class Connection(Protocol):
    """One session as the application sees it; nothing of it raises once the session has ended.

    Order: messages arrive at the client in the order in which they were sent, and before the close.
    """

    @property
    def id(self) -> str:
        """Our own opaque id. The client's name for the session is its secret and stays inside."""
        ...

    @property
    def transport(self) -> str:
        """``websocket``, ``raw``, ``xhr``, ``xhr_streaming``, ``eventsource``, ``htmlfile``, ``jsonp``."""
        ...

    @property
    def request(self) -> Request:
        """What began the session."""
        ...

    @property
    def framing(self) -> Framing:
        """Makes of a payload what :meth:`send_framed` takes; the same function for all sessions of a
        transport, so that what goes to many is made once."""
        ...

    def send(self, message: Message) -> None:
        """Queue a message. What waits is bounded: beyond ``max_waiting`` the session ends."""
        ...

    def send_framed(self, data: bytes) -> None:
        """Queue any number of joined results of :attr:`framing`."""
        ...

    def close(self, code: int = 3000, reason: str = "Go away!") -> None:
        """End the session behind what was sent."""
        ...

    def stop_heartbeats(self) -> None:
        """Send no ``h`` from now on: the application has heart-beats of its own."""
        ...


class Listener(Protocol):
    """What an application wants to hear of one session; must not raise.

    Order: :meth:`closed` comes exactly once, last, and also for an end that the application asked for.
    """

    def received(self, message: Message) -> None:
        """The client has sent a message."""
        ...

    def full(self) -> None:
        """More waits for the client than ``high_water``: hold back if you can."""
        ...

    def ready(self) -> None:
        """The client has taken what waited."""
        ...

    def closed(self, code: int, reason: str) -> None:
        """The session has ended; 1006 if the client just went away."""
        ...


#: Called with each new session.
Application = Callable[[Connection], Listener]

"""What a WebSocket connection reports to, whatever is spoken over it.

The router is the gate of plain STOMP; SockJS has one of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from ..access.admission import Principal
from ..sessions.session import Carrier


class GateSession(Protocol):
    """What a connection itself wants of its session.

    Attributes:
        write: Sends framed bytes; the connection puts its own, quicker function there.
    """

    write: Callable[[bytes], None]

    @property
    def paused(self) -> bool:
        """Whether the gate was told that the connection is full."""
        ...


S = TypeVar("S", bound=GateSession)


class Gate(Protocol[S]):
    """Takes what a connection reports; see :class:`Carrier` for the order."""

    def open(self, carrier: Carrier, principal: Principal | None = None) -> S:
        """The handshake is done; the result names the connection from now on.

        Args:
            carrier: The connection.
            principal: Whom the handshake named, None for nobody.
        """
        ...

    def receive(self, session: S, data: bytes) -> None:
        """The client has sent a whole message; a text message's bytes are UTF-8."""
        ...

    def pause(self, session: S) -> None:
        """The connection is full."""
        ...

    def resume(self, session: S) -> None:
        """The connection takes bytes again."""
        ...

    def closed(self, session: S) -> None:
        """The connection has ended, whoever ended it; may come twice."""
        ...

    def close(self, session: S, code: int, reason: str) -> None:
        """The connection wants to end: the server stops, or the client broke the protocol."""
        ...

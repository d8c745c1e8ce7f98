"""The seam under every client: something that carries bytes both ways.

A carrier is message based (one WebSocket message in, one ``on_data`` out), ordered and reliable
until it ends. Implementations: :mod:`core.transport.websocket`, :mod:`core.transport.sockjs` and
:mod:`core.transport.memory`; the contract below is tested on all by ``tests/contracts/test_carrier.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec


class CloseInfo(msgspec.Struct, frozen=True):
    """How a carrier ended.

    Attributes:
        code: Close code that the peer sent; 1005 if its close frame had none; 1006 if the
            connection ended without a close frame; our own code if the peer broke the protocol.
        reason: The peer's words, or "".
        asked: Whether this side asked for the end, by ``close()`` or ``abort()``, before it came.
        error: What broke, in words; "" after a complete closing handshake.
    """

    code: int
    reason: str = ""
    asked: bool = False
    error: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.reason, self.error) if part)


OnData = Callable[[bytes], None]
OnClose = Callable[[CloseInfo], None]


class Carrier(Protocol):
    """A live connection. Belongs to one event loop and is not thread-safe.

    Order: messages arrive in the order in which the peer sent them; ``on_data`` is never called
    before the connecting call returned, never from within one of these methods, and never after
    ``on_close``. ``on_close`` is called exactly once, whoever ended the connection and however.
    Callbacks must not raise.

    Who closes: either side. After ``close()`` messages still arrive until the peer's close frame,
    because they were under way; after ``abort()`` none do.
    """

    @property
    def received_ns(self) -> int:
        """Stamp (:func:`core.clock.now_ns`) of the chunk of bytes that is being delivered now, or
        that was delivered last: taken once, before anything in it was decoded."""
        ...

    def send(self, data: bytes) -> None:
        """Send one message; returns at once, the bytes wait in a bounded buffer.

        A peer that does not read fills the buffer; beyond its limit the connection is aborted,
        so that memory stays bounded. Use :meth:`drain` to go at the peer's pace.

        Raises:
            ConnectionClosed: the connection has ended or is being closed.
            LocalProtocolError: the carrier takes text only, and this is not UTF-8 (SockJS).
        """
        ...

    async def drain(self) -> None:
        """Return when more may be sent without piling up.

        Raises:
            ConnectionClosed: the connection ended meanwhile.
        """
        ...

    def set_reading(self, on: bool) -> None:
        """Stop or resume receiving; a peer notices by back-pressure. What was already read is
        still delivered."""
        ...

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake; ``on_close`` follows within the close timeout. Harmless
        when already closing or closed. Where the peer is not told (SockJS over HTTP requests),
        ``on_close`` gets this code."""
        ...

    def abort(self) -> None:
        """End the connection now, without a handshake; ``on_close`` follows at once."""
        ...


class Connect(Protocol):
    """Opens a carrier to a URL; what clients take so that any carrier fits."""

    async def __call__(self, url: str, *, on_data: OnData, on_close: OnClose) -> Carrier:
        """Connect.

        Raises:
            TargetUnreachable: nobody answers; HandshakeRefused if the answer was no.
            UsageError: the URL is not one that this carrier understands.
        """
        ...

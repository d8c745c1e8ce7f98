"""The end of a connection whose peer may still be sending.

A socket that is closed while bytes lie unread, or come later, is answered for by the kernel with a
reset, and a reset takes with it what the peer has not read yet: the answer that says why. So a
connection ends in three steps (RFC 9112 §9.6, RFC 6455 §7.1.1): we say that nothing more comes, read and
forget what the peer still sends, and close when it has closed, too, or has had its time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

#: What is read and forgotten at most: bytes, and seconds.
DRAIN_BYTES: Final = 32 * 1024 * 1024
DRAIN_S: Final = 5.0
#: A proxy takes half of a WebSocket for its end, and cuts a client in the midst of its frame. So there
#: nothing is closed before the client has finished what it was sending: has been silent for so long.
QUIET_S: Final = 0.5


class Lingering(asyncio.Protocol):
    """A connection that has been told its last, in place of the protocol that it had.

    That one hears of the connection's end, as it would have otherwise.
    """

    def __init__(self, transport: asyncio.Transport, before: Any, seconds: float, quiet_s: float) -> None:
        self._transport = transport
        self._before = before
        self._left = DRAIN_BYTES
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(seconds, transport.abort)
        self._quiet_s = quiet_s
        self._quiet = True
        self._quiet_timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Say that nothing more comes, at once or when the peer is silent."""
        if self._quiet_s and not self._transport.is_closing():
            self._quiet_timer = self._loop.call_later(self._quiet_s, self._listen_on)
        else:
            self._say_end()

    def _listen_on(self) -> None:
        if not self._quiet:
            self._quiet = True
            self.begin()
        else:
            self._say_end()

    def _say_end(self) -> None:
        with suppress(OSError, RuntimeError):  # it is gone already
            self._transport.write_eof()

    def data_received(self, data: bytes) -> None:
        """More of what nobody wants."""
        self._quiet = False
        self._left -= len(data)
        if self._left < 0:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer has closed, or had its time."""
        self._timer.cancel()
        if self._quiet_timer is not None:
            self._quiet_timer.cancel()
        self._before.connection_lost(exc)

    def pause_writing(self) -> None:
        """The peer does not take what was written before."""
        self._before.pause_writing()

    def resume_writing(self) -> None:
        """It takes it again."""
        self._before.resume_writing()


def linger(transport: asyncio.Transport, seconds: float = DRAIN_S, *, quiet_s: float = 0.0) -> None:
    """End a connection behind what was written to it, but let the peer finish what it is sending.

    Nothing may be written to the connection afterwards.

    Args:
        transport: The connection.
        seconds: After which it is cut.
        quiet_s: How long the peer must have been silent before it is told that nothing more comes.
    """
    before = transport.get_protocol()
    if transport.is_closing() or isinstance(before, Lingering):
        return
    if not transport.can_write_eof():  # TLS says it by closing
        transport.close()
        asyncio.get_running_loop().call_later(seconds, transport.abort)
        return
    lingering = Lingering(transport, before, seconds, quiet_s)
    transport.set_protocol(lingering)
    transport.resume_reading()
    lingering.begin()


class OrderlyTransport:
    """A transport whose ``close`` ends the connection in order.

    It lingers if the protocol says, by an attribute ``unread``, that the peer may have sent what was not
    read; after a silence of ``quiet_s``, if it has that. Everything else is the transport's own.
    """

    __slots__ = ("_ended", "_transport", "write")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._ended = False
        #: Nearly the transport's own method: it is called for every frame.
        self.write: Callable[[Any], None] = _writer(transport)

    def close(self) -> None:
        """Close behind what was written."""
        if self._ended:
            return
        protocol = self._transport.get_protocol()
        if getattr(protocol, "unread", False):
            self._ended = True
            self.write = _drop
            linger(self._transport, quiet_s=getattr(protocol, "quiet_s", 0.0))
        else:
            self._transport.close()

    def close_now(self) -> None:
        """Close behind what was written, whatever the peer still sends: the server stops."""
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self._ended or self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _writer(transport: asyncio.Transport) -> Callable[[Any], None]:
    """The transport's ``write``, as asyncio has it: what is written after the end is dropped.

    uvloop raises in the moment between the end and its being told.
    """
    write = transport.write

    def guarded(data: Any) -> None:
        try:
            write(data)
        except RuntimeError:
            if not transport.is_closing():
                raise

    return guarded


def _drop(data: Any) -> None:
    """Takes the place of ``write`` when nothing more can be written."""

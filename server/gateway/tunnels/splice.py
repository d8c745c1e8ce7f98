"""Two transports joined: what comes in on one goes out on the other, untouched.

Nothing here looks at WebSocket frames, so compression, fragments, pings and close codes are the
two ends' business. No task and no timer belongs to a joined pair, until one end has gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableSet
from typing import Any, cast

from ...sockets.lingering import linger

#: How long what one end still has to be told may take when the other end is gone.
LINGER_S = 10.0

Write = Callable[[Any], None]


class _End:
    """What both kinds of end have in common."""

    __slots__ = ("_other", "_over", "_own")

    def __init__(
        self, own: asyncio.Transport, other: asyncio.Transport, over: Callable[[_End], None]
    ) -> None:
        self._own = own
        self._other = other
        self._over = over

    @property
    def transport(self) -> asyncio.Transport:
        """This end's transport (what cuts a server's connections asks for it)."""
        return self._own

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Never called: ends take over connections that stand."""

    def eof_received(self) -> None:
        """Half a WebSocket is none; what is still to be sent to this end has its time."""
        close_soon(self._own)

    def pause_writing(self) -> None:
        """This end does not keep up: read no more from the other."""
        self._other.pause_reading()

    def resume_writing(self) -> None:
        """This end has caught up."""
        self._other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """This end is gone: let the other one have what is on its way, and close it."""
        _dismiss(self._other)
        self._over(self)

    def shutdown(self) -> None:
        """The server stops (uvicorn calls this on all its connections)."""
        close_soon(self._own)
        close_soon(self._other)


class DirectEnd(_End):
    """An end whose ``data_received`` is the other transport's ``write``: no frame of ours at all.

    For uvloop, which reads into a buffer of its own.
    """

    __slots__ = ("data_received",)

    def __init__(
        self,
        own: asyncio.Transport,
        other: asyncio.Transport,
        over: Callable[[_End], None],
        write: Write,
    ) -> None:
        super().__init__(own, other, over)
        self.data_received = write


class BufferedEnd(_End, asyncio.BufferedProtocol):
    """An end that reads into a buffer that all connections share.

    asyncio would otherwise allocate 256 KiB for every read and give most of it back, which
    costs several times what the read itself does.
    """

    __slots__ = ("_scratch", "_write")

    def __init__(
        self,
        own: asyncio.Transport,
        other: asyncio.Transport,
        over: Callable[[_End], None],
        write: Write,
        scratch: memoryview,
    ) -> None:
        super().__init__(own, other, over)
        self._scratch = scratch
        self._write = write

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to read to; used up before anybody else reads."""
        return self._scratch

    def buffer_updated(self, nbytes: int) -> None:
        """So much has been read. Copied, because a transport may keep what it cannot send yet."""
        self._write(bytes(self._scratch[:nbytes]))


def _dismiss(transport: asyncio.Transport) -> None:
    """Tell an end that nothing more comes, behind what is on its way, and wait until it closes."""
    if not transport.is_closing() and isinstance(transport.get_protocol(), _End):
        linger(transport, LINGER_S)


def close_soon(transport: asyncio.Transport) -> None:
    """Close after the write buffer is empty, or after LINGER_S with whatever is left."""
    if transport.is_closing():
        return
    transport.close()
    if transport.get_write_buffer_size():
        asyncio.get_running_loop().call_later(LINGER_S, transport.abort)


def join(
    client: asyncio.Transport,
    upstream: asyncio.Transport,
    connections: MutableSet[Any],
    on_over: Callable[[], None],
    scratch: memoryview,
    through: Callable[[Write], Write] | None = None,
) -> None:
    """Join two transports; ``on_over`` is called once, when the client's end is gone.

    ``connections`` is the server's set of what it must shut down; ``scratch`` a buffer that all
    joined pairs of one event loop may share; ``through`` makes of each end's write what is called
    in its place, by who wants to see that something moves.
    """

    def client_over(end: _End) -> None:
        connections.discard(end)
        on_over()

    def make(own: asyncio.Transport, other: asyncio.Transport, over: Callable[[_End], None]) -> _End:
        write: Write = other.write if through is None else through(other.write)
        if isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop):
            return BufferedEnd(own, other, over, write, scratch)
        return DirectEnd(own, other, over, write)

    end = make(client, upstream, client_over)
    connections.add(end)
    client.set_protocol(cast("asyncio.BaseProtocol", end))
    upstream.set_protocol(cast("asyncio.BaseProtocol", make(upstream, client, _nothing)))


def _nothing(end: _End) -> None:
    pass

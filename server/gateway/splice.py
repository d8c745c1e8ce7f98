"""Two transports joined: what comes in on one goes out on the other, untouched.

Nothing here looks at WebSocket frames, so compression, fragments, pings and close codes are the
two ends' business. No task and no timer belongs to a joined pair.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableSet
from typing import Any, cast

#: How long what one end still has to be told may take when the other end is gone.
LINGER_S = 10.0


class Splice(asyncio.Protocol):
    """One end of a joined pair.

    ``data_received`` is the other transport's ``write`` itself: a message costs no frame of ours.
    """

    # The slot hides the method of the same name in asyncio.Protocol.
    __slots__ = ("_other", "_over", "_own", "data_received")

    data_received: Callable[[bytes], None]  # pyright: ignore[reportIncompatibleMethodOverride]

    def __init__(
        self, own: asyncio.Transport, other: asyncio.Transport, over: Callable[[Splice], None]
    ) -> None:
        self._own = own
        self._other = other
        self._over = over
        self.data_received = other.write

    @property
    def transport(self) -> asyncio.Transport:
        """This end's transport (what cuts a server's connections asks for it)."""
        return self._own

    def pause_writing(self) -> None:
        """This end does not keep up: read no more from the other."""
        self._other.pause_reading()

    def resume_writing(self) -> None:
        """This end has caught up."""
        self._other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """This end is gone: let the other one have what is on its way, and close it."""
        close_soon(self._other)
        self._over(self)

    def shutdown(self) -> None:
        """The server stops (uvicorn calls this on all its connections)."""
        close_soon(self._own)
        close_soon(self._other)


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
) -> None:
    """Join two transports; ``on_over`` is called once, when the client's end is gone.

    ``connections`` is the server's set of what it must shut down.
    """

    def client_over(end: Splice) -> None:
        connections.discard(end)
        on_over()

    end = Splice(client, upstream, client_over)
    connections.add(end)
    client.set_protocol(cast("asyncio.BaseProtocol", end))
    upstream.set_protocol(cast("asyncio.BaseProtocol", Splice(upstream, client, _nothing)))


def _nothing(end: Splice) -> None:
    pass

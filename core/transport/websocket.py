"""The WebSocket carrier: one asyncio protocol, no task and no idle parser per connection.

Handshake and all rare frames are websockets' sans-IO protocol (:mod:`.handshake`,
:mod:`.reader`); this module only moves bytes, bounds buffers, and ends connections. Works on
asyncio's and uvloop's transports.
"""

from __future__ import annotations

import asyncio
import socket
import ssl as tls
from collections.abc import Iterable, Sequence
from typing import cast

from ..clock import now_ns
from ..errors import ConnectionClosed, TargetUnreachable
from ..reasons import reason_of
from ..redaction import without_tokens
from .base import CloseInfo, OnClose, OnData
from .handshake import Handshake, parse_url
from .reader import MAX_MESSAGE, MessageReader
from .scratch import scratch

#: Offered by default, best first (STOMP over WebSocket has no standard; stompjs offers the same).
STOMP_SUBPROTOCOLS = ("v12.stomp", "v11.stomp", "v10.stomp")

#: Unsent bytes at which a peer that does not read is given up.
MAX_BACKLOG = 16 * 1024 * 1024


#: Seconds for the server to end TCP once both close frames are through. Ending it is its business
#: (RFC 6455 §7.1.1), but a proxy may leave it open, and a user behind it is not connected any more.
_LINGER = 0.5


class WebSocketCarrier(asyncio.BufferedProtocol):
    """A :class:`~core.transport.base.Carrier` over TCP or TLS; made by :func:`connect_websocket`."""

    __slots__ = (
        "_asked",
        "_buffer",
        "_close_timeout",
        "_close_timer",
        "_error",
        "_max_backlog",
        "_on_close",
        "_on_data",
        "_opening",
        "_reader",
        "_transport",
        "_writable",
        "received_ns",
    )

    def __init__(
        self,
        opening: Handshake,
        on_data: OnData,
        on_close: OnClose,
        *,
        max_message: int,
        max_backlog: int,
        close_timeout: float,
    ) -> None:
        self.received_ns = 0
        self._buffer = scratch()
        self._opening: Handshake | None = opening
        self._reader = MessageReader(max_message)
        self._transport: asyncio.Transport | None = None
        self._on_data: OnData = on_data
        self._on_close: OnClose = on_close
        self._max_backlog = max_backlog
        self._close_timeout = close_timeout
        self._asked = False
        self._error = ""
        self._close_timer: asyncio.TimerHandle | None = None
        self._writable: asyncio.Event | None = None  # exists while somebody waits

    # ---- asyncio.BufferedProtocol -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the handshake request."""
        self._transport = cast(asyncio.Transport, transport)
        if self._opening is not None:
            self._transport.write(self._opening.request())

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes are to be put."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes were put there: cut messages out and hand them on, stamped once."""
        self.received_ns = now_ns()
        data = bytes(self._buffer[:nbytes])
        if self._opening is not None:
            self._receive_opening(self._opening, data)
        else:
            self._receive(data)

    def _receive(self, data: bytes) -> None:
        reader = self._reader
        for message in reader.feed(data):
            self._on_data(message)
        if reader.output or reader.closing:
            self._answer()

    def eof_received(self) -> None:
        """The peer is done; the transport closes itself."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Say once how it ended."""
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._transport = None
        if self._writable is not None:
            self._writable.set()
        opening, self._opening = self._opening, None
        if opening is not None and not opening.opened:
            opening.lost(exc)
            return
        if opening is not None:  # lost between the answer and its delivery: nothing is dropped
            self._receive(bytes(opening.rest))
        on_close = self._on_close
        self._on_data, self._on_close = _ignore, _ignore
        on_close(self._info(exc))

    def pause_writing(self) -> None:
        """The buffer is full."""
        if self._writable is None:
            self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        """The buffer has emptied."""
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    # ---- Carrier ----------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send one message; see :class:`~core.transport.base.Carrier`."""
        transport = self._transport
        if transport is None or self._asked or self._reader.closing:
            raise ConnectionClosed("cannot send: the connection is closed or closing")
        transport.write(self._reader.encode(data))
        if self._writable is not None and transport.get_write_buffer_size() > self._max_backlog:
            self._error = f"the peer does not read: {transport.get_write_buffer_size()} bytes unsent"
            self._drop(transport)

    async def drain(self) -> None:
        """Wait for room; see :class:`~core.transport.base.Carrier`."""
        if self._writable is not None:
            await self._writable.wait()
        if self._transport is None:
            raise ConnectionClosed("the connection ended while waiting for room to send")

    def set_reading(self, on: bool) -> None:
        """Stop or resume reading; see :class:`~core.transport.base.Carrier`."""
        if self._transport is None or self._transport.is_closing():
            return
        if on:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake; see :class:`~core.transport.base.Carrier`."""
        if self._transport is None or self._asked:
            return
        self._asked = not self._reader.closing
        self._reader.start_close(code, reason)
        self.set_reading(True)  # the peer's close frame must come in
        self._answer()

    def abort(self) -> None:
        """End it now; see :class:`~core.transport.base.Carrier`."""
        if self._transport is None:
            return
        self._asked = True
        self._drop(self._transport)

    def give_up(self) -> None:
        """End an attempt to connect; nobody is told."""
        self._on_close = _ignore
        if self._opening is not None:
            self._opening.done.cancel()
        self.abort()

    # ---- inside -----------------------------------------------------------------------------

    def _receive_opening(self, opening: Handshake, data: bytes) -> None:
        if opening.receive(data):
            self._reader.extend(opening.extensions)
            # Behind the wake-up of whoever awaits the connection: data that came with the
            # answer must not be delivered before the connecting call returned.
            asyncio.get_running_loop().call_soon(self._opened)

    def _opened(self) -> None:
        opening, self._opening = self._opening, None
        if opening is not None:
            self._receive(bytes(opening.rest))

    def _answer(self) -> None:
        """Write what the reader wants sent; once closing, the peer has a limited time to end."""
        transport, reader = self._transport, self._reader
        if transport is None:
            return
        if reader.output:
            transport.write(reader.output)
            reader.output = b""
        if reader.closing:
            through = reader.close_code is not None
            self._end_within(min(_LINGER, self._close_timeout) if through else self._close_timeout)

    def _end_within(self, seconds: float) -> None:
        """Abort after so many seconds, or sooner if that was said before."""
        loop, timer = asyncio.get_running_loop(), self._close_timer
        if timer is not None:
            if timer.when() <= loop.time() + seconds:
                return
            timer.cancel()
        self._close_timer = loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        if self._transport is not None:
            if self._reader.close_code is None:
                self._error = f"no close frame came back within {self._close_timeout:g} s"
            self._transport.abort()

    def _drop(self, transport: asyncio.Transport) -> None:
        self._on_data = _ignore
        self._transport = None  # nothing more is sent; connection_lost follows
        transport.abort()

    def _info(self, exc: Exception | None) -> CloseInfo:
        reader = self._reader
        if reader.failure:
            return CloseInfo(
                reader.failure_code or 1006, "", self._asked, f"the peer broke the protocol: {reader.failure}"
            )
        if reader.close_code is not None:
            return CloseInfo(reader.close_code, reader.close_reason, self._asked)
        error = self._error
        if not error and exc is not None:
            error = f"the connection was lost: {reason_of(exc)}"
        elif not error:
            error = "aborted" if self._asked else "the peer ended the connection without a close frame"
        return CloseInfo(1006, "", self._asked, error)


def _ignore(_: object) -> None:
    """Take anything, do nothing: what an ended carrier calls."""


async def connect_websocket(
    url: str,
    *,
    on_data: OnData,
    on_close: OnClose,
    headers: Iterable[tuple[str, str]] = (),
    subprotocols: Sequence[str] = STOMP_SUBPROTOCOLS,
    open_timeout: float = 10.0,
    close_timeout: float = 5.0,
    max_message: int = MAX_MESSAGE,
    max_backlog: int = MAX_BACKLOG,
    compression: bool = False,
    ssl: tls.SSLContext | None = None,
) -> WebSocketCarrier:
    """Open a WebSocket; its contract is :class:`~core.transport.base.Carrier`.

    Args:
        url: ``ws://…`` or ``wss://…``; credentials in it become an Authorization header.
        on_data: Called with each message.
        on_close: Called once at the end; not called if this function raises.
        headers: Further request headers.
        subprotocols: Offered, best first; a server may also choose none.
        open_timeout: Seconds for name, connection, TLS and handshake together.
        close_timeout: Seconds for a closing handshake, after which the connection is aborted.
        max_message: Longest message in bytes; a longer one ends the connection with 1009.
        max_backlog: Unsent bytes at which a peer that does not read is given up.
        compression: Offer permessage-deflate; costs about 100 KiB a connection when accepted.
        ssl: For ``wss:``; by default the system's authorities are trusted. Give one context to
            many connections: making it is expensive.

    Raises:
        UsageError: not a WebSocket URL.
        TargetUnreachable: nobody answers there; HandshakeRefused with status and body if the
            answer was no.
    """
    target = parse_url(url)
    loop = asyncio.get_running_loop()
    if target.secure and ssl is None:
        ssl = tls.create_default_context()
    opening = Handshake(
        url,
        target,
        headers=headers,
        subprotocols=subprotocols,
        compression=compression,
        done=loop.create_future(),
    )
    carrier = WebSocketCarrier(
        opening,
        on_data,
        on_close,
        max_message=max_message,
        max_backlog=max_backlog,
        close_timeout=close_timeout,
    )
    try:
        async with asyncio.timeout(open_timeout):
            await loop.create_connection(
                lambda: carrier, target.host, target.port, ssl=ssl if target.secure else None
            )
            await opening.done
    except OSError as error:
        carrier.give_up()
        raise _unreachable(url, error, open_timeout, opening) from error
    except BaseException:
        carrier.give_up()
        raise
    return carrier


def _unreachable(url: str, error: OSError, timeout: float, opening: Handshake) -> TargetUnreachable:
    url = without_tokens(url)
    tried = f"open a WebSocket to {url}"
    if isinstance(error, TimeoutError) and not error.errno:
        return TargetUnreachable(
            f"{url} did not answer within {timeout:g} s: {opening.describe()}",
            tried=tried,
            hint="the server is overloaded, paused, or a firewall drops the packets",
        )
    what = reason_of(error)
    if isinstance(error, tls.SSLError) or (url.startswith("wss:") and not isinstance(error, _NOBODY)):
        hint = (
            "name the file of its certificate authority by SSL_CERT_FILE (in Python: give a context that "
            "trusts it), or check that the port speaks TLS"
        )
    else:
        hint = "check that the server runs and that host and port are right"
    return TargetUnreachable(f"cannot connect to {url}: {what}", tried=tried, hint=hint)


#: Failures from before TLS: no such name, or nobody listens.
_NOBODY = (ConnectionRefusedError, socket.gaierror)

"""One client's own TCP connection to a STOMP broker: frames in and out, heart-beats. No reconnection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, cast

from core.errors import HeartbeatLost
from core.protocol import BROKER_LIMITS, HEARTBEAT_BYTES, Frame, Heartbeats, Malformed, StompParser
from core.reasons import reason_of

#: Bytes that may wait for a broker that does not read.
_BACKLOG_LIMIT: Final = 16 * 1024 * 1024

#: What came: a frame, or None for a heart-beat.
OnFrame = Callable[[Frame | None], None]


class PrivateLink(asyncio.Protocol):
    """A connection from TCP connect to its end.

    Args:
        on_frame: Called with every frame and heart-beat of the broker.
        on_end: Called once when the connection has ended unless :meth:`leave` or :meth:`abort` ended it,
            with Spring's words for it.
    """

    def __init__(self, on_frame: OnFrame, on_end: Callable[[str], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_frame = on_frame
        self._on_end: Callable[[str], None] | None = on_end
        self._parser = StompParser(BROKER_LIMITS)
        self._transport: asyncio.Transport | None = None
        self._beats: Heartbeats | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._trouble = ""

    def write(self, data: bytes) -> None:
        """Send bytes; ignored once the connection has ended."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(data)
        if self._beats is not None:
            self._beats.last_sent = time.monotonic()
        if transport.get_write_buffer_size() > _BACKLOG_LIMIT:
            self.fail("the broker does not read")

    def beat(self, client: tuple[int, int], broker: tuple[int, int]) -> None:
        """Start heart-beats: what the client promised is written even if it says nothing to the broker.

        A client whose frames are all for the application is silent to the broker
        (docs/wire/spring-relay.md §6.3).

        Args:
            client: The client's (can send, wants) in milliseconds.
            broker: The broker's, from CONNECTED.
        """
        self._beats = Heartbeats(client, broker, now=time.monotonic(), tolerance=3.0)
        self._schedule()

    def fail(self, why: str) -> None:
        """Cut the connection and report it as a failure of the transport."""
        self._trouble = self._trouble or f"Transport failure: {why}"
        if self._transport is not None:
            self._transport.abort()

    def leave(self, last: bytes) -> None:
        """Send a last frame and close; nothing is reported any more."""
        self._on_end = None
        self.write(last)
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Cut the connection; nothing is reported any more."""
        self._on_end = None
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP is up."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Bytes from the broker."""
        if self._beats is not None:
            self._beats.last_received = time.monotonic()
        for item in self._parser.feed(data):
            if self._on_end is None:
                return
            match item:
                case Frame():
                    self._on_frame(item)
                case Malformed():
                    self.fail(str(item.error))
                    return
                case _:
                    self._on_frame(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """TCP has ended."""
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            closed = "Connection to broker closed." if exc is None else f"Transport failure: {reason_of(exc)}"
            on_end(self._trouble or closed)

    # ----------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        deadline = self._beats.next_deadline() if self._beats is not None else None
        if deadline is not None and self._transport is not None:
            self._timer = self._loop.call_later(max(0.0, deadline - time.monotonic()), self._tick)

    def _tick(self) -> None:
        if self._beats is None:
            return
        try:
            if self._beats.due(time.monotonic()):
                self.write(HEARTBEAT_BYTES)
        except HeartbeatLost as lost:
            self.fail(str(lost))
            return
        self._schedule()

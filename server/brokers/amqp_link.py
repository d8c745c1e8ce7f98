"""The TCP connection under aio-pika: takes the frames of the hot path out and leaves it the rest.

aio-pika opens the connection, authenticates, tunes, answers heart-beats, opens and closes channels.
Reading a message through its reader costs a dozen awaits and objects for each of its three frames;
so frames of channels that are registered here are handled as they come from the socket, and only
what is left goes to the stream that aio-pika reads. Everything used of asyncio, aiormq and aio-pika
is public: ``aiormq.TransportFactory`` is the seam.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any, Final, cast

import aiormq
import pamqp.frame
from pamqp import commands
from pamqp.exceptions import PAMQPException
from pamqp.heartbeat import Heartbeat
from yarl import URL

from core.reasons import reason_of

from .amqp_channel import AmqpChannel
from .amqp_frames import AROUND, END, FRAME

#: Nothing that we agreed to is larger (RabbitMQ's frame_max is 128 KiB).
_LARGEST_FRAME: Final = 1024 * 1024
#: Methods, content headers, bodies, heart-beats (AMQP 0-9-1, 4.2.3).
_KINDS: Final = (1, 2, 3, 8)
#: Bytes of something else that are shown.
_SHOWN: Final = 60
_CONNECTION_CLOSE: Final = b"\0\x0a\0\x32"
_HEARTBEAT: Final = pamqp.frame.marshal(Heartbeat(), 0)
_CLOSE_OK: Final = pamqp.frame.marshal(commands.Connection.CloseOk(), 0)


class AmqpLink(asyncio.StreamReaderProtocol):
    """A connection from TCP connect to its end.

    Args:
        reader: The stream that aio-pika reads.
        on_end: Called once with the reason when the connection has ended after it was established.

    Attributes:
        ended: Whether it has ended.
        why: Why it has ended or is about to; empty if that is not known.
    """

    def __init__(self, reader: asyncio.StreamReader, on_end: Callable[[str], None]) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(reader, loop=loop)
        self.ended = False
        self._running = loop
        self._on_end = on_end
        self._transport: asyncio.Transport | None = None
        self._channels: dict[int, AmqpChannel] = {}
        self._rest = b""
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._scheduled = False
        self._established = False
        self._received_at = self._told_at = loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self.why = ""

    @property
    def transport(self) -> asyncio.Transport:
        """What it writes to, while there is a connection."""
        if self._transport is None:
            raise ConnectionResetError("the connection has ended")
        return self._transport

    def register(self, channel: AmqpChannel) -> None:
        """Take this channel's frames from now on."""
        self._channels[channel.number] = channel

    def forget(self, channel: AmqpChannel) -> None:
        """Leave this channel to aio-pika, which is about to close it; what is queued for it goes before."""
        self.flush()
        if self._channels.get(channel.number) is channel:
            del self._channels[channel.number]

    def establish(self, heartbeat_s: float) -> None:
        """The handshake is done; from now on silence for twice as long is the end."""
        self._established = True
        self._received_at = self._running.time()
        self._watch(heartbeat_s)

    def write(self, data: bytes) -> None:
        """Queue whole frames; what one turn of the loop brings is one write."""
        self._pending.append(data)
        self._pending_bytes += len(data)
        if not self._scheduled:
            self._scheduled = True
            self._running.call_soon(self.flush)

    @property
    def backlog(self) -> int:
        """Bytes that wait because the broker does not read."""
        waiting = self._transport.get_write_buffer_size() if self._transport is not None else 0
        return waiting + self._pending_bytes

    def expect_end(self, why: str) -> None:
        """Say why it will end, before somebody ends it."""
        self.why = self.why or why

    def abort(self, why: str) -> None:
        """Cut the connection."""
        self.why = self.why or why
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP, and TLS where it is asked for, is up."""
        super().connection_made(transport)
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Bytes from the broker."""
        now = self._running.time()
        self._received_at = now
        if self._rest:
            data = self._rest + data
        try:
            done = self._take(data)
        except (IndexError, struct.error, PAMQPException) as error:
            self.abort(f"the broker broke the protocol: {error}")
            return
        self._rest = data[done:]
        if self._established and now - self._told_at > 1:
            # RabbitMQ sends no heart-beats beside messages, and aio-pika would miss them.
            self._told_at = now
            super().data_received(_HEARTBEAT)

    def connection_lost(self, exc: Exception | None) -> None:
        """TCP has ended."""
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None
        self._pending.clear()
        if self._established:
            # As if it had been closed in order: aio-pika prints a traceback otherwise, and has nothing
            # to repair, because connecting again is ours.
            super().data_received(_CLOSE_OK)
            super().connection_lost(None)
        else:
            super().connection_lost(exc)
        self.ended = True
        why = self.why or (reason_of(exc) if exc is not None else "the broker closed the connection")
        if not self._established and not self.why:
            self.why = f"{why}, instead of an answer in AMQP"
        for channel in list(self._channels.values()):
            channel.end(why)
        if self._established:
            self._on_end(why)

    # ----------------------------------------------------------------------------------------

    def _take(self, data: bytes) -> int:
        """Hand out the whole frames in ``data``; returns where the rest begins."""
        position, size = 0, len(data)
        channels = self._channels
        if not self._established and data.startswith(b"AMQP"):
            super().data_received(data)  # another version of the protocol; aio-pika complains
            return size
        while size - position >= AROUND:
            kind, number, length = FRAME.unpack_from(data, position)
            if kind not in _KINDS:
                shown = data[position : position + _SHOWN].decode("utf-8", "backslashreplace")
                raise IndexError(f"{shown!r} is not AMQP 0-9-1")
            end = position + length + AROUND
            if end > size:
                if length > _LARGEST_FRAME:
                    raise IndexError(f"a frame of {length} bytes")
                break
            if data[end - 1] != END:
                raise IndexError("a frame without its end")
            channel = channels.get(number)
            if channel is None or not channel.take(kind, data, position + 7, end - 1):
                self._leave(number, data[position:end])
            position = end
        return position

    def _leave(self, number: int, whole: bytes) -> None:
        """A frame for aio-pika."""
        if number == 0 and whole.startswith(_CONNECTION_CLOSE, 7):
            _, _, closing = pamqp.frame.unmarshal(whole)
            if isinstance(closing, commands.Connection.Close):
                self.expect_end(closing.reply_text)
            if self._established and self._transport is not None:
                self._transport.write(_CLOSE_OK)
                self._transport.close()
                return
        super().data_received(whole)

    def flush(self) -> None:
        """Write what is queued."""
        self._scheduled = False
        pending = self._pending
        if not pending or self._transport is None:
            return
        # Also while the broker does not read: what aio-pika writes goes the same way, in order.
        self._transport.write(pending[0] if len(pending) == 1 else b"".join(pending))
        pending.clear()
        self._pending_bytes = 0

    def _watch(self, heartbeat_s: float) -> None:
        silent = self._running.time() - self._received_at
        if silent > 2 * heartbeat_s:
            self.abort(f"the broker was silent for {silent:.0f} s")
            return
        self._timer = self._running.call_later(heartbeat_s / 2, self._watch, heartbeat_s)


class ReadyTransport(aiormq.TransportFactory):
    """Gives aio-pika a connection that is already there."""

    def __init__(self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        self._streams = streams

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection's ends."""
        return self._streams

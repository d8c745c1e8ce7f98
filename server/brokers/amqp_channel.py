"""One AMQP channel as the hot path sees it: deliveries and confirms in, commands in a pipeline out."""

from __future__ import annotations

import logging
import struct
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from pamqp import commands, frame
from pamqp.base import Frame

from .amqp_content import body_size
from .amqp_frames import (
    ACK,
    BIND_OK,
    CANCEL,
    CANCEL_OK,
    CHANNEL_CLOSE,
    CONSUME_OK,
    DECLARE_OK,
    DELIVER,
    HEADER,
    METHOD,
    NACK,
    QOS_OK,
    RETURN,
    SELECT_OK,
    UNBIND_OK,
    command,
)

logger = logging.getLogger("pushscope.server.broker")

#: The largest message that is taken from a broker (docs/decisions/04-broker-by-url.md); larger ones are
#: dropped.
LARGEST_MESSAGE: Final = 16 * 1024 * 1024

_ANSWERS: Final = frozenset({BIND_OK, UNBIND_OK, DECLARE_OK, CONSUME_OK, CANCEL_OK, QOS_OK, SELECT_OK})
_TAG: Final = struct.Struct(">Q?")

#: Consumer tag, delivery tag, redelivered, exchange, routing key.
Envelope = tuple[bytes, int, bool, bytes, bytes]


class Wire(Protocol):
    """Where a channel's frames go."""

    def write(self, data: bytes) -> None:
        """Queue whole frames; what one turn of the loop brings is one write."""
        ...


class AmqpChannel:
    """A channel that aio-pika has opened. Subclasses say what happens with what comes in.

    Args:
        wire: The connection.
        number: The channel's.
    """

    def __init__(self, wire: Wire, number: int) -> None:
        self.wire = wire
        self.number = number
        #: Why it is closed; empty while it is open.
        self.closed = ""
        #: Commands without an answer yet, oldest first: RabbitMQ answers in order.
        self.unanswered: deque[Callable[[], None]] = deque()
        self._envelope: Envelope | None = None
        self._content = b""
        self._left = 0
        self._chunks: list[bytes] = []
        self._ours = False  # whether content frames are expected

    # for subclasses -------------------------------------------------------------------------

    def delivered(self, envelope: Envelope, content: bytes, body: bytes) -> None:
        """A message has come."""

    def oversized(self, envelope: Envelope, size: int) -> None:
        """A message was dropped for its size."""
        logger.warning("dropped a message of %d bytes for %r: too large", size, envelope[4])

    def confirmed(self, tag: int, *, multiple: bool, accepted: bool) -> None:
        """The broker has (not) accepted the publication of this number, or all up to it."""

    def cancelled(self, consumer: bytes) -> None:
        """The broker has ended a consumer, because its queue is gone."""

    def ended(self, why: str) -> None:
        """The broker has closed the channel."""

    # ----------------------------------------------------------------------------------------

    def ask(self, question: Frame, answered: Callable[[], None]) -> None:
        """Send a command without waiting for the answers to those before."""
        self.unanswered.append(answered)
        self.wire.write(command(self.number, question))

    def take(self, kind: int, data: bytes, begin: int, end: int) -> bool:
        """Take a frame of this channel, whose payload is ``data[begin:end]``; False if it is aio-pika's."""
        if kind == METHOD:
            index = int.from_bytes(data[begin : begin + 4], "big")
            if index != DELIVER:
                return self._take_method(index, data, begin, end)
            at = begin + 5 + data[begin + 4]
            consumer = data[begin + 5 : at]
            tag, redelivered = _TAG.unpack_from(data, at)
            stop = at + 10 + data[at + 9]
            exchange = data[at + 10 : stop]
            at = stop + 1 + data[stop]
            self._envelope = (consumer, tag, redelivered, exchange, data[stop + 1 : at])
            self._ours = True
            return True
        if not self._ours:
            return False
        if kind == HEADER:
            self._content = data[begin:end]
            self._left = body_size(self._content)
            if not self._left:
                self._complete(b"")
            return True
        self._take_body(data[begin:end])
        return True

    def _take_body(self, chunk: bytes) -> None:
        self._left -= len(chunk)
        if self._left > 0:
            if body_size(self._content) <= LARGEST_MESSAGE:
                self._chunks.append(chunk)
            return
        if self._chunks:
            self._chunks.append(chunk)
            chunk = b"".join(self._chunks)
            self._chunks.clear()
        self._complete(chunk)

    def _complete(self, body: bytes) -> None:
        envelope, self._envelope, self._ours = self._envelope, None, False
        if envelope is None:  # a message that came back
            return
        size = body_size(self._content)
        if size > LARGEST_MESSAGE:
            self.oversized(envelope, size)
        else:
            self.delivered(envelope, self._content, body)

    def _take_method(self, index: int, data: bytes, begin: int, end: int) -> bool:
        if index in (ACK, NACK):
            tag, bits = struct.unpack_from(">QB", data, begin + 4)
            self.confirmed(tag, multiple=bool(bits & 1), accepted=index == ACK)
        elif index in _ANSWERS and self.unanswered:
            self.unanswered.popleft()()
        elif index == RETURN:
            self._ours = True
        elif index == CANCEL:
            self.cancelled(data[begin + 5 : begin + 5 + data[begin + 4]])
        else:
            if index == CHANNEL_CLOSE:
                self._close(data[begin - 7 : end + 1])
            return False
        return True

    def _close(self, whole: bytes) -> None:
        _, _, closing = frame.unmarshal(whole)
        if isinstance(closing, commands.Channel.Close):
            self.end(closing.reply_text)

    def end(self, why: str) -> None:
        """Nothing is sent from now on, nothing comes; the first reason counts."""
        if not self.closed:
            self.closed = why or "closed"
            self.ended(self.closed)

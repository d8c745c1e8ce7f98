"""A message as it came over AMQP, made into a STOMP MESSAGE only as far as somebody asks."""

from __future__ import annotations

import re
from typing import Final

from ..messages.framing import ClientMessage
from .amqp_content import decode_content
from .amqp_destinations import destination_of
from .delivery import ParsedDelivery

#: Bytes that are escaped in a header of a STOMP frame, and those that need a closer look.
_DELICATE: Final = re.compile(rb"[\\\r\n:\0\x80-\xff]")


class ReadyMessage:
    """A message for clients whose bytes are ready."""

    __slots__ = ("id", "tail")

    binary = False

    def __init__(self, tail: bytes, id: str | None) -> None:
        self.tail = tail
        self.id = id


class AmqpDelivery:
    """A message that the broker delivered.

    Args:
        exchange: It was published to.
        key: Routing key that it was published with.
        content: Payload of its content header frame.
        body: Its body.
        id: Unique over all messages that this process gets.
        redelivered: Whether somebody had it before and did not settle it.
        ack: Token for ``Broker.ack``; empty if it settles itself.
    """

    __slots__ = ("_content", "_exchange", "_headers", "_id", "_redelivered", "ack", "body", "key")

    def __init__(
        self, exchange: bytes, key: bytes, content: bytes, body: bytes, id: bytes, redelivered: bool, ack: str
    ) -> None:
        self._exchange = exchange
        self.key = key
        self._content = content
        self.body = body
        self._id = id
        self._redelivered = redelivered
        self.ack = ack
        self._headers: dict[str, str] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Its headers; read only."""
        if self._headers is None:
            headers = {
                "destination": destination_of(self._exchange, self.key).decode("ascii"),
                "message-id": self._id.decode(),
            }
            if self._redelivered:
                headers["redelivered"] = "true"
            for name, value in decode_content(self._content):
                if not name or b"\0" in name or b"\0" in value:
                    continue  # a foreign publisher's; STOMP cannot carry it
                headers.setdefault(name.decode("utf-8", "replace"), value.decode("utf-8", "replace"))
            self._headers = headers
        return self._headers

    def outgoing(self) -> ClientMessage:
        """The message as clients get it; the short way if nothing in it is escaped or binary."""
        if self._redelivered or not self.body.isascii():
            return self._parsed()
        destination = destination_of(self._exchange, self.key)
        id: str | None = None
        lines: list[bytes] = []
        for name, value in decode_content(self._content):
            if name == b"simpOrigDestination":
                destination = value
                continue
            if not name or _DELICATE.search(value) is not None or _DELICATE.search(name) is not None:
                return self._parsed()
            if name == b"content-type" and (b"octet-stream" in value or b"/*" in value):
                return self._parsed()
            if name == b"ps-id":
                id = value.decode()
            lines.append(b"\n%b:%b" % (name, value))
        if _DELICATE.search(destination) is not None:
            return self._parsed()
        body = self.body
        return ReadyMessage(
            b"destination:%b\nmessage-id:%b%b\ncontent-length:%d\n\n%b\0"
            % (destination, self._id, b"".join(lines), len(body), body),
            id,
        )

    def _parsed(self) -> ClientMessage:
        return ParsedDelivery(self.headers, self.body).outgoing()

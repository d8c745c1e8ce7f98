"""A message that a broker delivers, and the short way for messages that need no parsing.

A message for a user passes two brokers' connections on its way. Taking it apart into headers and
putting it together again, twice, is most of what that costs. So a frame that looks as our own
encoders write it (ASCII head, no escapes, ``content-length`` last) is passed on as bytes; every
other one goes through the parser. Both ways give the client the same frame.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Protocol

from core.protocol import Frame

from ..messages.framing import ClientMessage, OutgoingMessage

# One header line that may be passed on: ASCII without escapes, and not one that a hop adds itself.
_TEXT: Final = rb"[^\n\r\\\0\x80-\xff]"
_LINES: Final = (
    rb"((?:\n(?!content-length:|destination:|subscription:|message-id:|receipt:|transaction:|simpOrigDestination:|"
    rb"ack:|redelivered:|reply-to:)"
    rb"[^:\n\r\\\0\x80-\xff]+:" + _TEXT + rb"*)*)"
)
_LENGTH: Final = rb"\ncontent-length:(\d{1,8})\n\n"
_MESSAGE: Final = re.compile(
    rb"MESSAGE\nsubscription:(\d+)\ndestination:(" + _TEXT + rb"+)\nmessage-id:(" + _TEXT + rb"+)"
    rb"(?:\nredelivered:false)?(?:\nsimpOrigDestination:(" + _TEXT + rb"+))?" + _LINES + _LENGTH
)
_SEND: Final = re.compile(
    rb"SEND\ndestination:(/topic/[^/\n\r\\\0\x80-\xff]+)((?:\nsimpOrigDestination:"
    + _TEXT
    + rb"+)?)"
    + _LINES
    + _LENGTH
)
_PS_ID: Final = b"\nps-id:"


class Delivery(Protocol):
    """A message for one subscription."""

    @property
    def headers(self) -> dict[str, str]:
        """Its headers; read only."""
        ...

    @property
    def body(self) -> bytes:
        """Its body."""
        ...

    @property
    def ack(self) -> str:
        """What ``Broker.ack`` and ``Broker.nack`` want; "" if the message settles itself."""
        ...

    def outgoing(self) -> ClientMessage:
        """The message as clients get it: the user destination restored (docs/wire/spring-relay.md §4.3)."""
        ...


class ParsedDelivery:
    """A message that was taken apart."""

    __slots__ = ("ack", "body", "headers")

    def __init__(self, headers: dict[str, str], body: bytes, ack: str = "") -> None:
        self.headers = headers
        self.body = body
        self.ack = ack

    @classmethod
    def of(cls, frame: Frame) -> ParsedDelivery:
        """The message of a MESSAGE frame."""
        return cls(frame.headers, frame.body)

    def outgoing(self) -> OutgoingMessage:
        """The message as clients get it."""
        headers = dict(self.headers)
        headers.pop("subscription", None)
        headers.pop("ack", None)  # the broker's; a session writes its own
        if headers.get("redelivered") == "false":
            del headers["redelivered"]
        original = headers.pop("simpOrigDestination", None)
        if original is not None:
            headers["destination"] = original
        return OutgoingMessage(headers, self.body)


class RawDelivery:
    """A message that is passed on as it came; also the message for clients, ready to be written."""

    __slots__ = ("_data", "_end", "_match", "id", "tail")

    #: A binary message is left to the parser, and so is one that is to be settled.
    binary = False
    ack = ""

    def __init__(self, match: re.Match[bytes], data: bytes, end: int) -> None:
        self._match = match
        self._data = data
        self._end = end
        lines = match[5]
        #: The frame for clients from behind the subscription line, with the NUL.
        self.tail = b"destination:%b\nmessage-id:%b%b" % (
            match[4] or match[2],
            match[3],
            data[match.start(5) : end + 1],
        )
        #: The push's id; None if it has none.
        self.id: str | None = None
        begin = lines.find(_PS_ID)
        if begin >= 0:
            begin += len(_PS_ID)
            stop = lines.find(b"\n", begin)
            self.id = str(lines[begin : stop if stop >= 0 else None], "ascii")

    @property
    def headers(self) -> dict[str, str]:
        """Its headers, for who needs them after all."""
        match = self._match
        head = {"destination": match[2].decode(), "message-id": match[3].decode()}
        if match[4] is not None:
            head["simpOrigDestination"] = match[4].decode()
        for line in match[5].decode().split("\n")[1:]:
            name, _, value = line.partition(":")
            head.setdefault(name, value)
        return head

    @property
    def body(self) -> bytes:
        """Its body."""
        return self._data[self._match.end() : self._end]

    def outgoing(self) -> RawDelivery:
        """The message as clients get it."""
        return self


def pass_messages(data: bytes, deliver: Callable[[str, RawDelivery], None]) -> int:
    """Deliver the whole MESSAGE frames at the beginning of ``data`` that can be passed on as they are.

    Args:
        data: What came, from the beginning of a frame.
        deliver: Called with subscription id and message.

    Returns:
        Where the rest begins, which is for the parser.
    """
    position, size = 0, len(data)
    while (match := _MESSAGE.match(data, position)) is not None:
        end = match.end() + int(match[6])
        if end >= size or data[end] != 0:
            break
        lines = match[5]
        if b"octet-stream" in lines or b"/*" in lines or not _is_utf8(data[match.end() : end]):
            break  # maybe a binary message
        deliver(str(match[1], "ascii"), RawDelivery(match, data, end))
        position = end + 1
        if data[position : position + 1] == b"\n":  # RabbitMQ's trailing line feed
            position += 1
    return position


def pass_sends(data: bytes, publish: Callable[[str, bytes], None]) -> int:
    """Publish the whole SEND frames to topics at the beginning of ``data`` that can be passed on.

    Args:
        data: What came, from the beginning of a frame.
        publish: Called with the destination and everything behind its line, the NUL included.

    Returns:
        Where the rest begins, which is for the parser.
    """
    position, size = 0, len(data)
    while (match := _SEND.match(data, position)) is not None:
        end = match.end() + int(match[4])
        if end >= size or data[end] != 0:
            break
        position = end + 1
        publish(str(match[1], "ascii"), data[match.end(1) : position])
    return position


def _is_utf8(body: bytes) -> bool:
    if body.isascii():
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True

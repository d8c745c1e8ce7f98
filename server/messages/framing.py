"""How payloads become bytes of a carrier, and MESSAGE frames that are built once for many.

Writing to a client costs one system call whatever we do; everything else must be done once per
message, not once per receiver. Source: RFC 6455 §5.2; docs/wire/stomp.md §4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

from core.protocol import MessageTemplate, server_frame
from core.protocol.websocket import BINARY, TEXT

#: Turns one STOMP payload into the bytes of a carrier: ``(payload, binary) -> wire bytes``.
Framing = Callable[[bytes, bool], bytes]

_DESTINATION: Final = re.compile(rb"(?:^|\n)destination:([^\n]*)")
_BINARY_TYPES: Final = ("application/octet-stream", "application/*", "*/*")


def websocket_frame(payload: bytes, binary: bool = False) -> bytes:
    """One unfragmented, unmasked WebSocket message around ``payload``."""
    size = len(payload)
    if 126 <= size < 65536 and not binary:  # nearly every MESSAGE
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return server_frame(payload, BINARY if binary else TEXT)


def split_websocket_frames(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """The ``(payload, binary)`` pairs of joined :func:`websocket_frame` results.

    For carriers that cannot write bytes to the connection but only whole messages.
    """
    position, end = 0, len(data)
    while position < end:
        binary = data[position] == BINARY
        length = data[position + 1]
        position += 2
        if length == 126:
            length = int.from_bytes(data[position : position + 2], "big")
            position += 2
        elif length == 127:
            length = int.from_bytes(data[position : position + 8], "big")
            position += 8
        yield data[position : position + length], binary
        position += length


def is_binary(content_type: str | None, body: bytes) -> bool:
    """Whether a message goes out as a binary WebSocket message (docs/wire/stomp.md §4).

    A body that is not UTF-8 does so whatever its content-type: Spring would replace bytes of it, and
    as it is it would make every receiver fail its connection (RFC 6455 §8.1).
    """
    if not body:
        return False
    if content_type and content_type.partition(";")[0].strip().lower() in _BINARY_TYPES:
        return True
    if body.isascii():
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return True
    return False


def destination_in(tail: bytes) -> bytes:
    """The destination of a message, as its first header of that name has it; escaped as it is."""
    match = _DESTINATION.search(tail)
    return b"" if match is None else match[1]


class ClientMessage(Protocol):
    """One MESSAGE for any number of subscriptions."""

    @property
    def tail(self) -> bytes:
        """All that follows the subscription line, with the NUL."""
        ...

    @property
    def binary(self) -> bool:
        """Whether it is a binary WebSocket message."""
        ...

    @property
    def id(self) -> str | None:
        """The push's id, for the stages; None if it has none."""
        ...


class OutgoingMessage:
    """A :class:`ClientMessage` made from headers and a body."""

    __slots__ = ("binary", "id", "tail")

    def __init__(self, headers: Mapping[str, str], body: bytes) -> None:
        self.binary = is_binary(headers.get("content-type"), body)
        self.tail = MessageTemplate(headers, body).tail
        self.id = headers.get("ps-id")

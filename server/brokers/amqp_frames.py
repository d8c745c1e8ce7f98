"""AMQP 0-9-1 frames of the hot path, written and read as bytes.

pamqp makes an object with a setter for each field of each frame, which costs more than everything
else that a message needs here. So the few frames that every message is made of are done by hand;
all others are pamqp's. Source: AMQP 0-9-1 specification §4.2 and its grammar of methods.
"""

from __future__ import annotations

import struct
from typing import Final

import pamqp.frame
from pamqp.base import Frame

METHOD: Final = 1
HEADER: Final = 2
BODY: Final = 3

#: Type, channel, size of the payload: how each frame begins.
FRAME: Final = struct.Struct(">BHI")
#: Bytes of a frame around its payload.
AROUND: Final = 8
END: Final = 0xCE

# Class and method of what is taken here, as one number.
CHANNEL_CLOSE: Final = 0x0014_0028
BIND_OK: Final = 0x0032_0015
DECLARE_OK: Final = 0x0032_000B
UNBIND_OK: Final = 0x0032_0033
QOS_OK: Final = 0x003C_000B
CONSUME_OK: Final = 0x003C_0015
CANCEL: Final = 0x003C_001E
CANCEL_OK: Final = 0x003C_001F
RETURN: Final = 0x003C_0032
SELECT_OK: Final = 0x0055_000B
DELIVER: Final = 0x003C_003C
ACK: Final = 0x003C_0050
NACK: Final = 0x003C_0078

_ACK: Final = struct.Struct(">BHIIQBB")
_LARGEST_PAYLOAD: Final = 131_072 - AROUND


def command(number: int, frame: Frame) -> bytes:
    """A method frame on a channel, by pamqp."""
    return pamqp.frame.marshal(frame, number)


def ack(number: int, tag: int) -> bytes:
    """Basic.Ack of one message."""
    return _ACK.pack(METHOD, number, 13, ACK, tag, 0, END)


def reject(number: int, tag: int, *, requeue: bool) -> bytes:
    """Basic.Nack of one message."""
    return _ACK.pack(METHOD, number, 13, NACK, tag, 2 if requeue else 0, END)


def publish_method(number: int, exchange: str, key: str) -> bytes:
    """Basic.Publish, not mandatory: what comes before each message to one destination."""
    place, words = exchange.encode(), key.encode()
    payload = b"\0\x3c\0\x28\0\0%c%b%c%b\0" % (len(place), place, len(words), words)
    return b"%b%b\xce" % (FRAME.pack(METHOD, number, len(payload)), payload)


def publication(
    number: int, method: bytes, content: bytes, body: bytes, largest: int = _LARGEST_PAYLOAD
) -> bytes:
    """The frames of one message: method, content header, and as many body frames as it needs."""
    size = len(body)
    if size <= largest:
        if not size:
            return b"%b%b%b\xce" % (method, FRAME.pack(HEADER, number, len(content)), content)
        return b"%b%b%b\xce%b%b\xce" % (
            method,
            FRAME.pack(HEADER, number, len(content)),
            content,
            FRAME.pack(BODY, number, size),
            body,
        )
    parts = [method, FRAME.pack(HEADER, number, len(content)), content, b"\xce"]
    for begin in range(0, size, largest):
        chunk = body[begin : begin + largest]
        parts += (FRAME.pack(BODY, number, len(chunk)), chunk, b"\xce")
    return b"".join(parts)

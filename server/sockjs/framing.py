"""How a payload becomes the bytes that a session's transport takes, once for all its receivers."""

from __future__ import annotations

from core.protocol.sockjs import SEPARATOR, quote, quote_bytes
from core.protocol.websocket import BINARY, TEXT, server_frame

from .application import Message


def queued_framing(payload: bytes, binary: bool = False) -> bytes:
    """A quoted message that waits for the next response: streaming and polling transports.

    SockJS knows text only; bytes that are none become U+FFFD (docs/wire/stomp.md §4).
    """
    return quote_bytes(payload) + SEPARATOR


def websocket_framing(payload: bytes, binary: bool = False) -> bytes:
    """An array frame with one message as a WebSocket text message."""
    return server_frame(b"a[%b]" % quote_bytes(payload), TEXT)


def raw_framing(payload: bytes, binary: bool = False) -> bytes:
    """A WebSocket message as it is."""
    return server_frame(payload, BINARY if binary else TEXT)


def queued(message: Message) -> bytes:
    """:func:`queued_framing` of a message, which may hold lone surrogates (docs/wire/sockjs.md §3)."""
    if isinstance(message, str):
        return quote(message).encode() + SEPARATOR
    return queued_framing(message)


def text_frame(frame: str) -> bytes:
    """A SockJS frame as a WebSocket text message."""
    return server_frame(frame.encode(), TEXT)

"""WebSocket frames of a server, as bytes (RFC 6455 §5.2).

A server's frames are not masked, so a data message is a short header and the payload as it is:
what goes to many clients is built once.
"""

from __future__ import annotations

from typing import Final

#: FIN and the opcode, as the first byte of an unfragmented message.
TEXT: Final = 0x81
BINARY: Final = 0x82
CLOSE: Final = 0x88
PING: Final = 0x89
PONG: Final = 0x8A

_CONTROL_LIMIT: Final = 125
_SHORT: Final = {opcode: [bytes((opcode, size)) for size in range(126)] for opcode in (TEXT, BINARY)}
_MEDIUM: Final = {opcode: bytes((opcode, 126)) for opcode in (TEXT, BINARY)}
_LONG: Final = {opcode: bytes((opcode, 127)) for opcode in (TEXT, BINARY)}


def frame_header(length: int, opcode: int = TEXT) -> bytes:
    """Header of an unmasked, unfragmented text or binary message with ``length`` bytes of payload."""
    if length < 126:
        return _SHORT[opcode][length]
    if length < 65536:
        return _MEDIUM[opcode] + length.to_bytes(2, "big")
    return _LONG[opcode] + length.to_bytes(8, "big")


def server_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """An unmasked, unfragmented text or binary message.

    A text message must be UTF-8; that is the caller's to know.
    """
    return frame_header(len(payload), opcode) + payload


def close_reason(text: str) -> str:
    """As much of a text as fits into a close frame: 123 bytes, cut at a character (RFC 6455 §5.5.1)."""
    return text.encode("utf-8", "replace")[: _CONTROL_LIMIT - 2].decode("utf-8", "ignore")


def close_frame(code: int, reason: str = "") -> bytes:
    """A server's close frame; the reason is cut to what fits."""
    text = close_reason(reason).encode()
    return bytes((CLOSE, len(text) + 2)) + code.to_bytes(2, "big") + text


def control_frame(opcode: int, payload: bytes = b"") -> bytes:
    """A server's PING or PONG.

    Raises:
        ValueError: More than 125 bytes of payload (RFC 6455 §5.5).
    """
    if len(payload) > _CONTROL_LIMIT:
        raise ValueError(f"a control frame holds at most {_CONTROL_LIMIT} bytes, not {len(payload)}")
    return bytes((opcode, len(payload))) + payload

r"""SockJS 0.3 frames, as servers send them and read what clients send (docs/wire/sockjs.md §3 to §5).

Server to client: ``o`` opens, ``h`` is a heart-beat, ``a[…]`` an array of messages, ``c[code,reason]``
the end. Client to server: a JSON array of strings. Messages are text; characters that old browsers
lose are written as ``\uXXXX``. How clients read them: :mod:`.sockjs_client`.

A server writes bytes: a message is quoted once for all its receivers (:func:`quote_bytes`), quoted
messages wait as :data:`SEPARATOR`-ended lines, and :func:`array_frame` makes one frame of any number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final, TypeGuard, cast

import msgspec

from ..errors import CloseCode, RemoteProtocolError

OPEN: Final = "o"
HEARTBEAT: Final = "h"

#: Ends a quoted message that waits; no JSON string contains it.
SEPARATOR: Final = b"\n"

#: First chunk of a streaming response; old browsers show nothing before 2 KiB have come.
XHR_STREAMING_PRELUDE: Final = b"h" * 2048 + b"\n"
EVENTSOURCE_PRELUDE: Final = b"\r\n"

#: Messages that one array of a client may hold; its bytes are the carrier's to limit.
MAX_MESSAGES: Final = 10_000

#: Default end of a session by the server.
GO_AWAY: Final = (3000, "Go away!")
ANOTHER_CONNECTION: Final = (2010, "Another connection still open")
INTERRUPTED: Final = (1002, "Connection interrupted")

_DECODER: Final = json.JSONDecoder()
# code units that must be written as escapes although JSON would not need it (docs/wire/sockjs.md §3)
_FRAGILE: Final = re.compile(
    "[\x00-\x1f\u200c-\u200f\u2028-\u202f\u2060-\u206f\ufff0-\uffff\ud800-\udfff\U00010000-\U0010ffff]"
)
_encode_json = msgspec.json.Encoder().encode


# ---- written by a server -----------------------------------------------------------------------


def quote(message: str) -> str:
    """A message as a JSON string with the fragile characters escaped."""
    return _FRAGILE.sub(_as_escape, json.dumps(message, ensure_ascii=False))


def quote_bytes(payload: bytes) -> bytes:
    """A message that is UTF-8 text, quoted as :func:`quote` does; what is no UTF-8 becomes U+FFFD."""
    if payload.isascii():  # nothing fragile that JSON itself does not escape, and far quicker
        return _encode_json(payload.decode("ascii"))
    return quote(payload.decode("utf-8", "replace")).encode()


def array_frame(lines: bytes) -> bytes:
    """``a[…]`` of quoted messages, each ended by :data:`SEPARATOR`; at least one."""
    return b"a[%b]" % lines[:-1].replace(SEPARATOR, b",")


def messages_frame(messages: Sequence[str]) -> str:
    """``a[…]`` with one or more messages."""
    return f"a[{','.join(map(quote, messages))}]"


def close_frame(code: int, reason: str) -> str:
    """``c[code,"reason"]``."""
    return f"c[{code},{quote(reason)}]"


def xhr_chunk(frame: bytes) -> bytes:
    """A frame for xhr and xhr_streaming."""
    return frame + b"\n"


def eventsource_chunk(frame: bytes) -> bytes:
    """A frame as one EventSource event.

    sockjs-client runs its data through ``decodeURI``, so ``%`` must be escaped; of the other three
    characters that would have to be (CR, LF, NUL) a frame has none: JSON has escaped them.
    """
    return b"data: %b\r\n\r\n" % frame.replace(b"%", b"%25")


def htmlfile_chunk(frame: bytes) -> bytes:
    """A frame as a script element of the htmlfile transport."""
    # "</" would end the script element that the frame stands in
    return b"<script>\np(%b);\n</script>\r\n" % quote_bytes(frame).replace(b"</", b"<\\/")


def jsonp_body(callback: str, frame: bytes) -> bytes:
    """A frame as the body of a JSONP response; the callback must have been checked."""
    return b"/**/%b(%b);\r\n" % (callback.encode(), quote_bytes(frame))


# ---- read by a server ----------------------------------------------------------------------------


def decode_messages(text: str, *, max_messages: int = MAX_MESSAGES, array: bool = False) -> list[str]:
    """Messages of a WebSocket text or an xhr_send body; nothing for an empty text.

    A single JSON string is one message.

    Args:
        text: What the client sent; its length is limited by the carrier.
        max_messages: Most messages in one array.
        array: Whether only an array will do, as in ``xhr_send``.

    Raises:
        RemoteProtocolError: Not JSON, or not strings; its text is the sentence that sockjs-node
            answers xhr_send with, its close code 1007 as with Spring.
    """
    if not text:
        return []
    try:
        value: Any = _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise RemoteProtocolError("Broken JSON encoding.", close_code=CloseCode.INVALID_DATA) from None
    if isinstance(value, str) and not array:
        return [value]
    if not is_strings(value) or len(value) > max_messages:
        raise RemoteProtocolError("Payload expected.", close_code=CloseCode.INVALID_DATA)
    return value


def is_strings(value: Any) -> TypeGuard[list[str]]:
    """Whether decoded JSON is an array of strings."""
    return isinstance(value, list) and all(isinstance(item, str) for item in cast("list[Any]", value))


def _as_escape(match: re.Match[str]) -> str:
    point = ord(match[0])
    if point < 0x10000:
        return f"\\u{point:04x}"
    point -= 0x10000  # characters above U+FFFF go out as two escaped surrogates
    return f"\\u{0xD800 + (point >> 10):04x}\\u{0xDC00 + (point & 0x3FF):04x}"

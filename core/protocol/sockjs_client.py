"""SockJS 0.3 as a client reads it: frames in, messages out (docs/wire/sockjs.md §3, §8)."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec

from ..errors import CloseCode, RemoteProtocolError
from .sockjs import is_strings

_decode_json = json.JSONDecoder().decode
_decode_strings = msgspec.json.Decoder(list[str]).decode
_ESCAPES: Final = re.compile(rb"(?:%[0-9A-Fa-f]{2})+|%")
_RESERVED: Final = re.compile(rb"[;/?:@&=+$,#]")


class SockJsOpen(msgspec.Struct, frozen=True, gc=False):
    """The session is open."""


class SockJsHeartbeat(msgspec.Struct, frozen=True, gc=False):
    """The server is alive."""


class SockJsMessages(msgspec.Struct, frozen=True):
    """Messages, in order."""

    messages: tuple[str, ...]


class SockJsClose(msgspec.Struct, frozen=True, gc=False):
    """The server has ended the session."""

    code: int
    reason: str


SockJsEvent = SockJsOpen | SockJsHeartbeat | SockJsMessages | SockJsClose


def decode_frame(text: str) -> SockJsEvent:
    """A frame of a server, without the wrapping of its transport.

    Raises:
        RemoteProtocolError: Not a SockJS frame.
    """
    kind, payload = text[:1], text[1:]
    if kind in ("o", "h") and payload.strip("h\n") == "":
        return SockJsOpen() if kind == "o" else SockJsHeartbeat()
    try:
        value: Any = _decode_json(payload)
    except (ValueError, RecursionError):
        value = None
    if kind == "a" and is_strings(value):
        return SockJsMessages(tuple(value))
    if kind == "m" and isinstance(value, str):
        return SockJsMessages((value,))
    match value:
        case [int(code), str(reason)] if kind == "c":
            return SockJsClose(code, reason)
        case _:
            raise RemoteProtocolError(f"not a SockJS frame: {text[:40]!r}", close_code=CloseCode.INVALID_DATA)


class SockJsSession:
    """The receiving half of a client's session: frames in, messages out.

    Attributes:
        opened: Whether the server has opened the session.
        closed: How the server ended it, once it has; nothing behind that is to be handed in.
    """

    __slots__ = ("closed", "opened")

    def __init__(self) -> None:
        self.opened = False
        self.closed: SockJsClose | None = None

    def receive(self, frame: bytes) -> list[bytes]:
        """The messages of one frame, as UTF-8; none for a frame that brings none.

        Raises:
            RemoteProtocolError: Not a SockJS frame, a message before the session is open (1007); or
                the session is opened anew, which means that its messages are lost (1006, as with
                sockjs-client).
        """
        if self.opened and frame[:2] == b"a[":
            try:
                return [message.encode() for message in _decode_strings(frame[1:])]
            except (ValueError, RecursionError):
                pass  # rare: a lone surrogate, or no such frame
        match decode_frame(_text_of(frame)):
            case SockJsOpen() if self.opened:
                lost = "Server lost session: it opens the session a second time"
                raise RemoteProtocolError(lost, close_code=CloseCode.ABNORMAL)
            case SockJsOpen():
                self.opened = True
            case SockJsMessages(messages=messages):
                if not self.opened:
                    early = f"a message before the session is open: {frame[:40]!r}"
                    raise RemoteProtocolError(early, close_code=CloseCode.INVALID_DATA)
                return [_utf8(message) for message in messages]
            case SockJsClose() as closed:
                self.closed = closed
            case SockJsHeartbeat():
                pass
        return []


def _text_of(frame: bytes) -> str:
    try:
        return frame.decode()
    except UnicodeDecodeError:
        words = f"a frame that is not UTF-8: {frame[:40]!r}"
        raise RemoteProtocolError(words, close_code=CloseCode.INVALID_DATA) from None


def _utf8(message: str) -> bytes:
    """A message as UTF-8; lone surrogates, which it has not, become U+FFFD as in a browser."""
    try:
        return message.encode()
    except UnicodeEncodeError:
        return message.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def eventsource_data(data: bytes) -> bytes:
    """Undo the percent escapes of an EventSource event's data as sockjs-client does: ``decodeURI``.

    What it would leave escaped (``; / ? : @ & = + $ , #``) stays so (ECMA-262, "decodeURI").

    Raises:
        RemoteProtocolError: A ``%`` that escapes nothing, which sockjs-client cannot read either.
    """
    return _ESCAPES.sub(_unescape, data) if b"%" in data else data


def _unescape(match: re.Match[bytes]) -> bytes:
    plain = bytes.fromhex(match[0].replace(b"%", b"").decode()) if len(match[0]) > 1 else b"\xff"
    try:
        plain.decode()
    except UnicodeDecodeError:
        words = (
            f"an event whose % escapes nothing: {match.string[:40]!r}; sockjs-client cannot read it either"
        )
        raise RemoteProtocolError(words, close_code=CloseCode.INVALID_DATA) from None
    if not _RESERVED.search(plain):
        return plain
    return _RESERVED.sub(lambda found: b"%%%02X" % found[0][0], plain)

"""Requests by which a client sends: ``xhr_send`` and ``jsonp_send`` (docs/wire/sockjs.md §4)."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_to_bytes

from core.errors import RemoteProtocolError
from core.protocol.sockjs import decode_messages

from .answers import PLAIN, Answer, failed

_FORM: Final = "application/x-www-form-urlencoded"
#: What counts as text; ``T`` is what a broken Firefox sent.
_ACCEPTED: Final = frozenset(
    {"", "text/plain", "t", "application/json", "application/xml", "text/xml", "application/javascript"}
)
_EXPECTED: Final = failed(500, b"Payload expected.")
_BROKEN: Final = failed(500, b"Broken JSON encoding.")

XHR_SENT: Final = Answer(204, b"", (PLAIN,))
#: Konqueror does strange things on a 204.
JSONP_SENT: Final = Answer(200, b"ok", (PLAIN,))


def messages_of(body: bytes, content_type: str, *, form: bool) -> list[str] | Answer:
    """The messages of a body, or the error that it is answered with.

    Args:
        body: The whole body.
        content_type: Value of the header; its parameters mean nothing.
        form: Whether it may be a form whose field ``d`` has the array, as in ``jsonp_send``.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if form and kind == _FORM:
        body = _field(body, b"d")
    elif kind not in _ACCEPTED:
        return _EXPECTED
    if not body:
        return _EXPECTED
    try:
        return decode_messages(body.decode(), array=True)
    except UnicodeDecodeError:
        return _BROKEN
    except RemoteProtocolError as error:
        return failed(500, str(error).encode())


def _field(body: bytes, wanted: bytes) -> bytes:
    """A field of an urlencoded form; b"" if it is not there."""
    for pair in body.split(b"&"):
        name, _, value = pair.partition(b"=")
        if name == wanted:
            return unquote_to_bytes(value.replace(b"+", b" "))
    return b""

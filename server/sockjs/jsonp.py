"""The transport jsonp: one frame per script that a page loads (docs/wire/sockjs.md §5)."""

from __future__ import annotations

from typing import Final

from core.protocol.sockjs import jsonp_body

from .receiving import Transport

_LONGEST_CALLBACK: Final = 32


def _wrap(frame: bytes, callback: str) -> bytes:
    return jsonp_body(callback, frame)


JSONP: Final = Transport(
    name="jsonp",
    streaming=False,
    content_type=b"application/javascript; charset=UTF-8",
    wrap=_wrap,
    longest_callback=_LONGEST_CALLBACK,
    headers=((b"x-content-type-options", b"nosniff"),),
)

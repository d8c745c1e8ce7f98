"""The transports xhr and xhr_streaming (docs/wire/sockjs.md §5)."""

from __future__ import annotations

from typing import Final

from core.protocol.sockjs import XHR_STREAMING_PRELUDE, xhr_chunk

from .receiving import Transport

_JAVASCRIPT: Final = b"application/javascript; charset=UTF-8"


def _wrap(frame: bytes, callback: str) -> bytes:
    return xhr_chunk(frame)


def _prelude(callback: str) -> bytes:
    return XHR_STREAMING_PRELUDE


XHR: Final = Transport(name="xhr", streaming=False, content_type=_JAVASCRIPT, wrap=_wrap, cors=True)
XHR_STREAMING: Final = Transport(
    name="xhr_streaming",
    streaming=True,
    content_type=_JAVASCRIPT,
    wrap=_wrap,
    prelude=_prelude,
    cors=True,
)

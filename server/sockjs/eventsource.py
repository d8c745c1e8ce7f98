"""The transport eventsource (docs/wire/sockjs.md §5)."""

from __future__ import annotations

from core.protocol.sockjs import EVENTSOURCE_PRELUDE, eventsource_chunk

from .dialect import Dialect
from .receiving import Transport


def _wrap(frame: bytes, callback: str) -> bytes:
    return eventsource_chunk(frame)


def _prelude(callback: str) -> bytes:
    return EVENTSOURCE_PRELUDE


def eventsource(dialect: Dialect) -> Transport:
    """The transport as a dialect has it."""
    return Transport(
        name="eventsource",
        streaming=True,
        content_type=dialect.eventsource_type,
        wrap=_wrap,
        prelude=_prelude,
        cors=True,
    )

"""The carrier that a URL means."""

from __future__ import annotations

from .base import Carrier, OnClose, OnData
from .websocket import connect_websocket


async def connect_url(url: str, *, on_data: OnData, on_close: OnClose) -> Carrier:
    """Connect by SockJS to an ``http:`` or ``https:`` URL, by a plain WebSocket to any other.

    Raises:
        UsageError, TargetUnreachable: As the carrier of that kind.
    """
    if url[:5].lower() == "http:" or url[:6].lower() == "https:":
        from .sockjs import connect_sockjs  # whoever needs none loads none

        return await connect_sockjs(url, on_data=on_data, on_close=on_close)
    return await connect_websocket(url, on_data=on_data, on_close=on_close)

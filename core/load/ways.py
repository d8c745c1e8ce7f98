"""How simulated users connect, each with the transport that the shares give it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from ..transport import Connect, connect_websocket
from ..transport.sockjs import HttpPool, SockJs, SockJsConnector, SockJsTransport
from .transports import PLAIN, Transport, transport_of

_OF_SOCKJS: Final[dict[Transport, SockJsTransport]] = {
    "sockjs-websocket": "websocket",
    "xhr-streaming": "xhr-streaming",
    "eventsource": "eventsource",
    "xhr-polling": "xhr-polling",
}


class Way(msgspec.Struct, frozen=True):
    """How one user connects: ``url`` may hold ``{user}``."""

    transport: Transport
    url: str
    connect: Connect


class Ways:
    """How the users of a crowd connect. All of them share what SockJS needs; without SockJS there is
    nothing to share.

    Args:
        url: WebSocket URL of the plain transport.
        sockjs_url: Base URL of the SockJS service.
        shares: Of the transports.
        connect: Carrier of the plain transport.
        patience: Seconds that a transport has to open. Users have one each and do not fall back: less,
            as sockjs-client would take, only makes failures of a server that is slow for a moment.
    """

    def __init__(
        self,
        url: str,
        sockjs_url: str = "",
        shares: Mapping[str, int] = PLAIN,
        *,
        connect: Connect = connect_websocket,
        patience: float = 10.0,
    ) -> None:
        self._shares = shares
        self._pool = HttpPool(open_timeout=patience)
        self._ways: dict[str, Way] = {"websocket": Way("websocket", url, connect)}
        for name, transport in _OF_SOCKJS.items():
            how = SockJs((transport,), least_timeout=patience, info_timeout=patience)
            self._ways[name] = Way(name, sockjs_url, SockJsConnector(how, self._pool))

    def of(self, user: str) -> Way:
        """How this user connects."""
        return self._ways[transport_of(user, self._shares)]

    def close(self) -> None:
        """Close shared connections that nobody uses; what is under way goes on."""
        self._pool.close()

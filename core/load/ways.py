"""How simulated users connect, each with the transport that the shares give it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from ..tokens import TokenOf, with_token
from ..transport import Carrier, Connect, OnClose, OnData, connect_websocket
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


class TokenConnect:
    """A ``Connect`` that gives each connection of one user its access token.

    Args:
        connect: What connects.
        token_of: Gives the token.
        user: Whose.
    """

    __slots__ = ("_connect", "_token_of", "_user")

    def __init__(self, connect: Connect, token_of: TokenOf, user: str) -> None:
        self._connect = connect
        self._token_of = token_of
        self._user = user

    async def __call__(self, url: str, *, on_data: OnData, on_close: OnClose) -> Carrier:
        """See :class:`~core.transport.Connect`."""
        whole = with_token(url, self._token_of(self._user))
        return await self._connect(whole, on_data=on_data, on_close=on_close)


class Ways:
    """How the users of a crowd connect. All of them share what SockJS needs; without SockJS there is
    nothing to share.

    Args:
        url: WebSocket URL of the plain transport.
        sockjs_url: Base URL of the SockJS service.
        shares: Of the transports.
        connect: Carrier of the plain transport.
        token_of: Gives the access token of a user, who has it in the query of the URL.
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
        token_of: TokenOf | None = None,
        patience: float = 10.0,
    ) -> None:
        self._shares = shares
        self._token_of = token_of
        self._pool = HttpPool(open_timeout=patience)
        self._ways: dict[str, Way] = {"websocket": Way("websocket", url, connect)}
        for name, transport in _OF_SOCKJS.items():
            how = SockJs((transport,), least_timeout=patience, info_timeout=patience)
            self._ways[name] = Way(name, sockjs_url, SockJsConnector(how, self._pool))

    def of(self, user: str) -> Way:
        """How this user connects."""
        way = self._ways[transport_of(user, self._shares)]
        if self._token_of is None:
            return way
        return msgspec.structs.replace(way, connect=TokenConnect(way.connect, self._token_of, user))

    def close(self) -> None:
        """Close shared connections that nobody uses; what is under way goes on."""
        self._pool.close()

"""Connecting to a SockJS service as sockjs-client 1.6.1 does: ``/info``, then one transport after the
other until one opens (docs/wire/sockjs.md §8)."""

from __future__ import annotations

import asyncio
import functools
import ssl as tls
from collections.abc import Iterable, Sequence
from typing import Final

from ...clock import now
from ...errors import ConnectionClosed, HandshakeRefused, TargetUnreachable
from ...reasons import reason_of
from ..base import Carrier, CloseInfo, OnClose, OnData
from ..reader import MAX_MESSAGE
from ..websocket import MAX_BACKLOG, connect_websocket
from .addresses import Base, new_server_id, new_session_id
from .cookies import Cookies
from .exchanging import ExchangeCarrier
from .framed import FramedCarrier
from .http import HttpPool
from .info import Info, fetch_info
from .options import INFO_TIMEOUT, TRANSPORTS, SockJs, SockJsTransport
from .receiving import EVENTSOURCE, XHR_POLLING, XHR_STREAMING, Receiving

_EXCHANGES: Final[dict[SockJsTransport, Receiving]] = {
    "xhr-streaming": XHR_STREAMING,
    "eventsource": EVENTSOURCE,
    "xhr-polling": XHR_POLLING,
}

#: Round trips that each of these transports may need until its session is open.
_ROUND_TRIPS: Final = 2


async def connect_sockjs(
    url: str,
    *,
    on_data: OnData,
    on_close: OnClose,
    transports: Sequence[SockJsTransport] = TRANSPORTS,
    headers: Iterable[tuple[str, str]] = (),
    least_timeout: float = 0.0,
    info_timeout: float = INFO_TIMEOUT,
    close_timeout: float = 5.0,
    max_message: int = MAX_MESSAGE,
    max_backlog: int = MAX_BACKLOG,
    ssl: tls.SSLContext | None = None,
) -> Carrier:
    """Open a SockJS session with connections of its own; its contract is
    :class:`~core.transport.base.Carrier`.

    What differs from a WebSocket: messages are text; ``close()`` tells the server nothing but that
    nobody receives any more, unless the transport is a WebSocket; and a broken session is noticed when
    its next request fails.

    Args:
        url: ``http://…`` or ``https://…``, the service's base; its query goes with every request.
            Credentials in it become an Authorization header.
        on_data: Called with each message.
        on_close: Called once at the end; not called if this function raises.
        transports, headers, least_timeout, info_timeout, close_timeout, max_message, max_backlog: See
            :class:`SockJs`.
        ssl: For ``https:``; by default the system's authorities are trusted.

    Raises:
        UsageError: Not a SockJS URL, or no transport.
        TargetUnreachable: Nobody answers, or no transport opened a session (sockjs-client's code
            2000); HandshakeRefused with status and body if answers were no.
        ConnectionClosed: The server ended the session with a code of its own before it was open.
    """
    pool = HttpPool(ssl=ssl)
    how = SockJs(
        tuple(transports),
        tuple(headers),
        least_timeout,
        info_timeout,
        close_timeout,
        max_message,
        max_backlog,
    )

    def closed(info: CloseInfo) -> None:
        pool.close()
        on_close(info)

    try:
        return await SockJsConnector(how, pool)(url, on_data=on_data, on_close=closed)
    except BaseException:
        pool.close()
        raise


class SockJsConnector:
    """Opens any number of SockJS sessions, whose short requests share the connections of a pool.

    Whoever made the pool closes it.
    """

    def __init__(self, how: SockJs, pool: HttpPool) -> None:
        how.check()
        self._how = how
        self._pool = pool

    async def __call__(self, url: str, *, on_data: OnData, on_close: OnClose) -> Carrier:
        """Open a session; see :func:`connect_sockjs`."""
        how = self._how
        base = Base.of(url, how.headers)
        cookies = Cookies()
        begun = now()
        info = await fetch_info(self._pool, base, cookies, how.info_timeout)
        patience = max(how.least_timeout, _ROUND_TRIPS * _retransmission(now() - begun))
        where = base.moved(info.base_url) if info.base_url else base
        server = new_server_id()
        failures: list[tuple[str, Exception]] = []
        for name in how.transports:
            path = f"/{server}/{new_session_id()}"
            try:
                return await self._open(name, info, where, path, cookies, on_data, on_close, patience)
            except ConnectionClosed as error:
                if _is_servers_own(error.code):
                    raise
                failures.append((name, error))
            except TargetUnreachable as error:
                failures.append((name, error))
        raise _all_failed(base, failures)

    async def _open(
        self,
        name: SockJsTransport,
        info: Info,
        base: Base,
        path: str,
        cookies: Cookies,
        on_data: OnData,
        on_close: OnClose,
        patience: float,
    ) -> Carrier:
        """One attempt with one transport."""
        if name == "websocket" and not info.websocket:
            raise HandshakeRefused("/info says that there are no WebSockets", status=404)
        try:
            async with asyncio.timeout(patience):
                if name == "websocket":
                    return await self._open_websocket(base, path, cookies, on_data, on_close, patience)
                carrier = ExchangeCarrier(
                    self._pool,
                    base,
                    path,
                    _EXCHANGES[name],
                    cookies,
                    on_data,
                    on_close,
                    self._how,
                )
                await carrier.open()
                return carrier
        except TimeoutError as error:
            raise TargetUnreachable(f"Transport timed out (2007) after {patience:.2g} s") from error

    async def _open_websocket(
        self,
        base: Base,
        path: str,
        cookies: Cookies,
        on_data: OnData,
        on_close: OnClose,
        patience: float,
    ) -> FramedCarrier:
        how = self._how
        headers = (*base.headers, *((("Cookie", cookies.header),) if cookies.header else ()))
        dial = functools.partial(
            connect_websocket,
            base.websocket_url(f"{path}/websocket"),
            headers=headers,
            subprotocols=(),
            open_timeout=patience + 1,  # ours comes first
            close_timeout=how.close_timeout,
            max_message=how.max_message,
            max_backlog=how.max_backlog,
            ssl=self._pool.context() if base.origin.secure else None,
        )
        carrier = FramedCarrier(on_data, on_close)
        await carrier.open(lambda data, closed: dial(on_data=data, on_close=closed))
        return carrier


def _retransmission(round_trip: float) -> float:
    """sockjs-client's estimate of how long an answer may take, in seconds."""
    return 4 * round_trip if round_trip > 0.1 else 0.3 + round_trip


def _is_servers_own(code: int) -> bool:
    """Whether a close code is one that a server's application chose: no other transport would do."""
    return code == 1000 or 3000 <= code <= 4999


def _all_failed(base: Base, failures: list[tuple[str, Exception]]) -> TargetUnreachable:
    words = "; ".join(f"{name}: {reason_of(error)}" for name, error in failures)
    message = f"{base.shown}: All transports failed (2000): {words}"
    tried = f"open a SockJS session by {', '.join(name for name, _ in failures)}"
    hint = "the service answers /info; is the transport allowed there, and does a proxy let it through?"
    refusals = [error for _, error in failures if isinstance(error, HandshakeRefused)]
    if refusals:
        last = refusals[-1]
        return HandshakeRefused(message, status=last.status, body=last.body, tried=tried, hint=hint)
    return TargetUnreachable(message, tried=tried, hint=hint)

"""The services that SockJS test suites are run against, as one ASGI application (docs/wire/sockjs.md).

``/echo`` sends back what comes, with a streaming limit of 4,096 bytes; ``/close`` ends every session at
once; ``/disabled_websocket_echo`` and ``/cookie_needed_echo`` are echoes without WebSockets and with a
cookie.
"""

from __future__ import annotations

import asyncio
import functools
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

import msgspec

from ..connections.fast_websocket import FastWebSocketProtocol
from ..connections.mount import path_in
from ..settings.sockjs import LARGEST_MESSAGE, SockJsSettings
from ..sockets.listener import Listener
from .answers import NOT_FOUND, Receive, Scope, Send, deny, send_answer
from .application import Application
from .echo import BoundedEcho, CloseAtOnce, Echo
from .hixie import HixieHttpProtocol
from .service import SockJsService

#: What suites expect of ``/echo``; a client would notice only that it reconnects more often.
_LIMIT = 4096


class PrefixedServices:
    """Gives requests to the service whose prefix their path has."""

    def __init__(self, services: dict[str, SockJsService]) -> None:
        self.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or connection."""
        path = path_in(scope)
        prefix = "/" + path[1:].partition("/")[0]
        service = self.services.get(prefix)
        if service is not None:
            given: Any = ({**scope, "root_path": scope.get("root_path", "") + prefix}, receive, send)
            await service(*given)
        elif scope["type"] == "websocket":
            await receive()
            await deny(scope, send, NOT_FOUND)
        else:
            await send_answer(send, NOT_FOUND)


def suite_services(max_frame: int | None = None, max_message: int = LARGEST_MESSAGE) -> PrefixedServices:
    """The four services; the limits are those of :class:`SuiteServer`."""
    settings = SockJsSettings(response_limit=_LIMIT, max_message=max_message, max_body=max_message)
    without_websocket = msgspec.structs.replace(settings, websocket=False)
    with_cookie = msgspec.structs.replace(settings, cookie_needed=True)
    echo: Application = Echo if max_frame is None else functools.partial(BoundedEcho, most=max_frame)
    return PrefixedServices(
        {
            "/echo": SockJsService(echo, settings),
            "/close": SockJsService(CloseAtOnce, settings),
            "/disabled_websocket_echo": SockJsService(echo, without_websocket),
            "/cookie_needed_echo": SockJsService(echo, with_cookie),
        }
    )


class SuiteServer:
    """The four services on a port of their own, between ``__aenter__`` and ``__aexit__``.

    Args:
        host: Address to listen on.
        port: Port, or 0 for a free one.
        max_frame: Bytes of one message inside SockJS's framing; a longer one ends its session with 1009.
            None: as many as ``max_message`` allows.
        max_message: Bytes of one WebSocket message, and of a body that a client posts.

    Raises:
        PortTakenError: The port is in use.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        max_frame: int | None = None,
        max_message: int = LARGEST_MESSAGE,
    ) -> None:
        self._app = suite_services(max_frame, max_message)
        self._listener = Listener(
            self._app,
            host=host,
            port=port,
            http=HixieHttpProtocol,
            ws=FastWebSocketProtocol,
            ws_max_size=max_message,
        )
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end."""
        return self._listener.url

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Paths of the services."""
        return tuple(self._app.services)

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._listener)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with asyncio.TaskGroup() as group:
            for service in self._app.services.values():
                group.create_task(service.stop())
        await self._stack.aclose()

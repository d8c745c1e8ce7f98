"""The services that SockJS test suites are run against, as one ASGI application (docs/wire/sockjs.md).

``/echo`` sends back what comes, with a streaming limit of 4,096 bytes; ``/close`` ends every session at
once; ``/disabled_websocket_echo`` and ``/cookie_needed_echo`` are echoes without WebSockets and with a
cookie.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from ..endpoints.fast_websocket import FastWebSocketProtocol
from ..endpoints.mount import path_in
from ..listener import Listener
from .answers import NOT_FOUND, Receive, Scope, Send, deny, send_answer
from .echo import CloseAtOnce, Echo
from .hixie import HixieHttpProtocol
from .service import SockJsService
from .settings import SockJsSettings

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


def suite_services() -> PrefixedServices:
    """The four services."""
    settings = SockJsSettings(response_limit=_LIMIT)
    return PrefixedServices(
        {
            "/echo": SockJsService(Echo, settings),
            "/close": SockJsService(CloseAtOnce, settings),
            "/disabled_websocket_echo": SockJsService(
                Echo, SockJsSettings(response_limit=_LIMIT, websocket=False)
            ),
            "/cookie_needed_echo": SockJsService(
                Echo, SockJsSettings(response_limit=_LIMIT, cookie_needed=True)
            ),
        }
    )


class SuiteServer:
    """The four services on a port of their own, between ``__aenter__`` and ``__aexit__``.

    Args:
        host: Address to listen on.
        port: Port, or 0 for a free one.

    Raises:
        PortTakenError: The port is in use.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._app = suite_services()
        self._listener = Listener(
            self._app, host=host, port=port, http=HixieHttpProtocol, ws=FastWebSocketProtocol
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

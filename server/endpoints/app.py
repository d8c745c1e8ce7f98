"""An instance as one ASGI application: STOMP endpoint, SockJS, push API, admin endpoints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.applications import Starlette
from starlette.routing import Route

from core.errors import CloseCode

from ..access.admission import Denied
from ..access.rule import HostGuard
from ..connections.mount import WHOLE, Mount, path_in
from ..connections.websocket import WebSocketEndpoint, deny
from ..sockets.path_parameters import plain_scope
from ..sockjs.service import SockJsService
from .push_api import PushApi

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_PUSHES: Final = ("/push", "/test")
#: What stays reachable where SockJS has the whole prefix (its own ``/info`` wins).
_ADMIN: Final = ("/health", "/metrics", "/stages")


class InstanceApp:
    """Dispatches by path; pushes and sockets go around the router of the framework.

    It may be mounted in another application; paths count from where it is mounted.
    """

    def __init__(
        self,
        sockets: WebSocketEndpoint,
        sockjs: SockJsService,
        pushes: PushApi,
        routes: list[Route],
        hosts: HostGuard | None = None,
        mount: Mount = WHOLE,
    ) -> None:
        self._sockets = sockets
        self._sockjs: Any = sockjs  # typed as frameworks are
        self._hosts = None if hosts is None or hosts.anything else hosts
        self._base = mount.path
        self._below = f"{mount.path}/"
        self._socket_paths = frozenset({mount.path, f"{mount.path}/", f"{mount.path}/websocket"})
        self._push_paths = _PUSHES if mount.push_api else ()
        self._pushes = pushes
        self._rest: Any = Starlette(routes=routes if mount.admin else [])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or connection."""
        kind = scope["type"]
        if kind == "lifespan":
            await _lifespan(receive, send)
            return
        scope = plain_scope(scope)
        path = path_in(scope)
        sockjs = (path == self._base or path.startswith(self._below)) and path not in _ADMIN
        if self._hosts is not None and (sockjs or kind == "websocket"):
            hosts = [value for name, value in scope["headers"] if name == b"host"]
            if reason := self._hosts.refuse(hosts):
                await _turn_away(scope, receive, send, reason)
                return
        if kind == "websocket":
            if path in self._socket_paths:
                await self._sockets(scope, receive, send)
            elif path.startswith(self._below):
                await self._sockjs(self._inside(scope), receive, send)
            else:
                await receive()
                await send({"type": "websocket.close", "code": CloseCode.PROTOCOL_ERROR})
        elif path in self._push_paths:
            await self._pushes(scope, receive, send)
        elif sockjs:
            await self._sockjs(self._inside(scope), receive, send)
        else:
            await self._rest(scope, receive, send)

    def _inside(self, scope: Scope) -> Scope:
        """The scope as SockJS sees it, mounted at the STOMP endpoint."""
        return {**scope, "root_path": str(scope.get("root_path", "")).rstrip("/") + self._base}


async def _turn_away(scope: Scope, receive: Receive, send: Send, reason: str) -> None:
    """403 for a name that is not ours."""
    denied = Denied(403, reason)
    if scope["type"] == "websocket":
        await receive()
        await deny(scope, send, denied)
        return
    body = reason.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": denied.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            await send({"type": "lifespan.shutdown.complete"})
            return

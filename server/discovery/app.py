"""Discovery as an ASGI application and as a running server."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import msgspec
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..access.rule import AccessRule
from ..sockets.http import HttpDeadlines
from ..sockets.listener import Listener
from ..sockets.strict_http import StrictHttpProtocol
from . import wire
from .preservation import Preservation
from .registry import unfit
from .rest import EurekaRest, refused_answer
from .service import DiscoveryService, Watcher

logger = logging.getLogger("pushscope.discovery")

#: Bytes of an answer from which gzip is used for those who take it.
_WORTH_PACKING = 1024


class DiscoverySettings(msgspec.Struct, frozen=True):
    """Where discovery listens; port 0 picks a free one.

    ``self_preservation`` is Eureka's: see :mod:`.preservation`. ``head_timeout_s`` is for a client to
    send a request's head, ``body_timeout_s`` for the next KiB of its body.
    """

    host: str = "127.0.0.1"
    port: int = 0
    self_preservation: bool = False
    head_timeout_s: float = 10.0
    body_timeout_s: float = 30.0


class Discovery:
    """A running discovery server: ``async with Discovery(settings) as discovery: discovery.url``.

    Raises (entering):
        PortTakenError: the port is in use.
        UsageError: the address is not loopback and no token is set.
    """

    def __init__(self, settings: DiscoverySettings | None = None) -> None:
        self.settings = settings if settings is not None else DiscoverySettings()
        self.service = DiscoveryService(Preservation() if self.settings.self_preservation else None)
        self._listener: Listener | None = None
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end."""
        assert self._listener is not None, "enter first"
        return self._listener.url

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._listener is not None, "enter first"
        return self._listener.port

    async def __aenter__(self) -> Self:
        rule = AccessRule.for_host(self.settings.host)
        settings = self.settings
        app = create_app(self.service, rule)
        self._stack.callback(self.service.close)
        deadlines = HttpDeadlines(settings.head_timeout_s, settings.body_timeout_s)
        self._listener = await self._stack.enter_async_context(
            Listener(
                app,
                host=settings.host,
                port=settings.port,
                grace_s=1,
                http=functools.partial(StrictHttpProtocol, deadlines=deadlines),
                ws_per_message_deflate=False,  # it would cost more than the loopback bytes it saves
            )
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()


def create_app(service: DiscoveryService, rule: AccessRule) -> ASGIApp:
    """The application: Eureka's REST, ``/watch``, ``/health``, ``/info`` and a list for people at ``/``."""

    async def watch(websocket: WebSocket) -> None:
        if refused := rule.refuse_write(websocket.headers.raw):
            logger.warning("refused a watcher: %s", refused.reason)
            await websocket.close(1008, refused.reason)
            return
        await _WatchConnection(service, websocket).run()

    async def health(request: Request) -> Response:
        said: dict[str, object] = {"status": "up", "role": "discovery"}
        if not rule.refuse_read(request.headers.raw):  # a probe needs no more
            said["instances"] = len(service.registry)
        return JSONResponse(said)

    async def info(request: Request) -> Response:
        if refused := rule.refuse_read(request.headers.raw):
            return refused_answer(refused)
        snapshot = service.snapshot()
        return JSONResponse(
            {
                "role": "discovery",
                "pid": os.getpid(),
                "epoch": service.epoch,
                "uptime_s": round(service.now() - service.started_at, 3),
                "watchers": service.watchers,
                "version": snapshot.version,
                "instances": msgspec.to_builtins(snapshot.instances),
            }
        )

    app = Starlette(
        routes=[
            WebSocketRoute("/watch", watch),
            Route("/health", health),
            Route("/info", info),
            Route("/", info),
            *EurekaRest(service, rule).routes(),
        ]
    )
    return _WithoutTrailingSlash(GZipMiddleware(app, minimum_size=_WORTH_PACKING, compresslevel=4))


class _WithoutTrailingSlash:
    """Serves ``/eureka/apps/`` as ``/eureka/apps``: both Eureka clients ask with the slash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "/")
        if len(path) > 1 and path.endswith("/"):
            scope = {**scope, "path": path.rstrip("/") or "/"}
        await self._app(scope, receive, send)


class _WatchConnection:
    """One ``/watch`` connection: it owns the lease that it registered."""

    def __init__(self, service: DiscoveryService, websocket: WebSocket) -> None:
        self._service = service
        self._websocket = websocket
        self._key: tuple[str, str] | None = None

    async def run(self) -> None:
        """Until the connection ends; then its lease ends too."""
        await self._websocket.accept()
        watcher = self._service.watch()
        sender = asyncio.create_task(self._send_changes(watcher), name="discovery-watch")
        try:
            while (text := await self._next()) is not None:
                await self._handle(text)
        except (ValueError, RecursionError) as error:
            await self._refuse(f"not understood: {error}")
        finally:
            # First of all, before anything that waits: a dead process's entry is gone now.
            self._service.release(self)
            self._service.unwatch(watcher)
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    async def _next(self) -> str | None:
        """The next message, or None when the connection has ended or must end."""
        try:
            return await self._websocket.receive_text()
        except (WebSocketDisconnect, RuntimeError, KeyError):
            return None  # RuntimeError: a sender saw the end first; KeyError: a binary message

    async def _send(self, text: str) -> bool:
        """Send a message; False when the connection has ended."""
        try:
            await self._websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError):
            return False
        return True

    async def _handle(self, text: str) -> None:
        match wire.decode_client(text):
            case wire.Register(instance, lease_s):
                if why := unfit(instance):
                    raise ValueError(why)
                if self._key is not None and self._key != instance.key:
                    self._service.release(self, goodbye=True)
                self._key = instance.key
                self._service.register(instance, lease_s=lease_s, owner=self)
            case wire.Renew():
                if self._key is None or self._service.renew(*self._key) is None:
                    await self._send(wire.encode(wire.Unknown()))
            case wire.Deregister():
                self._service.release(self, goodbye=True)
                self._key = None

    async def _send_changes(self, watcher: Watcher) -> None:
        # A slow reader blocks here and then gets the newest state, not every state.
        service = self._service
        while True:
            await watcher.changed.wait()
            watcher.changed.clear()
            snapshot = service.snapshot()
            age = service.now() - service.started_at
            listing = wire.Listing(service.epoch, age, snapshot.version, snapshot.instances)
            if not await self._send(wire.encode(listing)):
                return

    async def _refuse(self, reason: str) -> None:
        logger.warning("refused a watcher: %s", reason)
        if await self._send(wire.encode(wire.Refused(reason))):
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await self._websocket.close(1003, "not understood")

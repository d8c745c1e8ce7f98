"""An instance inside somebody's own service: FastAPI, Starlette, or any other ASGI application.

The service keeps its server (uvicorn, hypercorn), its port, its routes and its logins; the instance
adds the STOMP endpoint and a cluster to push through, whichever instance a user is connected to::

    push = MountedInstance(InstanceSettings(id="shop-1", broker_url="stomp://…"), user=user_of)
    app = FastAPI(lifespan=push.lifespan)
    app.mount("/push", push)  # the endpoint is /push/ws

    @app.post("/orders/{number}/shipped")
    async def shipped(number: int) -> None:
        await push.template.send_to_user("lijian", "/queue/orders", {"shipped": number})
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self

from starlette.types import Receive, Scope, Send

from core.errors import CloseCode

from .access.admission import UserOf
from .access.tokens.handshake import Authenticate
from .brokers.base import Broker
from .connections.mount import Mount
from .handlers.interceptors import Interceptor
from .handlers.template import MessagingTemplate
from .instance import Instance
from .settings.instance import InstanceSettings

logger = logging.getLogger("pushscope.server")

_NOT_ENTERED: Final = (
    "the instance has not been started: enter it in your application's lifespan, as"
    " FastAPI(lifespan=push.lifespan) or `async with push:` in a lifespan of your own"
)


class MountedInstance:
    """An instance as an ASGI application to be mounted; lives between enter and exit.

    There are three ways to give it its life, and one of them is needed: ``lifespan=push.lifespan`` of
    the host application, ``async with push:`` inside the host's own lifespan, or being the whole
    application of the server (``uvicorn module:push``), whose lifespan protocol it speaks. It runs on
    asyncio (hypercorn's ``trio`` worker is not served), in one event loop, in each process once.

    Every process of the service is an instance of its own and needs an id of its own: with several
    workers make it of the process's id. They find each other at the broker; ``memory:`` is for one.

    What the host decides: when a server stops, it closes WebSockets in its own way before it ends the
    lifespan (uvicorn with 1012); :meth:`close_clients` called before that closes them with 1001.

    Args:
        settings: What to be. ``host`` and ``port`` are those of the host's server: ``port`` is told to
            discovery, and ``host`` says who may use the push API, if that is served.
        user: Names the user of a handshake from its ASGI scope, in any way the host knows its users
            (session cookie, token, ``scope["user"]``): a name, "" for an anonymous one, or None to
            refuse the handshake with 403. May be a coroutine function. Nothing that a client says later
            changes it. Without it ``?user=`` and STOMP's ``login`` name the user, unproven: for trials.
        authenticate: The same for access tokens: takes the handshake's
            :class:`~.access.tokens.handshake.Credentials` and returns a
            :class:`~.access.admission.Principal`, or None to refuse it with 401. May be a coroutine
            function. For JWTs the settings' ``tokens`` is all that is needed. Only one of the three is given.
        path: Path of the endpoint, behind the prefix of the mount.
        push_api: Whether ``POST /push`` and ``GET /test`` are served too.
        admin: Whether ``/health``, ``/info``, ``/metrics`` and ``/stages`` are served too.
        broker: A broker object instead of the settings' URL.
        handlers: Application handlers (:mod:`.handlers`).
        interceptors: Asked about every CONNECT, SUBSCRIBE and SEND of a client.
    """

    def __init__(
        self,
        settings: InstanceSettings | None = None,
        *,
        user: UserOf | None = None,
        authenticate: Authenticate | None = None,
        path: str = "/ws",
        push_api: bool = False,
        admin: bool = False,
        broker: Broker | None = None,
        handlers: Iterable[object] = (),
        interceptors: Sequence[Interceptor] = (),
    ) -> None:
        mount = Mount(path=path.rstrip("/"), push_api=push_api, admin=admin)
        self._make = lambda: Instance(
            settings,
            broker=broker,
            handlers=handlers,
            interceptors=interceptors,
            user=user,
            authenticate=authenticate,
            mount=mount,
        )
        self._instance: Instance | None = None

    @property
    def instance(self) -> Instance:
        """The instance (between enter and exit)."""
        if self._instance is None:
            raise RuntimeError(_NOT_ENTERED)
        return self._instance

    @property
    def template(self) -> MessagingTemplate:
        """What application code sends with (between enter and exit)."""
        return self.instance.template

    def close_clients(self) -> None:
        """Close every client with 1001, as before a stop; the endpoint stays open."""
        self.instance.router.close_all()

    # life -----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._instance is not None:
            raise RuntimeError("the instance has been entered already")
        instance = self._make()
        await instance.__aenter__()
        self._instance = instance
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        instance, self._instance = self._instance, None
        if instance is not None:
            await instance.__aexit__(kind, error, trace)

    def lifespan(self, app: object = None) -> AbstractAsyncContextManager[None]:
        """The lifespan of the host application, where it needs no other."""
        return self._live()

    @asynccontextmanager
    async def _live(self) -> AsyncGenerator[None]:
        async with self:
            yield

    # ASGI -----------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or connection, or the lifespan of the server."""
        if scope["type"] == "lifespan":
            await self._follow(receive, send)
        elif self._instance is not None:
            app: Any = self._instance.asgi
            await app(scope, receive, send)
        else:
            logger.error(_NOT_ENTERED)
            await _turn_away(scope, receive, send)

    async def _follow(self, receive: Receive, send: Send) -> None:
        """Start and stop with the server."""
        await receive()  # lifespan.startup
        try:
            await self.__aenter__()
        except Exception as error:
            logger.exception("the instance did not start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()  # lifespan.shutdown
        await self.__aexit__(None, None, None)
        await send({"type": "lifespan.shutdown.complete"})


async def _turn_away(scope: Scope, receive: Receive, send: Send) -> None:
    """503, or its like: the host has not started us."""
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(_NOT_ENTERED)).encode())]
    message: dict[str, Any] = {"status": 503, "headers": headers}
    if scope["type"] == "http":
        await send({"type": "http.response.start", **message})
        await send({"type": "http.response.body", "body": _NOT_ENTERED.encode()})
        return
    await receive()  # websocket.connect
    if "websocket.http.response" in scope.get("extensions", {}):
        await send({"type": "websocket.http.response.start", **message})
        await send({"type": "websocket.http.response.body", "body": _NOT_ENTERED.encode()})
    else:
        await send({"type": "websocket.close", "code": CloseCode.INTERNAL_ERROR})

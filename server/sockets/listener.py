"""An ASGI application on a listening socket, as an async context manager in the caller's loop.

uvicorn does the HTTP; what is ours is the life around it: the port is bound before anything
else (a taken one names itself), signals stay with the caller, and stopping takes no longer
than ``grace_s``, whatever streams are open.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.server import ServerState

from .binding import AT_ONCE, BACKLOG, bind_socket
from .descriptors import Descriptors
from .http import HttpProtocol
from .lingering import Lingering
from .websocket import WebSocketProtocol

logger = logging.getLogger("pushscope.server")


class _Watched(set[Any]):
    """A set whose emptiness can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._emptied = asyncio.Event()

    def discard(self, element: Any) -> None:
        super().discard(element)
        if not self:
            self._emptied.set()

    def remove(self, element: Any) -> None:
        super().remove(element)
        if not self:
            self._emptied.set()

    async def until_empty(self) -> None:
        while self:
            self._emptied.clear()
            await self._emptied.wait()


class _State(ServerState):
    """What all connections of a server share."""

    def __init__(self, descriptors: Descriptors) -> None:
        super().__init__()
        self.connections = _Watched()
        self.tasks = _Watched()
        self.descriptors = descriptors


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers and its ten wake-ups a second."""

    def __init__(self, config: uvicorn.Config, descriptors: Descriptors) -> None:
        super().__init__(config)
        self.leave = asyncio.Event()
        self._descriptors = descriptors
        self.server_state = state = _State(self._descriptors)
        self._connections: Any = state.connections
        self._tasks: Any = state.tasks

    async def main_loop(self) -> None:
        """Refresh the Date header once a second until :attr:`leave` is set."""
        while not await self.on_tick(0):
            try:
                async with asyncio.timeout(1):
                    await self.leave.wait()
            except TimeoutError:
                continue
            return

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, end all connections, and wait for them only as long as they take."""
        for server in self.servers:
            server.close()
        for sock in sockets or ():
            sock.close()
        for connection in list(self._connections):
            connection.shutdown()
            if isinstance(connection.transport.get_protocol(), Lingering):
                connection.transport.abort()  # it has been told everything
        self._descriptors.close()
        try:
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                await self._connections.until_empty()
                await self._tasks.until_empty()
                for server in self.servers:
                    await server.wait_closed()
        except TimeoutError:
            open_now = len(self._connections), len(self._tasks)
            logger.warning("stopped with %d connections open and %d requests under way", *open_now)
            for task in list(self._tasks):
                task.cancel("the server stops")
        await self.lifespan.shutdown()


class Listener:
    """Serves ``app`` on ``host:port`` between ``__aenter__`` and ``__aexit__``.

    Args:
        app: The ASGI application; its lifespan is not run unless ``lifespan`` is "on".
        host: Address to listen on.
        port: Port, or 0 for a free one; :attr:`port` tells which.
        grace_s: How long open requests may go on when stopping.
        sock: A socket that is bound already, instead of ``host`` and ``port``.
        descriptors: Who goes when descriptors run out, for whoever opens further ones; its own by default.
        options: Further settings of ``uvicorn.Config`` (``http=``, ``ws=`` protocol classes, …).
    """

    def __init__(
        self,
        app: Any,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        grace_s: int = 2,
        sock: socket.socket | None = None,
        descriptors: Descriptors | None = None,
        **options: Any,
    ) -> None:
        self.host = host
        self._port = port if sock is None else int(sock.getsockname()[1])
        self._socket = sock
        self._descriptors = descriptors or Descriptors(logger)
        settings: dict[str, Any] = {
            "http": HttpProtocol,
            "ws": WebSocketProtocol,
            "backlog": AT_ONCE,
            "ws_ping_interval": None,  # else nothing is ever idle
            "lifespan": "off",
            "log_config": None,
            "access_log": False,
            "log_level": "warning",  # uvicorn says a line per connection otherwise
            "proxy_headers": False,
            "server_header": False,
            "timeout_graceful_shutdown": grace_s,
        }
        self._config = uvicorn.Config(app, **{**settings, **options})
        self._server: _Server | None = None
        self._loop_task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that is listened on (known after entering)."""
        return self._port

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def __aenter__(self) -> Self:
        if self._socket is None:
            self._socket = bind_socket(self.host, self._port)
            self._port = int(self._socket.getsockname()[1])
        try:
            self._config.load()
            self._server = server = _Server(self._config, self._descriptors)
            server.lifespan = self._config.lifespan_class(self._config)
            await server.startup(sockets=[self._socket])
            self._socket.listen(BACKLOG)
        except BaseException:
            self._socket.close()
            raise
        self._loop_task = asyncio.create_task(server.main_loop(), name=f"listener:{self.port}")
        return self

    def abort(self) -> None:
        """Cut all connections and stop listening at once, as if the process had been killed.

        Leaving the block is still needed, and has nothing left to wait for.
        """
        if self._server is None:
            return
        for server in self._server.servers:
            server.close()
        for connection in list(self._server.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        server, task, sock = self._server, self._loop_task, self._socket
        if server is None or task is None or sock is None:
            return
        server.leave.set()
        await task
        self._socket = None  # shutdown closes it
        await server.shutdown(sockets=[sock])

"""A real SockJS service with one listening application, whose every step a test can watch and hold up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from server.sockets.listener import Listener
from server.sockjs import SockJsService, SockJsSettings
from server.sockjs.application import Connection, Message


class SockJsFar:
    """The other end of one session."""

    def __init__(self, connection: Connection, server: SockJsServer) -> None:
        self.connection = connection
        self.data: list[bytes] = []
        self._server = server
        self._wake = asyncio.Event()
        self._code: int | None = None

    # the service's side

    def received(self, message: Message) -> None:
        self.data.append(message.encode() if isinstance(message, str) else message)
        self._wake.set()

    def full(self) -> None:
        pass

    def ready(self) -> None:
        pass

    def closed(self, code: int, reason: str) -> None:
        self._code = code
        self._wake.set()

    # the test's side

    async def send(self, data: bytes) -> None:
        self.connection.send(data)

    async def close(self, code: int, reason: str) -> None:
        self.connection.close(code, reason)

    async def received_count(self, count: int) -> list[bytes]:
        while len(self.data) < count:
            self._wake.clear()
            await self._wake.wait()
        return self.data[:count]

    async def ended(self) -> int:
        while self._code is None:
            self._wake.clear()
            await self._wake.wait()
        return self._code

    def vanish(self) -> None:
        self._server.listener.abort()

    def listen(self, on: bool) -> None:
        if on:
            self._server.gate.set()
        else:
            self._server.gate.clear()


class SockJsServer:
    """The service on a port of its own.

    Attributes:
        fars: The other ends of all sessions, in order.
        requests: Method, path and query of every request, in order.
        headers: The headers of every request, by lower-case name.
        gate: While it is not set, nothing that clients send is taken.
    """

    def __init__(self, **settings: Any) -> None:
        self.service = SockJsService(self._accept, SockJsSettings(**settings))
        self.listener = Listener(self)
        self.fars: list[SockJsFar] = []
        self.requests: list[tuple[str, str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def url(self) -> str:
        return f"{self.listener.url}/x"

    @property
    def paths(self) -> list[str]:
        """The last part of every request's path."""
        return [path.rpartition("/")[2] for _, path, _ in self.requests]

    @property
    def connections(self) -> int:
        """How many TCP connections there are."""
        server = self.listener._server  # pyright: ignore[reportPrivateUsage]
        return len(server.server_state.connections) if server is not None else 0

    def _accept(self, connection: Connection) -> SockJsFar:
        far = SockJsFar(connection, self)
        self.fars.append(far)
        return far

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        method, path = scope.get("method", "GET"), scope["path"]
        self.requests.append((method, path, scope["query_string"].decode()))
        self.headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
        if path.endswith("/xhr_send"):
            await self.gate.wait()
        await self.service({**scope, "root_path": "/x"}, self._held(scope, receive), send)

    def _held(self, scope: Any, receive: Any) -> Any:
        if scope["type"] != "websocket":
            return receive

        async def held() -> Any:
            await self.gate.wait()
            return await receive()

        return held


@asynccontextmanager
async def sockjs_server(**settings: Any) -> AsyncGenerator[SockJsServer]:
    """A SockJS service until the end of the block."""
    server = SockJsServer(**settings)
    async with server.listener:
        try:
            yield server
        finally:
            server.gate.set()
            server.service.abandon()

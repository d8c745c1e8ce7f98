"""Upstream servers for the gateway's tests: one that echoes, one that says what a test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request
from websockets.typing import Subprotocol


class Echo:
    """A WebSocket server that echoes and remembers the requests."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.port = 0
        self.open: set[ServerConnection] = set()

    async def handle(self, connection: ServerConnection) -> None:
        """Echo until the client leaves."""
        assert connection.request is not None
        self.requests.append(connection.request)
        self.open.add(connection)
        try:
            async for message in connection:
                if message == "close 4321":
                    await connection.close(4321, "as you like")
                else:
                    await connection.send(message)
        except ConnectionClosed:
            pass
        finally:
            self.open.discard(connection)


@asynccontextmanager
async def echo_upstream(*subprotocols: str) -> AsyncGenerator[Echo]:
    """A running :class:`Echo`; with subprotocols it refuses clients that offer none of them."""
    echo = Echo()
    async with serve(
        echo.handle,
        "127.0.0.1",
        0,
        max_size=None,
        ping_interval=None,
        subprotocols=[Subprotocol(name) for name in subprotocols] or None,
    ) as server:
        echo.port = server.sockets[0].getsockname()[1]
        yield echo


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Scripted:
    """A TCP server whose connections are handled by a script; keeps what it received."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.port = 0
        self.connections = 0
        self.heads: list[bytes] = []
        self.rest = bytearray()
        self.closed = asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: the head, the script, then everything else until the end."""
        self.connections += 1
        try:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            await self._script(reader, writer)
            while chunk := await reader.read(65536):
                self.rest += chunk
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.closed.set()


def say(*pieces: bytes) -> Script:
    """A script that writes these, one after the other, and nothing more."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return script


def say_and_close(*pieces: bytes) -> Script:
    """A script that writes these and closes."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await say(*pieces)(reader, writer)
        writer.close()

    return script


@asynccontextmanager
async def scripted_upstream(script: Script) -> AsyncGenerator[Scripted]:
    """A running :class:`Scripted`."""
    scripted = Scripted(script)
    handlers: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(scripted.handle(reader, writer))
        handlers.add(task)
        task.add_done_callback(handlers.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    scripted.port = server.sockets[0].getsockname()[1]
    try:
        yield scripted
    finally:
        server.close()
        for task in tuple(handlers):
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        await server.wait_closed()


async def exchange(port: int, *pieces: bytes) -> bytes:
    """Send raw bytes and return all that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await read_all(reader)
    finally:
        writer.close()


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """Everything until the end, also when the end is a reset."""
    got = bytearray()
    try:
        while chunk := await reader.read(65536):
            got += chunk
    except ConnectionError:
        pass
    return bytes(got)

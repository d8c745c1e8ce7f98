"""A small STOMP server for client tests: remembers, answers, pushes, and misbehaves on request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve

from core.clock import now
from core.protocol import (
    Connect,
    HeartbeatReceived,
    Malformed,
    ServerEvent,
    ServerSession,
    Subscribe,
    encode,
)
from core.transport import MemoryCarrier, MemoryNetwork


class Wire(Protocol):
    """The server's end of a connection, whatever carries it."""

    def send(self, data: bytes) -> None: ...
    def close(self, code: int, reason: str) -> None: ...
    def abort(self) -> None: ...


class Peer:
    """One connection of a client, as the server sees it."""

    def __init__(self, server: StompServer, wire: Wire, url: str) -> None:
        self.user = parse_qs(urlsplit(url).query).get("user", [""])[0]
        self.url = url
        self.wire = wire
        self.events: list[ServerEvent] = []
        self.beats = 0
        self.closed = False
        self.session = ServerSession(
            session_id=f"s{len(server.peers)}", server_name="test/1", heartbeat=server.heartbeat
        )
        self._server = server

    def receive(self, data: bytes) -> None:
        for event in self.session.receive(data, now()):
            self.events.append(event)
            self._answer(event)

    def message(self, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send a MESSAGE on every subscription."""
        for id, destination in self.session.subscriptions.items():
            base = {"subscription": id, "destination": destination, "message-id": "1"}
            self.wire.send(encode("MESSAGE", {**base, **(headers or {})}, body))

    def _answer(self, event: ServerEvent) -> None:
        server = self._server
        match event:
            case HeartbeatReceived():
                self.beats += 1
            case Connect():
                if server.refuse_connect:
                    self.wire.send(self.session.error(server.refuse_connect))
                    self.wire.close(1002, "")
                elif server.answer_connect:
                    name = server.name_of(self.user)
                    names = {"user-name": name} if name else {}
                    self.wire.send(self.session.connected({"instance": server.instance, **names}))
            case Malformed(error=error):
                self.wire.send(error.answer)
                self.wire.close(error.close_code, "")
            case Subscribe(destination=destination) if destination in server.refuse:
                self.wire.send(self.session.error("no such place", b"go away", event.receipt))
                self.wire.close(1002, "")
            case _:
                if event.receipt and server.give_receipts:
                    self.wire.send(self.session.receipt(event.receipt))
        server.changed()


class StompServer:
    """All connections of a test's server; attributes change its behaviour."""

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.instance = "i1"
        self.heartbeat: tuple[int, int] = (0, 0)
        self.refuse: set[str] = set()
        self.refuse_connect = ""
        self.give_receipts = True
        self.answer_connect = True
        self.name_of: Callable[[str], str] = lambda user: user  # in CONNECTED; "" leaves it out
        self._wake = asyncio.Event()

    def accept(self, wire: Wire, url: str) -> Peer:
        peer = Peer(self, wire, url)
        self.peers.append(peer)
        self.changed()
        return peer

    def changed(self) -> None:
        self._wake.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when this holds; looked at whenever something happened here."""
        while not condition():
            self._wake.clear()
            await self._wake.wait()

    def accept_memory(self, carrier: MemoryCarrier) -> None:
        """For :meth:`MemoryNetwork.serve`."""
        peer = self.accept(carrier, carrier.url)

        def closed(_: object) -> None:
            peer.closed = True
            self.changed()

        carrier.on_data = peer.receive
        carrier.on_close = closed


def memory_server(prefix: str = "memory:") -> tuple[MemoryNetwork, StompServer]:
    """A network with one STOMP server on it."""
    network, server = MemoryNetwork(), StompServer()
    network.serve(prefix, server.accept_memory)
    return network, server


class _SocketWire:
    """The server's end of a real WebSocket."""

    def __init__(self, socket: ServerConnection, tasks: asyncio.TaskGroup) -> None:
        self._socket = socket
        self._tasks = tasks
        self._queue: asyncio.Queue[bytes | tuple[int, str]] = asyncio.Queue()
        tasks.create_task(self._write())

    def send(self, data: bytes) -> None:
        self._queue.put_nowait(data)

    def close(self, code: int, reason: str) -> None:
        self._queue.put_nowait((code, reason))

    def abort(self) -> None:
        self._socket.transport.abort()

    async def _write(self) -> None:
        while True:
            item = await self._queue.get()
            if isinstance(item, tuple):
                await self._socket.close(*item)
            else:
                await self._socket.send(item, text=True)


@asynccontextmanager
async def websocket_server() -> AsyncGenerator[tuple[str, StompServer]]:
    """A STOMP server on a real socket; yields its URL."""
    server = StompServer()

    async def handler(socket: ServerConnection) -> None:
        path = socket.request.path if socket.request else ""
        try:
            async with asyncio.TaskGroup() as tasks:
                peer = server.accept(_SocketWire(socket, tasks), path)
                try:
                    async for data in socket:
                        peer.receive(data.encode() if isinstance(data, str) else data)
                finally:
                    peer.closed = True
                    server.changed()
                    raise asyncio.CancelledError
        except* (asyncio.CancelledError, Exception):
            pass

    async with serve(handler, "127.0.0.1", 0, ping_interval=None, compression=None) as listener:
        port = next(iter(listener.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/ws", server

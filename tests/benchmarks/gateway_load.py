"""Both ends of the connections that proxies are measured with: clients and upstream, in this process.

The messages are 180 bytes that look like a frame to nobody: no proxy looks inside a WebSocket.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct
import time
from collections.abc import Callable
from typing import cast

from .measuring import Figures, cpu_seconds_exact, paced, percentile

_KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
_ACCEPT = base64.b64encode(hashlib.sha1(_KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
_HEAD = (
    b"GET /web-socket/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n" % _KEY
)
_SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n\r\n" % _ACCEPT
)
_POST = (
    b"POST /web-socket/000/session/xhr_send HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 176\r\n\r\n" + b"x" * 176
)
_NO_CONTENT = b"HTTP/1.1 204 No Content\r\nCache-Control: no-store\r\n\r\n"
_TIME = struct.Struct("=d")
_FILL = b"\x82\x7e\x00\xb0" + b"x" * 168
SIZE = _TIME.size + len(_FILL)


def message(intended: float) -> bytes:
    """A message of SIZE bytes that carries when it was due."""
    return _TIME.pack(intended) + _FILL


class Peer(asyncio.Protocol):
    """Upstream's end: gives back what comes, or says 204 to every POST."""

    def __init__(self, joined: Callable[[asyncio.Transport], None]) -> None:
        self._joined = joined
        self._talking = False
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._talking:
            self._transport.write(data)
            return
        self._head += data
        head, found, body = self._head.partition(b"\r\n\r\n")
        if not found:
            return
        if not head.startswith(b"POST "):
            self._talking = True
            self._joined(self._transport)
            self._transport.write(_SWITCH)
        elif len(body) >= 176:
            self._head = b""
            self._transport.write(_NO_CONTENT)


class Client(asyncio.Protocol):
    """A client's end: upgrades if told to, then hands what comes to ``listener``."""

    def __init__(self, upgrades: bool) -> None:
        self._upgrades = upgrades
        self.joined = asyncio.Event()
        self.listener: Callable[[Client, bytes], None] = _nobody
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self._upgrades:
            self.transport.write(_HEAD)
        else:
            self.joined.set()

    def data_received(self, data: bytes) -> None:
        if self.joined.is_set():
            self.listener(self, data)
            return
        self._head += data
        if self._head.endswith(b"\r\n\r\n"):
            assert self._head.startswith(b"HTTP/1.1 101"), self._head
            self.joined.set()


def _nobody(client: Client, data: bytes) -> None:
    raise AssertionError(f"nobody has asked for {data!r}")


class Lane:
    """A way from clients to an upstream of its own: through a proxy, or straight.

    Attributes:
        upstream: The port of the upstream's end.
        pid: The proxy whose CPU counts; 0 for none.
        port: Where clients connect.
    """

    def __init__(self) -> None:
        self.pid = 0
        self.port = 0
        self.upstream = 0
        self.clients: list[Client] = []
        self._peers: list[asyncio.Transport] = []
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Open upstream's end; clients connect there until ``port`` is another."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Peer(self._peers.append), "127.0.0.1", 0, backlog=2048
        )
        self.upstream = self.port = int(self._server.sockets[0].getsockname()[1])

    async def join(self, count: int, *, upgrades: bool = True) -> None:
        """Open connections until there are ``count``, 50 at a time."""
        loop = asyncio.get_running_loop()
        while len(self.clients) < count:
            more = min(50, count - len(self.clients))
            made = await asyncio.gather(
                *(
                    loop.create_connection(lambda: Client(upgrades), "127.0.0.1", self.port)
                    for _ in range(more)
                )
            )
            for _, client in made:
                await client.joined.wait()
                self.clients.append(client)

    def part(self) -> None:
        """Close all connections."""
        for client in self.clients:
            client.transport.close()
        self.clients.clear()
        self._peers.clear()

    def close(self) -> None:
        """Close everything."""
        self.part()
        if self._server is not None:
            self._server.close()

    # What is played on it

    async def echo(self, messages: int) -> Figures:
        """Ping-pong on all connections: each message a read and a write of its own, there and back."""
        left = messages
        done = asyncio.Event()
        ball = message(0)

        def back(client: Client, data: bytes) -> None:
            nonlocal left
            left -= 2  # there and back
            if left > 0:
                client.transport.write(data)
            else:
                done.set()

        with _Cpu(self.pid, messages) as cpu:
            for client in self.clients:
                client.listener = back
                client.transport.write(ball)
            await done.wait()
        # What is still under way (at most one message per connection) must not reach the next round.
        await asyncio.sleep(0.05)
        return {"us": cpu.us}

    async def fan_out(self, messages: int, burst: int = 1) -> Figures:
        """Upstream sends ``burst`` messages to everybody, and again when all have them.

        Returns:
            ``us``: the proxy's CPU per message; ``p50`` and ``p99``: ms from when all were due.
        """
        took: list[float] = []
        with _Cpu(self.pid, messages) as cpu:
            for _ in range(messages // (burst * len(self.clients))):
                arrivals = Arrivals(burst * len(self.clients))
                for client in self.clients:
                    client.listener = arrivals.take
                ball = message(time.perf_counter())
                for _ in range(burst):
                    for peer in self._peers:
                        peer.write(ball)
                await arrivals.complete.wait()
                took += arrivals.took
        return {"us": cpu.us, "p50": percentile(took, 50) * 1e3, "p99": percentile(took, 99) * 1e3}

    async def post(self, requests: int) -> Figures:
        """Every connection sends a POST as soon as the one before is answered."""
        left = requests
        done = asyncio.Event()
        sent: dict[Client, float] = {}
        took: list[float] = []

        def ask(client: Client) -> None:
            sent[client] = time.perf_counter()
            client.transport.write(_POST)

        def answered(client: Client, data: bytes) -> None:
            nonlocal left
            assert data.startswith(b"HTTP/1.1 204 ") and data.endswith(b"\r\n\r\n"), data
            took.append(time.perf_counter() - sent.pop(client))
            left -= 1
            if len(sent) < left:
                ask(client)
            elif not left:
                done.set()

        with _Cpu(self.pid, requests) as cpu:
            for client in self.clients:
                client.listener = answered
                ask(client)
            await done.wait()
        return {"us": cpu.us, "p50": percentile(took, 50) * 1e3, "p99": percentile(took, 99) * 1e3}

    def send(self, index: int, intended: float, *, back: bool) -> None:
        """Send one message on one of the connections: there and back, or from upstream."""
        ways = [client.transport for client in self.clients] if back else self._peers
        ways[index % len(ways)].write(message(intended))


class Arrivals:
    """Counts messages and how long each took from when it was due."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._part: dict[Client, bytes] = {}
        self.took: list[float] = []
        self.complete = asyncio.Event()

    def take(self, client: Client, data: bytes) -> None:
        """Something has come for a client: messages, whole or in parts."""
        now = time.perf_counter()
        data = self._part.pop(client, b"") + data
        whole = len(data) // SIZE * SIZE
        self.took += [now - _TIME.unpack_from(data, at)[0] for at in range(0, whole, SIZE)]
        if whole < len(data):
            self._part[client] = data[whole:]
        if len(self.took) >= self._expected:
            self.complete.set()


async def open_loop(lanes: dict[str, Lane], samples: int, rate: float, *, back: bool) -> dict[str, Figures]:
    """Send messages at an even rate, each on another lane than the one before.

    All lanes so see the same moments of the machine. Returns ``p50`` and ``p99`` in ms by lane.
    """
    names = list(lanes)
    arrivals = {name: Arrivals(samples) for name in names}
    for name, lane in lanes.items():
        for client in lane.clients:
            client.listener = arrivals[name].take

    def step(index: int, intended: float) -> None:
        turn, place = divmod(index, len(names))
        # The order turns by one each time, so that none always comes after the same other.
        lanes[names[(place + turn) % len(names)]].send(turn, intended, back=back)

    await paced(rate, samples * len(names), step)
    async with asyncio.timeout(30):
        for each in arrivals.values():
            await each.complete.wait()
    return {
        name: {"p50": percentile(each.took, 50) * 1e3, "p99": percentile(each.took, 99) * 1e3}
        for name, each in arrivals.items()
    }


class _Cpu:
    """CPU of a process between entering and leaving, in µs per message."""

    def __init__(self, pid: int, messages: int) -> None:
        self._pid = pid
        self._messages = messages
        self._begun = 0.0
        self.us = 0.0

    def __enter__(self) -> _Cpu:
        self._begun = cpu_seconds_exact(self._pid) if self._pid else 0.0
        return self

    def __exit__(self, *exception: object) -> None:
        spent = cpu_seconds_exact(self._pid) - self._begun if self._pid else 0.0
        self.us = spent / self._messages * 1e6

"""The gateway's splice: CPU of the proxy process per message, beside a bare splice and nginx.

The load (clients and upstream) is this process; each proxy is a process of its own, and only its
CPU counts. 100 connections play ping-pong with 180-byte messages, so that every message is a
read and a write of its own. Also what an upgrade costs, and what an idle connection holds.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import cast

from cli.packages import find_program
from core.files_limit import raise_files_limit

from .measuring import Figures, cpu_seconds, interleave_async, resident_bytes
from .report import Row, at_most, at_most_times

CONNECTIONS = 100
MESSAGE = b"\x82\xfe" + b"x" * 178
_KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
_ACCEPT = base64.b64encode(hashlib.sha1(_KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
HEAD = (
    b"GET /web-socket/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n" % _KEY
)
ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n\r\n" % _ACCEPT
)
_ROOT = Path(__file__).resolve().parents[2]
_NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/log crit;
events {{ worker_connections 16384; }}
http {{
  access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
  fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location /web-socket/ {{
      proxy_pass http://127.0.0.1:{upstream}/; proxy_http_version 1.1; proxy_read_timeout 1h;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection Upgrade;
    }}
  }}
}}
"""


class Upstream(asyncio.Protocol):
    """Says 101 to the head and gives every message back."""

    _talking = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._talking:
            self._transport.write(data)
        elif data.endswith(b"\r\n\r\n"):
            self._talking = True
            self._transport.write(ANSWER)


class Round:
    """So many messages over all connections together."""

    def __init__(self, messages: int) -> None:
        self.left = messages
        self.done = asyncio.Event()


class Client(asyncio.Protocol):
    """Upgrades, then plays ping-pong as long as the round has messages left."""

    def __init__(self) -> None:
        self.joined = asyncio.Event()
        self.round: Round | None = None
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(HEAD)

    def data_received(self, data: bytes) -> None:
        playing = self.round
        if playing is None:
            self._head += data
            if self._head.endswith(b"\r\n\r\n"):
                assert self._head.startswith(b"HTTP/1.1 101"), self._head
                self.joined.set()
            return
        playing.left -= 2  # there and back
        if playing.left > 0:
            self.transport.write(data)
        else:
            playing.done.set()


class Proxy:
    """A proxy process and, once :meth:`join` has run, its connections."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.port = port
        self.clients: list[Client] = []

    async def join(self, count: int) -> None:
        """Open connections through the proxy until it has ``count``, 50 at a time."""
        loop = asyncio.get_running_loop()
        while len(self.clients) < count:
            more = min(50, count - len(self.clients))
            made = await asyncio.gather(
                *(loop.create_connection(Client, "127.0.0.1", self.port) for _ in range(more))
            )
            for _, client in made:
                await client.joined.wait()
                self.clients.append(client)

    async def play(self, messages: int) -> Figures:
        """One round; the CPU per message in µs."""
        playing = Round(messages)
        before = cpu_of(self.pid)
        for client in self.clients:
            client.round = playing
            client.transport.write(MESSAGE)
        await playing.done.wait()
        spent = cpu_of(self.pid) - before
        # What is still under way (at most one message per connection) must not reach the next round.
        await asyncio.sleep(0.05)
        return {"us": spent / messages * 1e6}

    def part(self) -> None:
        """Close all connections."""
        for client in self.clients:
            client.transport.close()
        self.clients.clear()


def cpu_of(pid: int) -> float:
    """CPU seconds of a process; to the nanosecond where Linux tells, else in steps of 10 ms."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except (OSError, IndexError, ValueError):
        return cpu_seconds(pid)


@asynccontextmanager
async def proxy(kind: str, loop: str, upstream: int) -> AsyncGenerator[Proxy]:
    """The floor or the gateway, as a process."""
    program = Path(__file__).with_name("splice_proxy.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(program),
        kind,
        loop,
        str(upstream),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )
    try:
        assert process.stdout is not None
        yield Proxy(process.pid, int(await process.stdout.readline()))
    finally:
        process.kill()
        await process.communicate()


@asynccontextmanager
async def nginx(program: str, upstream: int) -> AsyncGenerator[Proxy]:
    """nginx as the same reverse proxy: one process, no log, on loopback."""
    with tempfile.TemporaryDirectory() as folder:
        port = await _free_port()
        config = Path(folder) / "nginx.conf"
        config.write_text(_NGINX.format(folder=folder, port=port, upstream=upstream), "utf-8")
        process = await asyncio.create_subprocess_exec(
            program, "-p", folder, "-c", str(config), stderr=subprocess.DEVNULL
        )
        try:
            await _until_listening(port)
            yield Proxy(process.pid, port)
        finally:
            process.kill()
            await process.wait()


async def _free_port() -> int:
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()
    return port


async def _until_listening(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return


async def _splices(upstream: int, rounds: int, messages: int) -> list[Row]:
    async with AsyncExitStack() as stack:
        proxies: dict[str, Proxy] = {}
        for loop in _loops():
            for kind in ("bare", "gateway"):
                proxies[f"{kind} {loop}"] = await stack.enter_async_context(proxy(kind, loop, upstream))
        program = find_program("nginx")
        if program is not None:
            proxies["nginx"] = await stack.enter_async_context(nginx(program, upstream))
        for one in proxies.values():
            await one.join(CONNECTIONS)
            await one.play(messages // 4)  # warm
        candidates: dict[str, Callable[[], Awaitable[Figures]]] = {
            name: partial(one.play, messages) for name, one in proxies.items()
        }
        found = {name: x["us"] for name, x in (await interleave_async(rounds, candidates)).items()}
    section = f"CPU per proxied message of {len(MESSAGE)} bytes, {CONNECTIONS} connections, ping-pong"
    rows = [
        at_most_times(
            section,
            f"gateway on {loop}, beside a bare splice",
            found[f"gateway {loop}"],
            "µs CPU",
            found[f"bare {loop}"],
            1.25,
        )
        for loop in _loops()
    ]
    if "nginx" in found:
        rows += [
            at_most_times(
                section,
                f"gateway on {loop}, beside nginx",
                found[f"gateway {loop}"],
                "µs CPU",
                found["nginx"],
            )
            for loop in _loops()
        ]
    return rows


async def _connections(upstream: int, rounds: int, count: int) -> list[Row]:
    rows: list[Row] = []
    section = f"{count:,} connections through the gateway, 50 at a time"
    for loop in _loops():
        best: dict[str, list[float]] = {"ms": [], "KiB": []}
        for _ in range(rounds):
            async with proxy("gateway", loop, upstream) as one:
                await one.join(50)  # warm
                cpu, memory = cpu_of(one.pid), resident_bytes(one.pid)
                await one.join(50 + count)
                best["ms"].append((cpu_of(one.pid) - cpu) / count * 1e3)
                best["KiB"].append((resident_bytes(one.pid) - memory) / count / 1024)
                one.part()
        middle = {name: sorted(values)[len(values) // 2] for name, values in best.items()}
        rows.append(at_most(section, f"an upgrade on {loop}", middle["ms"], "ms CPU", 0.4))
        rows.append(Row(section, f"an idle connection on {loop}", middle["KiB"], "KiB resident"))
    return rows


def _loops() -> tuple[str, ...]:
    return ("asyncio",) if sys.platform == "win32" else ("asyncio", "uvloop")


async def _measure(rounds: int, quick: bool) -> list[Row]:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=2048)
    upstream = int(server.sockets[0].getsockname()[1])
    rows = await _splices(upstream, rounds, 20_000 if quick else 60_000)
    rows += await _connections(upstream, 1 if quick else min(rounds, 3), 500 if quick else 2000)
    server.close()
    return rows


def main(rounds: int, quick: bool) -> list[Row]:
    """Measure and return the rows."""
    raise_files_limit()
    factory = None
    if sys.platform != "win32":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(_measure(rounds, quick))

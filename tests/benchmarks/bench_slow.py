"""One client that stops reading among fifty that read: what the fifty notice, and what it costs.

Open loop at an even rate; a neighbour's latency counts from the intended time of publishing. Each round
measures the neighbours alone, then beside a client that has subscribed to the same and reads nothing from
then on. The kernel takes some megabytes for that client first; only then its connection is full and the
instance has to decide.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import psutil

from server.settings.instance import DEFAULT_QUEUE_LIMIT, SlowPolicy

from .fanout_receivers import MARK, TOPIC, Crowd, Receiver, masked
from .loops import best_loop
from .measuring import Figures, medians, paced, percentile
from .report import Row, at_most

NEIGHBOURS = 50
RATE = 200
BODY = b"x" * (4 * 1024 - 1) + MARK
POLICIES: tuple[SlowPolicy, ...] = ("terminate", "drop-oldest", "drop-newest", "conflate")
_KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"


class Neighbour(Receiver):
    """Notes the latency of every message; they come in the order in which they were published."""

    def __init__(self, crowd: Crowd, intended: list[float], latencies: list[float]) -> None:
        super().__init__(crowd)
        self.got = 0
        self._intended = intended
        self._latencies = latencies

    def data_received(self, data: bytes) -> None:
        """Count the bodies that end in ``data``."""
        super().data_received(data)
        marks = data.count(MARK)
        if marks:
            now = time.perf_counter()
            for due in self._intended[self.got : self.got + marks]:
                self._latencies.append(now - due)
            self.got += marks


class Scene:
    """An instance with its neighbours and a publisher."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self._process = process
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 0
        self._crowd = Crowd()
        self._intended: list[float] = []
        self._latencies: list[float] = []
        self._neighbours: list[Neighbour] = []

    async def open(self) -> None:
        """Connect and subscribe the neighbours."""
        loop = asyncio.get_running_loop()
        for number in range(NEIGHBOURS):
            _, neighbour = await loop.create_connection(
                lambda: Neighbour(self._crowd, self._intended, self._latencies), self._host, self._port
            )
            await neighbour.ask(self._handshake(f"n{number}"), b"\r\n\r\n")
            await neighbour.ask(masked(b"CONNECT\naccept-version:1.2\n\n\0"), b"CONNECTED")
            await neighbour.ask(
                masked(f"SUBSCRIBE\nid:0\ndestination:{TOPIC}\nreceipt:r\n\n\0".encode()), b"RECEIPT"
            )
            self._neighbours.append(neighbour)

    def close(self) -> None:
        """Disconnect them."""
        for neighbour in self._neighbours:
            neighbour.transport.abort()

    async def publish(self, seconds: float) -> Figures:
        """Publish at an even rate; the neighbours' latencies in ms."""
        for each in (self._intended, self._latencies):
            each.clear()
        for neighbour in self._neighbours:
            neighbour.got = 0
        count = int(RATE * seconds)
        wanted = self._crowd.got + count * NEIGHBOURS
        frame = masked(f"SEND\ndestination:{TOPIC}\n\n".encode() + BODY + b"\0")
        sender = self._neighbours[0].transport

        def step(index: int, due: float) -> None:
            self._intended.append(due)
            sender.write(frame)

        await paced(RATE, count, step)
        async with asyncio.timeout(30):
            await self._crowd.reach(wanted)
        latencies = [latency * 1e3 for latency in self._latencies]
        return {"p50": percentile(latencies, 50), "p99": percentile(latencies, 99), "max": max(latencies)}

    async def ask(self, command: str) -> dict[str, float]:
        """What the instance saw of slow clients."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{command}\n".encode())
        return json.loads(await self._process.stdout.readline())

    @asynccontextmanager
    async def slow(self) -> AsyncGenerator[None]:
        """A client that has subscribed to the same and reads nothing."""
        loop = asyncio.get_running_loop()
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, (self._host, self._port))
            await loop.sock_sendall(sock, self._handshake("slow"))
            await self._read(sock, b"\r\n\r\n")
            await loop.sock_sendall(sock, masked(b"CONNECT\naccept-version:1.2\n\n\0"))
            await self._read(sock, b"CONNECTED")
            subscribe = f"SUBSCRIBE\nid:0\ndestination:{TOPIC}\nreceipt:r\n\n\0".encode()
            await loop.sock_sendall(sock, masked(subscribe))
            await self._read(sock, b"RECEIPT")
            yield
        finally:
            sock.close()

    async def _read(self, sock: socket.socket, awaited: bytes) -> None:
        seen = b""
        while awaited not in seen:
            seen += await asyncio.get_running_loop().sock_recv(sock, 4096)

    def _handshake(self, user: str) -> bytes:
        head = f"GET /ws?user={user} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
        return f"{head}Upgrade: websocket\r\nConnection: Upgrade\r\n{_KEY}\r\n".encode()


@asynccontextmanager
async def _scene(policy: SlowPolicy) -> AsyncGenerator[Scene]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.benchmarks.slow_instance",
        policy,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        scene = Scene(process, (await process.stdout.readline()).decode().strip())
        await scene.open()
        yield scene
        scene.close()
    finally:
        with suppress(ProcessLookupError):
            process.stdin.close()
        await process.wait()


async def _round(scene: Scene, seconds: float) -> Figures:
    alone = await scene.publish(seconds)
    before = await scene.ask("reset")
    async with scene.slow():
        beside = await scene.publish(seconds + 3)
        seen = await scene.ask("report")
    return {
        "alone_p50": alone["p50"],
        "alone": alone["p99"],
        "beside_p50": beside["p50"],
        "beside": beside["p99"],
        "longest": beside["max"],
        "full": float(seen["full"] > 0),
        "cut": (seen["cut"] - seen["full"]) * 1e3 if seen["cut"] else float("nan"),
        "held": seen["held"] / 1024,
        "rss": seen["rss_growth"] / 1024,
        "dropped": seen["dropped"] - before["dropped"],
    }


async def _measure(policy: SlowPolicy, rounds: int, quick: bool) -> dict[str, float]:
    async with _scene(policy) as scene:
        await scene.publish(1)  # everything is warm and allocated once
        return medians([await _round(scene, 2 if quick else 5) for _ in range(rounds)])


def main(rounds: int, quick: bool) -> list[Row]:
    """Measure each policy; the default with all rounds, the others with fewer."""
    rows: list[Row] = []
    limit_ms = DEFAULT_QUEUE_LIMIT / (len(BODY) * RATE) * 1e3
    for policy in POLICIES[:1] if quick else POLICIES:
        with asyncio.Runner(loop_factory=best_loop()) as runner:
            found = runner.run(_measure(policy, rounds if policy == "terminate" else min(rounds, 3), quick))
        rows += _rows(policy, found, limit_ms)
    return rows


def _rows(policy: SlowPolicy, found: dict[str, float], limit_ms: float) -> list[Row]:
    section = f"One slow client among {NEIGHBOURS}, {RATE}/s of {len(BODY) // 1024} KiB, {policy}"
    alone, beside = found["alone"], found["beside"]
    load = f"machine load {psutil.getloadavg()[0]:.1f}"
    rows = [
        Row(section, "neighbours' p99 alone", alone, "ms", note=f"p50 {found['alone_p50']:.2f} ms; {load}"),
        Row(
            section,
            "neighbours' p99 beside the slow one",
            beside,
            "ms",
            alone,
            beside / alone,
            "≤ max(2 ×, + 5 ms)",
            beside <= max(2 * alone, alone + 5),
            f"p50 {found['beside_p50']:.2f} ms, longest {found['longest']:.1f} ms",
        ),
    ]
    if policy == "terminate":
        # What the limit holds at this rate, and what the system takes for the last bytes.
        rows.append(at_most(section, "from full to cut", found["cut"], "ms", limit_ms * 1.5 + 50))
    else:
        rows.append(Row(section, "messages dropped", found["dropped"], "", note="of the slow one's"))
    most = DEFAULT_QUEUE_LIMIT / 1024
    rows.append(
        at_most(section, "held for the slow one, at most", found["held"], "KiB", most + 2 * len(BODY) / 1024)
    )
    rows.append(at_most(section, "the instance's memory grew by", found["rss"], "KiB", 4 * most))
    return rows

"""Simulated users: time to connect, memory, CPU per received message; and the pusher's CPU per push.

CPU and memory are those of a client process of its own (:mod:`.users_client`) against a server that
costs next to nothing; beside it, in the same run, the asyncio client of ``websockets`` and a bare
protocol that only counts chunks. Connecting is measured against a real cluster in processes.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from core.environment import EnvironmentInfo
from core.files_limit import raise_files_limit
from server import LocalCluster

from .canned_server import CannedPeer, flood, listen, listen_http, message_frame
from .measuring import Figures, cpu_seconds, interleave_async, medians, resident_bytes
from .report import Row, at_most

USERS = 2000
#: Connections among which messages are spread, and messages a second: a busy worker.
RECEIVERS = 500
RATE = 8000
LOOPS = ("asyncio",) if sys.platform == "win32" else ("uvloop", "asyncio")


@dataclass
class Client:
    """A client process: what connecting took, and its answers to commands."""

    process: asyncio.subprocess.Process
    opened: Figures

    async def tell(self, command: str) -> None:
        """Send a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(command.encode() + b"\n")
        await self.process.stdin.drain()

    async def hear(self) -> Figures:
        """The next line of figures."""
        assert self.process.stdout is not None
        async with asyncio.timeout(120):
            line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError("a client process ended")
        return json.loads(line)


@asynccontextmanager
async def client(kind: str, loop: str, url: str, count: int, first: int = 0) -> AsyncGenerator[Client]:
    """A client process with ``count`` connections, numbered from ``first``; its goodbye is waited for."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.benchmarks.users_client",
        kind,
        loop,
        url,
        str(count),
        str(first),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    made = Client(process, {})
    try:
        made.opened = await made.hear()
        yield made
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _memory(rounds: int) -> list[Row]:
    """Memory of USERS idle connections, each time in a fresh process."""
    peers: list[CannedPeer] = []
    server, url = await listen(peers)
    async with server:

        def candidate(kind: str, loop: str) -> Callable[[], Awaitable[Figures]]:
            async def one() -> Figures:
                async with client(kind, loop, url, USERS) as made:
                    return {"KiB": made.opened["kib"] / USERS, "µs": made.opened["cpu"] / USERS * 1e6}

            return one

        kinds = {f"{kind}, {loop}": (kind, loop) for kind in ("users", "websockets") for loop in LOOPS}
        found = await interleave_async(rounds, {name: candidate(*kind) for name, kind in kinds.items()})
    section = f"One of {USERS:,} idle connections, client process"
    rows: list[Row] = []
    for name, figures in found.items():
        note = f"connecting: {figures['µs']:.0f} µs CPU"
        if name.startswith("users"):
            rows.append(at_most(section, f"simulated {name}", figures["KiB"], "KiB", 27, note))
        else:
            rows.append(Row(section, f"{name} client", figures["KiB"], "KiB", note=note))
    return rows


async def _receiving(rounds: int, count: int, loop: str) -> list[Row]:
    """CPU of receiving, one 180-byte MESSAGE at a time."""
    frame = message_frame(180)
    turns = count // RECEIVERS

    async with AsyncExitStack() as stack:

        async def candidate(kind: str) -> Callable[[], Awaitable[Figures]]:
            peers: list[CannedPeer] = []
            server, url = await listen(peers)
            await stack.enter_async_context(server)
            made = await stack.enter_async_context(client(kind, loop, url, RECEIVERS))

            async def one() -> Figures:
                await made.tell(f"expect {turns * RECEIVERS}")
                await made.hear()
                await flood(peers, frame, turns, RATE)
                return {"s": (await made.hear())["cpu"] / (turns * RECEIVERS) * 1000}

            return one

        found = await interleave_async(
            rounds, {kind: await candidate(kind) for kind in ("users", "websockets", "bare")}
        )
    section = f"CPU per 1,000 received messages of 180 bytes, {loop}"
    spent, plain = found["users"]["s"], found["websockets"]["s"]
    return [
        at_most(section, "simulated users", spent, "s", 0.018, f"{spent / plain:.2f} × websockets"),
        Row(section, "websockets client, no STOMP", plain, "s"),
        Row(section, "bare protocol: loop and system calls", found["bare"]["s"], "s"),
    ]


async def _pushing(rounds: int, count: int) -> list[Row]:
    """CPU of the pusher for each push, against a server with a canned answer."""
    server, url = await listen_http()
    async with server, client("users", LOOPS[0], url, 0) as made:
        seen: list[Figures] = []
        for _ in range(rounds):
            await made.tell(f"push {count} 2000")
            answer = await made.hear()
            seen.append({"µs": answer["cpu"] / answer["count"] * 1e6})
    value = medians(seen)["µs"]
    return [at_most(f"Pusher, 2,000 pushes a second, {LOOPS[0]}", "one push by HTTP", value, "µs CPU", 60)]


async def _cluster(rounds: int) -> list[Row]:
    """Connect and subscribe USERS through the gateway of a cluster of two instances."""
    seen: list[Figures] = []
    async with LocalCluster(instances=2) as cluster:
        info = cluster.describe()
        roles = {name: pid for name, pid in _pids(info).items() if pid}
        before = {name: resident_bytes(pid) for name, pid in roles.items()}
        memory: dict[str, float] = {}
        for _ in range(rounds):
            spent = cpu_seconds(*roles.values())
            async with client("users", LOOPS[0], info.websocket_url, USERS) as made:
                figures = dict(made.opened)
                figures["server"] = cpu_seconds(*roles.values()) - spent
                if not memory:  # later rounds find memory that is free already
                    memory = {
                        name: (resident_bytes(pid) - before[name]) / 1024 for name, pid in roles.items()
                    }
                await made.tell("quit")
                figures["leaving"] = (await made.hear())["seconds"]
            seen.append(figures)
    found = medians(seen)
    section = f"{USERS:,} users through the gateway, two instances"
    note = f"CPU per user: client {found['cpu'] / USERS * 1e6:.0f} µs"
    note += f", all server processes {found['server'] / USERS * 1e6:.0f} µs"
    instances = sum(value for name, value in memory.items() if name not in ("gateway", "broker", "discovery"))
    return [
        at_most(section, "connected and subscribed", found["seconds"], "s", 4, note),
        Row(section, "all disconnected", found["leaving"], "s"),
        Row(section, "memory of an idle connection at its instance", instances / USERS, "KiB"),
        Row(section, "memory of an idle connection at the gateway", memory["gateway"] / USERS, "KiB"),
    ]


def _pids(info: EnvironmentInfo) -> dict[str, int | None]:
    return {each.id: each.pid for each in info.instances} | {part.name: part.pid for part in info.parts}


async def _measure(rounds: int, quick: bool) -> list[Row]:
    raise_files_limit()
    rows = await _cluster(1 if quick else min(rounds, 3))
    rows += await _memory(1 if quick else min(rounds, 3))
    for loop in LOOPS:
        rows += await _receiving(rounds, 10_000 if quick else 30_000, loop)
    return rows + await _pushing(rounds, 2_000 if quick else 6_000)


def main(rounds: int, quick: bool) -> list[Row]:
    """Measure."""
    return asyncio.run(_measure(rounds, quick))

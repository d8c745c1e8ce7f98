"""What a role keeps of connections that are over: memory and descriptors at the half and at the end.

Each role is a process as a person starts it, a new one for each kind of visitor; the gateway has an instance
behind it. Memory is read when the role has closed everything and counts no session any more. The first half
warms: what an allocator once had it keeps. The second half must find room in it, so that what grows per
connection is what is not given back. A page is 4 KiB and an allocator keeps some hundred KiB more or less,
so that a bar of bytes needs tens of thousands of connections; with fewer it is not judged.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
import urllib.request
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from core.files_limit import raise_files_limit

from ..support.role_process import RoleProcess, role_process
from .leak_kinds import KINDS, ROLES, Kind, Role, Visitor, visitor
from .leak_visitors import Order
from .loops import best_loop
from .report import Row, at_most

CONNECTIONS = 100_000
BAR = 50.0
#: Connections from which on the bar is judged.
JUDGED = 50_000
#: Makes what every role makes once: pools, tables, the descriptors that it keeps.
_WARM = 200
#: Longest wait for a role to have closed everything: handshakes have deadlines, sessions lives.
_SETTLE_S = 120.0
_TOKEN_VARIABLE = "PUSHSCOPE_TOKEN"


class Visitors:
    """A process that makes visits."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def make(self, order: Order) -> dict[str, Any]:
        """Make these visits."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        return json.loads(await self._process.stdout.readline())


@asynccontextmanager
async def visitors() -> AsyncGenerator[Visitors]:
    """Such a process, until the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.benchmarks.leak_visitors",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Visitors(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


class Scene:
    """A role that is measured, and how it says that nobody is there any more."""

    def __init__(self, role: RoleProcess, sessions: Callable[[], int]) -> None:
        self.role = role
        self.sessions = sessions


def _count_at(url: str, name: str, token: str = "") -> Callable[[], int]:
    """What a role itself counts at one of its pages."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})

    def ask() -> int:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(json.load(answer)[name])

    return ask


@asynccontextmanager
async def scene(role: Role, kind: Kind) -> AsyncGenerator[Scene]:
    """Start a role and what it needs."""
    token = {_TOKEN_VARIABLE: secrets.token_hex()} if kind == "token refused" else {}
    # Broker and discovery ask for a token on an address only that is not loopback.
    public = ["--host", "0.0.0.0"] if token else []
    async with AsyncExitStack() as stack:
        match role:
            case "broker":
                made = await stack.enter_async_context(role_process("broker", *public, environment=token))
                yield Scene(made, lambda: 0)
            case "discovery":
                made = await stack.enter_async_context(role_process("discovery", *public, environment=token))
                page = f"http://127.0.0.1:{made.port}/health"
                yield Scene(made, _count_at(page, "instances", token.get(_TOKEN_VARIABLE, "")))
            case "instance":
                made = await _instance(stack, kind)
                yield Scene(made, _count_at(f"{made.url}/info", "sessions"))
            case "gateway":
                behind = await _instance(stack, kind)
                routes = Path(stack.enter_context(TemporaryDirectory())) / "routes.toml"
                routes.write_text(_ROUTE.format(behind.url), "utf-8")
                words = ("--discovery", "", "--routes", str(routes))
                made = await stack.enter_async_context(role_process("gateway", *words))
                yield Scene(made, _count_at(f"{made.url}/health", "tunnels"))


_ROUTE = """
[[routes]]
id = "instance"
uri = "{}"
predicates = ["Path=/web-socket/**"]
filters = ["StripPrefix=1"]
"""


async def _instance(stack: AsyncExitStack, kind: Kind) -> RoleProcess:
    broker = await stack.enter_async_context(role_process("broker"))
    secret = {"PUSHSCOPE_JWT_SECRET": secrets.token_hex(32)} if kind == "token refused" else {}
    return await stack.enter_async_context(
        role_process("instance", "--broker", broker.url, environment=secret)
    )


async def _settled(scene: Scene, descriptors: int) -> int:
    """Wait until everything is closed; returns the descriptors that are open then."""
    deadline = time.monotonic() + _SETTLE_S
    while time.monotonic() < deadline:
        if scene.role.ended:
            raise RuntimeError(f"{scene.role.name} {scene.role.ended}: {scene.role.log[-20:]}")
        if scene.role.descriptors() <= descriptors and not await asyncio.to_thread(scene.sessions):
            break
        await asyncio.sleep(0.1)
    return scene.role.descriptors()


async def measure(role: Role, kind: Kind, who: Visitor, connections: int) -> Row:
    """One cell of the table."""
    async with scene(role, kind) as place, visitors() as process:
        idle = place.role.descriptors()
        seen: list[tuple[int, int]] = []
        unanswered, seconds, first = 0, 0.0, 0
        for count in (_WARM, connections // 2, connections - connections // 2):
            done = await process.make(_order(place.role.port, who, count, first))
            unanswered, seconds = unanswered + done["unanswered"], seconds + done["seconds"]
            first += count
            descriptors = await _settled(place, idle)
            seen.append((place.role.resident(), descriptors))
    (warm, _), (half, at_half), (end, at_end) = seen
    second = connections - connections // 2
    note = (
        f"{warm / 2**20:.1f}, {half / 2**20:.1f}, {end / 2**20:.1f} MiB warm, at the half, at the end; "
        f"descriptors {idle}, {at_half}, {at_end}; {first / seconds:,.0f}/s"
    )
    if unanswered:
        note += f"; {unanswered:,} UNANSWERED"
    section = f"Bytes kept for each of {connections:,} connections beyond the first half"
    name, value = f"{role}: {kind}", (end - half) / second
    if connections < JUDGED:
        return Row(section, name, value, "bytes", note=note)
    row = at_most(section, name, value, "bytes", BAR, note)
    return replace(row, ok=bool(row.ok) and at_end <= idle and not unanswered)


def _order(port: int, who: Visitor, count: int, first: int) -> Order:
    return Order(port=port, steps=who.steps, end=who.end, count=count, first=first, per_second=who.per_second)


def cells(only: Sequence[str]) -> Mapping[tuple[Role, Kind], Visitor]:
    """The cells whose role or kind, or ``role/kind``, is named; all if nothing is."""
    found: dict[tuple[Role, Kind], Visitor] = {}
    for role in ROLES:
        for kind in KINDS:
            who = visitor(role, kind)
            if who is not None and (not only or {role, kind, f"{role}/{kind}"} & set(only)):
                found[role, kind] = who
    return found


def main(rounds: int, quick: bool, connections: int = 0, only: Sequence[str] = ()) -> Iterator[Row]:
    """Measure every cell once: a leak adds up over connections, not over rounds."""
    raise_files_limit()
    count = connections or (CONNECTIONS // 50 if quick else CONNECTIONS)
    for (role, kind), who in cells(only).items():
        with asyncio.Runner(loop_factory=best_loop()) as runner:
            yield runner.run(measure(role, kind, who, count))

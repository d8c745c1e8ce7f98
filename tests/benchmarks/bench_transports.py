"""Simulated users on each transport: memory of one, CPU per received message; aiohttp beside our HTTP client.

CPU and memory are those of a client process of its own against a server that costs next to nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from core.files_limit import raise_files_limit
from core.load.transports import TRANSPORTS
from core.protocol import sockjs

from .bench_users import LOOPS, RATE, RECEIVERS, USERS, client
from .canned_server import CannedPeer, flood, listen, message, message_frame
from .canned_sockjs import Session, flood_sessions, listen_sockjs
from .measuring import Figures, interleave_async
from .report import Row, at_most

KINDS = (*TRANSPORTS, "aiohttp xhr-streaming", "aiohttp xhr-polling")

#: What a user may cost on any transport.
_MOST_KIB = 13


async def _memory(rounds: int, count: int) -> list[Row]:
    """Memory of so many idle users, each time in a fresh process."""

    def candidate(kind: str) -> Callable[[], Awaitable[Figures]]:
        async def one() -> Figures:
            sessions: dict[bytes, Session] = {}
            peers: list[CannedPeer] = []
            server, url = await (listen(peers) if kind == "websocket" else listen_sockjs(sessions))
            async with server, client(kind, LOOPS[0], url, count) as made:
                return {"KiB": made.opened["kib"] / count, "µs": made.opened["cpu"] / count * 1e6}

        return one

    found = await interleave_async(rounds, {kind: candidate(kind) for kind in KINDS})
    section = f"One of {count:,} idle users, client process, {LOOPS[0]}"
    rows: list[Row] = []
    for kind, figures in found.items():
        note = f"connecting: {figures['µs']:.0f} µs CPU"
        if kind in TRANSPORTS:
            rows.append(at_most(section, kind, figures["KiB"], "KiB", _MOST_KIB, note))
        else:
            rows.append(Row(section, f"{kind}, no STOMP", figures["KiB"], "KiB", note=note))
    return rows


async def _receiving(rounds: int, count: int) -> list[Row]:
    """CPU of receiving, one 180-byte MESSAGE at a time."""
    turns = count // RECEIVERS
    frame = b"a[" + sockjs.quote_bytes(message(180)) + b"]"

    async with AsyncExitStack() as stack:

        async def candidate(kind: str) -> Callable[[], Awaitable[Figures]]:
            sessions: dict[bytes, Session] = {}
            peers: list[CannedPeer] = []
            server, url = await (listen(peers) if kind == "websocket" else listen_sockjs(sessions))
            await stack.enter_async_context(server)
            made = await stack.enter_async_context(client(kind, LOOPS[0], url, RECEIVERS))

            async def one() -> Figures:
                await made.tell(f"expect {turns * RECEIVERS}")
                await made.hear()
                if kind == "websocket":
                    await flood(peers, message_frame(180), turns, RATE)
                else:
                    await flood_sessions(sessions, frame, turns, RATE)
                return {"s": (await made.hear())["cpu"] / (turns * RECEIVERS) * 1000}

            return one

        found = await interleave_async(rounds, {kind: await candidate(kind) for kind in KINDS})
    section = f"CPU per 1,000 received messages of 180 bytes, {LOOPS[0]}"
    plain = found["websocket"]["s"]
    return [
        Row(section, kind, figures["s"], "s", plain, figures["s"] / plain) for kind, figures in found.items()
    ]


async def _measure(rounds: int, quick: bool) -> list[Row]:
    raise_files_limit()
    rows = await _memory(1 if quick else min(rounds, 3), USERS // 4 if quick else USERS)
    return rows + await _receiving(rounds, 5_000 if quick else 20_000)


def main(rounds: int, quick: bool) -> list[Row]:
    """Measure."""
    return asyncio.run(_measure(rounds, quick))

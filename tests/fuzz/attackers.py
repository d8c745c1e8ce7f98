"""Attackers in a process of their own: ``attackers ROLE PORT SEED FIRST VISITS SECONDS``.

Each visit is a connection: a conversation, in any pieces, with or without waiting for answers, that ends in
order, half, by a reset, or not for a while. What a visit says depends on the seed and its number only. Prints
how many there were as a line of JSON when so many have been made or the time is over.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import socket
import struct
import sys
from contextlib import suppress
from typing import Final

from .conversations import conversation
from .damage import chance_of, cuts, sometimes

AT_ONCE: Final = 24
_RESET_AT_CLOSE: Final = struct.pack("ii", 1, 0)
#: How long an attacker listens between two messages, at the end, and while it hangs around.
_LISTEN_S: Final = 0.03
_END_S: Final = 0.5
_HANG_S: Final = 5.0
_SEND_S: Final = 10.0


async def visit(role: str, port: int, chance: random.Random) -> None:
    """One connection from its beginning to its end."""
    source = (f"127.0.0.{chance.randint(2, 41)}", 0) if sys.platform == "linux" else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=source)
    try:
        with suppress(ConnectionError, TimeoutError):
            await _talk(role, reader, writer, chance)
            await _end(reader, writer, chance)
    finally:
        writer.transport.abort()


async def _talk(
    role: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chance: random.Random
) -> None:
    said = conversation(role, chance)
    listens = sometimes(chance, 0.6)
    if sometimes(chance, 0.3):
        said = [b"".join(said)]  # several requests in one read
    for message in said:
        for piece in cuts(chance, message):
            writer.write(piece)
            async with asyncio.timeout(_SEND_S):
                await writer.drain()
            await asyncio.sleep(0)
        if listens:
            await _hear(reader, _LISTEN_S)


async def _end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chance: random.Random) -> None:
    match chance.randrange(10):
        case 0 | 1 | 2:
            writer.write_eof()
            await _hear(reader, _END_S, to_the_end=True)
        case 3 | 4:
            own = writer.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        case 5 | 6 | 7:
            await _hear(reader, _END_S)
        case 8:
            await _hear(reader, _HANG_S, to_the_end=True)
        case _:
            pass
    writer.close()


async def _hear(reader: asyncio.StreamReader, seconds: float, *, to_the_end: bool = False) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while await reader.read(65536) and to_the_end:
                pass


async def attack(role: str, port: int, seed: str, first: int, visits: int, seconds: float) -> int:
    """Make so many visits, as far as the time goes; returns how many."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    numbers = itertools.count(first)
    made = 0

    async def attacker() -> None:
        nonlocal made
        while loop.time() < until and (number := next(numbers)) < first + visits:
            with suppress(OSError):
                await visit(role, port, chance_of(seed, number))
            made += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(attacker())
    return made


def main() -> None:
    """Read the command line."""
    role, port, seed, first, visits, seconds = sys.argv[1:]
    made = asyncio.run(attack(role, int(port), seed, int(first), int(visits), float(seconds)))
    sys.stdout.write(json.dumps({"visits": made}) + "\n")


if __name__ == "__main__":
    main()

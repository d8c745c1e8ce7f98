"""Clients that come, say something and leave, as many as are asked for, in a process of their own.

Reads an :class:`Order` a line from standard input and answers each with a line of JSON when all have been
there: ``visits``, ``unanswered`` (what they waited for did not come) and ``seconds``.

Ports: every connection takes one of some 28,000, and the side that closes first keeps it for a minute. So
the clients come from many addresses of 127.0.0.0/8 by turns, which all are this machine.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import sys
from typing import Any, Final, Literal, cast

import msgspec

from .loops import best_loop

#: Addresses that clients come from: 1.1 million ports.
SOURCES: Final = [f"127.0.0.{number}" for number in range(2, 42)] if sys.platform == "linux" else []
_RESET_AT_CLOSE: Final = struct.pack("ii", 1, 0)
#: Longest wait for an answer; far above what it takes on a busy machine.
_PATIENCE_S: Final = 60.0
#: Stands for the number of the visit, in as many digits, in what is said and heard.
NUMBER: Final = b"%number%"

#: ``leave`` closes in order, ``reset`` with a RST, ``by turns`` each second one so; ``stay`` waits for
#: the other side to close.
End = Literal["leave", "reset", "by turns", "stay"]


class Step(msgspec.Struct, frozen=True):
    """What is said, and what has to come before it goes on (nothing: at once)."""

    say: bytes
    hear: bytes = b""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Visits to make.

    Attributes:
        port: Where, on 127.0.0.1.
        steps: What each visitor says.
        end: How each leaves.
        count: How many.
        first: Number of the first one.
        at_once: How many at a time.
        per_second: How many may begin in a second; 0 for no limit.
    """

    port: int
    steps: tuple[Step, ...]
    end: End
    count: int
    first: int = 0
    at_once: int = 32
    per_second: float = 0.0


class Visit(asyncio.Protocol):
    """One connection."""

    def __init__(self, order: Order, number: int) -> None:
        self.done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._steps = iter(order.steps)
        self._awaited = b""
        self._seen = b""
        self._number = b"%08d" % number
        self._reset = order.end == "reset" or (order.end == "by turns" and number % 2 == 1)
        self._stays = order.end == "stay"
        self._ready = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say the first words."""
        self._transport = cast(asyncio.Transport, transport)
        self._go_on()

    def data_received(self, data: bytes) -> None:
        """Look for what is awaited."""
        if self._awaited:
            self._seen += data
            if self._awaited in self._seen:
                self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end; in order if nothing was awaited any more."""
        if not self.done.done():
            self.done.set_result(self._ready)

    def give_up(self) -> None:
        """Leave whatever the matter is."""
        if self._transport is not None:
            self._transport.abort()

    def _go_on(self) -> None:
        transport = self._transport
        assert transport is not None
        self._awaited = self._seen = b""
        for step in self._steps:
            transport.write(step.say.replace(NUMBER, self._number))
            if step.hear:
                self._awaited = step.hear.replace(NUMBER, self._number)
                return
        self._ready = True
        if self._stays:
            return
        if self._reset:
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE
            )
        transport.close()


async def _visit(order: Order, number: int) -> bool:
    source = (SOURCES[number % len(SOURCES)], 0) if SOURCES else None
    try:
        _, visit = await asyncio.get_running_loop().create_connection(
            lambda: Visit(order, number), "127.0.0.1", order.port, local_addr=source
        )
    except OSError:
        return False
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await visit.done
    except TimeoutError:
        visit.give_up()
        return False


async def carry_out(order: Order) -> dict[str, Any]:
    """Make all visits of an order."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    numbers = itertools.count()
    unanswered = 0

    async def visitor() -> None:
        nonlocal unanswered
        while (turn := next(numbers)) < order.count:
            if order.per_second:
                await asyncio.sleep(begun + turn / order.per_second - loop.time())
            unanswered += not await _visit(order, order.first + turn)

    async with asyncio.TaskGroup() as group:
        for _ in range(order.at_once):
            group.create_task(visitor())
    return {"visits": order.count, "unanswered": unanswered, "seconds": loop.time() - begun}


async def main() -> None:
    """Carry out orders until standard input ends."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        done = await carry_out(msgspec.json.decode(line, type=Order))
        sys.stdout.write(msgspec.json.encode(done).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=best_loop()) as runner:
        runner.run(main())

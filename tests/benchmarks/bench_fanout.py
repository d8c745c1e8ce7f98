"""Fan-out to 500 connections and unicast pushes: server CPU per delivered MESSAGE.

The floor is what nobody can do without: ``transport.write`` of a ready WebSocket frame to as many
sockets, in the same process, on the same kind of loop, in the same run, one message at a time.
Publisher and receivers are in another process (:mod:`.fanout_receivers`).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import cast

from core.protocol import encode, server_frame
from server.instance import Instance
from server.settings.instance import InstanceSettings

from .fanout_receivers import BODY, TOPIC
from .loops import loop_factories
from .measuring import CpuMeter, Figures, interleave_async
from .report import Row, at_most_times

CONNECTIONS = 500
FLOOR = "asyncio transport.write of ready frames"


class Floor(asyncio.Protocol):
    """Writes a ready frame to all connections for every byte that the first one sends."""

    def __init__(self, all_of_them: list[asyncio.Transport], frame: bytes) -> None:
        self._all = all_of_them
        self._frame = frame
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._all.append(self._transport)

    def data_received(self, data: bytes) -> None:
        if data == b"?":
            self._transport.write(b"!")
            return
        frame = self._frame
        for _ in data:
            for transport in self._all:
                transport.write(frame)


class Receivers:
    """The process with the receivers, to which commands are given."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def tell(self, command: str) -> None:
        """Have a command carried out."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(command.encode() + b"\n")
        answer = await self._process.stdout.readline()
        if answer != b"done\n":
            raise RuntimeError(f"{command}: the receivers ended")

    async def quit(self) -> None:
        """Have it end."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"quit\n")
        await self._process.wait()


async def _measure(rounds: int, quick: bool) -> dict[str, dict[str, float]]:
    count = 200 if quick else 600
    headers = {"subscription": "t", "destination": TOPIC, "message-id": "m-1234"}
    frame = server_frame(encode("MESSAGE", headers, BODY))
    transports: list[asyncio.Transport] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Floor(transports, frame), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Instance(InstanceSettings(default_user="bench")) as instance:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.benchmarks.fanout_receivers",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        receivers = Receivers(process)
        with CpuMeter() as connecting:
            await receivers.tell(f"open ws {instance.url} {CONNECTIONS}")
        await receivers.tell(f"open raw 127.0.0.1 {port} {CONNECTIONS}")

        def candidate(command: str, deliveries: int) -> Callable[[], Awaitable[Figures]]:
            async def one_round() -> Figures:
                with CpuMeter() as meter:
                    await receivers.tell(command)
                return {"µs": meter.seconds / deliveries * 1e6}

            return one_round

        figures = await interleave_async(
            rounds,
            {
                "floor": candidate(f"fan raw {count} 1", count * CONNECTIONS),
                "one": candidate(f"fan ws {count} 1", count * CONNECTIONS),
                "burst": candidate(f"fan ws {count * 2 // 32 * 32} 32", count * 2 // 32 * 32 * CONNECTIONS),
                "push": candidate(f"push {count * 10} 1", count * 10),
                "pushes": candidate(f"push {count * 20 // 32 * 32} 32", count * 20 // 32 * 32),
            },
        )
        figures["connect"] = {"µs": connecting.seconds / CONNECTIONS * 1e6}
        await receivers.quit()
        server.close()
        for transport in transports:
            transport.abort()
    return figures


def main(rounds: int, quick: bool) -> list[Row]:
    """Measure on both kinds of loop; roles run on the first."""
    rows: list[Row] = []
    for name, factory in loop_factories().items():
        with asyncio.Runner(loop_factory=factory) as runner:
            figures = runner.run(_measure(rounds, quick))
        floor = figures["floor"]["µs"]
        section = f"Fan-out to {CONNECTIONS} connections, {name}"
        unit = "µs CPU"
        rows += [
            Row(section, FLOOR, floor, unit),
            at_most_times(section, "MESSAGE, one at a time", figures["one"]["µs"], unit, floor, 1.5),
            at_most_times(section, "MESSAGE, 32 in flight", figures["burst"]["µs"], unit, floor, 0.4),
            Row(section, "unicast push by HTTP, one at a time", figures["push"]["µs"], unit),
            Row(section, "unicast push by HTTP, 32 in flight", figures["pushes"]["µs"], unit),
            Row(section, "connect and subscribe twice", figures["connect"]["µs"], unit),
        ]
    return rows

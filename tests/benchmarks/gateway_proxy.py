"""What the gateway's measurement measures of ours: a proxy process; run as a program.

``gateway_proxy.py bare|gateway asyncio|uvloop UPSTREAM_PORT`` prints its port when it listens and
lives until standard input ends. ``bare`` is the floor: two asyncio protocols that write what the
other reads, and nothing else.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable
from typing import cast

from core.files_limit import raise_files_limit
from server.gateway import Gateway, GatewaySettings


class Bare(asyncio.Protocol):
    """One end of a pair: the least that a splice in asyncio can be."""

    def __init__(self, other: asyncio.Transport) -> None:
        self.other = other

    def data_received(self, data: bytes) -> None:
        self.other.write(data)

    def pause_writing(self) -> None:
        self.other.pause_reading()

    def resume_writing(self) -> None:
        self.other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.other.close()


class Accepted(asyncio.Protocol):
    """A connection until its other end is dialled."""

    def __init__(self, upstream: int, tasks: set[asyncio.Task[None]]) -> None:
        self._upstream = upstream
        self._tasks = tasks
        self._early = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        task = asyncio.get_running_loop().create_task(self._dial())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def data_received(self, data: bytes) -> None:
        self._early += data

    async def _dial(self) -> None:
        near = self._transport
        loop = asyncio.get_running_loop()
        far, _ = await loop.create_connection(lambda: Bare(near), "127.0.0.1", self._upstream)
        near.set_protocol(Bare(far))
        far.write(self._early)


async def serve_bare(upstream: int) -> None:
    """The floor."""
    tasks: set[asyncio.Task[None]] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: Accepted(upstream, tasks), "127.0.0.1", 0, backlog=2048
    )
    await live(server.sockets[0].getsockname()[1])
    server.close()


async def serve_gateway(upstream: int) -> None:
    """The gateway as it is, without an access log as the others have none either."""
    services = {"web-socket": (f"127.0.0.1:{upstream}",)}
    async with Gateway(GatewaySettings(services=services, access_log=False)) as gateway:
        await live(gateway.port)


async def live(port: int) -> None:
    """Say the port and wait for the end of standard input."""
    gc.collect()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    await loop.connect_read_pipe(lambda: _End(ended), os.fdopen(0, "rb", closefd=False))
    await ended.wait()


class _End(asyncio.Protocol):
    def __init__(self, ended: asyncio.Event) -> None:
        self._ended = ended

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended.set()


def main(kind: str, loop: str, upstream: str) -> None:
    """Run one."""
    raise_files_limit()
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    if loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    serve = {"bare": serve_bare, "gateway": serve_gateway}[kind]
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(int(upstream)))


if __name__ == "__main__":
    main(*sys.argv[1:])

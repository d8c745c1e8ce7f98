"""The processes of the push measurement: one role each, started with its arguments.

::

    broker                          the embedded broker
    instance ID BROKER_URL          an instance
    hop-http PORT_OF_NEXT           the chain's A: HTTP-shaped request in, ready bytes on, answer back
    hop PORT_OF_NEXT                the chain's broker: bytes in, the same bytes on
    hop-last                        the chain's B: bytes in, the same bytes to whoever asked for them

Each prints the URL or port that it listens on and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import cast

from server.brokers.embedded import EmbeddedBroker
from server.instance import Instance
from server.settings.instance import InstanceSettings

#: Ends every message of the chain.
MARK = b"\x03"
ANSWER = b'HTTP/1.1 202 Accepted\r\ncontent-length: 42\r\n\r\n{"id":"x1234567","instance":"a","sessions":1}'[
    :85
]


class Hop(asyncio.Protocol):
    """Reads bytes and writes them on; what one read brings is one write."""

    def __init__(self, role: str, onward: list[asyncio.Transport]) -> None:
        self._role = role
        self._onward = onward
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._role == "hop-last" and data == b"?":
            self._onward.append(self._transport)  # the user's connection
            return
        for transport in self._onward:
            transport.write(data)
        if self._role == "hop-http":
            self._transport.write(ANSWER * data.count(MARK))


async def _serve_hop(role: str, arguments: list[str]) -> None:
    loop = asyncio.get_running_loop()
    onward: list[asyncio.Transport] = []
    if arguments:
        transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", int(arguments[0]))
        onward.append(transport)
    server = await loop.create_server(lambda: Hop(role, onward), "127.0.0.1", 0)
    async with server:
        await _until_end(str(server.sockets[0].getsockname()[1]))


async def _until_end(ready: str) -> None:
    gc.freeze()  # as processes of a cluster do
    gc.set_threshold(20_000, 20, 20)
    sys.stdout.write(ready + "\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def main(role: str, arguments: list[str]) -> None:
    """Run one role until the standard input ends."""
    match role, arguments:
        case "broker", []:
            async with EmbeddedBroker() as broker:
                await _until_end(broker.url)
        case "instance", [id, url]:
            async with Instance(InstanceSettings(id=id, broker_url=url)) as instance:
                await _until_end(instance.url)
        case _:
            await _serve_hop(role, arguments)


if __name__ == "__main__":
    from .loops import best_loop

    with asyncio.Runner(loop_factory=best_loop()) as runner:
        runner.run(main(sys.argv[1], sys.argv[2:]))

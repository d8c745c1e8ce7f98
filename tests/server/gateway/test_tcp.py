"""Ends without a word, and ends that are seen to be none."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import cast

import pytest

from server.gateway.tcp import notice_death, reset


async def _probe() -> None:
    served: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.set_result(writer)

    server = await asyncio.start_server(accepted, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
        transport = cast("asyncio.Transport", (await served).transport)
        sock = transport.get_extra_info("socket")
        assert not sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        notice_death(transport)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 300
        reset(transport)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        notice_death(transport)  # it is gone, and that is no error


async def test_what_is_asked_of_tcp() -> None:
    await _probe()


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not there")
def test_the_same_on_uvloop() -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_probe())

"""The listener: ports, start, stop, whatever streams are open."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Receive, Scope, Send

from core.errors import ClusterStartError, PortTakenError
from server.sockets.binding import bind_socket
from server.sockets.listener import Listener
from tests.support.upstream import exchange, read_all

GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x", "more_body": True})
    await asyncio.Event().wait()


async def test_it_serves_and_its_port_is_free_again() -> None:
    async with Listener(hello) as listener:
        port = listener.port
        assert listener.url == f"http://127.0.0.1:{port}"
        assert (await exchange(port, GET)).endswith(b"\r\n\r\nok")
    assert listener.port == port
    bind_socket("127.0.0.1", port).close()


async def test_a_socket_that_is_bound_already() -> None:
    sock = bind_socket("127.0.0.1", 0)
    port = int(sock.getsockname()[1])
    async with Listener(hello, sock=sock) as listener:
        assert listener.port == port
        assert (await exchange(port, GET)).endswith(b"ok")


async def test_an_open_stream_does_not_hold_up_the_stop(caplog: pytest.LogCaptureFixture) -> None:
    async with Listener(endless, grace_s=0) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(GET)
        await reader.readuntil(b"x\r\n")
    await read_all(reader)
    writer.close()
    assert "1 requests under way" in caplog.text


async def test_abort_cuts_connections_at_once() -> None:
    async with Listener(endless) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(GET)
        await reader.readuntil(b"x\r\n")
        listener.abort()
        await read_all(reader)
        writer.close()
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", listener.port)


async def test_a_taken_port_and_an_address_that_is_not_ours() -> None:
    async with Listener(hello) as listener:
        with pytest.raises(PortTakenError, match=f"port {listener.port} on 127.0.0.1 is taken"):
            async with Listener(hello, port=listener.port):
                pass
    with pytest.raises(ClusterStartError, match=r"cannot listen on 192\.0\.2\.1"):
        bind_socket("192.0.2.1", 0)

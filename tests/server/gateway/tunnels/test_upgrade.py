"""WebSockets through the gateway: joined only after a valid 101, and then untouched."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from server.discovery import Discovery, DiscoveryClient, Registration
from server.gateway import Gateway, GatewaySettings
from tests.support.processes import until
from tests.support.upstream import echo_upstream, exchange, read_all, say, say_and_close, scripted_upstream

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = base64.b64encode(hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
SMUGGLED = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def upgrade(path: bytes = b"/web-socket/ws", extra: bytes = b"", *, method: bytes = b"GET") -> bytes:
    return (
        b"%b %b HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n%b\r\n" % (method, path, KEY, extra)
    )


def switch(accept: bytes = ACCEPT) -> bytes:
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
    )


@asynccontextmanager
async def gateway_to(*ports: int, **settings: float) -> AsyncGenerator[Gateway]:
    services = {"web-socket": tuple(f"127.0.0.1:{port}" for port in ports)}
    async with Gateway(GatewaySettings(services=services, **settings)) as gateway:  # pyright: ignore[reportArgumentType]
        yield gateway


def open_socket(gateway: Gateway, path: str = "/web-socket/ws") -> connect:
    protocols = [Subprotocol("v12.stomp")]
    return connect(f"ws://127.0.0.1:{gateway.port}{path}", proxy=None, max_size=None, subprotocols=protocols)


def body_of(answer: bytes) -> dict[str, object]:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


async def until_tunnels(gateway: Gateway, count: int) -> None:
    ask = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    while body_of(await exchange(gateway.port, ask))["tunnels"] != count:
        pass


async def test_messages_fragments_pings_and_close_codes_pass_untouched() -> None:
    async with echo_upstream("v12.stomp") as echo, gateway_to(echo.port) as gateway:
        async with open_socket(gateway) as client:
            assert client.subprotocol == "v12.stomp"
            assert "permessage-deflate" in str(client.response and client.response.headers)
            for message in ("hello", b"\x00\xff", "", "grüße 😀" * 1000, b"x" * 3_000_000):
                await client.send(message)
                assert await client.recv() == message
            await client.send(iter(["a", "b", "c"]))
            assert await client.recv() == "abc"
            await (await client.ping())
            await client.send("close 4321")
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert (client.close_code, client.close_reason) == (4321, "as you like")
        request = echo.requests[0]
        assert request.path == "/ws"
        assert request.headers["Host"] == f"127.0.0.1:{echo.port}"
        await until_tunnels(gateway, 0)


async def test_what_upstream_is_asked() -> None:
    async with scripted_upstream(say(switch())) as upstream, gateway_to(upstream.port) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(
            upgrade(
                b"/web-socket/ws?access_token=a%20b",
                b"Origin: http://127.0.0.1:7000\r\nCookie: a=1\r\nAuthorization: Bearer x\r\n"
                b"X-Forwarded-For: 10.0.0.1\r\nForwarded: for=1\r\nProxy-Authorization: x\r\n"
                b"Connection: X-Private\r\nX-Private: 1\r\nSec-WebSocket-Protocol: v12.stomp\r\n",
            )
        )
        assert (await reader.readuntil(b"\r\n\r\n")) == switch()
        writer.close()
        lines = upstream.heads[0].decode().split("\r\n")
    assert lines[0] == "GET /ws?access_token=a%20b HTTP/1.1"
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:-2])}
    assert headers == {
        "host": f"127.0.0.1:{upstream.port}",
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": KEY.decode(),
        "sec-websocket-protocol": "v12.stomp",
        "origin": "http://127.0.0.1:7000",
        "cookie": "a=1",
        "authorization": "Bearer x",
        "pushscope-client": "elsewhere",  # as X-Forwarded-For said
    }


async def test_a_trusted_proxys_headers_are_continued() -> None:
    async with scripted_upstream(say(switch())) as upstream:
        settings = GatewaySettings(
            services={"web-socket": (f"127.0.0.1:{upstream.port}",)}, trusted_proxies=r"127\.0\.0\..*"
        )
        async with Gateway(settings) as gateway:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(upgrade(extra=b"X-Forwarded-For: 10.0.0.1\r\n"))
            await reader.readuntil(b"\r\n\r\n")
            writer.close()
    head = upstream.heads[0].lower()
    assert b"x-forwarded-for: 10.0.0.1, 127.0.0.1\r\n" in head
    assert b"x-forwarded-proto: http\r\n" in head
    assert b"x-forwarded-host: 127.0.0.1\r\n" in head


async def test_bytes_that_come_with_the_101_reach_the_client() -> None:
    frame = b"\x81\x05hello"
    async with scripted_upstream(say(switch() + frame)) as upstream, gateway_to(upstream.port) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(upgrade())
        assert await reader.readexactly(len(switch() + frame)) == switch() + frame
        writer.close()


async def test_a_head_and_an_answer_in_single_bytes() -> None:
    pieces = [bytes([byte]) for byte in switch()]
    async with scripted_upstream(say(*pieces)) as upstream, gateway_to(upstream.port) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        for byte in upgrade():
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        assert await reader.readexactly(len(switch())) == switch()
        writer.close()


async def test_early_bytes_are_held_until_it_is_a_tunnel() -> None:
    async with scripted_upstream(say(switch())) as upstream, gateway_to(upstream.port) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(upgrade() + b"early")
        await reader.readexactly(len(switch()))
        writer.write(b", late")
        writer.write_eof()
        await upstream.closed.wait()
        writer.close()
    assert bytes(upstream.rest) == b"early, late"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\nSet-Cookie: a=1\r\n\r\nnope",
        b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=1\r\n\r\n4\r\nnope\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 No\r\nSet-Cookie: a=1\r\nContent-Length: 4\r\n\r\nnope",
    ],
)
async def test_a_request_behind_a_refused_upgrade_is_not_forwarded(answer: bytes) -> None:
    # Upstream keeps the connection open after its refusal, as a server with keep-alive does: a
    # gateway that joined the two would forward what comes behind as a request of its own.
    async with scripted_upstream(say(answer)) as upstream, gateway_to(upstream.port) as gateway:
        got = await exchange(gateway.port, upgrade() + SMUGGLED, SMUGGLED)
        await upstream.closed.wait()
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"set-cookie: a=1" in head
    assert b"connection: close" in head
    assert body == b"nope"
    assert bytes(upstream.rest) == b""
    assert upstream.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        switch(b"d3Jvbmc="),
        switch().replace(b"Sec-WebSocket-Accept", b"X-Accept"),
        switch().replace(b"Upgrade: websocket", b"Upgrade: h2c"),
        switch().replace(b"Connection: Upgrade\r\n", b""),
    ],
)
async def test_a_101_without_proof_is_no_tunnel(answer: bytes) -> None:
    async with scripted_upstream(say(answer)) as upstream, gateway_to(upstream.port) as gateway:
        got = await exchange(gateway.port, upgrade() + SMUGGLED)
        await upstream.closed.wait()
    assert got.startswith(b"HTTP/1.1 502 ")
    assert "without proof" in str(body_of(got)["message"])
    assert bytes(upstream.rest) == b""


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (say(b"nonsense\r\n\r\n"), "did not answer with HTTP"),
        (say(b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n"), "did not answer with HTTP"),
        (say(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000), "head of more than"),
        (say_and_close(), "closed the connection without an answer"),
        (say_and_close(b"HTTP/1.1 10"), "closed the connection without an answer"),
    ],
)
async def test_answers_that_are_none(script: object, words: str) -> None:
    async with scripted_upstream(script) as upstream, gateway_to(upstream.port) as gateway:  # pyright: ignore[reportArgumentType]
        got = await exchange(gateway.port, upgrade())
    assert got.startswith(b"HTTP/1.1 502 ")
    assert words in str(body_of(got)["message"])


async def test_a_refusal_without_an_end_ends_with_upstream() -> None:
    async with (
        scripted_upstream(say_and_close(b"HTTP/1.1 500 Oh\r\n\r\npart", b"ly")) as upstream,
        gateway_to(upstream.port) as gateway,
    ):
        got = await exchange(gateway.port, upgrade())
    assert got.endswith(b"\r\n\r\npartly")


async def test_an_upstream_that_never_answers_is_504() -> None:
    async with (
        scripted_upstream(say()) as upstream,
        gateway_to(upstream.port, handshake_timeout_s=0.1) as gateway,
    ):
        got = await exchange(gateway.port, upgrade())
        await upstream.closed.wait()
    assert got.startswith(b"HTTP/1.1 504 ")
    assert "within 0.1 s" in str(body_of(got)["message"])


async def test_a_refusal_that_stalls_is_cut_without_a_second_answer() -> None:
    refusal = b"HTTP/1.1 403 No\r\nContent-Length: 100\r\n\r\npart"
    async with (
        scripted_upstream(say(refusal)) as upstream,
        gateway_to(upstream.port, handshake_timeout_s=0.1) as gateway,
    ):
        got = await exchange(gateway.port, upgrade())
        await upstream.closed.wait()
    assert got.endswith(b"\r\n\r\npart")
    assert got.count(b"HTTP/1.1 ") == 1


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


async def test_the_next_instance_is_tried() -> None:
    async with echo_upstream() as echo, gateway_to(free_port(), echo.port) as gateway:
        for _ in range(4):
            async with open_socket(gateway) as client:
                await client.send("x")
                assert await client.recv() == "x"
        assert gateway.edge.counters.failed_dials == 1  # it is tried last for a while


async def test_an_instance_whose_host_can_be_none_is_passed_over() -> None:
    async with echo_upstream() as echo:
        addresses = (f"{'x' * 64}.example:80", f"127.0.0.1:{echo.port}")
        async with Gateway(GatewaySettings(services={"web-socket": addresses})) as gateway:
            for _ in addresses:
                async with open_socket(gateway) as client:
                    await client.send("hello")
                    assert await client.recv() == "hello"


async def test_nobody_reachable_is_502_and_names_who_was_tried() -> None:
    port = free_port()
    async with gateway_to(port) as gateway:
        got = await exchange(gateway.port, upgrade())
    assert got.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    body = body_of(got)
    assert (body["route"], body["service"]) == ("web-socket", "web-socket")
    assert f"127.0.0.1:{port}" in str(body["message"])


async def test_no_instance_is_503_and_names_route_and_service() -> None:
    async with gateway_to() as gateway:
        with pytest.raises(InvalidStatus) as caught:
            async with open_socket(gateway):
                pass
        assert caught.value.response.status_code == 503
        assert json.loads(bytes(caught.value.response.body or b"")) == {
            "status": 503,
            "error": "Service Unavailable",
            "message": "no instance of service 'web-socket' is registered",
            "route": "web-socket",
            "service": "web-socket",
        }
        assert gateway.edge.counters.by_route == {("web-socket", 503): 1}


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (upgrade(b"/else"), 404),
        (upgrade(b"/health"), 404),
        (upgrade(method=b"POST"), 405),
        (upgrade(extra=b"Content-Length: 5\r\n") + b"hello", 400),
        (upgrade(extra=b"Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n", 400),
        (upgrade(extra=b"Sec-WebSocket-Key: again\r\n"), 400),
        (upgrade().replace(b"Sec-WebSocket-Key", b"X-Key"), 400),
        (upgrade().replace(b"Host: 127.0.0.1", b"Host: evil.example"), 403),
        (upgrade().replace(b"Host: 127.0.0.1\r\n", b""), 400),
        (upgrade(b"http://"), 400),
    ],
)
async def test_upgrades_that_go_nowhere(request_bytes: bytes, status: int) -> None:
    async with scripted_upstream(say(switch())) as upstream, gateway_to(upstream.port) as gateway:
        got = await exchange(gateway.port, request_bytes + SMUGGLED)
    assert got.startswith(b"HTTP/1.1 %d " % status), got
    assert got.count(b"HTTP/1.1 ") == 1
    assert upstream.connections == 0


@pytest.mark.parametrize(
    "offered",
    [
        b"Upgrade: h2c, websocket",
        b"Upgrade: WebSocket, h2c",
        b"Upgrade: h2c\r\nUpgrade: websocket",
    ],
)
async def test_of_several_protocols_offered_websocket_is_chosen(offered: bytes) -> None:
    async with scripted_upstream(say(switch())) as upstream, gateway_to(upstream.port) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(upgrade().replace(b"Upgrade: websocket", offered))
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
    assert head.startswith(b"HTTP/1.1 101 ")
    asked = [line for line in upstream.heads[0].lower().split(b"\r\n") if line.startswith(b"upgrade:")]
    assert asked == [b"upgrade: websocket"]


async def test_zero_length_is_no_body() -> None:
    async with scripted_upstream(say(switch())) as upstream, gateway_to(upstream.port) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(upgrade(extra=b"Content-Length: 0\r\n"))
        assert await reader.readuntil(b"\r\n\r\n") == switch()
        writer.close()
    assert b"content-length" not in upstream.heads[0].lower()


async def test_an_upgrade_behind_an_unanswered_request_is_refused() -> None:
    async with (
        scripted_upstream(say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as upstream,
        gateway_to(upstream.port) as gateway,
    ):
        got = await exchange(
            gateway.port, b"GET /web-socket/slow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + upgrade()
        )
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")  # the first has its answer, then the connection ends
    assert got.endswith(b"\r\n\r\nok")
    assert upstream.connections == 1


async def test_an_upgrade_on_a_used_connection() -> None:
    async with scripted_upstream(say(switch())) as upstream, gateway_to(upstream.port) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(length.split(b":")[1]))
        writer.write(upgrade())
        assert await reader.readuntil(b"\r\n\r\n") == switch()
        writer.close()


async def test_upstreams_death_ends_the_client_and_the_other_way_round() -> None:
    async with echo_upstream() as echo, gateway_to(echo.port) as gateway:
        async with open_socket(gateway) as client:
            await client.send("x")
            await client.recv()
            next(iter(echo.open)).transport.abort()
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert client.close_code == 1006
        await until_tunnels(gateway, 0)
        async with open_socket(gateway) as client:
            await client.send("x")
            await client.recv()
            served = next(iter(echo.open))
            client.transport.abort()
            await served.wait_closed()
        await until_tunnels(gateway, 0)


async def test_stopping_ends_tunnels() -> None:
    async with echo_upstream() as echo:
        clients: list[ClientConnection] = []
        async with gateway_to(echo.port) as gateway:
            clients = [await open_socket(gateway) for _ in range(3)]
        for client in clients:
            await client.wait_closed()
            assert client.close_code == 1006


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not there")
def test_the_same_on_uvloop() -> None:
    import uvloop

    async def run() -> None:
        await test_messages_fragments_pings_and_close_codes_pass_untouched()
        await test_early_bytes_are_held_until_it_is_a_tunnel()
        await test_a_request_behind_a_refused_upgrade_is_not_forwarded(
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\nSet-Cookie: a=1\r\n\r\nnope"
        )
        await test_upstreams_death_ends_the_client_and_the_other_way_round()
        await test_the_next_instance_is_tried()
        await test_a_slow_reader_holds_the_writer_back()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def test_a_slow_reader_holds_the_writer_back() -> None:
    sent = 0
    stopped = asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(switch())
        chunk = b"x" * 65536
        for _ in range(1000):
            writer.write(chunk)
            sent += len(chunk)
            try:
                async with asyncio.timeout(0.3):
                    await writer.drain()
            except TimeoutError:
                stopped.set()
                await writer.drain()
        writer.close()

    async with scripted_upstream(flood) as upstream, gateway_to(upstream.port) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(upgrade())
        await reader.readuntil(b"\r\n\r\n")
        await stopped.wait()  # nobody reads, so upstream had to stop: nothing piles up between
        assert sent < 65_536_000
        assert len(await read_all(reader)) == 65_536_000
        writer.close()


async def test_a_tunnel_outlives_the_registration_of_its_instance() -> None:
    """As with Spring: the registry says who takes new connections, not which old ones are good."""
    async with (
        Discovery() as discovery,
        Gateway(GatewaySettings(discovery_url=discovery.url)) as gateway,
        echo_upstream() as echo,
    ):
        async with DiscoveryClient(discovery.url, Registration("i1", "web-socket", "127.0.0.1", echo.port)):
            await until(lambda: bool(gateway.everybody("web-socket")), "the instance is known")
            client = await open_socket(gateway)
        await until(lambda: not gateway.everybody("web-socket"), "the instance is gone from the registry")
        await client.send("still here")
        assert await client.recv() == "still here"
        assert gateway.edge.counters.tunnels_at == {"i1": 1}
        await client.close()
        await until(lambda: not gateway.edge.counters.tunnels_at, "the tunnel is over")

"""Streams through the gateway: SockJS's transports, slow clients and slow instances, TLS behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from server.connections.fast_websocket import FastWebSocketProtocol
from server.gateway import Gateway, GatewaySettings, route_spec
from server.sockets.listener import Listener
from server.sockets.strict_http import StrictHttpProtocol
from server.sockjs.suite import suite_services
from tests.support.certificates import Authority
from tests.support.processes import until
from tests.support.raw_http import connected
from tests.support.requirements import requires
from tests.support.upstream import say, scripted_upstream

PIECE = b"x" * 65536


@asynccontextmanager
async def sockjs_behind_a_gateway() -> AsyncGenerator[Gateway]:
    """The echo service of SockJS's own tests, and everything of it through the gateway."""
    async with Listener(suite_services(), http=StrictHttpProtocol, ws=FastWebSocketProtocol) as listener:
        routes = (route_spec("all", listener.url, ["Path=/**"]),)
        async with Gateway(GatewaySettings(routes=routes)) as gateway:
            yield gateway


async def echo(gateway: Gateway, session: str, text: str) -> None:
    async with connected(gateway.url) as http:
        sent = await http.ask("POST", f"{session}/xhr_send", body=json.dumps([text]).encode())
        assert sent.status == 204


@pytest.mark.parametrize(
    ("transport", "method", "prelude", "wrapped"),
    [
        ("xhr_streaming", "POST", "h" * 2048 + "\n", "%s\n"),
        ("eventsource", "GET", "\r\n", "data: %s\r\n\r\n"),
        ("htmlfile?c=cb", "GET", None, "<script>\np(%s);\n</script>\r\n"),
    ],
)
async def test_each_frame_of_a_stream_comes_at_once_and_alone(
    transport: str, method: str, prelude: str | None, wrapped: str
) -> None:
    async with sockjs_behind_a_gateway() as gateway, connected(gateway.url) as http:
        session = "/echo/000/stream"
        head = await http.ask(method, f"{session}/{transport}")
        assert (head.status, head["transfer-encoding"]) == (200, "chunked")
        first = (await http.chunk()).decode()
        assert prelude is None or first == prelude

        def frame(text: str) -> bytes:
            return (wrapped % (json.dumps(text) if "htmlfile" in transport else text)).encode()

        assert await http.chunk() == frame("o")
        for number in range(3):  # each is there before the next is sent
            await echo(gateway, session, f"message {number}")
            assert await http.chunk() == frame(f'a["message {number}"]')


async def test_polling_over_kept_connections() -> None:
    async with sockjs_behind_a_gateway() as gateway, connected(gateway.url) as http:
        assert (await http.whole(await http.ask("POST", "/echo/000/poll/xhr"))).body == b"o\n"
        for number in range(5):
            poll = asyncio.create_task(http.ask("POST", "/echo/000/poll/xhr"))
            await echo(gateway, "/echo/000/poll", str(number))
            assert (await http.whole(await poll)).body == b'a["%d"]\n' % number


async def test_a_stream_ends_with_its_client() -> None:
    async with sockjs_behind_a_gateway() as gateway:
        async with connected(gateway.url) as http:
            await http.ask("POST", "/echo/000/left/xhr_streaming")
            await http.chunk()
        async with connected(gateway.url) as again:
            body = busy = b'c[2010,"Another connection still open"]\n'
            while body == busy:  # until the instance has heard of it
                body = (await again.whole(await again.ask("POST", "/echo/000/left/xhr"))).body
        assert body == b'c[1002,"Connection interrupted"]\n'


@pytest.mark.parametrize("version", ["1.1", "1.0"])
async def test_a_gateway_that_stops_ends_streams_and_says_so_to_who_waits(
    version: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        scripted_upstream(say()) as silent,
        Listener(suite_services(), http=StrictHttpProtocol, ws=FastWebSocketProtocol) as listener,
        AsyncExitStack() as stack,
    ):
        routes = (
            route_spec("silent", f"http://127.0.0.1:{silent.port}", ["Path=/silent"]),
            route_spec("all", listener.url, ["Path=/**"]),
        )
        gateway = await stack.enter_async_context(Gateway(GatewaySettings(routes=routes)))
        stream = await stack.enter_async_context(connected(gateway.url))
        waiting = await stack.enter_async_context(connected(gateway.url))
        await stream.ask("POST", "/echo/000/stop/xhr_streaming", version=version)
        waiting.writer.write(b"GET /silent HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await until(lambda: bool(silent.heads), "the silent one has been asked")
        stopping = asyncio.create_task(gateway.__aexit__(None, None, None))
        if version == "1.0":
            with pytest.raises(ConnectionResetError):
                await stream.reader.read()
        else:
            assert not (await stream.reader.read()).endswith(b"0\r\n\r\n")
        assert (await waiting.head()).status == 503
        await stopping
    assert "Traceback" not in caplog.text


async def test_http_1_0_clients_get_streams_without_chunks() -> None:
    async with sockjs_behind_a_gateway() as gateway, connected(gateway.url) as http:
        head = await http.ask("POST", "/echo/000/old/xhr_streaming", version="1.0")
        assert (head["transfer-encoding"], head["content-length"]) == (None, None)
        assert await http.reader.readexactly(2051) == b"h" * 2048 + b"\no\n"


@pytest.mark.parametrize("framing", ["length", "chunks", "close"])
async def test_a_client_that_takes_nothing_stops_upstream(framing: str) -> None:
    """What is between the two stays small, however much upstream has to say."""
    total = 1000  # more than all the buffers of the system between the two
    sent = 0
    stopped = asyncio.Event()
    head = {
        "length": b"Content-Length: %d\r\n" % (total * len(PIECE)),
        "chunks": b"Transfer-Encoding: chunked\r\n",
        "close": b"",
    }[framing]

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        for _ in range(total):
            writer.write(b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if framing == "chunks" else PIECE)
            sent += len(PIECE)
            try:
                async with asyncio.timeout(0.3):
                    await writer.drain()
            except TimeoutError:
                stopped.set()
                await writer.drain()
        writer.write(b"0\r\n\r\n" if framing == "chunks" else b"")
        writer.close()

    async with scripted_upstream(flood) as upstream:
        routes = (route_spec("all", f"http://127.0.0.1:{upstream.port}", ["Path=/**"]),)
        async with Gateway(GatewaySettings(routes=routes)) as gateway, connected(gateway.url) as http:
            await http.ask("GET", "/x")
            await stopped.wait()  # nobody reads
            assert sent < total * len(PIECE)
            got = 0
            if framing == "length":
                while got < total * len(PIECE):
                    got += len(await http.reader.read(1 << 20))
            else:
                while piece := await http.chunk():
                    got += len(piece)
            assert got == total * len(PIECE)


async def test_an_instance_that_takes_nothing_stops_the_client() -> None:
    go_on = asyncio.Event()
    total = 64 * 1024 * 1024

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        left = total
        while left:
            left -= len(await reader.read(1 << 20))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with scripted_upstream(deaf) as upstream:
        routes = (route_spec("all", f"http://127.0.0.1:{upstream.port}", ["Path=/**"]),)
        settings = GatewaySettings(routes=routes, max_body=total)
        async with Gateway(settings) as gateway, connected(gateway.url) as http:
            http.writer.write(b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % total)
            sent = 0
            while not go_on.is_set():
                http.writer.write(PIECE)
                sent += len(PIECE)
                try:
                    async with asyncio.timeout(0.3):
                        await http.writer.drain()
                except TimeoutError:
                    go_on.set()
            assert sent < total
            while sent < total:
                http.writer.write(PIECE)
                sent += len(PIECE)
                await http.writer.drain()
            assert (await http.whole(await http.head())).body == b"ok"


async def test_an_instance_that_takes_nothing_of_a_body_for_too_long_is_504() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with scripted_upstream(deaf) as upstream:
        routes = (route_spec("all", f"http://127.0.0.1:{upstream.port}", ["Path=/**"]),)
        settings = GatewaySettings(routes=routes, response_timeout_s=0.2)
        async with Gateway(settings) as gateway, connected(gateway.url) as http:
            total = settings.max_body
            http.writer.write(b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % total)
            http.writer.write(bytes(total))
            assert (await http.head()).status == 504


@requires("openssl")
async def test_instances_that_speak_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.sign("localhost")
    context = authority.server_context((certificate, key))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.cafile))
    async with (
        Listener(
            suite_services(),
            http=StrictHttpProtocol,
            ws=FastWebSocketProtocol,
            ssl_certfile=str(certificate),
            ssl_keyfile=str(key),
        ) as listener,
        serve(_echo, "127.0.0.1", 0, ssl=context) as secure,
    ):
        port = secure.sockets[0].getsockname()[1]
        routes = (
            route_spec("ws", f"wss://localhost:{port}", ["Path=/ws"]),
            route_spec("all", f"https://localhost:{listener.port}", ["Path=/**"]),
        )
        async with Gateway(GatewaySettings(routes=routes)) as gateway, connected(gateway.url) as http:
            for _ in range(3):
                answer = await http.whole(await http.ask("GET", "/echo/"))
                assert answer.body == b"Welcome to SockJS!\n"
            session = "/echo/000/tls"
            async with connected(gateway.url) as stream:
                await stream.ask("POST", f"{session}/xhr_streaming")
                assert [await stream.chunk() for _ in range(2)] == [b"h" * 2048 + b"\n", b"o\n"]
                await echo(gateway, session, "hello")
                assert await stream.chunk() == b'a["hello"]\n'
            async with connect(f"ws://127.0.0.1:{gateway.port}/ws", proxy=None) as client:
                await client.send("hello")
                assert await client.recv() == "hello"


async def _echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@requires("openssl")
async def test_a_certificate_of_somebody_else_is_502(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).sign("localhost")
    async with Listener(suite_services(), ssl_certfile=str(certificate), ssl_keyfile=str(key)) as listener:
        routes = (route_spec("all", f"https://localhost:{listener.port}", ["Path=/**"]),)
        async with Gateway(GatewaySettings(routes=routes)) as gateway, connected(gateway.url) as http:
            answer = await http.whole(await http.ask("GET", "/echo"))
            assert answer.status == 502
            assert b"certificate" in answer.body.lower()

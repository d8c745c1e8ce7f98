"""The WebSocket carrier's own matters: handshake, refusals, limits, TLS, compression, uvloop."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from core.errors import HandshakeRefused, TargetUnreachable, UsageError
from core.transport import connect_websocket
from tests.support.recorder import Recorder

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@asynccontextmanager
async def raw_server(answer: Answer) -> AsyncGenerator[str]:
    """A TCP server that does as it is told after the head of a request."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"


def answering(*chunks: bytes) -> Answer:
    """Send these after the request, one by one, then end the connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(0)

    return answer


async def accepted_head(reader: asyncio.StreamReader) -> bytes:
    request = await reader.readuntil(b"\r\n\r\n")
    key = next(
        line.partition(b": ")[2]
        for line in request.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key")
    )
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )


async def refused(url: str, open_timeout: float = 10.0) -> TargetUnreachable:
    recorder = Recorder()
    with pytest.raises(TargetUnreachable) as caught:
        await connect_websocket(
            url, on_data=recorder.on_data, on_close=recorder.on_close, open_timeout=open_timeout
        )
    assert recorder.log == []
    assert url in str(caught.value)
    return caught.value


async def test_path_query_headers_and_subprotocols_are_sent() -> None:
    seen: list[Request] = []

    def remember(_: ServerConnection, request: Request) -> Response | None:
        seen.append(request)
        return None

    recorder = Recorder()
    async with serve(
        echo,
        "127.0.0.1",
        0,
        process_request=remember,
        subprotocols=[Subprotocol("v11.stomp")],
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        carrier = await connect_websocket(
            f"ws://someone:secret@127.0.0.1:{port}/ws?user=a%2Fb",
            on_data=recorder.on_data,
            on_close=recorder.on_close,
            headers=[("X-Token", "t")],
        )
        carrier.close()
        await recorder.closed()
    assert seen[0].path == "/ws?user=a%2Fb"
    assert seen[0].headers["X-Token"] == "t"
    assert seen[0].headers["Authorization"].startswith("Basic ")
    assert seen[0].headers["Sec-WebSocket-Protocol"] == "v12.stomp, v11.stomp, v10.stomp"
    assert "Sec-WebSocket-Extensions" not in seen[0].headers


async def test_compression_when_asked_for() -> None:
    recorder = Recorder()
    async with serve(echo, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        carrier = await connect_websocket(
            f"ws://127.0.0.1:{port}/",
            on_data=recorder.on_data,
            on_close=recorder.on_close,
            compression=True,
        )
        sent = [b"x" * 5000, b"", "zwölf".encode() * 100, b"\xff\x00" * 70]
        for data in sent:
            carrier.send(data)
        assert await recorder.messages(len(sent)) == sent
        carrier.close()
        assert (await recorder.closed()).code == 1000


async def test_data_in_the_same_packet_as_the_answer_comes_after_connecting() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await accepted_head(reader) + b"\x81\x05early" + b"\x81\x04lat")
        await writer.drain()
        await asyncio.sleep(0)
        writer.write(b"e\x88\x02\x0f\xa1")
        await writer.drain()

    recorder = Recorder()
    async with raw_server(answer) as url:
        await connect_websocket(url, on_data=recorder.on_data, on_close=recorder.on_close)
        assert recorder.log == []
        assert (await recorder.closed()).code == 4001
    assert recorder.data == [b"early", b"late"]


async def test_an_answer_in_small_pieces() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in await accepted_head(reader) + b"\x81\x02ok":
            writer.write(bytes([byte]))
            await writer.drain()

    recorder = Recorder()
    async with raw_server(answer) as url:
        await connect_websocket(url, on_data=recorder.on_data, on_close=recorder.on_close)
        assert await recorder.messages(1) == [b"ok"]
        assert (await recorder.closed()).code == 1006


async def test_a_refusal_names_status_and_body() -> None:
    def no(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "no instance behind /web-socket\n")

    async with serve(echo, "127.0.0.1", 0, process_request=no) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        error = await refused(f"ws://127.0.0.1:{port}/")
    assert isinstance(error, HandshakeRefused)
    assert error.status == 503
    assert error.body == "no instance behind /web-socket"
    assert "503 Service Unavailable: no instance behind" in str(error)
    assert "instance" in error.hint


@pytest.mark.parametrize(
    ("chunks", "status", "words"),
    [
        ((b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\n", b"nope"), 404, "404 Not Found: nope"),
        ((b"HTTP/1.1 200 OK\r\n\r\nwelcome",), 200, "200 OK: welcome"),
        ((b"HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",), 101, "Accept"),
        ((b"SSH-2.0-OpenSSH_9\r\n\r\n",), 0, "does not answer in HTTP"),
        ((), 0, "closed the connection during the handshake"),
        ((b"HTTP/1.1 101 Swi",), 0, "closed the connection during the handshake"),
        ((b"x" * 70_000,), 0, "endless head"),
    ],
)
async def test_wrong_answers(chunks: tuple[bytes, ...], status: int, words: str) -> None:
    async with raw_server(answering(*chunks)) as url:
        error = await refused(url)
    assert isinstance(error, HandshakeRefused)
    assert error.status == status
    assert words in str(error)


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 500 Oops\r\n", b"HTTP/1.1 500 Oops\r\n\r\nhm"])
async def test_silence_is_given_up(before: bytes) -> None:
    over = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering(before)(reader, writer)
        await over.wait()

    async with raw_server(answer) as url:
        error = await refused(url, open_timeout=0.2)
        over.set()
    assert "0.2 s" in str(error)


async def test_cancelling_leaves_nothing_behind() -> None:
    gone = asyncio.Event()
    arrived = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        assert await reader.read() == b""
        gone.set()

    recorder = Recorder()
    async with raw_server(answer) as url:
        task = asyncio.ensure_future(
            connect_websocket(url, on_data=recorder.on_data, on_close=recorder.on_close)
        )
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await gone.wait()
    assert recorder.log == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "ws://", "127.0.0.1:80", "ws://127.0.0.1:99999/"])
async def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(UsageError, match="not a WebSocket URL"):
        await connect_websocket(url, on_data=print, on_close=print)


async def test_a_message_beyond_the_limit_is_1009() -> None:
    recorder = Recorder()
    async with serve(echo, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        carrier = await connect_websocket(
            f"ws://127.0.0.1:{port}/",
            on_data=recorder.on_data,
            on_close=recorder.on_close,
            max_message=1000,
        )
        carrier.send(b"x" * 1001)
        info = await recorder.closed()
    assert info.code == 1009
    assert "1001 bytes" in info.error


async def test_a_server_that_never_closes_is_aborted() -> None:
    over = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await accepted_head(reader))
        await over.wait()

    recorder = Recorder()
    async with raw_server(answer) as url:
        carrier = await connect_websocket(
            url, on_data=recorder.on_data, on_close=recorder.on_close, close_timeout=0.1
        )
        carrier.close()
        info = await recorder.closed()
        over.set()
    assert (info.code, info.asked) == (1006, True)
    assert "no close frame" in info.error


async def test_a_proxy_that_keeps_tcp_open_after_the_close_frames() -> None:
    over = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await accepted_head(reader) + b"\x88\x02\x03\xe9")
        await over.wait()

    recorder = Recorder()
    async with raw_server(answer) as url:
        await connect_websocket(url, on_data=recorder.on_data, on_close=recorder.on_close, close_timeout=3600)
        info = await recorder.closed()
        over.set()
    assert (info.code, info.asked, info.error) == (1001, False, "")

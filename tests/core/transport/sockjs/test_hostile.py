"""Servers that break the rules: a definite end each, nothing unbounded, nothing left over."""

from __future__ import annotations

import asyncio

import pytest

from core.errors import TargetUnreachable
from core.transport import Carrier
from core.transport.sockjs import HttpPool, SockJs, SockJsConnector, SockJsTransport, connect_sockjs
from tests.support.recorder import Recorder
from tests.support.scripted_http import Asked, Script, ScriptedHttp, chunk, streaming, whole
from tests.support.sockjs_far import sockjs_server

STREAMS: tuple[SockJsTransport, ...] = ("xhr-streaming", "eventsource")


async def connect(
    url: str, recorder: Recorder, transport: SockJsTransport, max_message: int = 10_000
) -> Carrier:
    return await connect_sockjs(
        url,
        on_data=recorder.on_data,
        on_close=recorder.on_close,
        transports=[transport],
        max_message=max_message,
        least_timeout=5,
    )


def wrapped(transport: str, frame: bytes) -> bytes:
    return b"data: " + frame + b"\r\n\r\n" if transport == "eventsource" else frame + b"\n"


def answering(*pieces: bytes, end: bool = False) -> Script:
    """Writes these pieces as the answer to everything."""

    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if end:
            writer.close()

    return script


@pytest.mark.parametrize("transport", STREAMS)
@pytest.mark.parametrize(
    "garbage",
    [
        b"<html>",
        b"a",
        b"a{",
        b'a{"a":1}',
        b"a[1]",
        b"a[null]",
        b"m1",
        b"c",
        b"c[]",
        b'c["x",1]',
        b"x",
        b"\xff",
        b"a" + b"[" * 5000,
    ],
)
async def test_garbage_is_1007(transport: SockJsTransport, garbage: bytes) -> None:
    script = answering(
        streaming(wrapped(transport, b"o"), wrapped(transport, b'a["ok"]'), wrapped(transport, garbage))
    )
    async with ScriptedHttp(script) as server:
        recorder = Recorder()
        await connect(server.url, recorder, transport)
        info = await recorder.closed()
        assert (info.code, info.asked) == (1007, False)
        assert "broke the protocol" in info.error
        assert recorder.data == [b"ok"]
        await server.until(lambda: not server.open)


@pytest.mark.parametrize("transport", STREAMS)
async def test_a_message_before_the_opening(transport: SockJsTransport) -> None:
    async with ScriptedHttp(answering(streaming(wrapped(transport, b'a["early"]')))) as server:
        recorder = Recorder()
        with pytest.raises(TargetUnreachable, match="before the session is open"):
            await connect(server.url, recorder, transport)
        assert recorder.log == []
        await server.until(lambda: not server.open)


async def test_a_percent_that_escapes_nothing() -> None:
    """Spring forgets to escape it; sockjs-client throws the message away."""
    async with ScriptedHttp(
        answering(streaming(b"data: o\r\n\r\n", b'data: a["100% sure"]\r\n\r\n'))
    ) as server:
        recorder = Recorder()
        await connect(server.url, recorder, "eventsource")
        info = await recorder.closed()
        assert info.code == 1007 and "escapes nothing" in info.error


@pytest.mark.parametrize("transport", STREAMS)
async def test_a_frame_beyond_the_limit_is_1009(transport: SockJsTransport) -> None:
    big = wrapped(transport, b'a["' + b"x" * 20_000 + b'"]')
    async with ScriptedHttp(answering(streaming(wrapped(transport, b"o"), big))) as server:
        recorder = Recorder()
        await connect(server.url, recorder, transport)
        info = await recorder.closed()
        assert info.code == 1009 and "more than 10000 bytes" in info.error
        await server.until(lambda: not server.open)


@pytest.mark.parametrize("transport", STREAMS)
async def test_an_endless_prelude(transport: SockJsTransport) -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(streaming(b"data: " if transport == "eventsource" else b"h"))
        while not writer.is_closing():
            writer.write(chunk(b"h" * 4096))
            await writer.drain()
            await asyncio.sleep(0)

    async with ScriptedHttp(script) as server:
        with pytest.raises(TargetUnreachable, match="1009"):
            await connect(server.url, Recorder(), transport)
        await server.until(lambda: not server.open)


@pytest.mark.parametrize(
    "answer",
    [
        b"\0" * 100,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000,
        b"SSH-2.0-x\r\n",
    ],
    ids=["zeros", "chunk", "two lengths", "upgrade", "endless header", "endless head", "another protocol"],
)
async def test_what_is_not_http(answer: bytes) -> None:
    async with ScriptedHttp(answering(answer)) as server:
        with pytest.raises(TargetUnreachable):
            await connect(server.url, Recorder(), "xhr-polling")
        await server.until(lambda: not server.open)


@pytest.mark.parametrize("transport", STREAMS)
async def test_the_end_in_the_middle_of_an_answer(transport: SockJsTransport) -> None:
    script = answering(streaming(wrapped(transport, b"o"), wrapped(transport, b'a["1"]'), b"a"), end=True)
    async with ScriptedHttp(script) as server:
        recorder = Recorder()
        await connect(server.url, recorder, transport)
        info = await recorder.closed()
        assert (info.code, info.asked) == (1006, False)
        assert "in the middle" in info.error
        assert recorder.data == [b"1"]
        await server.until(lambda: not server.open)


async def test_a_whole_answer_with_half_a_frame() -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(b"o\n" if len(server.kinds()) == 1 else b'a["half'))

    async with ScriptedHttp(script) as server:
        recorder = Recorder()
        await connect(server.url, recorder, "xhr-polling")
        info = await recorder.closed()
        assert info.code == 1006 and "in the middle of a frame" in info.error
        await server.until(lambda: not server.open)


@pytest.mark.parametrize("kind", ["xhr_streaming", "xhr_send"])
async def test_a_refusal_whose_words_never_come(kind: str) -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.kind == kind:
            writer.write(b"HTTP/1.1 503 X\r\nContent-Length: 5\r\n\r\n")
        else:
            writer.write(streaming(b"o\n"))

    async with ScriptedHttp(script) as server:
        recorder = Recorder()
        if kind == "xhr_streaming":
            with pytest.raises(TargetUnreachable, match="HTTP 503"):
                await connect(server.url, recorder, "xhr-streaming")
        else:
            carrier = await connect(server.url, recorder, "xhr-streaming")
            carrier.send(b"x")
            info = await recorder.closed()
            assert info.code == 1006 and "HTTP 503" in info.error
        await server.until(lambda: not server.open)


async def test_an_endless_info() -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(streaming(b" "))
        while not writer.is_closing():
            writer.write(chunk(b" " * 4096))
            await writer.drain()
            await asyncio.sleep(0)

    async with ScriptedHttp(script, info=None) as server:
        with pytest.raises(TargetUnreachable, match="endless"):
            await connect(server.url, Recorder(), "xhr-polling")
        await server.until(lambda: not server.open)


@pytest.mark.parametrize(
    ("begin", "more"),
    [(b"0\r\n", b"Set-Cookie: a=%b\r\n" % (b"x" * 4096)), (b"2;x=", b"x" * 4096)],
    ids=["endless trailers", "an endless extension of a chunk"],
)
async def test_what_does_not_end_behind_a_piece_of_a_body(begin: bytes, more: bytes) -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(streaming(b"o\n") + begin)
        while not writer.is_closing():
            writer.write(more)
            await writer.drain()
            await asyncio.sleep(0)

    async with ScriptedHttp(script) as server:
        recorder = Recorder()
        await connect(server.url, recorder, "xhr-streaming")
        info = await recorder.closed()
        assert info.code == 1006 and "endless" in info.error
        await server.until(lambda: not server.open)


async def test_bytes_that_nobody_asked_for_end_a_connection() -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.kind == "xhr_send":
            writer.write(whole(b"") + b'HTTP/1.1 200 OK\r\n\r\na["smuggled"]\n')
        else:
            writer.write(streaming(b"o\n"))

    async with ScriptedHttp(script) as server:
        recorder = Recorder()
        carrier = await connect(server.url, recorder, "xhr-streaming")
        for number in range(3):
            carrier.send(b"%d" % number)
            await server.until(lambda want=number + 1: server.kinds().count("xhr_send") == want)  # type: ignore[misc]
        carrier.close()
        await recorder.closed()
        assert recorder.data == []


@pytest.mark.parametrize("transport", STREAMS)
@pytest.mark.parametrize("begun", [True, False])
async def test_a_callback_may_abort_in_the_middle_of_a_chunk(transport: SockJsTransport, begun: bool) -> None:
    """Whether the connecting call had returned when the chunk came, or not."""
    frames = b"".join(wrapped(transport, each) for each in (b'a["1","2"]', b'a["3"]', b'c[3000,"x"]'))
    let = asyncio.Event()

    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        if begun:
            writer.write(streaming(wrapped(transport, b"o")))
            await let.wait()
            writer.write(chunk(frames))
        else:
            writer.write(streaming(wrapped(transport, b"o") + frames))

    def on_data(data: bytes) -> None:
        recorder.on_data(data)
        carrier.abort()

    async with ScriptedHttp(script) as server:
        recorder = Recorder()
        carrier = await connect_sockjs(
            server.url, on_data=on_data, on_close=recorder.on_close, transports=[transport]
        )
        let.set()
        info = await recorder.closed()
        assert info.asked is begun, "without the pause the end had come before it was asked for"
        assert recorder.data == [b"1"]
        await server.until(lambda: not server.open)


# ---- nothing is left over -----------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["websocket", "xhr-streaming", "eventsource", "xhr-polling"])
@pytest.mark.parametrize("how", ["close", "abort", "server"])
async def test_no_connection_and_no_task_is_left(transport: SockJsTransport, how: str) -> None:
    before = asyncio.all_tasks()
    async with sockjs_server(disconnect_s=0.2) as server:
        tasks = asyncio.all_tasks()
        recorder = Recorder()
        carrier = await connect(server.url, recorder, transport)
        carrier.send(b"x")
        await server.fars[0].received_count(1)
        if how == "close":
            carrier.close()
        elif how == "abort":
            carrier.abort()
        else:
            await server.fars[0].close(3000, "Go away!")
        await recorder.closed()
        await server.fars[0].ended()
        while server.connections or asyncio.all_tasks() - tasks:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("transport", ["websocket", "xhr-streaming", "xhr-polling"])
async def test_an_attempt_that_is_given_up_leaves_nothing(transport: SockJsTransport) -> None:
    begun = asyncio.Event()

    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        begun.set()

    async with ScriptedHttp(script) as server:
        tasks = asyncio.all_tasks()
        attempt = asyncio.create_task(connect(server.url, Recorder(), transport))
        await begun.wait()
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        await server.until(lambda: not server.open)
        assert asyncio.all_tasks() - tasks <= {attempt}


async def test_users_share_the_connections_of_a_pool() -> None:
    async with sockjs_server() as server:
        pool = HttpPool()
        connector = SockJsConnector(SockJs(("xhr-polling",), least_timeout=5), pool)
        recorders = [Recorder() for _ in range(20)]
        carriers: list[Carrier] = []
        for recorder in recorders:
            carrier = await connector(server.url, on_data=recorder.on_data, on_close=recorder.on_close)
            carrier.send(b"hello")
            carriers.append(carrier)
        for far in server.fars:
            await far.received_count(1)
        assert len(server.fars) == 20
        assert server.connections <= 23, "one for each user, and a few that all send with"
        for carrier in carriers:
            carrier.close()
        for recorder in recorders:
            await recorder.closed()
        pool.close()
        while server.connections:  # noqa: ASYNC110
            await asyncio.sleep(0.005)

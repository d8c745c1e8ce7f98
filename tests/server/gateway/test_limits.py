"""Requests that are not as they should be: a definite status, and nothing reaches upstream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from server.gateway import Gateway, GatewaySettings
from tests.support.processes import until
from tests.support.upstream import Scripted, exchange, read_all, say, say_and_close, scripted_upstream

HOST = b"Host: 127.0.0.1\r\n"
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
async def upstream() -> AsyncGenerator[Scripted]:
    async with scripted_upstream(say(OK)) as running:
        yield running


@pytest.fixture
async def gateway(upstream: Scripted) -> AsyncGenerator[Gateway]:
    services = {"web-socket": (f"127.0.0.1:{upstream.port}",)}
    async with Gateway(GatewaySettings(services=services, max_body=1000, head_timeout_s=0.3)) as running:
        yield running


def post(headers: bytes, body: bytes = b"") -> bytes:
    return b"POST /web-socket/x HTTP/1.1\r\n" + HOST + headers + b"\r\n" + body


def get(headers: bytes) -> bytes:
    return b"GET /web-socket/x HTTP/1.1\r\n" + headers + b"\r\n"


@pytest.mark.parametrize(
    ("name", "request_bytes", "status"),
    [
        ("both lengths", post(b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), 400),
        (
            "both lengths, turned",
            post(b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", b"0\r\n\r\n"),
            400,
        ),
        ("two lengths", post(b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abcd"), 400),
        ("a signed length", post(b"Content-Length: +3\r\n", b"abc"), 400),
        ("a folded line", get(HOST + b"X: a\r\n b\r\n"), 400),
        ("a folded coding", post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"), 400),
        ("bare LF", b"GET /web-socket/x HTTP/1.1\nHost: 127.0.0.1\n\n", 400),
        ("bare LF within", get(HOST + b"X: a\nY: b\r\n"), 400),
        ("bare CR within", get(HOST + b"X: a\rY: b\r\n"), 400),
        ("NUL", get(HOST + b"X: a\0b\r\n"), 400),
        ("space before the colon", get(HOST + b"X : a\r\n"), 400),
        ("an unknown coding", post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"), 501),
        ("two codings", post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"), 501),
        ("no Host", get(b""), 400),
        ("a Host with a path", get(b"Host: a/../b\r\n"), 400),
        ("a Host with a space", get(b"Host: 127.0.0.1 HTTP/1.1\r\n"), 400),
        ("two Hosts", get(HOST + HOST), 400),
        ("a foreign Host", get(b"Host: evil.example\r\nConnection: close\r\n"), 403),
        ("HTTP/1.2", b"GET /web-socket/x HTTP/1.2\r\n" + HOST + b"\r\n", 400),
        ("HTTP/0.9", b"GET /web-socket/x\r\n\r\n", 505),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (
            "HTTP/1.0, chunked",
            b"POST /web-socket/x HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            501,
        ),
        ("CONNECT", b"CONNECT 127.0.0.1:80 HTTP/1.1\r\n" + HOST + b"\r\n", 405),
        ("TRACE", b"TRACE /web-socket/x HTTP/1.1\r\n" + HOST + b"\r\n", 405),
        ("no path", b"GET web-socket HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        ("101 headers", get(HOST + b"".join(b"X-%d: 1\r\n" % n for n in range(100))), 431),
        ("a head of 64 KiB", get(HOST + b"X: " + b"x" * 65_536 + b"\r\n"), 431),
        (
            "many long headers",
            get(HOST + b"".join(b"X-%d: %b\r\n" % (n, b"x" * 2000) for n in range(50))),
            431,
        ),
        ("a long target", b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431),
        ("too long a body", post(b"Content-Length: 1001\r\n"), 413),
        (
            "too long a chunked body",
            post(b"Transfer-Encoding: chunked\r\n", b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"),
            413,
        ),
        ("no route", b"GET /else HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 404),
    ],
)
async def test_bad_requests(
    gateway: Gateway, upstream: Scripted, name: str, request_bytes: bytes, status: int
) -> None:
    got = await exchange(
        gateway.port, request_bytes + (b"" if status in (403, 404) else b"GET /health HTTP/1.1\r\n\r\n")
    )
    assert got.startswith(b"HTTP/1.1 %d " % status), got
    assert upstream.heads == [] or status == 413


async def test_a_head_that_never_ends_is_cut_at_the_limit(gateway: Gateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"GET / HTTP/1.1\r\nX: ")
    sent = 0
    answer = asyncio.create_task(read_all(reader))
    while not answer.done() and sent < 1_000_000:
        writer.write(b"x" * 4096)
        sent += 4096
        await asyncio.wait([answer], timeout=0.01)
    assert (await answer).startswith(b"HTTP/1.1 431 ")
    assert sent < 200_000
    writer.close()


async def test_a_slow_head_is_408_and_silence_is_closed(gateway: Gateway) -> None:
    assert (await exchange(gateway.port, b"GET / HTTP/1.1\r\nHo")).startswith(b"HTTP/1.1 408 ")
    assert await exchange(gateway.port, b"") == b""


async def test_an_absolute_target_and_pipelined_requests(gateway: Gateway, upstream: Scripted) -> None:
    got = await exchange(
        gateway.port,
        b"GET http://127.0.0.1/web-socket/a HTTP/1.1\r\n" + HOST + b"\r\n"
        b"GET /web-socket/b HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
    )
    assert got.count(b"HTTP/1.1 200 OK") == 2
    assert [head.split(b" ")[1] for head in upstream.heads] == [b"/a", b"/b"]


@pytest.mark.parametrize(
    ("request_bytes", "allowed"),
    [
        (b"CONNECT 127.0.0.1:80 HTTP/1.1\r\n" + HOST, b"allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        (b"TRACE /web-socket/x HTTP/1.1\r\n" + HOST, b"allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        (post(b"Connection: Upgrade\r\nUpgrade: websocket\r\n")[:-2], b"allow: GET"),
        (b"PUT /health HTTP/1.1\r\nConnection: close\r\n" + HOST, b"allow: GET, HEAD"),
    ],
    ids=["CONNECT", "TRACE", "upgrade", "page"],
)
async def test_405_says_what_is_allowed(gateway: Gateway, request_bytes: bytes, allowed: bytes) -> None:
    got = await exchange(gateway.port, request_bytes + b"\r\n")
    assert got.startswith(b"HTTP/1.1 405 ")
    assert allowed in got.partition(b"\r\n\r\n")[0].split(b"\r\n")


async def test_empty_lines_between_requests_do_not_keep_a_connection() -> None:
    async with Gateway(GatewaySettings(keep_alive_s=0.2)) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n")
        await reader.readuntil(b"}}")
        writer.write(b"\r\n\r\n")
        assert await read_all(reader) == b""
        writer.close()


async def test_pipelined_requests_have_their_own_ends() -> None:
    """The first is cut in the middle: that is not the end of the second, which waits behind it."""
    script = say_and_close(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\npart")
    async with scripted_upstream(script) as upstream:
        services = {"web-socket": (f"127.0.0.1:{upstream.port}",)}
        async with Gateway(GatewaySettings(services=services)) as gateway:
            got = await exchange(gateway.port, get(HOST) + get(HOST))
    assert got.endswith(b"\r\n\r\npart")
    assert got.count(b"HTTP/1.1 ") == 1


async def test_javas_wish_for_http2_is_ignored(gateway: Gateway, upstream: Scripted) -> None:
    async def answer_after_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(5) == b"hello"
        writer.write(OK)

    upstream._script = answer_after_body  # pyright: ignore[reportPrivateUsage]
    got = await exchange(
        gateway.port,
        post(
            b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
            b"Content-Length: 5\r\n",
            b"hello",
        ),
    )
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"upgrade" not in upstream.heads[0].lower()
    assert b"http2-settings" not in upstream.heads[0].lower()


async def test_trailers_are_not_headers(gateway: Gateway, upstream: Scripted) -> None:
    got = await exchange(
        gateway.port,
        post(
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n",
            b"1\r\nx\r\n0\r\nX-Admin: yes\r\nHost: else\r\n\r\n",
        ),
    )
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"x-admin" not in upstream.heads[0].lower()
    assert b"host: else" not in upstream.heads[0].lower()


async def test_a_body_that_breaks_the_rules_is_400(gateway: Gateway) -> None:
    for body in (b"1\r\nx\r\n0\r\nContent-Length: 9\r\n\r\n", b"1;a\nb\r\nx\r\n0\r\n\r\n", b"zz\r\n"):
        got = await exchange(gateway.port, post(b"Transfer-Encoding: chunked\r\n", body))
        assert got.startswith(b"HTTP/1.1 400 ")
        assert got.count(b"HTTP/1.1 ") == 1


async def test_a_bad_request_behind_a_good_one_takes_nothing_from_it(gateway: Gateway) -> None:
    got = await exchange(gateway.port, get(HOST) + b"GET / HTTP/1.1\r\nHost : x\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert got.count(b"HTTP/1.1 ") == 1


async def test_so_many_requests_at_once_and_no_more(gateway: Gateway, upstream: Scripted) -> None:
    got = await exchange(gateway.port, get(HOST) * 1000)
    assert got.count(b"HTTP/1.1 200 ") == len(upstream.heads) == 101
    assert got.count(b"HTTP/1.1 ") == 101
    assert gateway.edge.counters.answers[429] == 1


async def test_a_bad_body_behind_a_good_request_is_answered_behind_it() -> None:
    go_on = asyncio.Event()

    async def in_two_pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        await go_on.wait()
        writer.write(b"world")

    async with scripted_upstream(in_two_pieces) as upstream:
        services = {"web-socket": (f"127.0.0.1:{upstream.port}",)}
        async with Gateway(GatewaySettings(services=services)) as gateway:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(get(HOST))
            await reader.readuntil(b"hello")
            writer.write(post(b"Transfer-Encoding: chunked\r\n", b"zz\r\n"))
            await until(lambda: 400 in gateway.edge.counters.answers, "it is refused")
            go_on.set()
            got = await read_all(reader)
            writer.close()
    assert got.startswith(b"worldHTTP/1.1 400 ")
    assert len(upstream.heads) == 1


async def test_a_long_head_does_not_count_against_the_chunks_behind_it(gateway: Gateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    cookies = b"Cookie: " + b"x" * 20_000 + b"\r\n"
    writer.write(post(cookies + b"Transfer-Encoding: chunked\r\n", b"1\r\nx\r\n"))
    await until(lambda: gateway.edge.counters.requests > 0, "it is read")
    writer.write(b"0\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_a_head_that_came_while_another_was_answered_has_its_own_time() -> None:
    """The limit between two requests is not one for the second."""

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(upstream.heads) > 1:
            await asyncio.sleep(0.3)
        writer.write(OK)

    async with scripted_upstream(slow) as upstream:
        services = {"web-socket": (f"127.0.0.1:{upstream.port}",)}
        async with Gateway(GatewaySettings(services=services, keep_alive_s=0.1)) as gateway:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            head = get(HOST + b"Connection: close\r\n")
            writer.write(get(HOST) + head[:20])
            await reader.readuntil(b"ok")
            writer.write(head[20:])
            assert (await read_all(reader)).startswith(b"HTTP/1.1 200 ")
            writer.close()

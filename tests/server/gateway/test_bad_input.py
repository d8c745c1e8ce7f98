"""Every shape of bad input by its name: a definite status or end for each, and no socket left behind.

What a single module promises about its input is beside it (test_limits, test_upgrade, test_proxy);
this is the table of the whole gateway, over raw sockets: what a client sends and what upstream sends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from server.gateway import Gateway, GatewaySettings, route_spec
from tests.support.processes import open_sockets, until
from tests.support.upstream import (
    Script,
    Scripted,
    echo_upstream,
    exchange,
    read_all,
    say,
    say_and_close,
    scripted_upstream,
)

HOST = b"Host: 127.0.0.1\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SMUGGLED = b"GET /web-socket/smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
KEY = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + KEY


@asynccontextmanager
async def setting(script: Script, **settings: float) -> AsyncGenerator[tuple[Gateway, Scripted]]:
    """A gateway before one scripted instance; all sockets must be gone at the end, while it still runs."""
    services: dict[str, tuple[str, ...]] = {}
    limits = {"max_body": 1000, "head_timeout_s": 0.3, "body_timeout_s": 0.3, "response_timeout_s": 0.3}
    async with scripted_upstream(script) as upstream:
        services["web-socket"] = (f"127.0.0.1:{upstream.port}",)
        options = GatewaySettings(services=services, **{**limits, "handshake_timeout_s": 0.3, **settings})  # pyright: ignore[reportArgumentType]
        async with Gateway(options) as gateway:
            before = open_sockets()
            yield gateway, upstream
            await until(lambda: open_sockets() <= before, "no socket is left behind")


def get(headers: bytes = b"", path: bytes = b"/web-socket/x") -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\n" + HOST + headers + b"\r\n"


def post(headers: bytes, body: bytes = b"") -> bytes:
    return b"POST /web-socket/x HTTP/1.1\r\n" + HOST + headers + b"\r\n" + body


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked\r\n", body)


#: Behind each of them comes a request that must not be answered.
REQUESTS: dict[str, tuple[bytes, int]] = {
    # Where does the body end?
    "both lengths": (post(b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), 400),
    "both lengths, the other first": (
        post(b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", b"0\r\n\r\n"),
        400,
    ),
    "two lengths that differ": (post(b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abcd"), 400),
    "two lengths that are the same": (post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"), 400),
    "two lengths in one line": (post(b"Content-Length: 3, 3\r\n", b"abc"), 400),
    "a length with a sign": (post(b"Content-Length: +3\r\n", b"abc"), 400),
    "a negative length": (post(b"Content-Length: -3\r\n", b"abc"), 400),
    "a length in hexadecimal": (post(b"Content-Length: 0x3\r\n", b"abc"), 400),
    "a length beyond 64 bits": (post(b"Content-Length: 18446744073709551617\r\n", b"a"), 400),
    "an empty length": (post(b"Content-Length: \r\n", b""), 400),
    "a coding in another case behind a tab": (
        post(b"Transfer-Encoding:\tchunKed, identity\r\n", b"0\r\n\r\n"),
        400,
    ),
    "chunked twice": (post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n"), 400),
    "two lines of codings": (
        post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"0\r\n\r\n"),
        400,
    ),
    "a coding behind a vertical tab": (post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"), 400),
    "a coding with a space before the colon": (post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"), 400),
    # Where does the head end?
    "a folded line": (get(b"X: a\r\n b\r\n"), 400),
    "a folded first line": (get(b" X: a\r\n"), 400),
    "bare LF": (b"GET /web-socket/x HTTP/1.1\nHost: 127.0.0.1\n\n", 400),
    "bare LF in the head's end": (b"GET /web-socket/x HTTP/1.1\r\nHost: 127.0.0.1\r\n\n", 400),
    "bare CR": (get(b"X: a\rY: b\r\n"), 400),
    "NUL in a value": (get(b"X: a\0b\r\n"), 400),
    "NUL in a name": (get(b"X\0: a\r\n"), 400),
    "NUL in the path": (get(path=b"/web-socket/\0"), 400),
    "a name without a colon": (get(b"X\r\n"), 400),
    "a line without a name": (get(b": a\r\n"), 400),
    "an oversized head": (get(b"X: " + b"x" * 70_000 + b"\r\n"), 431),
    "too many headers": (get(b"".join(b"X-%d: 1\r\n" % n for n in range(101))), 431),
    "an endless target": (get(path=b"/" + b"x" * 70_000), 431),
    "a long path": (get(b"Connection: close\r\n", path=b"/web-socket/" + b"x" * 9_000), 414),
    "two Hosts": (get(HOST), 400),
    "no Host": (b"GET /web-socket/x HTTP/1.1\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40, 400),
    "a version that is none": (b"GET /web-socket/x HTTP/1.1x\r\n" + HOST + b"\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    # Chunks
    "a chunk size that is no number": (chunked(b"zz\r\n"), 400),
    "a negative chunk size": (chunked(b"-1\r\n"), 400),
    "a chunk size beyond 64 bits": (chunked(b"10000000000000001\r\nx\r\n"), 400),
    "a chunk size with 0x": (chunked(b"0x1\r\nx\r\n0\r\n\r\n"), 400),
    "a chunk longer than its size": (chunked(b"1\r\nxx\r\n0\r\n\r\n"), 400),
    "a chunk that ends with LF": (chunked(b"1\r\nx\n0\r\n\r\n"), 400),
    "a size that ends with LF": (chunked(b"1\nx\r\n0\r\n\r\n"), 400),
    "a bare LF in an extension": (chunked(b"1;a\nb\r\nx\r\n0\r\n\r\n"), 400),
    "a length in the trailer": (chunked(b"1\r\nx\r\n0\r\nContent-Length: 9\r\n\r\n"), 400),
    "too long a chunked body": (chunked(b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"), 413),
    "too long a body": (post(b"Content-Length: 1001\r\n", b"x" * 1001), 413),
    # Upgrades
    "an upgrade that is no GET": (post(UPGRADE), 405),
    "an upgrade without a key": (get(UPGRADE.replace(b"Key", b"Kay")), 400),
    "an upgrade with two keys": (get(UPGRADE + KEY), 400),
    "an upgrade with a body": (get(UPGRADE + b"Content-Length: 5\r\n") + b"hello", 400),
    "an upgrade with chunks": (get(UPGRADE + b"Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n", 400),
    "a foreign host in the target": (
        get(b"Connection: close\r\n", path=b"http://evil.example/web-socket/x"),
        403,
    ),
    "no host in the target": (get(path=b"http:///web-socket/x"), 400),
    "a login in the target": (get(path=b"http://127.0.0.1@evil.example/web-socket/x"), 400),
    "an upgrade at a foreign host in the target": (get(UPGRADE, path=b"ws://evil.example/web-socket/x"), 403),
    "an upgrade of HTTP/1.0": (get(UPGRADE).replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
    "an upgrade nobody routes": (get(UPGRADE, path=b"/else"), 404),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_a_bad_request(name: str) -> None:
    request, status = REQUESTS[name]
    async with setting(say(OK)) as (gateway, upstream):
        got = await exchange(gateway.port, request + SMUGGLED)
        assert got.startswith(b"HTTP/1.1 %d " % status), got
        assert got.count(b"HTTP/1.1 ") == 1
        assert not any(b"smuggled" in head for head in upstream.heads)
        assert b"smuggled" not in upstream.rest


#: Pieces that come again and again: each of these floods must be ended by us.
FLOODS: dict[str, tuple[bytes, bytes, int]] = {
    "a head without an end": (b"GET /web-socket/x HTTP/1.1\r\n", b"X-1: " + b"x" * 1000 + b"\r\n", 431),
    "a header without an end": (b"GET /web-socket/x HTTP/1.1\r\nX: ", b"x" * 1000, 431),
    "a target without an end": (b"GET /", b"x" * 1000, 431),
    "an extension without an end": (chunked(b"1;"), b"a=" + b"x" * 1000 + b";", 400),
    "an extension to each chunk": (chunked(b""), b"1;" + b"x" * 1000 + b"\r\nx\r\n", 400),
    "trailers without an end": (chunked(b"0\r\n"), b"X: " + b"x" * 1000 + b"\r\n", 400),
    "a trailer without an end": (chunked(b"0\r\nX: "), b"x" * 1000, 400),
}


@pytest.mark.parametrize("name", FLOODS)
async def test_a_flood(name: str) -> None:
    begin, again, status = FLOODS[name]
    async with setting(say(), max_body=10_000_000, head_timeout_s=60.0, body_timeout_s=60.0) as (gateway, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(begin)
        answer = asyncio.create_task(read_all(reader))
        sent = 0
        while not answer.done() and sent < 4_000_000:
            writer.write(again * 4)
            sent += len(again) * 4
            await asyncio.wait([answer], timeout=0.002)
        assert (await answer).startswith(b"HTTP/1.1 %d " % status)
        assert sent < 1_000_000
        writer.close()


#: What a client sends before it falls silent.
SILENCES: dict[str, tuple[bytes, bytes]] = {
    "at once": (b"", b""),
    "in the first line": (b"GET /web", b"HTTP/1.1 408 "),
    "in the head": (b"GET /web-socket/x HTTP/1.1\r\nHo", b"HTTP/1.1 408 "),
    "in the body": (post(b"Content-Length: 9\r\n", b"abc"), b"HTTP/1.1 408 "),
    "before the body": (post(b"Content-Length: 9\r\n"), b"HTTP/1.1 408 "),
    "in a chunk": (chunked(b"9\r\nabc"), b"HTTP/1.1 408 "),
    "between chunks": (chunked(b"3\r\nabc\r\n"), b"HTTP/1.1 408 "),
}


@pytest.mark.parametrize("name", SILENCES)
async def test_a_client_that_falls_silent(name: str) -> None:
    sent, status = SILENCES[name]
    async with setting(say()) as (gateway, _):
        got = await exchange(gateway.port, sent)
        assert got.startswith(status)
        assert got.count(b"HTTP/1.1 ") == (1 if status else 0)


@pytest.mark.parametrize("name", SILENCES)
async def test_a_client_that_leaves(name: str) -> None:
    sent, _ = SILENCES[name]
    async with setting(say(), head_timeout_s=60.0, body_timeout_s=60.0, response_timeout_s=60.0) as (
        gateway,
        _,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(sent)
        await writer.drain()
        writer.write_eof()
        await read_all(reader)
        writer.close()


HEAD = b"HTTP/1.1 200 OK\r\n"
PART = HEAD + b"Content-Length: 50\r\n\r\npart"
CHUNK = HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n"

#: What an instance answers to a plain request, and what the client gets to see.
ANSWERS: dict[str, tuple[Script, int, str]] = {
    "nothing": (say(), 504, "did not answer within 0.3 s"),
    "nothing, and closes": (say_and_close(), 502, "closed the connection without an answer"),
    "half a status line": (say_and_close(b"HTTP/1.1 20"), 502, "broke off in its answer"),
    "half a head": (say_and_close(HEAD + b"Content-Le"), 502, "broke off in its answer"),
    "half a head, and silence": (say(HEAD + b"Content-Le"), 504, "did not answer within 0.3 s"),
    "no HTTP": (say(b"220 mail.example ESMTP\r\n"), 502, "did not answer with HTTP"),
    "an oversized head": (say(HEAD + b"X: " + b"x" * 70_000), 502, "head of more than 65536 bytes"),
    "too many headers": (say(HEAD + b"X: 1\r\n" * 201 + b"\r\n"), 502, "more than 200 headers"),
    "both lengths": (
        say(HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        502,
        "did not answer with HTTP",
    ),
    "two lengths": (
        say(HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
        502,
        "Content-Length",
    ),
    "a coding that we do not speak": (
        say(HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        502,
        "transfer coding",
    ),
    "a folded line": (say(HEAD + b"X: a\r\n b\r\n\r\n"), 502, "did not answer with HTTP"),
    "bare LF": (say(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"), 502, "did not answer with HTTP"),
    "a name that is none": (say(HEAD + b"X[1]: a\r\n\r\n"), 502, "did not answer with HTTP"),
    "a length that is no number": (say(HEAD + b"Content-Length: 5x\r\n\r\nhello"), 502, "Content-Length"),
    "NUL": (say(HEAD + b"X: a\0b\r\n\r\n"), 502, "did not answer with HTTP"),
    "a status that is none": (say(b"HTTP/1.1 999 Oh\r\nContent-Length: 0\r\n\r\n"), 502, "status 999"),
    "an upgrade": (
        say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
        502,
        "status 101",
    ),
    "continues without an end": (say(b"HTTP/1.1 100 Continue\r\n\r\n" * 4000), 502, "head of more than"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_bad_answer(name: str) -> None:
    script, status, words = ANSWERS[name]
    async with setting(script) as (gateway, upstream):
        got = await exchange(gateway.port, get(b"Connection: close\r\n"))
        assert got.startswith(b"HTTP/1.1 %d " % status), got
        assert words in got.decode()
        await upstream.closed.wait()
        assert upstream.connections == 1  # an answer that is none is not asked for twice


@pytest.mark.parametrize("name", [name for name in ANSWERS if name != "an upgrade"])
async def test_a_bad_answer_to_an_upgrade(name: str) -> None:
    script, status, _ = ANSWERS[name]
    async with setting(script) as (gateway, upstream):
        got = await exchange(gateway.port, get(UPGRADE) + SMUGGLED)
        assert got.startswith(b"HTTP/1.1 %d " % status), got
        assert got.count(b"\r\n\r\n") == 1  # nothing behind it
        await upstream.closed.wait()
        assert b"smuggled" not in upstream.rest


#: Answers that go wrong in the middle: what came is passed on, and its end is missing.
CUTS: dict[str, Script] = {
    "closes in the body": say_and_close(PART),
    "closes between chunks": say_and_close(CHUNK),
    "closes in a chunk": say_and_close(CHUNK + b"9\r\nhal"),
    "a bad chunk": say(CHUNK + b"zz\r\n"),
    "a chunk longer than its size": say(CHUNK + b"1\r\nxx\r\n"),
}


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize("name", CUTS)
async def test_an_answer_that_goes_wrong_in_the_middle(name: str, version: bytes) -> None:
    async with setting(CUTS[name]) as (gateway, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"GET /web-socket/x HTTP/%b\r\n" % version + HOST + b"\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        with_length = b"content-length: 50" in head
        if version == b"1.0" and not with_length:
            with pytest.raises(ConnectionResetError):  # an orderly end would be the body's
                await reader.read()
        else:
            body = await read_all(reader)
            assert b"part" in body or version == b"1.0"
            assert not body.endswith(b"0\r\n\r\n")
        writer.close()


#: More than one answer to one request: the first counts.
SURPLUS: dict[str, bytes] = {
    "two answers": OK + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother",
    "garbage behind an answer": OK + b"\x00garbage",
    "a body longer than its length": OK + b"ok, and more",
    "a body where there is none": b"HTTP/1.1 204 No Content\r\n\r\nbody",
    "an answer behind the last one": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    + OK,
}


@pytest.mark.parametrize("name", SURPLUS)
async def test_a_surplus(name: str) -> None:
    async with setting(say(SURPLUS[name])) as (gateway, upstream):
        for _ in range(2):
            got = await exchange(gateway.port, get(b"Connection: close\r\n"))
            assert got.count(b"HTTP/1.1 ") == 1
            assert got.partition(b"\r\n\r\n")[2] in (b"ok", b"")
        assert upstream.connections == 2  # the next request did not get what was left over


async def test_an_upgrade_of_another_version_is_the_instances_to_refuse() -> None:
    async with echo_upstream() as echo:
        routes = (route_spec("echo", f"http://127.0.0.1:{echo.port}", ["Path=/**"]),)
        async with Gateway(GatewaySettings(routes=routes)) as gateway:
            got = await exchange(gateway.port, get(UPGRADE.replace(b"Version: 13", b"Version: 8")) + SMUGGLED)
    assert got.startswith(b"HTTP/1.1 400 ")
    assert b"invalid Sec-WebSocket-Version header: 8" in got
    assert got.count(b"HTTP/1.1 ") == 1


async def test_an_instance_that_refuses_connections() -> None:
    async with scripted_upstream(say(OK)) as upstream:
        routes = (route_spec("gone", f"http://127.0.0.1:{upstream.port}", ["Path=/gone/**"]),)
    async with Gateway(GatewaySettings(routes=routes)) as gateway:
        before = open_sockets()
        for request in (get(b"Connection: close\r\n", path=b"/gone/x"), get(UPGRADE, path=b"/gone/x")):
            got = await exchange(gateway.port, request)
            assert got.startswith(b"HTTP/1.1 502 ")
        await until(lambda: open_sockets() <= before, "no socket is left behind")

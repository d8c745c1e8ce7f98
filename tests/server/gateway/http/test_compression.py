"""``server.compression``: what is compressed, for whom, and what is never touched."""

from __future__ import annotations

import gzip
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from server.gateway import Gateway, GatewaySettings
from server.gateway.edge import Compression
from server.gateway.http.compression import accepts_gzip
from server.gateway.routing.request import RouteRequest
from tests.support.raw_http import Response, connected
from tests.support.upstream import Script, say, say_and_close, scripted_upstream

TEXT = b"hello " * 1000
GZIP = {"Accept-Encoding": "gzip, deflate, br"}


def answer(body: bytes = TEXT, kind: str = "text/plain", more: str = "", status: str = "200 OK") -> Script:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}"
    return say(f"{head}Connection: close\r\n\r\n".encode() + body)


@asynccontextmanager
async def gateway_before(script: Script, **rule: object) -> AsyncGenerator[Gateway]:
    async with scripted_upstream(script) as upstream:
        services = {"web-socket": (f"127.0.0.1:{upstream.port}",)}
        settings = GatewaySettings(services=services, compression=Compression(enabled=True, **rule))  # pyright: ignore[reportArgumentType]
        async with Gateway(settings) as gateway:
            yield gateway


async def ask(
    gateway: Gateway, headers: dict[str, str] | None = None, method: str = "GET", version: str = "1.1"
) -> Response:
    async with connected(gateway.url) as http:
        head = await http.ask(
            method,
            "/web-socket/x",
            {**(GZIP if headers is None else headers), "Connection": "close"},
            version=version,
        )
        return await http.whole(head) if method != "HEAD" else head


async def test_a_text_is_compressed_for_who_takes_it() -> None:
    async with gateway_before(answer(more='ETag: "1"\r\nAccept-Ranges: bytes\r\n')) as gateway:
        got = await ask(gateway)
        assert gzip.decompress(got.body) == TEXT
        assert len(got.body) < 200
        assert got["content-encoding"] == "gzip"
        assert got["vary"] == "accept-encoding"
        assert got["etag"] == 'W/"1"'
        assert (got["content-length"], got["accept-ranges"]) == (None, None)
        plain = await ask(gateway, {})
        assert plain.body == TEXT
        assert plain["vary"] == "accept-encoding"  # a cache must not give this one to the other
        assert plain["etag"] == '"1"'
        assert gateway.edge.counters.compressed == 1


async def test_a_large_body_is_compressed_as_it_comes() -> None:
    body = bytes(range(256)) * 8000
    async with gateway_before(answer(body, "application/json")) as gateway:
        assert gzip.decompress((await ask(gateway)).body) == body


async def test_http_1_0_gets_no_chunks() -> None:
    async with gateway_before(answer()) as gateway:
        got = await ask(gateway, version="1.0")
        assert got["transfer-encoding"] is None
        assert gzip.decompress(got.body) == TEXT


PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
CHUNKED = PLAIN + b"Transfer-Encoding: chunked\r\n\r\n1770\r\n%b\r\n0\r\n\r\n"

UNTOUCHED: dict[str, Script] = {
    "small": answer(TEXT[:2000]),
    "another kind": answer(kind="image/png"),
    "no kind": say(b"HTTP/1.1 200 OK\r\nContent-Length: 6000\r\n\r\n" + TEXT),
    "a part": answer(more="Content-Range: bytes 0-5999/9000\r\n", status="206 Partial Content"),
    "not to be changed": answer(more="Cache-Control: no-store, no-transform\r\n"),
    "a stream without a length": say(CHUNKED % TEXT),
    "a stream until the end": say_and_close(PLAIN + b"\r\n" + TEXT),
    "an event stream that says how long it is": answer(kind="text/event-stream"),
}


@pytest.mark.parametrize("name", UNTOUCHED)
async def test_what_is_left_alone(name: str) -> None:
    async with gateway_before(UNTOUCHED[name]) as gateway:
        got = await ask(gateway)
        assert got["content-encoding"] is None
        assert got.body in (TEXT, TEXT[:2000])


async def test_what_is_compressed_already_stays_as_it_is() -> None:
    packed = gzip.compress(bytes(range(256)) * 100, 0)
    async with gateway_before(answer(packed, more="Content-Encoding: gzip\r\n")) as gateway:
        assert (await ask(gateway)).body == packed
        assert gateway.edge.counters.compressed == 0


async def test_other_sizes_and_kinds() -> None:
    kinds = ("application/x-mine",)
    async with gateway_before(
        answer(b"x" * 50, "application/x-mine;a=b"), mime_types=kinds, min_size=50
    ) as gateway:
        assert (await ask(gateway))["content-encoding"] == "gzip"


async def test_head_says_what_get_would() -> None:
    script = say(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6000\r\n\r\n")
    async with gateway_before(script) as gateway:
        got = await ask(gateway, method="HEAD")
        assert (got["vary"], got["content-encoding"]) == ("accept-encoding", "gzip")
        assert (got["content-length"], got["transfer-encoding"]) == (None, None)
        got = await ask(gateway, {}, method="HEAD")
        assert (got["content-length"], got["content-encoding"]) == ("6000", None)
        assert gateway.edge.counters.compressed == 0


async def test_an_answer_that_breaks_off_has_no_end() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6000\r\n\r\n"
    async with gateway_before(say_and_close(head + TEXT[:3000])) as gateway, connected(gateway.url) as http:
        await http.ask("GET", "/web-socket/x", GZIP)
        assert not (await http.reader.read()).endswith(b"0\r\n\r\n")


async def test_it_is_off_by_default() -> None:
    async with scripted_upstream(answer()) as upstream:
        services = {"web-socket": (f"127.0.0.1:{upstream.port}",)}
        async with Gateway(GatewaySettings(services=services)) as gateway:
            got = await ask(gateway)
    assert (got.body, got["vary"]) == (TEXT, None)


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("x-gzip", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("identity, br", False),
        ("", False),
    ],
)
def test_what_accept_encoding_takes(value: str, taken: bool) -> None:
    assert accepts_gzip(RouteRequest("GET", "/", headers=[(b"accept-encoding", value.encode())])) is taken

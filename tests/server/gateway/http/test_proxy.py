"""Plain HTTP through the gateway: streaming both ways, headers, failures."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator

import aiohttp
import pytest

from server.gateway import DEFAULT_ROUTES, Gateway, GatewaySettings, route_spec
from tests.support.processes import until
from tests.support.upstream import Script, Scripted, exchange, say, say_and_close, scripted_upstream


@pytest.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def settings(*ports: int, **more: float) -> GatewaySettings:
    services = {"web-socket": tuple(f"127.0.0.1:{port}" for port in ports)}
    return GatewaySettings(services=services, **more)  # pyright: ignore[reportArgumentType]


def ok(body: bytes, headers: bytes = b"") -> Script:
    """An answer of an upstream that answers once and closes."""
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n%b\r\n" % (len(body), headers)
    return say(head + body)


def headers_of(upstream: Scripted, index: int = 0) -> dict[str, str]:
    lines = upstream.heads[index].decode().split("\r\n")[1:-2]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


async def test_a_request_and_its_answer(http: aiohttp.ClientSession) -> None:
    answer = ok(
        b"yes",
        b"X-Here: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n",  # noqa: E501
    )
    async with scripted_upstream(answer) as upstream, Gateway(settings(upstream.port)) as gateway:
        async with http.delete(
            f"{gateway.url}/web-socket/a%2Fb?x=%20&y",
            headers={"X-Forwarded-For": "10.0.0.1", "TE": "trailers", "X-There": "1", "Accept": "a/b"},
            skip_auto_headers=["User-Agent", "Accept-Encoding"],
        ) as response:
            assert (response.status, await response.read()) == (200, b"yes")
            assert response.headers.getall("Set-Cookie") == ["a=1", "b=2"]
            assert response.headers["X-Here"] == "1"
            assert "X-Hop" not in response.headers
            assert "Keep-Alive" not in response.headers
        assert upstream.heads[0].startswith(b"DELETE /a%2Fb?x=%20&y HTTP/1.1\r\n")
        assert headers_of(upstream) == {
            "host": f"127.0.0.1:{upstream.port}",
            "accept": "a/b",
            "x-there": "1",
            "content-length": "0",
            "pushscope-client": "elsewhere",  # as X-Forwarded-For said
        }


async def test_an_answer_comes_as_it_is_made(http: aiohttp.ClientSession) -> None:
    step = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (b"o\n", b"h\n", b""):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await step.wait()
            step.clear()

    async with (
        scripted_upstream(drip) as upstream,
        Gateway(settings(upstream.port)) as gateway,
        http.get(f"{gateway.url}/web-socket/xhr_streaming") as response,
    ):
        assert await response.content.readany() == b"o\n"  # before upstream goes on
        step.set()
        assert await response.content.readany() == b"h\n"
        step.set()
        assert await response.content.readany() == b""


async def test_a_body_goes_as_it_comes(http: aiohttp.ClientSession) -> None:
    got = asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readuntil(b"one\r\n") == b"3\r\none\r\n"
        got.set()
        assert await reader.readuntil(b"0\r\n\r\n") == b"3\r\ntwo\r\n0\r\n\r\n"
        writer.write(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        await got.wait()  # upstream has the first piece before there is a second
        yield b"two"

    async with (
        scripted_upstream(take) as upstream,
        Gateway(settings(upstream.port)) as gateway,
        http.post(f"{gateway.url}/web-socket/xhr_send", data=body()) as response,
    ):
        assert response.status == 204


async def test_a_long_body_with_a_length(http: aiohttp.ClientSession) -> None:
    body = bytes(range(256)) * 2000

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(len(body)) == body
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with (
        scripted_upstream(take) as upstream,
        Gateway(settings(upstream.port)) as gateway,
        http.put(f"{gateway.url}/web-socket/x", data=body) as response,
    ):
        assert response.status == 200
        assert headers_of(upstream)["content-length"] == str(len(body))


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\noh",
    ],
)
async def test_other_statuses_pass(http: aiohttp.ClientSession, answer: bytes) -> None:
    async with scripted_upstream(say(answer)) as upstream, Gateway(settings(upstream.port)) as gateway:
        async with http.get(f"{gateway.url}/web-socket/x", allow_redirects=False) as response:
            assert response.status == int(answer[9:12])
            await response.read()
        async with http.get(f"{gateway.url}/health") as response:
            assert response.status == 200  # the same connection goes on


async def test_compressed_answers_pass_compressed() -> None:
    async with (
        scripted_upstream(ok(b"\x1f\x8bnot really", b"Content-Encoding: gzip\r\n")) as upstream,
        Gateway(settings(upstream.port)) as gateway,
    ):
        got = await exchange(
            gateway.port,
            b"GET /web-socket/x HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n",  # noqa: E501
        )
    assert got.endswith(b"\r\n\r\n\x1f\x8bnot really")
    assert headers_of(upstream)["accept-encoding"] == "gzip"


async def test_head_has_no_body(http: aiohttp.ClientSession) -> None:
    answer = say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    async with (
        scripted_upstream(answer) as upstream,
        Gateway(settings(upstream.port)) as gateway,
        http.head(f"{gateway.url}/web-socket/x") as response,
    ):
        assert (response.status, response.headers["Content-Length"]) == (200, "5")


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        (say(), 504, "did not answer within 0.2 s"),
        (say_and_close(), 502, ""),
        (say(b"nonsense\r\n\r\n"), 502, ""),
    ],
)
async def test_failures_of_upstream(
    http: aiohttp.ClientSession, script: Script, status: int, words: str
) -> None:
    async with (
        scripted_upstream(script) as upstream,
        Gateway(settings(upstream.port, response_timeout_s=0.2)) as gateway,
    ):
        async with http.get(f"{gateway.url}/web-socket/x") as response:
            body = await response.json()
            assert (response.status, body["status"], body["service"]) == (status, status, "web-socket")
            assert words in body["message"]
        await upstream.closed.wait()


async def test_an_answer_that_breaks_off_is_visibly_cut(http: aiohttp.ClientSession) -> None:
    script = say_and_close(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\npart")
    async with scripted_upstream(script) as upstream, Gateway(settings(upstream.port)) as gateway:
        with pytest.raises(aiohttp.ClientPayloadError):
            async with http.get(f"{gateway.url}/web-socket/x") as response:
                assert response.status == 200
                await response.read()


async def test_the_next_instance_is_tried_and_nobody_is_502(http: aiohttp.ClientSession) -> None:
    async with scripted_upstream(ok(b"yes")) as upstream:
        port = upstream.port
        async with Gateway(settings(9, port)) as gateway:
            for _ in range(2):
                async with http.post(f"{gateway.url}/web-socket/x", data=b"x") as response:
                    assert await response.read() == b"yes"
    async with Gateway(settings(9, port)) as gateway, http.get(f"{gateway.url}/web-socket/x") as response:
        body = await response.json()
        assert response.status == 502
        assert f"127.0.0.1:{port}" in body["message"]
        assert "127.0.0.1:9" in body["message"]


async def test_an_instance_whose_host_can_be_none_is_passed_over(http: aiohttp.ClientSession) -> None:
    async with scripted_upstream(ok(b"yes")) as upstream:
        addresses = (f"{'x' * 64}.example:80", f"127.0.0.1:{upstream.port}")
        async with Gateway(GatewaySettings(services={"web-socket": addresses})) as gateway:
            for _ in addresses:
                async with http.get(f"{gateway.url}/web-socket/x") as response:
                    assert await response.read() == b"yes"


async def test_no_instance_is_503_and_no_route_404(http: aiohttp.ClientSession) -> None:
    async with Gateway() as gateway:
        async with http.post(f"{gateway.url}/web-socket/x", data=b"x" * 100) as response:
            assert response.status == 503
            assert (await response.json())["route"] == "web-socket"
        async with http.get(f"{gateway.url}/else") as response:
            assert (response.status, (await response.json())["path"]) == (404, "/else")


async def test_a_websocket_address_takes_no_plain_requests(http: aiohttp.ClientSession) -> None:
    routes = (*DEFAULT_ROUTES, route_spec("ws", "ws://127.0.0.1:9", ["Path=/ws/**"]))
    async with (
        Gateway(GatewaySettings(routes=routes)) as gateway,
        http.get(f"{gateway.url}/ws/x") as response,
    ):
        assert response.status == 400


async def test_a_client_that_leaves_ends_the_request_at_upstream() -> None:
    async with scripted_upstream(say(b"HTTP/1.1 200 OK\r\n\r\nopen end")) as upstream:
        async with Gateway(settings(upstream.port)) as gateway:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(b"GET /web-socket/x HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b"open end")
            writer.close()
            await upstream.closed.wait()
        assert gateway.edge.counters.answers == {499: 1}


async def test_a_client_that_leaves_while_its_next_request_waits_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"1\r\nx\r\n")
            await asyncio.sleep(0.01)

    async with scripted_upstream(stream) as upstream, Gateway(settings(upstream.port)) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"GET /web-socket/x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 2)
        await reader.readuntil(b"x\r\n")
        writer.transport.abort()
        await upstream.closed.wait()
        await until(lambda: gateway.edge.counters.answers == {499: 1}, "it is over")
    assert not [record for record in caplog.records if record.name == "uvicorn.error"]


async def test_a_client_that_leaves_in_its_body_ends_the_request_at_upstream() -> None:
    async with scripted_upstream(say()) as upstream, Gateway(settings(upstream.port)) as gateway:
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"POST /web-socket/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\npart")
        await writer.drain()
        while not upstream.heads:
            await asyncio.wait_for(asyncio.shield(asyncio.sleep(0.005)), 1)
        writer.close()
        await upstream.closed.wait()


async def test_the_access_log_tells_no_secrets(
    http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pushscope.gateway.access")
    async with (
        Gateway() as gateway,
        http.get(f"{gateway.url}/web-socket/x?a=1&access_token=geheim&b=2&PASSWORD=geheim") as response,
    ):
        await response.read()
    assert "/web-socket/x?a=1&access_token=***&b=2&PASSWORD=***" in caplog.text
    assert "geheim" not in caplog.text

"""Filter Retry and the timeouts of routes, as they are carried out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from server.gateway import Gateway, GatewaySettings, route_spec
from tests.support.processes import until
from tests.support.raw_http import Response, connected
from tests.support.upstream import Script, Scripted, exchange, say, say_and_close, scripted_upstream

OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbusy"
UPGRADE = (
    b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def failing(times: int, failure: Script) -> Script:
    """Fails so often, then answers."""
    left = times

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        left -= 1
        await (failure if left >= 0 else say(OK))(reader, writer)

    return script


@asynccontextmanager
async def retrying(script: Script, *filters: str, **more: object) -> AsyncGenerator[tuple[Gateway, Scripted]]:
    async with scripted_upstream(script) as upstream:
        uri = f"http://127.0.0.1:{upstream.port}"
        route = route_spec("r", uri, ["Path=/**"], filters or ["Retry=3"], **more)  # pyright: ignore[reportArgumentType]
        async with Gateway(GatewaySettings(routes=(route,))) as gateway:
            yield gateway, upstream


async def ask(gateway: Gateway, method: str = "GET", body: bytes | None = None) -> Response:
    async with connected(gateway.url) as http:
        return await http.whole(await http.ask(method, "/x", body=body))


@pytest.mark.parametrize("failure", [say(BUSY), say_and_close(), say(b"nonsense\r\n\r\n")])
async def test_a_get_is_asked_again(failure: Script) -> None:
    async with retrying(failing(2, failure)) as (gateway, upstream):
        assert (await ask(gateway)).body == b"ok"
        assert upstream.connections == 3
        assert gateway.edge.counters.retries == 2
        assert gateway.edge.counters.by_route == {("r", 200): 1}
        async with connected(gateway.url) as http:
            metrics = (await http.whole(await http.ask("GET", "/metrics"))).body
        assert b'upstream_connections{state="busy"} 0.0' in metrics


async def test_the_last_answer_is_passed_on() -> None:
    async with retrying(say(BUSY)) as (gateway, upstream):
        got = await ask(gateway)
        assert (got.status, got.body) == (503, b"busy")
        assert upstream.connections == 4  # three besides the first


async def test_other_statuses_are_not_asked_again() -> None:
    async with retrying(say(BUSY.replace(b"503 Busy", b"404 Gone"))) as (gateway, upstream):
        assert (await ask(gateway)).status == 404
        assert upstream.connections == 1


async def test_a_post_is_not_asked_again_unless_the_route_says_so() -> None:
    async with retrying(say(BUSY)) as (gateway, upstream):
        assert (await ask(gateway, "POST", b"x")).status == 503
        assert upstream.connections == 1
    async with retrying(failing(1, say(BUSY)), "Retry=1,BAD_GATEWAY,POST") as (gateway, upstream):
        assert (await ask(gateway, "POST", b"body")).body == b"ok"
        assert upstream.connections == 2


async def test_a_body_that_is_not_in_our_hands_is_not_sent_again() -> None:
    async with (
        retrying(failing(1, say(BUSY)), "Retry=1,BAD_GATEWAY,POST") as (gateway, upstream),
        connected(gateway.url) as http,
    ):
        http.writer.write(
            b"POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
        )
        assert (await http.head()).status == 503
        assert upstream.connections == 1


async def test_an_upgrade_is_never_asked_again() -> None:
    async with retrying(say(BUSY)) as (gateway, upstream):
        assert (await exchange(gateway.port, UPGRADE)).startswith(b"HTTP/1.1 503 ")
        assert upstream.connections == 1


async def test_a_client_that_leaves_ends_the_repetitions() -> None:
    async with retrying(say()) as (gateway, upstream):
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await writer.drain()
        await until(lambda: bool(upstream.heads), "upstream has been asked")
        writer.close()
        await upstream.closed.wait()
        assert upstream.connections == 1


async def test_a_timeout_of_the_route_and_asking_again_after_it() -> None:
    async with retrying(failing(1, say()), response_timeout_s=0.1) as (gateway, upstream):
        assert (await ask(gateway)).body == b"ok"
        assert upstream.connections == 2
    async with retrying(say(), "Retry=1", response_timeout_s=0.1) as (gateway, upstream):
        got = await ask(gateway)
        assert got.status == 504
        assert b"did not answer within 0.1 s" in got.body
        assert upstream.connections == 2


async def test_no_limit_for_a_route_whatever_the_gateway_says() -> None:
    answer = asyncio.Event()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer.wait()
        writer.write(OK)

    async with scripted_upstream(late) as upstream:
        uri = f"http://127.0.0.1:{upstream.port}"
        routes = (
            route_spec("patient", uri, ["Path=/x"], response_timeout_s=0),
            route_spec("others", uri, ["Path=/**"]),
        )
        async with (
            Gateway(GatewaySettings(routes=routes, response_timeout_s=0.1)) as gateway,
            connected(gateway.url) as http,
            connected(gateway.url) as other,
        ):
            http.writer.write(b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert (await other.ask("GET", "/y")).status == 504
            answer.set()
            assert (await http.head()).status == 200

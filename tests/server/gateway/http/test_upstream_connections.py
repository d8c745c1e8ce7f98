"""Connections to instances: kept, but never at the price of a request that is lost or done twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from server.gateway import Gateway, GatewaySettings
from server.gateway.http.pool import KEEP_S
from tests.support.processes import until
from tests.support.raw_http import RawHttp, Response, connected

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Answering = Callable[["Served", asyncio.StreamWriter], Awaitable[None]]


class Served:
    """What an instance saw: for each connection the heads and bodies that came on it."""

    def __init__(self) -> None:
        self.connections: list[list[bytes]] = []
        self.writers: list[asyncio.StreamWriter] = []

    @property
    def requests(self) -> list[bytes]:
        return [request for each in self.connections for request in each]


@asynccontextmanager
async def instance(answer: Answering) -> AsyncGenerator[tuple[Served, int]]:
    """An instance that reads whole requests and has each answered."""
    served = Served()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine: list[bytes] = []
        served.connections.append(mine)
        served.writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                mine.append(head + await reader.readexactly(int(length or b"0")))
                await answer(served, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accepted, "127.0.0.1", 0)
    try:
        yield served, int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def say(data: bytes) -> Answering:
    async def answer(served: Served, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return answer


@asynccontextmanager
async def before(answer: Answering) -> AsyncGenerator[tuple[Served, RawHttp, Gateway]]:
    """The instance, and a client's connection to a gateway before it."""
    async with instance(answer) as (served, port):
        services = {"web-socket": (f"127.0.0.1:{port}",)}
        async with Gateway(GatewaySettings(services=services)) as gateway, connected(gateway.url) as http:
            yield served, http, gateway


async def ask(http: RawHttp, method: str = "GET", body: bytes | None = None) -> Response:
    return await http.whole(await http.ask(method, "/web-socket/x", body=body))


async def test_requests_share_a_connection() -> None:
    async with before(say(OK)) as (served, http, _):
        for method, body in (("GET", None), ("POST", b"[1]"), ("POST", b""), ("DELETE", None)):
            assert (await ask(http, method, body)).body == b"ok"
        assert [len(each) for each in served.connections] == [4]
        assert served.requests[1].endswith(b"\r\n\r\n[1]")
        assert all(b"connection:" not in request.lower() for request in served.requests)


async def test_requests_at_the_same_time_have_one_each() -> None:
    waiting: list[asyncio.StreamWriter] = []

    async def hold(served: Served, writer: asyncio.StreamWriter) -> None:
        waiting.append(writer)
        if len(waiting) == 2:
            for each in waiting:
                each.write(OK)

    async with before(hold) as (served, http, gateway), connected(gateway.url) as other:
        async with asyncio.TaskGroup() as group:
            group.create_task(ask(http))
            group.create_task(ask(other))
        assert [len(each) for each in served.connections] == [1, 1]


@pytest.mark.parametrize(
    "answer",
    [
        OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        OK.replace(b"\r\n\r\n", b"\r\nKeep-Alive: timeout=0\r\n\r\n"),
        OK.replace(b"HTTP/1.1", b"HTTP/1.0"),
        OK + b"more",
    ],
)
async def test_connections_that_are_not_kept(answer: bytes) -> None:
    async with before(say(answer)) as (served, http, _):
        for _ in range(2):
            assert (await ask(http)).body == b"ok"
        assert [len(each) for each in served.connections] == [1, 1]


async def test_what_upstream_has_closed_is_not_used() -> None:
    async with before(say(OK)) as (served, http, _):
        await ask(http)
        served.writers[0].close()
        await served.writers[0].wait_closed()
        # Nothing has told the gateway's loop of it yet: it looks at the socket.
        assert (await ask(http, "POST", b"once")).body == b"ok"
        assert [len(each) for each in served.connections] == [1, 1]


def dying_at_its_second() -> Answering:
    async def answer(served: Served, writer: asyncio.StreamWriter) -> None:
        if len(served.requests) == 2:
            writer.transport.abort()
        else:
            writer.write(OK)

    return answer


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT", "OPTIONS"])
async def test_what_may_be_done_twice_is_sent_again_when_a_kept_connection_dies(method: str) -> None:
    async with before(dying_at_its_second()) as (served, http, _):
        await ask(http)
        http.writer.write(b"%b /web-socket/y HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % method.encode())
        assert (await http.head()).status == 200
        assert [len(each) for each in served.connections] == [2, 1]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_what_may_not_be_done_twice_is_not(method: str) -> None:
    async with before(dying_at_its_second()) as (served, http, _):
        await ask(http)
        failed = await ask(http, method, b"pay")
        assert failed.status == 502
        assert b"closed the connection without an answer" in failed.body
        assert [len(each) for each in served.connections] == [2]
        assert (await ask(http, method, b"pay")).body == b"ok"


async def test_idle_connections_are_closed() -> None:
    async with before(say(OK)) as (served, http, _):
        await ask(http)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await until(lambda: served.writers[0].transport.is_closing(), "the connection is closed")
        assert loop.time() - begun > KEEP_S / 2
        assert (await ask(http)).body == b"ok"
        assert len(served.connections) == 2


async def test_a_body_that_is_still_coming_when_it_is_answered() -> None:
    """An early answer is passed on, and what upstream has not read is not taken for a request."""

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(early, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        services = {"web-socket": (f"127.0.0.1:{port}",)}
        async with Gateway(GatewaySettings(services=services)) as gateway, connected(gateway.url) as http:
            http.writer.write(
                b"POST /web-socket/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\nsome"
            )
            assert (await http.whole(await http.head())).body == b"no"
            http.writer.write(b"x" * (100_000 - 4))
            assert (await http.whole(await http.ask("GET", "/health"))).status == 200

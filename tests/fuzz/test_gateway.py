"""Requests and answers that were tampered with: each ends definitely, and the gateway keeps nothing."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest

from server.gateway import Gateway, GatewaySettings
from tests.support.processes import open_sockets, until
from tests.support.upstream import Script, read_all, say, scripted_upstream

HOST = b"Host: 127.0.0.1\r\n"
END = b"Connection: close\r\n\r\n"
UPGRADE = (
    b"GET /web-socket/ws HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
REQUESTS = (
    b"GET /web-socket/x?a=1 HTTP/1.1\r\n" + HOST + END,
    b"POST /web-socket/x HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n" + END + b"hello",
    b"POST /web-socket/x HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n"
    + END
    + b"1\r\nx\r\n0\r\n\r\n",
    b"POST /web-socket/x HTTP/1.1\r\n"
    + HOST
    + b"Expect: 100-continue\r\nContent-Length: 5\r\n"
    + END
    + b"hello",
    b"HEAD /web-socket/x HTTP/1.0\r\n" + HOST + b"\r\n",
    b"OPTIONS * HTTP/1.1\r\n" + HOST + END,
    b"GET /health HTTP/1.1\r\n" + HOST + END,
    b"GET /web-socket/x HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    UPGRADE,
)
ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nSet-Cookie: a=b\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nhello",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x05hello",
)
PIECES = (
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b":",
        b"%",
        b"\xff",
        b"/..",
        b"//",
        b"?",
        b"#",
        b"[",
        b"@",
        b";a=b",
    ),
    *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Upgrade: websocket\r\n", b"HTTP/1.0"),
    *(b"0\r\n\r\n", b"Host: x\r\n", b"99999999999999999999", b"-1", b"http://a/b", b"Connection: close\r\n"),
)


def tampered(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds with one to four accidents."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                data[place:place] = chance.choice(PIECES)
            case 1:
                del data[place : place + chance.randint(1, 6)]
            case 2:
                data[place : place + 1] = bytes((chance.randrange(256),))
            case 3:
                data[place:place] = chance.choice(seeds)
            case _:
                data[place:place] = data[: chance.randrange(len(data) + 1)]
    return bytes(data)


@asynccontextmanager
async def gateway_before(script: Script) -> AsyncGenerator[Gateway]:
    async with scripted_upstream(script) as upstream:
        settings = GatewaySettings(
            services={"web-socket": (f"127.0.0.1:{upstream.port}",)},
            head_timeout_s=0.2,
            body_timeout_s=0.2,
            keep_alive_s=0.2,
            handshake_timeout_s=0.3,
            response_timeout_s=0.3,
        )
        async with Gateway(settings) as gateway:
            before = open_sockets()
            yield gateway
            await until(lambda: open_sockets() <= before, "no socket is left behind")


async def all_answered(gateway: Gateway, requests: Sequence[bytes]) -> None:
    """Each gets a status, or the end of its connection, and no status is our own mistake."""
    turns = asyncio.Semaphore(20)

    async def ask(request: bytes) -> None:
        async with turns:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(request)
            got = await read_all(reader)
            writer.close()
        assert not got or got.startswith(b"HTTP/1.1 ")
        assert not got.startswith(b"HTTP/1.1 500"), request

    async with asyncio.TaskGroup() as group:
        for request in requests:
            group.create_task(ask(request))


@pytest.mark.parametrize("seed", range(2))
async def test_tampered_requests(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(seed)
    script = say(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
    async with gateway_before(script) as gateway:
        await all_answered(gateway, [tampered(chance, REQUESTS) for _ in range(600)])
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("seed", range(2))
async def test_tampered_answers(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(seed)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(tampered(chance, ANSWERS))
        writer.close()

    async with gateway_before(answer) as gateway:
        asked = [chance.choice((REQUESTS[0], REQUESTS[1], REQUESTS[4], UPGRADE)) for _ in range(600)]
        await all_answered(gateway, asked)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]

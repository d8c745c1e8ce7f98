"""Heads and bodies that do not come: what instances and discovery do with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from server.discovery.app import Discovery, DiscoverySettings
from tests.support.instances import one_instance
from tests.support.upstream import exchange, read_all

HOST = b"Host: 127.0.0.1\r\nContent-Type: application/json\r\n"


@pytest.fixture(params=["instance", "discovery"])
async def port(request: pytest.FixtureRequest) -> AsyncGenerator[int]:
    """Where a role listens that waits for a head for 0.4 s, and for a body for 0.2 s."""
    times: dict[str, Any] = {"head_timeout_s": 0.4, "body_timeout_s": 0.2}
    if request.param == "discovery":
        async with Discovery(DiscoverySettings(**times)) as discovery:
            yield discovery.port
    else:
        async with one_instance(**times) as instance:
            yield instance.port


async def test_silence_is_closed(port: int) -> None:
    async with asyncio.timeout(10):
        assert await exchange(port, b"") == b""
        assert await exchange(port, b"\r\n\r\n") == b""


@pytest.mark.parametrize(
    "head", [b"G", b"GET / HTTP/1.1", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nCookie: a"]
)
async def test_half_a_head_is_408(port: int, head: bytes) -> None:
    async with asyncio.timeout(10):
        got = await exchange(port, head)
    assert got.startswith(b"HTTP/1.1 408 ")
    assert b"within 0.4 s" in got


async def drip(port: int, first: bytes, piece: bytes) -> bytes:
    """Send a little every now and then, until there is an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(first)
    answer = asyncio.create_task(read_all(reader))
    async with asyncio.timeout(10):
        while not answer.done():
            writer.write(piece)
            await asyncio.wait([answer], timeout=0.05)
    writer.close()
    return answer.result()


async def test_a_head_that_drips_is_408(port: int) -> None:
    assert (await drip(port, b"GET / HTTP/1.1\r\nX: ", b"x")).startswith(b"HTTP/1.1 408 ")
    assert (await drip(port, b"GET / HTTP/1.1\r\n", b"X: x\r\n")).startswith(b"HTTP/1.1 408 ")


@pytest.fixture(params=["/push", "/ws/0/a/xhr_send", "/eureka/apps/A"])
async def post(request: pytest.FixtureRequest) -> AsyncGenerator[tuple[int, bytes]]:
    """Where a role listens that waits for a body for 0.2 s, and the beginning of a POST."""
    head = f"POST {request.param} HTTP/1.1\r\n".encode() + HOST
    if "eureka" in request.param:
        async with Discovery(DiscoverySettings(body_timeout_s=0.2)) as discovery:
            yield discovery.port, head
    else:
        async with one_instance(body_timeout_s=0.2) as instance:
            yield instance.port, head


@pytest.mark.parametrize("length", [b"Content-Length: 100000", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("begun", [b"", b"5\r\nhello\r\n"])
async def test_a_body_that_does_not_come_is_408(post: tuple[int, bytes], length: bytes, begun: bytes) -> None:
    port, head = post
    async with asyncio.timeout(10):
        got = await exchange(port, head + length + b"\r\n\r\n" + begun)
    assert got.startswith(b"HTTP/1.1 408 ")
    assert b"for 0.2 s" in got


async def test_a_body_that_drips_is_408(post: tuple[int, bytes]) -> None:
    port, head = post
    assert (await drip(port, head + b"Content-Length: 10000\r\n\r\n", b"x")).startswith(b"HTTP/1.1 408 ")


async def test_a_body_that_moves_may_take_longer_than_its_deadline(post: tuple[int, bytes]) -> None:
    port, head = post
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head + b"Content-Length: 10240\r\n\r\n")
    for _ in range(10):
        writer.write(b" " * 1024)
        await asyncio.sleep(0.05)
    async with asyncio.timeout(10):
        assert not (await reader.readline()).startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_the_second_head_has_its_own_deadline(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health HTTP/1.1\r\n%b\r\n" % HOST)
    await reader.readuntil(b"}")
    writer.write(b"GET /health HTTP/1.1\r\nX")
    async with asyncio.timeout(10):
        assert (await read_all(reader)).lstrip(b"}").startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_a_stream_whose_request_never_ends_is_cut() -> None:
    """The answer has begun, so it can only break off."""
    async with one_instance(body_timeout_s=0.2) as instance:
        head = b"POST /ws/0/a/xhr_streaming HTTP/1.1\r\n%bContent-Length: 100\r\n\r\n" % HOST
        async with asyncio.timeout(10):
            got = await exchange(instance.port, head)
    assert got.startswith(b"HTTP/1.1 200 ")
    assert not got.endswith(b"0\r\n\r\n")

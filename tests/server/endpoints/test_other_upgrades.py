"""A request for an upgrade that nobody here knows is answered as it is, with its body."""

import asyncio

import pytest

from server.discovery.app import Discovery
from server.instance import Instance, InstanceSettings

_BODY = b'{"user":"nobody","destination":"/topic/greetings","payload":"x"%s}'
_H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"


def _push(more: bytes = b"") -> bytes:
    body = _BODY % more
    head = b"POST /push HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return head + _H2C + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))
    return int(head.split()[1])


@pytest.mark.parametrize("more", [b"", b',"confirm":true'], ids=["short", "confirmed"])
async def test_a_push_that_asks_for_h2c_keeps_its_body(more: bytes) -> None:
    """In one piece, and with the body behind the head; twice on one connection."""
    async with asyncio.timeout(20), Instance(InstanceSettings()) as instance:
        reader, writer = await asyncio.open_connection("127.0.0.1", instance.port)
        request = _push(more)
        writer.write(request)
        assert await _status(reader) == 202
        writer.write(request + request)
        assert [await _status(reader), await _status(reader)] == [202, 202]
        head, _, body = request.partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        await writer.drain()
        writer.write(body)
        assert await _status(reader) == 202
        writer.close()
        await writer.wait_closed()


async def test_a_sockjs_send_that_asks_for_h2c_keeps_its_body() -> None:
    """What goes the application's way does so too."""
    async with asyncio.timeout(20), Instance(InstanceSettings()) as instance:
        reader, writer = await asyncio.open_connection("127.0.0.1", instance.port)
        body = b'["CONNECT\\naccept-version:1.2\\nhost:x\\n\\n\\u0000"]'
        writer.write(b"POST /ws/000/abcdefgh/xhr HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(b"o\n\r\n0\r\n\r\n")
        send = b"POST /ws/000/abcdefgh/xhr_send HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        writer.write(send + _H2C + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert b" 204 " in await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()


async def test_a_registration_that_asks_for_h2c_keeps_its_body() -> None:
    """At discovery: Java's client offers h2c with its requests."""
    body = b"no JSON at all"
    head = b"POST /eureka/apps/A HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    answers: list[bytes] = []
    async with asyncio.timeout(20), Discovery() as discovery:
        for offer in (b"", _H2C):
            reader, writer = await asyncio.open_connection("127.0.0.1", discovery.port)
            writer.write(head + offer + length + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            size = int(answer.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            answers.append(answer.split(b"\r\n")[0] + await reader.readexactly(size))
            writer.write(b"GET /eureka/apps HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            answers.append((await reader.readuntil(b"\r\n"))[:12])
            writer.close()
            await writer.wait_closed()
    assert answers[:2] == answers[2:]

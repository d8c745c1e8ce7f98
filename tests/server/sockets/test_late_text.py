"""A message that is no text, and the close frame behind it in the same read."""

from __future__ import annotations

import asyncio
import logging

import pytest

from server.discovery.app import Discovery, DiscoverySettings
from tests.support.raw_http import request

_HANDSHAKE = (
    b"GET /watch HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_NO_TEXT = b"\x81\x82\0\0\0\0\xff\xfe"
_CLOSE = b"\x88\x82\0\0\0\0\x03\xe8"


async def test_it_ends_and_is_no_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    async with Discovery(DiscoverySettings()) as discovery:
        reader, writer = await asyncio.open_connection("127.0.0.1", discovery.port)
        writer.write(_HANDSHAKE + _NO_TEXT + _CLOSE)
        assert b" 101 " in await reader.read()
        writer.close()
        assert (await request(discovery.url, "GET", "/health")).status == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]

"""A client that leaves in the midst of a body is no error of ours, at whatever reads bodies whole."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest

from server.discovery.app import Discovery, DiscoverySettings
from tests.support.instances import one_instance
from tests.support.raw_http import request


@pytest.mark.parametrize("role", ["instance", "discovery"])
async def test_a_client_that_leaves_in_the_midst_of_a_body(
    role: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncExitStack() as stack:
        if role == "instance":
            url, path = (await stack.enter_async_context(one_instance())).url, "/stages"
        else:
            url = (await stack.enter_async_context(Discovery(DiscoverySettings()))).url
            path = "/eureka/apps/A"
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: 100\r\nExpect: 100-continue\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")  # the application reads
        writer.write(b"half")
        writer.close()
        for _ in range(3):  # whoever comes later is answered after it
            assert (await request(url, "GET", "/health")).status == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]

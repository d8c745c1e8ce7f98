"""What instances say of themselves is dialled, logged and shown by others: what is unfit is refused."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from server.discovery import Discovery

GOOD: dict[str, Any] = {"id": "i1", "service": "shop", "host": "10.0.0.7", "port": 8080}
BAD: list[dict[str, Any]] = [
    *(
        {name: value}
        for name in ("id", "service", "host")
        for value in ("", "a\r\nb: c", "a b", "a\x00", " ")
    ),
    *({"host": value} for value in ("a/b", "a@b", "a#b", "a:80", "http://a", "hôst", "x" * 300, "[::1")),
    *({"port": value} for value in (0, -1, 65536)),
    {"status": "UP\r\nx"},
    {"metadata": {"zone": "a\r\nb"}},
    {"metadata": {"zo\nne": "a"}},
]


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_on_watch(http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture) -> None:
    async with Discovery() as discovery:
        for bad in BAD:
            async with http.ws_connect(f"{discovery.url}/watch") as socket:
                await socket.receive_json()
                await socket.send_json({"type": "register", "instance": GOOD | bad})
                refused = await socket.receive_json()
                assert refused["type"] == "refused" and "not understood" in refused["reason"], bad
        async with http.ws_connect(f"{discovery.url}/watch") as socket:
            await socket.receive_json()
            for host in ("10.0.0.7", "::1", "fe80::1%eth0", "a-b.example_1.org", "localhost"):
                await socket.send_json({"type": "register", "instance": GOOD | {"id": host, "host": host}})
                assert (await socket.receive_json())["instances"][0]["host"] == host
        assert "\r" not in caplog.text


async def test_by_eureka(http: aiohttp.ClientSession) -> None:
    usual: dict[str, Any] = {
        "instanceId": "i1",
        "hostName": "10.0.0.7",
        "app": "SHOP",
        "ipAddr": "10.0.0.7",
        "port": {"$": 8080, "@enabled": "true"},
        "dataCenterInfo": {"name": "MyOwn"},
    }
    bad: list[dict[str, Any]] = [
        {name: value}
        for name in (
            "instanceId",
            "hostName",
            "ipAddr",
            "vipAddress",
            "homePageUrl",
            "statusPageUrl",
            "asgName",
        )
        for value in ("a\r\nb", "a\x1b[31mb")
    ]
    bad += [{name: "a b"} for name in ("instanceId", "hostName", "ipAddr")]
    bad += [{"metadata": {"a": "b\nc"}}, {"dataCenterInfo": {"name": "My\nOwn"}}]
    async with Discovery() as discovery:
        url = f"{discovery.url}/eureka/apps/SHOP"
        for each in bad:
            async with http.post(url, json={"instance": usual | each}) as response:
                assert response.status == 400, each
                assert "\r" not in await response.text()
        async with http.post(url, json={"instance": usual}) as response:
            assert response.status == 204
        async with http.put(f"{url}/i1/metadata", params={"zone": "a\r\nb"}) as response:
            assert response.status == 400


async def test_a_text_that_is_none_is_no_error_of_ours(
    http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with Discovery() as discovery, http.ws_connect(f"{discovery.url}/watch") as socket:
        await socket.receive_json()
        await socket.send_frame(b"\xff\xfe{", aiohttp.WSMsgType.TEXT)
        assert (await socket.receive()).data == 1007
        async with http.get(f"{discovery.url}/health") as response:
            assert response.status == 200
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]

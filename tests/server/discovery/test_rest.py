"""Eureka's REST paths over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest

from server.discovery import Discovery
from tests.server.discovery.test_eureka import document

ID = "h%3Apush%3A8080"


@pytest.fixture
async def discovery() -> AsyncGenerator[Discovery]:
    async with Discovery() as running:
        yield running


@pytest.fixture
async def http(discovery: Discovery) -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(discovery.url) as session:
        yield session


async def status(http: aiohttp.ClientSession, method: str, path: str, **options: Any) -> int:
    async with http.request(method, path, **options) as answer:
        return answer.status


async def read(http: aiohttp.ClientSession, path: str) -> Any:
    async with http.get(path) as answer:
        assert answer.status == 200, await answer.text()
        return json.loads(await answer.read())


@pytest.mark.parametrize("base", ["/eureka", "/eureka/v2"])
async def test_a_life(http: aiohttp.ClientSession, base: str) -> None:
    one = f"{base}/apps/push/{ID}"
    assert await read(http, f"{base}/apps/") == {
        "applications": {"versions__delta": "0", "apps__hashcode": "", "application": []}
    }
    assert await status(http, "PUT", one) == 404
    assert await status(http, "POST", f"{base}/apps/push", data=document()) == 204
    assert await status(http, "PUT", one, params={"status": "UP", "lastDirtyTimestamp": "1"}) == 200
    apps = (await read(http, f"{base}/apps"))["applications"]
    assert apps["apps__hashcode"] == "UP_1_"
    assert [item["name"] for item in apps["application"]] == ["PUSH"]
    assert (await read(http, f"{base}/apps/Push"))["application"]["instance"][0]["hostName"] == "h"
    assert (await read(http, one))["instance"]["instanceId"] == "h:push:8080"
    assert (await read(http, f"{base}/instances/{ID}"))["instance"]["app"] == "PUSH"
    assert len((await read(http, f"{base}/vips/push"))["applications"]["application"]) == 1
    assert (await read(http, f"{base}/svips/else"))["applications"]["application"] == []
    assert await status(http, "DELETE", one) == 200
    assert await status(http, "DELETE", one) == 404
    assert await status(http, "GET", one) == 404


async def test_an_operator_takes_an_instance_out(http: aiohttp.ClientSession) -> None:
    one = f"/eureka/apps/PUSH/{ID}"
    await status(http, "POST", "/eureka/apps/PUSH", data=document())
    assert await status(http, "PUT", f"{one}/status", params={"value": "OUT_OF_SERVICE"}) == 200
    assert await status(http, "PUT", one, params={"status": "UP"}) == 200
    shown = (await read(http, one))["instance"]
    assert (shown["status"], shown["overriddenStatus"]) == ("OUT_OF_SERVICE", "OUT_OF_SERVICE")
    assert await status(http, "DELETE", f"{one}/status") == 200
    assert (await read(http, one))["instance"]["status"] == "UNKNOWN"
    assert await status(http, "PUT", one, params={"status": "UP"}) == 404  # so the client registers again
    assert await status(http, "PUT", f"{one}/status", params={"value": "TIRED"}) == 500
    assert await status(http, "PUT", f"{one}/metadata", params={"zone": "a"}) == 200
    assert (await read(http, one))["instance"]["metadata"] == {"zone": "a"}


async def test_bad_registrations(http: aiohttp.ClientSession) -> None:
    async with http.post("/eureka/apps/OTHER", data=document()) as answer:
        assert answer.status == 400
        assert await answer.text() == "Mismatched appName, expecting OTHER but was PUSH"
    assert await status(http, "POST", "/eureka/apps/PUSH", data=b" " * 300_000) == 413
    assert await status(http, "GET", "/eureka/apps/delta") == 403
    assert await status(http, "PUT", f"/eureka/apps/PUSH/{ID}", params={"status": "TIRED"}) == 400


async def test_web_pages_may_not_write(http: aiohttp.ClientSession) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        assert await status(http, "POST", "/eureka/apps/PUSH", data=document(), headers=headers) == 403
        assert await status(http, "GET", "/watch", headers=headers) in (403, 404)
    assert await status(http, "GET", "/eureka/apps", headers={"Host": "evil.example:80"}) == 403
    assert (await read(http, "/health")) == {"status": "up", "role": "discovery", "instances": 0}
    assert (await read(http, "/info"))["instances"] == []

"""Who may see and change the registry, where others than programs of this machine can reach it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest

from core.push_token import TOKEN_VARIABLE
from server.discovery import Discovery, DiscoveryClient, DiscoverySettings, Registration

LISTED = ("/", "/info", "/eureka/apps", "/eureka/apps/", "/eureka/v2/apps", "/eureka/apps/delta")
ONE = (
    "/eureka/apps/SHOP",
    "/eureka/apps/SHOP/i1",
    "/eureka/instances/i1",
    "/eureka/vips/shop",
    "/eureka/svips/shop",
)
BEARER = {"Authorization": "Bearer secret"}
BASIC = {"Authorization": f"Basic {base64.b64encode(b'eureka:secret').decode()}"}


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def statuses(http: aiohttp.ClientSession, base: str, headers: Mapping[str, str]) -> set[int]:
    """Statuses of all ways to read."""
    found: set[int] = set()
    for path in LISTED + ONE:
        async with http.get(base + path, headers=headers) as response:
            found.add(response.status)
            assert response.status == 200 or "i1" not in await response.text()
    return found


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
async def test_where_a_token_is_set_nothing_is_listed_without_it(
    http: aiohttp.ClientSession, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")
    ourselves = Registration("i1", "shop", "127.0.0.1", 8080)
    async with Discovery(DiscoverySettings(host=host)) as discovery:
        base = f"http://127.0.0.1:{discovery.port}"
        async with DiscoveryClient(base, ourselves, token="secret"):
            assert await statuses(http, base, {}) == {401}
            assert await statuses(http, base, {"Authorization": "Bearer wrong"}) == {401}
            assert await statuses(http, base, BEARER) == await statuses(http, base, BASIC) == {200}
            async with http.get(f"{base}/health") as response:
                assert await response.json() == {"status": "up", "role": "discovery"}
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                await http.ws_connect(f"{base}/watch")
            async with http.delete(f"{base}/eureka/apps/SHOP/i1") as response:
                assert response.status == 401


async def test_whoever_comes_through_a_gateway_from_elsewhere_sees_nothing(
    http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    marked = {"pushscope-client": "elsewhere"}
    async with Discovery() as discovery, DiscoveryClient(discovery.url, Registration("i1", "shop", "h", 1)):
        assert await statuses(http, discovery.url, marked) == {401}
        assert await statuses(http, discovery.url, {}) == {200}
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await http.ws_connect(f"{discovery.url}/watch", headers=marked)
        status = f"{discovery.url}/eureka/apps/SHOP/i1/status?value=DOWN"
        async with http.put(status, headers=marked) as response:
            assert response.status == 401

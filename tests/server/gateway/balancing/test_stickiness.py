"""Who keeps which client, over real connections: cookies, SockJS sessions, an instance that is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest
from websockets.asyncio.client import connect

from server.discovery import Discovery
from server.gateway import Balance, Balancing, Gateway, GatewaySettings
from server.gateway.routing.routes import Upstream
from tests.support.instances import one_instance
from tests.support.processes import until
from tests.support.registrant import registrant
from tests.support.requests import get
from tests.support.upstream import Script, Scripted, echo_upstream, scripted_upstream


def named(name: bytes) -> Script:
    """Answers with its name, as often as it is asked."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(name), name)
        )

    return script


@pytest.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


@pytest.fixture
async def upstreams() -> AsyncIterator[list[Scripted]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(scripted_upstream(named(b"%d" % n))) for n in range(3)]


def settings(*ports: int, **more: str) -> GatewaySettings:
    services = {"web-socket": tuple(f"127.0.0.1:{port}" for port in ports)}
    return GatewaySettings(services=services, balancing=Balancing(default=Balance(**more)))  # pyright: ignore[reportArgumentType]


async def ask(http: aiohttp.ClientSession, gateway: Gateway, path: str) -> str:
    async with http.get(f"{gateway.url}/web-socket/{path}") as response:
        return await response.text()


async def test_a_cookie_is_set_and_brings_back(
    http: aiohttp.ClientSession, upstreams: list[Scripted]
) -> None:
    chosen = settings(*(each.port for each in upstreams), strategy="sticky")
    async with Gateway(chosen) as gateway:
        async with http.get(f"{gateway.url}/web-socket/x") as response:
            first = await response.text()
            [cookie] = response.headers.getall("Set-Cookie")
        assert cookie.startswith(f"sc-lb-instance-id=127.0.0.1:{upstreams[int(first)].port}; Path=/")
        for _ in range(3):
            async with http.get(f"{gateway.url}/web-socket/x") as response:
                assert await response.text() == first
                assert "Set-Cookie" not in response.headers
        async with aiohttp.ClientSession() as stranger:
            assert await ask(stranger, gateway, "x") != first


async def test_a_websocket_gets_the_cookie_with_its_101() -> None:
    async with echo_upstream() as one, echo_upstream() as two:
        chosen = settings(one.port, two.port, strategy="sticky", cookie="where")
        async with Gateway(chosen) as gateway:
            url = f"ws://127.0.0.1:{gateway.port}/web-socket/ws"
            async with connect(url, proxy=None) as client:
                assert client.response is not None
                cookie = client.response.headers["Set-Cookie"]
                await client.send("x")
                assert await client.recv() == "x"
            pair = cookie.partition(";")[0]
            port = int(pair.removeprefix("where=127.0.0.1:"))
            assert port in (one.port, two.port)
            asked = len((one if port == one.port else two).requests)
            headers = {"Cookie": f"a=b; {pair}"}
            for _ in range(3):
                async with connect(url, proxy=None, additional_headers=headers) as client:
                    assert client.response is not None
                    assert "Set-Cookie" not in client.response.headers
            assert len((one if port == one.port else two).requests) == asked + 3


async def test_two_gateways_send_a_session_to_the_same_instance(
    http: aiohttp.ClientSession, upstreams: list[Scripted]
) -> None:
    chosen = settings(*(each.port for each in upstreams))
    async with Gateway(chosen) as one, Gateway(chosen) as other:
        places: set[str] = set()
        for number in range(12):
            first = await ask(http, one, f"ws/1/s{number}/xhr")
            assert await ask(http, other, f"ws/2/s{number}/xhr_send") == first
            assert await ask(http, one, f"ws/3/s{number}/eventsource") == first
            places.add(first)
        assert len(places) > 1
        assert len({await ask(http, one, "ws/info") for _ in range(3)}) == 3


async def test_a_session_moves_when_its_instance_is_gone_and_stays_there(
    http: aiohttp.ClientSession,
) -> None:
    path = "ws/1/abc/xhr"
    async with AsyncExitStack() as stack:
        lower, upper = AsyncExitStack(), AsyncExitStack()
        await stack.enter_async_context(lower)
        await stack.enter_async_context(upper)
        zero = await lower.enter_async_context(scripted_upstream(named(b"0")))
        one = await upper.enter_async_context(scripted_upstream(named(b"1")))
        gateway = await stack.enter_async_context(Gateway(settings(zero.port, one.port)))
        first = await ask(http, gateway, path)
        await (lower if first == "0" else upper).aclose()
        other = "1" if first == "0" else "0"
        assert await ask(http, gateway, path) == other
        assert gateway.edge.counters.failed_dials == 1
        assert await ask(http, gateway, path) == other  # nobody is dialled in vain again
        assert gateway.edge.counters.failed_dials == 1


async def test_a_weight_of_an_instance_goes_through_the_registry() -> None:
    balancing = Balancing(default=Balance(strategy="weighted"))
    async with (
        Discovery() as discovery,
        one_instance(id="i1", discovery_url=discovery.url, weight=3),
        one_instance(id="i2", discovery_url=discovery.url),
        Gateway(GatewaySettings(discovery_url=discovery.url, balancing=balancing)) as gateway,
    ):
        service = Upstream(service="web-socket")
        await until(lambda: len(gateway.edge.balancer.candidates(service, get("/x"))) == 2, "both are there")
        picked = [gateway.edge.balancer.candidates(service, get("/x"))[0].id for _ in range(8)]
        assert picked.count("i1") == 6


async def test_out_of_service_in_the_registry(http: aiohttp.ClientSession, upstreams: list[Scripted]) -> None:
    zero, one, _ = upstreams
    async with (
        Discovery() as discovery,
        Gateway(GatewaySettings(discovery_url=discovery.url)) as gateway,
        registrant(discovery.url, "i0", lease_s=60, renew_s=20, port=zero.port),
        registrant(discovery.url, "i1", lease_s=60, renew_s=20, port=one.port),
    ):

        async def states() -> list[str]:
            async with http.get(f"{gateway.url}/routes") as response:
                return [each["state"] for each in (await response.json())["routes"][0]["instances"]]

        while await states() != ["up", "up"]:
            pass
        held = [f"ws/1/s{number}/xhr" for number in range(8)]
        before = [await ask(http, gateway, path) for path in held]
        assert set(before) == {"0", "1"}
        status = f"{discovery.url}/eureka/apps/web-socket/i0/status"
        async with http.put(status, params={"value": "OUT_OF_SERVICE"}) as response:
            assert response.status == 200
        while await states() != ["draining", "up"]:
            pass
        assert [await ask(http, gateway, path) for path in held] == before
        assert {await ask(http, gateway, f"ws/1/new{n}/xhr") for n in range(8)} == {"1"}
        assert {await ask(http, gateway, "x") for _ in range(3)} == {"1"}
        async with http.delete(status, params={"value": "UP"}) as response:
            assert response.status == 200
        while await states() != ["up", "up"]:
            pass
        assert {await ask(http, gateway, "x") for _ in range(4)} == {"0", "1"}

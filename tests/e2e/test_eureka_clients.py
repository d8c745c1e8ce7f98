"""Eureka clients that nobody here wrote against our discovery, and our gateway in front of them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import aiohttp
import pytest

from server.discovery import Discovery, Registered
from server.gateway import Gateway, GatewaySettings, route_spec
from tests.support.processes import until
from tests.support.requirements import requires
from tests.support.stompjs import StompJs
from tests.support.upstream import echo_upstream, say_and_close, scripted_upstream

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
_PY, _JS = "eureka_client.py", "eureka_client.cjs"
CLIENTS = [_PY, pytest.param(_JS, marks=requires("eureka-js"))]


class EurekaClient(StompJs):
    """py-eureka-client or eureka-js-client; commands are those of their drivers."""

    def command(self) -> list[str]:
        return super().command() if self._driver.endswith(".cjs") else [sys.executable, self._driver]

    async def statuses(self, app: str) -> dict[str, str]:
        """What it believes of an application: status by id."""
        self.do("apps", app=app)
        return {each["id"]: each["status"] for each in (await self.expect("apps"))["instances"]}

    async def believes(self, name: str, there: bool) -> None:
        """Wait until it has heard that an instance has come, or gone."""
        while True:
            statuses = await self.statuses("theirs")
            if (name in statuses) is there:
                return
            await asyncio.sleep(0.05)


@pytest.fixture
async def discovery() -> AsyncIterator[Discovery]:
    async with Discovery() as running:
        yield running


@pytest.fixture
async def gateway(discovery: Discovery) -> AsyncIterator[Gateway]:
    routes = (route_spec("theirs", "lb://theirs", ["Path=/theirs/**"]),)
    async with Gateway(GatewaySettings(discovery_url=discovery.url, routes=routes)) as running:
        yield running


async def answered(gateway: Gateway) -> int:
    """The status of a request through the gateway."""
    async with aiohttp.ClientSession() as http, http.get(f"{gateway.url}/theirs/") as answer:
        return answer.status


def status_in(discovery: Discovery) -> str | None:
    lease = discovery.service.registry.find("THEIRS", "their:instance:1")
    return lease.instance.status if lease is not None else None


def gateway_knows(gateway: Gateway) -> list[str]:
    """Those to whom it sends new users."""
    return [item.id for item in gateway.everybody("theirs") if item.status == "UP"]


@pytest.mark.parametrize("driver", CLIENTS)
async def test_a_life(discovery: Discovery, gateway: Gateway, driver: str) -> None:
    """Registered and routed to, renewed, others seen through deltas, taken out and back, cancelled."""
    registry = discovery.service.registry
    async with scripted_upstream(say_and_close(_ANSWER)) as upstream, EurekaClient(driver) as client:
        url = f"{discovery.url}/eureka"
        client.do("start", url=url, app="theirs", id="their:instance:1", port=upstream.port)
        await client.expect("started")
        lease = registry.find("THEIRS", "their:instance:1")
        assert lease is not None
        assert (lease.instance.port, lease.instance.status) == (upstream.port, "UP")
        assert await client.statuses("theirs") == {"their:instance:1": "UP"}
        await until(lambda: bool(gateway_knows(gateway)), "the gateway has heard of it")
        assert await answered(gateway) == 200

        registered = lease.renewed_at
        await until(lambda: lease.renewed_at > registered, "a heartbeat")

        told = registry.delta_version
        discovery.service.register(Registered("other", "THEIRS", "127.0.0.1", 9, "STARTING"), lease_s=60)
        discovery.service.override("THEIRS", "other", "UP")
        await client.believes("other", True)
        assert registry.delta_version > told
        discovery.service.cancel("THEIRS", "other")
        await client.believes("other", False)

        client.do("override", status="OUT_OF_SERVICE")
        await client.expect("overridden")
        assert status_in(discovery) == "OUT_OF_SERVICE"
        await until(lambda: not gateway_knows(gateway), "the gateway sends nobody there")
        assert await answered(gateway) == 503
        # Taken back it is UNKNOWN, so the next heartbeat is told to register again.
        client.do("restore")
        await client.expect("restored")
        await until(lambda: status_in(discovery) == "UP", "registered again")
        await until(lambda: bool(gateway_knows(gateway)), "the gateway has heard of it")
        assert await answered(gateway) == 200

        client.do("stop")
        await client.expect("stopped")
        assert status_in(discovery) is None
        await until(lambda: not gateway_knows(gateway), "the gateway has forgotten it")


async def test_a_registration_in_xml_is_routed_to_and_drained(discovery: Discovery, gateway: Gateway) -> None:
    """Out of service it keeps the WebSockets that it has, and gets no new ones."""
    async with echo_upstream() as upstream, aiohttp.ClientSession() as http:
        body = f"""<instance><hostName>127.0.0.1</hostName><app>THEIRS</app><port>{upstream.port}</port>
        <dataCenterInfo class="x"><name>MyOwn</name></dataCenterInfo></instance>"""
        headers = {"Content-Type": "application/xml"}
        async with http.post(f"{discovery.url}/eureka/apps/THEIRS", data=body, headers=headers) as answer:
            assert answer.status == 204
        await until(lambda: bool(gateway_knows(gateway)), "the gateway has heard of it")
        async with http.ws_connect(f"{gateway.url}/theirs/") as client:
            out = f"{discovery.url}/eureka/apps/THEIRS/127.0.0.1/status?value=OUT_OF_SERVICE"
            async with http.put(out) as answer:
                assert answer.status == 200
            await until(lambda: not gateway_knows(gateway), "the gateway has heard that it drains")
            assert await answered(gateway) == 503
            await client.send_str("still here")
            assert await client.receive_str() == "still here"

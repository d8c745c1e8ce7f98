"""Health checks: who fails gets nothing new until it is well again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import aiohttp
import pytest

from core.push_token import TOKEN_VARIABLE
from server.discovery.registry import Registered
from server.gateway import Balance, Balancing, Gateway, GatewaySettings, HealthCheck
from server.gateway.balancing.balancer import Balancer
from server.gateway.balancing.health import HealthChecks
from server.gateway.routing.routes import Upstream
from tests.support.processes import until
from tests.support.upstream import Script, Scripted, scripted_upstream


@pytest.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class Patient:
    """An instance that is as well as a test says."""

    def __init__(self, name: bytes) -> None:
        self._name = name
        self.status = b"200 OK"

    @property
    def script(self) -> Script:
        """Answers everything with the status and its name."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(
                b"HTTP/1.1 %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
                % (self.status, len(self._name), self._name)
            )

        return answer


def settings(health: HealthCheck, *upstreams: Scripted) -> GatewaySettings:
    services = {"web-socket": tuple(f"127.0.0.1:{each.port}" for each in upstreams)}
    return GatewaySettings(services=services, balancing=Balancing(default=Balance(health=health)))


async def states(http: aiohttp.ClientSession, gateway: Gateway) -> list[str]:
    async with http.get(f"{gateway.url}/routes") as response:
        return [each["state"] for each in (await response.json())["routes"][0]["instances"]]


async def until_states(http: aiohttp.ClientSession, gateway: Gateway, *wanted: str) -> None:
    while await states(http, gateway) != list(wanted):
        pass


async def test_who_fails_gets_nothing_new_until_it_is_well(http: aiohttp.ClientSession) -> None:
    one, two = Patient(b"one"), Patient(b"two")
    health = HealthCheck(path="/up?x", interval=0.1, timeout=1, fall=2, rise=2)
    async with (
        scripted_upstream(one.script) as first,
        scripted_upstream(two.script) as second,
        Gateway(settings(health, first, second)) as gateway,
    ):
        await until(lambda: bool(first.heads and second.heads), "both have been asked")
        assert first.heads[0].startswith(b"GET /up?x HTTP/1.1\r\n")
        assert await states(http, gateway) == ["up", "up"]
        one.status = b"503 Ill"
        await until_states(http, gateway, "ill", "up")
        async with http.get(f"{gateway.url}/health") as response:
            told = await response.json()
        assert told["services"] == {"web-socket": [f"127.0.0.1:{second.port}"]}
        for _ in range(3):
            async with http.get(f"{gateway.url}/web-socket/x") as response:
                assert await response.read() == b"two"
        two.status = b"302 Else"
        await until_states(http, gateway, "ill", "ill")
        async with http.get(f"{gateway.url}/web-socket/x") as response:
            assert response.status == 503
            assert "takes anything new: 127.0.0.1:" in (await response.json())["message"]
        one.status = b"200 OK"
        await until_states(http, gateway, "up", "ill")
        async with http.get(f"{gateway.url}/web-socket/x") as response:
            assert await response.read() == b"one"


async def test_who_does_not_answer_in_time_or_is_not_there_is_ill(http: aiohttp.ClientSession) -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pass

    health = HealthCheck(interval=0.1, timeout=0.1, fall=1)
    async with scripted_upstream(silence) as gone:
        pass
    async with scripted_upstream(silence) as silent, Gateway(settings(health, silent, gone)) as gateway:
        await until_states(http, gateway, "ill", "ill")


async def test_an_instance_whose_host_can_be_none_does_not_end_the_checks(
    http: aiohttp.ClientSession,
) -> None:
    one = Patient(b"one")
    async with scripted_upstream(one.script) as first:
        services = {"web-socket": (f"{'x' * 64}.example:80", f"127.0.0.1:{first.port}")}
        balancing = Balancing(default=Balance(health=HealthCheck(interval=0.1, fall=1)))
        async with Gateway(GatewaySettings(services=services, balancing=balancing)) as gateway:
            await until_states(http, gateway, "ill", "up")
            one.status = b"503 Ill"
            await until_states(http, gateway, "ill", "ill")


class Listed:
    """A directory that a test changes."""

    def __init__(self, *ports: int) -> None:
        self.items = [Registered(str(port), "web-socket", "127.0.0.1", port) for port in ports]

    def everybody(self, service: str) -> tuple[Registered, ...]:
        return tuple(self.items)


async def test_who_comes_back_to_the_registry_counts_as_well() -> None:
    ill, well = Patient(b"ill"), Patient(b"well")
    ill.status = b"503 Ill"
    async with scripted_upstream(well.script) as first, scripted_upstream(ill.script) as second:
        directory = Listed(first.port, second.port)
        balance = Balance(health=HealthCheck(interval=0.1, fall=1))
        balancer = Balancer(directory, Balancing(default=balance))

        def states() -> list[str]:
            return [state for _, state in balancer.states(Upstream(service="web-socket"))]

        async with HealthChecks(balancer, ["web-socket"]):
            await until(lambda: states() == ["up", "ill"], "it is found to be ill")
            left = directory.items.pop()
            balancer.registry_changed()
            asked = first.connections
            await until(lambda: first.connections > asked + 1, "another round has begun")
            directory.items.append(left)
            balancer.registry_changed()
            assert states() == ["up", "up"]


async def test_nobody_is_asked_unless_it_is_wished() -> None:
    one = Patient(b"one")
    async with scripted_upstream(one.script) as upstream:
        services = {"web-socket": (f"127.0.0.1:{upstream.port}",)}
        async with Gateway(GatewaySettings(services=services)):
            await asyncio.sleep(0)
        assert upstream.connections == 0


async def test_instances_on_this_machine_are_told_the_push_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their pages are not open without it; services elsewhere may be anybody's and hear nothing."""
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")
    patient = Patient(b"i1")
    async with scripted_upstream(patient.script) as here:
        check = HealthCheck(path="/info", interval=0.1)
        async with Gateway(settings(check, here)):
            await until(lambda: bool(here.heads), "a check")
    assert b"\r\nAuthorization: Bearer secret\r\n" in here.heads[0]

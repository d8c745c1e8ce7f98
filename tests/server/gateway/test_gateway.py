"""The gateway with discovery, its own pages, and what it says about itself."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from core.errors import PortTakenError, UsageError
from server.access.rule import TOKEN_VARIABLE
from server.discovery import Discovery, DiscoveryClient, Registration
from server.gateway import DEFAULT_ROUTES, Gateway, GatewaySettings, RouteError, route_spec
from tests.support.processes import until
from tests.support.registrant import registrant
from tests.support.upstream import echo_upstream, say, scripted_upstream


@pytest.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def until_known(http: aiohttp.ClientSession, gateway: Gateway, *ids: str) -> None:
    """Ask the gateway until these are the instances that it knows."""
    while True:
        async with http.get(f"{gateway.url}/health") as response:
            if (await response.json())["services"] == {"web-socket": list(ids)}:
                return


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is not there")
async def test_a_killed_instance_is_out_of_the_gateways_list(
    http: aiohttp.ClientSession, record_property: Callable[[str, object], None]
) -> None:
    async with (
        Discovery() as discovery,
        Gateway(GatewaySettings(discovery_url=discovery.url)) as gateway,
        # With leases of a minute only the end of the connection can be the reason.
        registrant(discovery.url, "i1", lease_s=60, renew_s=20),
        registrant(discovery.url, "i2", lease_s=60, renew_s=20) as second,
    ):
        await until_known(http, gateway, "i1", "i2")
        killed = time.perf_counter()
        second.send_signal(signal.SIGKILL)
        await until_known(http, gateway, "i1")
        took = (time.perf_counter() - killed) * 1000
    record_property("out_of_the_list_after_ms", round(took, 2))
    logging.getLogger("tests").info("out of the gateway's list %.1f ms after SIGKILL", took)


async def test_a_user_who_waits_for_an_instance_that_is_dropped_gets_the_next(
    http: aiohttp.ClientSession,
) -> None:
    # A paused process: its kernel accepts the connection, and nobody answers.
    async with (
        Discovery() as discovery,
        Gateway(GatewaySettings(discovery_url=discovery.url)) as gateway,
        scripted_upstream(say()) as paused,
        echo_upstream() as echo,
        registrant(discovery.url, "i1", lease_s=60, renew_s=20, port=paused.port) as first,
        registrant(discovery.url, "i2", lease_s=60, renew_s=20, port=echo.port),
    ):
        await until_known(http, gateway, "i1", "i2")
        url = f"ws://127.0.0.1:{gateway.port}/web-socket/ws"
        protocols = [Subprotocol("v12.stomp")]
        opening = asyncio.ensure_future(connect(url, proxy=None, subprotocols=protocols).__aenter__())
        await until(lambda: bool(paused.heads), "the first instance has been asked")
        first.kill()
        client = await opening
        await client.send("hello")
        assert await client.recv() == "hello"
        await client.close()
        await paused.closed.wait()


async def test_a_request_that_waits_for_an_instance_that_is_dropped_goes_to_the_next(
    http: aiohttp.ClientSession,
) -> None:
    answer = say(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
    async with (
        Discovery() as discovery,
        Gateway(GatewaySettings(discovery_url=discovery.url)) as gateway,
        scripted_upstream(say()) as paused,
        scripted_upstream(answer) as well,
        registrant(discovery.url, "i1", lease_s=60, renew_s=20, port=paused.port) as first,
    ):
        await until_known(http, gateway, "i1")
        base = f"{gateway.url}/web-socket"
        asked = asyncio.create_task(http.get(f"{base}/ws/info"))
        # A session is on its instance and nowhere else, and what may have been done is not done again.
        poll = asyncio.create_task(http.get(f"{base}/ws/000/session/jsonp?c=a"))
        push = asyncio.create_task(http.post(f"{base}/push", data=b"{}"))
        await until(lambda: len(paused.heads) == 3, "the first instance has been asked")
        async with registrant(discovery.url, "i2", lease_s=60, renew_s=20, port=well.port):
            await until_known(http, gateway, "i1", "i2")
            first.kill()
            await until_known(http, gateway, "i2")
            failed = await asked
            assert failed.status == 502  # i2 was not there when it was asked
            assert "left before it answered" in (await failed.json())["message"]
            async with http.get(f"{base}/ws/info") as response:
                assert await response.read() == b"ok"
            assert not poll.done()
            assert not push.done()
            poll.cancel()
            push.cancel()


async def test_it_is_registered_itself_and_reports(http: aiohttp.ClientSession) -> None:
    async with Discovery() as discovery, Gateway(GatewaySettings(discovery_url=discovery.url)) as gateway:
        ourselves = Registration(f"gateway-{gateway.port}", "gateway", "127.0.0.1", gateway.port)
        instance = Registration("i1", "web-socket", "127.0.0.1", 8080)
        async with DiscoveryClient(discovery.url, instance) as client:
            await until_known(http, gateway, "i1")
            assert client.instances("gateway") == (ourselves,)
            async with http.get(f"{gateway.url}/health") as response:
                told = await response.json()
            assert told["discovery"] == {"url": discovery.url, "connected": True}
            assert (told["status"], told["tunnels"]) == ("up", 0)
            async with http.get(f"{gateway.url}/routes") as response:
                routes = (await response.json())["routes"]
            assert routes == [
                {
                    "id": "web-socket",
                    "uri": "lb://web-socket",
                    "predicates": ["Path=/web-socket/**"],
                    "filters": ["StripPrefix=1"],
                    "order": 0,
                    "metadata": {},
                    "timeouts_s": {"connect": 2.0, "response": 60.0, "idle": 0.0},
                    "instances": [{"id": "i1", "address": "127.0.0.1:8080", "state": "up"}],
                }
            ]


@pytest.mark.parametrize(
    ("path", "kind", "words"),
    [
        ("/110000.html", "text/html", "<!doctype html>"),
        ("/110000.css", "text/css", "light-dark("),
        ("/110000.js", "text/javascript", "StompConnection"),
        ("/110000.stomp.js", "text/javascript", "CONNECT"),
    ],
)
async def test_the_page_is_served_and_needs_nothing_else(
    http: aiohttp.ClientSession, path: str, kind: str, words: str
) -> None:
    async with Gateway() as gateway, http.get(f"{gateway.url}{path}") as response:
        text = await response.text()
        assert (response.status, response.content_type) == (200, kind)
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert words in text
        assert "http://www.w3.org" in text or "//" not in text.replace("://", "").replace("// ", "")


async def test_own_paths_only_answer_get_and_loopback(http: aiohttp.ClientSession) -> None:
    async with Gateway() as gateway:
        async with http.post(f"{gateway.url}/health", data=b"x") as response:
            assert response.status == 405
        async with http.get(f"{gateway.url}/110000.html", headers={"Host": "evil.example"}) as response:
            assert response.status == 403
    async with (
        Gateway(GatewaySettings(allowed_hosts=("bench.example",))) as gateway,
        http.get(f"{gateway.url}/health", headers={"Host": "Bench.example:7000"}) as response,
    ):
        assert response.status == 200


async def test_metrics_count_what_happens(http: aiohttp.ClientSession) -> None:
    async with echo_upstream() as echo:
        services = {"web-socket": (f"127.0.0.1:{echo.port}",)}
        async with Gateway(GatewaySettings(services=services)) as gateway:
            base = f"http://127.0.0.1:{gateway.port}"
            url = f"ws://127.0.0.1:{gateway.port}/web-socket/ws"
            async with connect(url, proxy=None) as client, http.get(f"{base}/else"):
                await client.send("x")
                await client.recv()
                async with http.post(f"{base}/web-socket/x", data=b"12345") as response:
                    status = response.status  # no handshake
                async with http.get(f"{base}/metrics") as response:
                    assert response.content_type == "text/plain"
                    found = dict(
                        line.rsplit(" ", 1)
                        for line in (await response.text()).splitlines()
                        if not line.startswith("#")
                    )
    assert {name.removeprefix("pushscope_gateway_"): float(value) for name, value in found.items()} == {
        'answers_total{route="",status="404"}': 1,
        'answers_total{route="web-socket",status="101"}': 1,
        f'answers_total{{route="web-socket",status="{status}"}}': 1,
        "requests_total": 4,
        "upgrades_total": 1,
        "failed_dials_total": 0,
        "dials_total": 1,
        "reused_total": 0,
        "retries_total": 0,
        "idle_cuts_total": 0,
        "compressed_total": 0,
        'body_bytes_total{direction="to_upstream"}': 5,
        'body_bytes_total{direction="to_client"}': pytest.approx(0, abs=1000),  # pyright: ignore[reportUnknownMemberType]
        f'open_tunnels{{instance="127.0.0.1:{echo.port}"}}': 1,
        "watched_tunnels": 0,
        "uptime_seconds": pytest.approx(0, abs=60),  # pyright: ignore[reportUnknownMemberType]
        'upstream_connections{state="busy"}': 0,
        'upstream_connections{state="idle"}': 0,
    }


async def test_on_another_address_the_routes_need_the_token(
    http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")
    async with Gateway(GatewaySettings(host="0.0.0.0")) as gateway:
        base = f"http://127.0.0.1:{gateway.port}"
        async with http.get(f"{base}/health", headers={"Host": "bench.example"}) as response:
            assert await response.json() == {
                "status": "up",
                "role": "gateway",
            }  # whom it knows is nobody's business
        async with http.get(f"{base}/health", headers={"Authorization": "Bearer secret"}) as response:
            assert "services" in await response.json()
        for path in ("routes", "metrics"):
            for token, status in (("", 401), ("wrong", 401), ("secret", 200)):
                headers = {"Authorization": f"Bearer {token}"}
                async with http.get(f"{base}/{path}", headers=headers) as response:
                    assert response.status == status


async def test_a_taken_port_names_itself() -> None:
    async with Gateway() as first:
        with pytest.raises(PortTakenError, match=str(first.port)):
            async with Gateway(GatewaySettings(port=first.port)):
                pass


def test_wrong_settings_are_found_before_anything_starts() -> None:
    with pytest.raises(RouteError, match="route 'r'"):
        Gateway(GatewaySettings(routes=(route_spec("r", "lb://a b", ["Path=/**"]),)))
    with pytest.raises(UsageError, match="trusted_proxies"):
        Gateway(GatewaySettings(trusted_proxies="("))


async def test_a_shadowed_route_is_said_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    routes = (*DEFAULT_ROUTES, route_spec("info", "lb://web-socket", ["Path=/web-socket/info/**"]))
    async with Gateway(GatewaySettings(routes=routes)):
        pass
    assert "route 'info' is never reached" in caplog.text

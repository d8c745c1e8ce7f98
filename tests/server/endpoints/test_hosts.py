"""Names by which an instance on loopback may be reached: web pages can make up some (DNS rebinding)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from server.gateway.edge import GatewaySettings
from server.gateway.gateway import Gateway
from server.gateway.routing.routes import Part, RouteSpec
from server.instance import Instance
from server.mounted import MountedInstance
from server.settings.instance import InstanceSettings
from server.sockets.listener import Listener

from ...support.instances import one_instance
from ...support.upstream import exchange

HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
#: Everything that a page could want of an instance: method, path, whether it is a handshake.
WANTED = [
    ("GET", "/ws", True),
    ("GET", "/ws/websocket", True),
    ("GET", "/ws/000/a/websocket", True),
    ("GET", "/nothing", True),
    ("GET", "/ws", False),
    ("GET", "/ws/info", False),
    ("OPTIONS", "/ws/info", False),
    ("GET", "/ws/iframe.html", False),
    ("POST", "/ws/000/a/xhr", False),
    ("POST", "/ws/000/a/xhr_streaming", False),
    ("POST", "/ws/000/a/xhr_send", False),
    ("GET", "/ws/000/a/eventsource", False),
    ("GET", "/ws/000/a/htmlfile?c=a", False),
    ("GET", "/ws/000/a/jsonp?c=a", False),
    ("GET", "/info", False),
    ("GET", "/metrics", False),
    ("POST", "/stages", False),
    ("POST", "/push", False),
    ("GET", "/test?username=joe", False),
]


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def status(
    http: aiohttp.ClientSession, url: str, host: str, method: str = "GET", *, upgrade: bool = True
) -> int:
    headers = {"Host": host, "Origin": f"http://{host}", **(HANDSHAKE if upgrade else {})}
    async with http.request(method, url, headers=headers) as response:
        return response.status


async def test_a_name_that_a_page_made_up_reaches_nothing(http: aiohttp.ClientSession) -> None:
    async with one_instance(allowed_origins=("*",)) as instance:
        for host in ("rebound.example", f"rebound.example:{instance.port}", "127.0.0.1.example", ""):
            for method, path, upgrade in WANTED:
                assert await status(http, instance.url + path, host, method, upgrade=upgrade) == 403, path
        assert instance.sessions == 0 and instance.counters.connects == 0
        for host in ("localhost:1", f"127.0.0.1:{instance.port}", "[::1]", "LOCALHOST"):
            assert await status(http, f"{instance.url}/ws", host) == 101
            assert await status(http, f"{instance.url}/ws/info", host, upgrade=False) == 200
        async with http.get(f"{instance.url}/health", headers={"Host": "rebound.example"}) as response:
            assert response.status == 200


@pytest.mark.parametrize("path", ["/info", "/test?username=joe", "/ws/info", "/ws"])
async def test_the_host_of_an_absolute_target_counts(path: str) -> None:
    lines = {"Host": "localhost", **(HANDSHAKE if path == "/ws" else {"Connection": "close"})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    good = b"101" if path == "/ws" else b"200"
    async with one_instance() as instance:
        for host, expected in (("evil.example", b"403"), (f"127.0.0.1:{instance.port}", good)):
            asked = f"GET http://{host}{path} HTTP/1.1\r\n{head}\r\n".encode()
            if expected == b"101":
                asked += b"\x88\x80\0\0\0\0"  # and its end
            assert (await exchange(instance.port, asked)).split(b" ")[1] == expected
        bad = await exchange(instance.port, f"GET http:///info HTTP/1.1\r\n{head}\r\n".encode())
        assert bad.startswith(b"HTTP/1.1 400 ")


async def test_of_several_protocols_offered_websocket_is_chosen(http: aiohttp.ClientSession) -> None:
    async with one_instance() as instance:
        for path in ("/ws", "/ws/000/a/websocket"):
            headers = {**HANDSHAKE, "Upgrade": "h2c, websocket", "Host": "localhost"}
            async with http.get(instance.url + path, headers=headers) as response:
                assert (response.status, response.headers["upgrade"]) == (101, "websocket")


async def test_names_that_are_allowed(http: aiohttp.ClientSession) -> None:
    async with one_instance(allowed_hosts=("push.example",)) as instance:
        for path in ("/ws", "/ws/000/a/websocket"):
            assert await status(http, instance.url + path, "Push.example:443") == 101
            assert await status(http, instance.url + path, "push.example.evil") == 403
        for path in ("/ws/info", "/info", "/metrics"):
            assert await status(http, instance.url + path, "push.example", upgrade=False) == 200
            assert await status(http, instance.url + path, "evil.example", upgrade=False) == 403
    async with one_instance(allowed_hosts=("*",)) as instance:
        assert await status(http, f"{instance.url}/ws", "whatever.example") == 101


async def test_on_another_address_names_do_not_matter(
    http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUSHSCOPE_TOKEN", "secret")
    async with one_instance(host="0.0.0.0") as instance:
        assert await status(http, f"http://127.0.0.1:{instance.port}/ws", "push.example") == 101


async def test_a_gateway_has_to_tell_names_that_it_passes_on(http: aiohttp.ClientSession) -> None:
    """It forwards the instance's own address for a name, unless the route preserves the client's."""

    def gateway(instance: Instance, *filters: str) -> Gateway:
        uri = f"http://127.0.0.1:{instance.port}"
        more = tuple(Part.shortcut(text, None) for text in filters)
        route = RouteSpec("r", uri, (Part.shortcut("Path=/**", None),), more)
        return Gateway(GatewaySettings(routes=(route,), allowed_hosts=("push.example",)))

    async with (
        one_instance(allowed_origins=("*",)) as strict,
        one_instance(id="i2", allowed_hosts=("push.example",)) as told,
    ):
        async with gateway(strict) as plain:
            for path, upgrade, good in (("/ws", True, 101), ("/ws/info", False, 200)):
                assert await status(http, plain.url + path, "push.example", upgrade=upgrade) == good
                assert await status(http, plain.url + path, "evil.example", upgrade=upgrade) == 403
        async with gateway(strict, "PreserveHostHeader") as one, gateway(told, "PreserveHostHeader") as two:
            for path, upgrade, good in (("/ws", True, 101), ("/ws/info", False, 200)):
                assert await status(http, one.url + path, "push.example", upgrade=upgrade) == 403
                assert await status(http, two.url + path, "push.example", upgrade=upgrade) == good


async def test_a_mounted_instance_leaves_names_to_its_host(http: aiohttp.ClientSession) -> None:
    for settings, expected in (
        (InstanceSettings(), 101),
        (InstanceSettings(allowed_hosts=("push.example",)), 403),
    ):
        push = MountedInstance(settings)
        async with Listener(push, lifespan="on") as listener:
            assert await status(http, f"{listener.url}/ws", "shop.example") == expected
            assert await status(http, f"{listener.url}/ws", "push.example") == 101

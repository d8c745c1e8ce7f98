"""An instance inside somebody's FastAPI or Starlette service, under uvicorn and under hypercorn."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from websockets.exceptions import InvalidStatus

from core.errors import UsageError
from server.brokers.embedded import EmbeddedBroker
from server.mounted import MountedInstance
from server.settings.instance import InstanceSettings
from server.sockets.listener import Listener

from ..support.hypercorn_host import HYPERCORN, hypercorn, needs_fastapi, needs_hypercorn
from ..support.processes import PATIENCE, refuses, until, unused_port
from ..support.raw_stomp import joined, raw_stomp

if TYPE_CHECKING:
    from fastapi import FastAPI

pytestmark = needs_fastapi

EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "examples"

#: Serves an application with its lifespan; yields its base URL.
Host = Callable[[Any], AbstractAsyncContextManager[str]]


@asynccontextmanager
async def under_uvicorn(app: Any) -> AsyncGenerator[str]:
    """Under plain uvicorn: its own protocol classes, its lifespan."""
    async with Listener(app, lifespan="on") as listener:
        yield listener.url


@pytest.fixture(params=["uvicorn", HYPERCORN])
def host(request: pytest.FixtureRequest) -> Host:
    return under_uvicorn if request.param == "uvicorn" else hypercorn


@pytest.fixture
async def broker() -> AsyncIterator[str]:
    async with EmbeddedBroker() as running:
        yield running.url


def user_of(scope: dict[str, Any]) -> str | None:
    """The header x-user; "nobody" is anonymous, none at all is refused."""
    name = dict(scope["headers"]).get(b"x-user", b"").decode()
    return {"nobody": "", "": None}.get(name, name)


def as_user(url: str, user: str, path: str = "/push/ws") -> Any:
    return raw_stomp(url, path, headers={"x-user": user} if user else None)


async def test_a_fastapi_service_pushes_across_two_hosts(host: Host, broker: str) -> None:
    def service(id: str) -> tuple[FastAPI, MountedInstance]:
        settings = InstanceSettings(id=id, broker_url=broker, receipt_wait_s=10)
        push = MountedInstance(settings, user=user_of)
        return service_with(push), push

    (one, first), (two, second) = service("i1"), service("i2")
    async with host(one) as here, host(two) as there, as_user(there, "joe") as joe:
        assert (await joe.connect(login="root")).headers["user-name"] == "joe"
        await joe.subscribe("/user/topic/orders")
        await first.template.send_to_user("joe", "/topic/orders", {"n": 1}, confirm=True)
        message = await joe.expect("MESSAGE")
        assert (message.body, message.headers["destination"]) == (b'{"n":1}', "/user/topic/orders")
        assert first.instance.counters.to_broker == 1 and second.instance.sessions == 1
        assert here != there


async def test_the_host_says_who_its_users_are(host: Host) -> None:
    push = MountedInstance(user=user_of)
    async with host(service_with(push)) as url:
        with pytest.raises(InvalidStatus) as refused:
            async with as_user(url, ""):
                pass
        assert refused.value.response.status_code == 403
        async with as_user(url, "joe", "/push/ws?user=root") as joe:
            assert (await joe.connect(login="root")).headers["user-name"] == "joe"
        async with as_user(url, "nobody") as nobody:
            assert "user-name" not in (await nobody.connect(login="root")).headers


async def test_a_coroutine_may_name_the_user(host: Host) -> None:
    async def look_up(scope: dict[str, Any]) -> str | None:
        await asyncio.sleep(0)
        return user_of(scope)

    async with host(service_with(MountedInstance(user=look_up))) as url, as_user(url, "joe") as joe:
        assert (await joe.connect()).headers["user-name"] == "joe"


def service_with(push: MountedInstance) -> FastAPI:
    from fastapi import FastAPI

    app = FastAPI(lifespan=push.lifespan)
    app.mount("/push", push)
    return app


async def test_only_what_was_asked_for_is_served(host: Host) -> None:
    async with host(service_with(MountedInstance())) as url, aiohttp.ClientSession() as http:
        for path in ("/push/push", "/push/test", "/push/health", "/push/info", "/push/ws2"):
            async with http.get(url + path) as response:
                assert response.status == 404, path
        for path in ("/push/wsx", "/push/", "/ws"):
            with pytest.raises(InvalidStatus):
                async with raw_stomp(url, path):
                    pass
    whole = MountedInstance(push_api=True, admin=True)
    async with host(service_with(whole)) as url, aiohttp.ClientSession() as http:
        async with joined_at(url, "/push/ws?user=joe") as joe:
            body = {"user": "joe", "destination": "/topic/a", "payload": "x"}
            async with http.post(f"{url}/push/push", json=body) as response:
                assert response.status == 202
            assert (await joe.expect("MESSAGE")).body == b"x"
            async with http.get(f"{url}/push/test?username=joe") as response:
                assert response.status == 200
        for path in ("/push/health", "/push/info", "/push/metrics"):
            async with http.get(url + path) as response:
                assert response.status == 200, path


@asynccontextmanager
async def joined_at(url: str, path: str) -> AsyncGenerator[Any]:
    async with raw_stomp(url, path) as client:
        await client.connect()
        await client.subscribe("/user/topic/a")
        yield client


@pytest.mark.parametrize("path", ["", "/stomp", "/ws/"])
async def test_the_path_is_the_hosts_choice_and_nests(host: Host, path: str) -> None:
    push = MountedInstance(path=path)
    inner = Starlette(routes=[Mount("/live", push)])
    app = Starlette(routes=[Mount("/a", Mount("/b", inner)), Route("/", hello)], lifespan=push.lifespan)
    async with host(app) as url, aiohttp.ClientSession() as http:
        base = f"/a/b/live{path.rstrip('/')}"
        for end in ("/", "/websocket"):
            async with raw_stomp(url, base + end) as client:
                await client.connect()
        async with http.get(url) as response:
            assert await response.text() == "the host's own"


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("the host's own")


@needs_hypercorn
@pytest.mark.parametrize("inside", [True, False])
async def test_a_prefix_that_a_proxy_takes_away_or_leaves(inside: bool) -> None:
    push = MountedInstance()
    async with push:
        async with (
            Listener(service_without_life(push), root_path="/shop" if inside else "") as listener,
            raw_stomp(listener.url, "/push/ws") as client,
        ):
            await client.connect()
        async with (
            hypercorn(service_without_life(push), root_path="/shop" if inside else "") as url,
            raw_stomp(url, "/shop/push/ws" if inside else "/push/ws") as client,
        ):
            await client.connect()


def service_without_life(push: MountedInstance) -> FastAPI:
    from fastapi import FastAPI

    app = FastAPI()
    app.mount("/push", push)
    return app


async def test_an_instance_may_be_the_whole_application(host: Host) -> None:
    push = MountedInstance()
    async with host(push) as url, joined(url, "joe") as joe:
        push.template.send_to_user("joe", "/topic/greetings", "hello")
        assert (await joe.expect("MESSAGE")).body == b"hello"
    with pytest.raises(RuntimeError, match="lifespan"):
        _ = push.template


async def test_a_host_that_forgets_the_lifespan_is_told(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    async with host(service_without_life(MountedInstance())) as url, aiohttp.ClientSession() as http:
        async with http.get(f"{url}/push/health") as response:
            assert response.status == 503
            assert "lifespan" in await response.text()
        with pytest.raises(InvalidStatus) as refused:
            async with raw_stomp(url, "/push/ws"):
                pass
        assert refused.value.response.status_code == 503
    assert "lifespan" in caplog.text


async def test_origins_are_judged_inside_a_host_too(host: Host) -> None:
    push = MountedInstance(InstanceSettings(allowed_origins=("https://*.shop.example",)))
    async with host(service_with(push)) as url:
        for origin in (url, "https://www.shop.example"):
            async with raw_stomp(url, "/push/ws", origin=origin) as client:
                await client.connect()
        with pytest.raises(InvalidStatus) as refused:
            async with raw_stomp(url, "/push/ws", origin="https://evil.example"):
                pass
        assert refused.value.response.status_code == 403


async def test_sockjs_is_served_inside_a_host_too(host: Host) -> None:
    push = MountedInstance(user=user_of)
    async with host(service_with(push)) as url, aiohttp.ClientSession(headers={"x-user": "joe"}) as http:
        async with http.get(f"{url}/push/ws/info") as response:
            assert (await response.json())["websocket"] is True
        session = f"{url}/push/ws/000/abc"
        assert await _post(http, f"{session}/xhr") == "o\n"
        await _post(http, f"{session}/xhr_send", ["CONNECT\naccept-version:1.2\nlogin:root\n\n\0"])
        assert "user-name:joe" in await _post(http, f"{session}/xhr")
        await _post(
            http, f"{session}/xhr_send", ["SUBSCRIBE\nid:1\ndestination:/user/topic/a\nreceipt:r\n\n\0"]
        )
        assert "RECEIPT" in await _post(http, f"{session}/xhr")
        push.template.send_to_user("joe", "/topic/a", "hello")
        assert "hello" in await _post(http, f"{session}/xhr")
    async with (
        host(service_with(MountedInstance(user=user_of))) as url,
        aiohttp.ClientSession() as http,
        http.post(f"{url}/push/ws/000/abc/xhr") as response,
    ):
        assert response.status == 403


async def _post(http: aiohttp.ClientSession, url: str, messages: list[str] | None = None) -> str:
    async with http.post(url, json=messages) as response:
        assert response.status in (200, 204), await response.text()
        return await response.text()


async def test_clients_are_closed_with_1001_when_the_host_says_so(host: Host) -> None:
    push = MountedInstance()
    async with host(service_with(push)) as url, raw_stomp(url, "/push/ws") as client:
        await client.connect()
        push.close_clients()
        assert (await client.closed())[0] == 1001
        await until(lambda: push.instance.sessions == 0, "the session is gone")


async def test_a_host_that_stops_ends_its_clients_and_leaves_nothing(host: Host, broker: str) -> None:
    settings = InstanceSettings(id="i1", broker_url=broker, receipt_wait_s=10)
    push = MountedInstance(settings, user=user_of)
    async with MountedInstance(InstanceSettings(id="i2", broker_url=broker)) as peer:
        async with host(service_with(push)) as url:
            context = as_user(url, "joe")
            client = await context.__aenter__()
            await client.connect()
            await client.subscribe("/user/topic/a")
            assert len(peer.instance.registry.places("joe")) == 1
        # uvicorn says 1012 by itself, before anybody is asked.
        assert (await client.closed())[0] == (1012 if host is under_uvicorn else 1001)
        await context.__aexit__(None, None, None)
        await until(lambda: not peer.instance.registry.places("joe"), "the peer knows that joe has gone")


async def test_a_client_that_vanishes_under_load_leaves_nothing(host: Host) -> None:
    push = MountedInstance()
    async with host(service_with(push)) as url:
        async with raw_stomp(url, "/push/ws?user=joe") as client:
            await client.connect()
            await client.subscribe("/topic/flood")
            for _ in range(50):
                push.template.send("/topic/flood", "x" * 10_000)
            client.socket.transport.abort()
            await until(lambda: push.instance.sessions == 0, "the session is gone")
        async with joined_at(url, "/push/ws?user=joe") as again:
            push.template.send_to_user("joe", "/topic/a", "back")
            assert (await again.expect("MESSAGE")).body == b"back"


async def test_discovery_needs_the_hosts_port() -> None:
    push = MountedInstance(InstanceSettings(discovery_url="http://127.0.0.1:9"))
    with pytest.raises(UsageError, match="port"):
        await push.__aenter__()


async def test_it_is_entered_once() -> None:
    async with MountedInstance() as push:
        with pytest.raises(RuntimeError, match="already"):
            await push.__aenter__()


# ---- the example -----------------------------------------------------------------------------


@asynccontextmanager
async def shop(server: str, id: str, broker: str) -> AsyncGenerator[str]:
    """The example in a process of its own, as its text says to start it."""
    port = unused_port()
    address = ["--port", str(port)] if server == "uvicorn" else ["--bind", f"127.0.0.1:{port}"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        server,
        "shop:app",
        *address,
        cwd=EXAMPLES,
        env={**os.environ, "SHOP_ID": id, "SHOP_BROKER": broker},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        await until(lambda: process.returncode is not None or not refuses(url), f"{server} listens")
        assert process.returncode is None
        yield url
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            await process.wait()


async def shipped(url: str, number: int, token: str = "token-of-the-warehouse") -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as http,
        http.post(f"{url}/orders/{number}/shipped?customer=lijian") as response,
    ):
        return response.status, await response.json()


@needs_hypercorn
async def test_the_example_pushes_between_uvicorn_and_hypercorn(broker: str) -> None:
    async with shop("uvicorn", "shop-1", broker) as one, shop("hypercorn", "shop-2", broker) as two:
        for here, there, id in ((one, two, "shop-2"), (two, one, "shop-1")):
            async with raw_stomp(here, "/push/ws", headers={"Cookie": "session=token-of-lijian"}) as page:
                assert (await page.connect()).headers["user-name"] == "lijian"
                await page.subscribe("/user/topic/orders")
                assert await shipped(there, 17) == (202, {"pushed_by": id})
                message = await page.expect("MESSAGE")
                assert message.body == b'{"order":17,"state":"shipped","by":"warehouse"}'
                await page.subscribe("/user/topic/echo", "s1")
                await page.send("SEND", {"destination": "/app/echo"}, b"hello")
                assert (await page.expect("MESSAGE")).body == b"you said hello"
        assert (await shipped(one, 17, "nonsense"))[0] == 401
        with pytest.raises(InvalidStatus):
            async with raw_stomp(one, "/push/ws"):
                pass

"""Roles under attack, each a process of its own with what it needs, and a client that must be served."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from tests.support.raw_stomp import raw_stomp
from tests.support.role_process import RoleProcess, role_process
from tests.support.stomp_tcp import tcp_stomp
from tests.support.tokens import SECRET, token

ROLES = ("broker", "discovery", "gateway", "instance")

_ROUTE = """
[[routes]]
id = "instance"
uri = "{}"
predicates = ["Path=/web-socket/**"]
filters = ["StripPrefix=1"]
"""
#: Little is kept for consumers that never come, so that memory says something.
_BROKER = ("--queue-messages", "100", "--queue-bytes", "65536", "--queues", "20", "--expires", "1")
#: A token is checked where one is given; who gives none is let in. A client that left while another request
#: of its waits behind a stream is noticed at the next heartbeat.
_INSTANCE = ("--jwt-optional", "--sockjs-heartbeat", "2")


class Target:
    """A role that is attacked.

    Attributes:
        role: The role itself.
        others: The roles that it needs; their logs count too.
        serve: One round of a client that behaves: everything that it asks for must come.
        tidy: Takes back what attackers have left as they may.
    """

    def __init__(
        self,
        role: RoleProcess,
        others: tuple[RoleProcess, ...],
        serve: Callable[[], Awaitable[None]],
        tidy: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.role = role
        self.others = others
        self.serve = serve
        self._tidy = tidy

    async def tidy(self) -> None:
        """Take back what is there by right, such as registrations that last for hours."""
        if self._tidy is not None:
            await self._tidy()


@asynccontextmanager
async def target(name: str, folder: Path) -> AsyncGenerator[Target]:
    """Start a role and what it needs; ``folder`` is for its files."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        )
        if name == "discovery":
            role = await stack.enter_async_context(role_process("discovery"))
            yield Target(
                role, (), lambda: _serve_discovery(http, role.url), lambda: _empty_discovery(http, role.url)
            )
            return
        broker = await stack.enter_async_context(role_process("broker", *_BROKER))
        if name == "broker":
            yield Target(broker, (), lambda: _serve_broker(broker.url))
            return
        words = ("--broker", broker.url, *_INSTANCE)
        secret = {"PUSHSCOPE_JWT_SECRET": SECRET}
        instance = await stack.enter_async_context(role_process("instance", *words, environment=secret))
        if name == "instance":
            yield Target(instance, (broker,), lambda: _serve_user(http, instance.url, instance.url))
            return
        routes = folder / "routes.toml"
        routes.write_text(_ROUTE.format(instance.url), "utf-8")
        gateway = await stack.enter_async_context(
            role_process("gateway", "--discovery", "", "--routes", str(routes))
        )
        way = f"{gateway.url}/web-socket"
        yield Target(gateway, (instance, broker), lambda: _serve_user(http, way, instance.url))


async def _serve_broker(url: str) -> None:
    async with tcp_stomp(url) as client:
        assert await client.settled("SUBSCRIBE", {"id": "0", "destination": "/topic/healthy"})
        said = uuid.uuid4().hex.encode()
        client.send("SEND", {"destination": "/topic/healthy"}, said)
        while (body := await client.next_body()) != said:
            assert body is not None, "the broker ended a connection that did nothing wrong"


async def _serve_user(http: aiohttp.ClientSession, way: str, push_at: str) -> None:
    """A user who comes on one way hears a push to it and one to everybody."""
    async with http.get(f"{way}/health") as answer:
        assert answer.status == 200, answer.status
    headers = {"Authorization": f"Bearer {token('healthy')}"}
    async with raw_stomp(way, headers=headers) as client:
        await client.connect()
        await client.subscribe("/user/topic/greetings", "0")
        await client.subscribe("/topic/healthy", "1")
        for push in (
            {"user": "healthy", "destination": "/topic/greetings"},
            {"destination": "/topic/healthy"},
        ):
            said = uuid.uuid4().hex
            async with http.post(f"{push_at}/push", json={**push, "payload": said}) as answer:
                assert answer.status == 202, (answer.status, await answer.text())
            while (await client.expect("MESSAGE")).body != said.encode():
                pass


async def _serve_discovery(http: aiohttp.ClientSession, url: str) -> None:
    """Somebody registers by REST, a watcher hears of it, and it leaves again."""
    apps = f"{url}/eureka/apps/HEALTHY"
    said: dict[str, Any] = {
        "instanceId": "h",
        "app": "HEALTHY",
        "hostName": "127.0.0.1",
        "ipAddr": "127.0.0.1",
        "vipAddress": "healthy",
        "status": "UP",
        "port": {"$": 1, "@enabled": "true"},
        "dataCenterInfo": {"@class": "x", "name": "MyOwn"},
        "leaseInfo": {"renewalIntervalInSecs": 30, "durationInSecs": 90},
        "lastDirtyTimestamp": "1",
    }
    async with http.post(apps, json={"instance": said}) as answer:
        assert answer.status == 204, (answer.status, await answer.text())
    async with http.ws_connect(f"{url}/watch", max_msg_size=0) as watcher:
        listing = await watcher.receive_json()
        assert "HEALTHY" in {each["service"].upper() for each in listing["instances"]}
    async with http.delete(f"{apps}/h") as answer:
        assert answer.status == 200, answer.status


async def _empty_discovery(http: aiohttp.ClientSession, url: str) -> None:
    async with http.ws_connect(f"{url}/watch", max_msg_size=0) as watcher:
        listing = await watcher.receive_json()
    for each in listing["instances"]:
        # The id may be anything; in a path it is quoted whole.
        path = "/".join(quote(each[part], safe="") for part in ("service", "id"))
        async with http.delete(URL(f"{url}/eureka/apps/{path}", encoded=True)) as answer:
            await answer.read()
    async with http.get(f"{url}/health") as answer:
        left = (await answer.json())["instances"]
    assert not left, f"{left} registrations stay whatever one does"

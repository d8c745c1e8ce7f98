"""A page of a development server at a whole cluster: what it may do, straight and through the gateway.

It may connect, over every transport, when its origin is allowed. What is not for clients stays closed
to it, whichever origins may connect and whatever a proxy says of CORS.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from server import LocalCluster
from server.gateway import Gateway, GatewaySettings, route_spec
from server.roles.options import InstanceOptions

from ..support.instances import one_instance
from ..support.raw_http import connected, request

DEV: Final = "http://localhost:5173"
EVIL: Final = "http://evil.example"
ALLOWED: Final = f"{DEV} null http://localhost:* https://*.example.org"
SOCKETS: Final = ("/ws", "/ws/websocket", "/ws/000/abcdefgh/websocket")
#: Method and path of SockJS's requests, with the method that a preflight asks for.
REQUESTS: Final = (
    ("GET", "/ws/info"),
    ("POST", "/ws/000/{session}/xhr"),
    ("POST", "/ws/000/{session}/xhr_streaming"),
    ("GET", "/ws/000/{session}/eventsource"),
)
NOT_FOR_PAGES: Final = (
    ("POST", "/push"),
    ("GET", "/test?username=lijian"),
    ("GET", "/info"),
    ("GET", "/metrics"),
    ("POST", "/stages"),
)


@asynccontextmanager
async def places(allowed: str) -> AsyncGenerator[tuple[str, ...]]:
    """Base URLs of a cluster whose instance allows these origins: the gateway's and the instance's."""
    instance = InstanceOptions(allowed_origins=allowed)
    async with LocalCluster(1, in_process=True, broker="memory:", instance=instance) as cluster:
        info = cluster.describe()
        yield f"{info.gateway_url}/web-socket", info.instances[0].push_url


def root_of(url: str) -> tuple[str, str]:
    """Scheme and authority, and the path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", parts.path


async def head_of(url: str, method: str, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
    """Status and headers of the answer to a request, of which the body need not end."""
    root, prefix = root_of(url)
    body = b"{}" if method == "POST" else None
    async with asyncio.timeout(20), connected(root) as http:
        head = await http.ask(method, prefix + path, headers, body)
        return head.status, head.headers


async def status_of_socket(url: str, path: str, origin: str) -> int:
    """101, or how the handshake of a page is refused; the refusal names the option."""
    try:
        async with connect(f"ws{url.removeprefix('http')}{path}", proxy=None, origin=origin):  # type: ignore[arg-type]
            return 101
    except InvalidStatus as refused:
        assert f"--allow-origin {origin}" in (refused.response.body or b"").decode()
        return refused.response.status_code


@pytest.mark.parametrize("origin", [DEV, "null", "http://localhost:4200", "https://a.example.org"])
async def test_an_allowed_page_may_connect_over_every_transport(origin: str) -> None:
    async with places(ALLOWED) as urls:
        for place, url in enumerate(urls):
            for path in SOCKETS:
                assert await status_of_socket(url, path, origin) == 101, path
            for number, (method, path) in enumerate(REQUESTS):
                path = path.format(session=f"s{place}{number}")
                asked = {"Origin": origin, "Access-Control-Request-Method": method}
                answers = [
                    await head_of(url, method, path, {"Origin": origin, "Sec-Fetch-Site": "same-site"})
                ]
                if "eventsource" not in path:  # for which a browser asks nothing
                    answers.append(await head_of(url, "OPTIONS", path, asked))
                for status, headers in answers:
                    assert status in (200, 204), path
                    assert headers["access-control-allow-origin"] == origin
                    assert headers["access-control-allow-credentials"] == "true"


@pytest.mark.parametrize("allowed", ["", "http://localhost:4200", "null"])
async def test_any_other_page_is_told_which_option_it_lacks(allowed: str) -> None:
    async with places(allowed) as urls:
        for url in urls:
            for origin in (DEV, EVIL):
                for path in SOCKETS:
                    assert await status_of_socket(url, path, origin) == 403
                root, prefix = root_of(url)
                for method, path in REQUESTS:
                    path = prefix + path.format(session="s")
                    for each in (method, *(() if "eventsource" in path else ("OPTIONS",))):
                        answer = await request(root, each, path, {"Origin": origin})
                        assert answer.status == 403
                        assert f"--allow-origin {origin}" in answer.body.decode()
                        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("allowed", ["*", ALLOWED])
@pytest.mark.parametrize("origin", [DEV, "null"])
async def test_what_is_not_for_clients_stays_closed_to_every_page(allowed: str, origin: str) -> None:
    async with places(allowed) as urls:
        for url in urls:
            root, prefix = root_of(url)
            for method, path in NOT_FOR_PAGES:
                asked = {
                    "Access-Control-Request-Method": method,
                    "Access-Control-Request-Headers": "content-type",
                }
                body = b'{"destination": "/topic/x"}' if method == "POST" else None
                for headers in (
                    {"Origin": origin},
                    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
                ):
                    answer = await request(root, method, prefix + path, headers, body)
                    assert answer.status in (401, 403), (path, headers, answer.body)
                    assert b"pushes" not in answer.body
                    assert "access-control-allow-origin" not in answer.headers
                preflight = await request(root, "OPTIONS", prefix + path, {"Origin": origin, **asked})
                assert preflight.status >= 400
                assert not [name for name in preflight.headers if name.startswith("access-control-")]
            # A person's own look, and a link that somebody follows, are no page that reads.
            for headers in ({}, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}):
                assert (await request(root, "GET", f"{prefix}/info", headers)).status == 200


async def test_a_gateway_that_lets_every_page_read_opens_nothing_either() -> None:
    """It may say so of every answer: in what a page reads then there is nothing."""
    async with one_instance() as instance:
        filters = ["StripPrefix=1", "AddResponseHeader=Access-Control-Allow-Origin, *"]
        routes = (route_spec("all", instance.url, ["Path=/all/**"], filters),)
        async with Gateway(GatewaySettings(port=0, routes=routes)) as gateway:
            for method, path in NOT_FOR_PAGES:
                body = b'{"destination": "/topic/x"}' if method == "POST" else None
                answer = await request(gateway.url, method, f"/all{path}", {"Origin": DEV}, body)
                assert (answer.status, answer["access-control-allow-origin"]) == (403, "*")
                assert answer.body.startswith(b'{"error":')


async def test_refused_pages_are_counted() -> None:
    async with one_instance() as instance:
        await request(instance.url, "GET", "/ws/info", {"Origin": DEV})
        assert await status_of_socket(instance.url, "/ws", EVIL) == 403
        assert instance.counters.foreign_pages == 2

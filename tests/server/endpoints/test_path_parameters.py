"""Parameters in paths (``;jsessionid=1``) mean nothing, in every segment of every path, as with Spring.

What Spring 6.2 answers stands beside each path where it was asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from core.environment import EnvironmentInfo
from server import LocalCluster
from server.roles.options import InstanceOptions
from server.settings.sockjs import spring_settings
from server.sockets.path_parameters import plain_scope, without_parameters

from ...support.instances import one_instance
from ...support.raw_http import request

#: Method, path, what both dialects answer and Spring too.
REQUESTS = [
    ("GET", "/ws;jsessionid=1/info", 200),
    ("GET", "/ws/info;jsessionid=1", 200),
    ("GET", "/ws;/info", 200),
    ("GET", "/ws;x", 200),
    ("GET", "/ws/;x", 200),
    ("GET", "/ws%3Bx/info", 404),
    ("GET", "/;x/ws/info", 404),
    ("OPTIONS", "/ws;a=1/000;b=2/{place}0;c=3/xhr", 204),
    ("POST", "/ws;x=1/000/{place}1/xhr", 200),
    ("POST", "/ws/000;x=1/{place}2/xhr", 200),
    ("POST", "/ws/000/{place}3;x=1/xhr", 200),
    ("GET", "/test;jsessionid=1?username=x", 200),
]
#: Those of ours.
ADMIN = [
    ("POST", "/push;x=1", 202),
    ("GET", "/health;x=1", 200),
    ("GET", "/info;x=1?user=joe", 200),
    ("GET", "/metrics;x=1", 200),
    ("POST", "/stages;x", 200),
    ("GET", "/push;x=1", 405),
]
SOCKETS = [
    "/ws;x=1",
    "/ws;x=1/websocket",
    "/ws/websocket;x=1",
    "/ws/000/s7;x/websocket",
    "/ws/000;y/s9/websocket",
]
BODIES = {"/push": b'{"destination": "/topic/x"}', "/stages": b'{"ids": []}'}


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=["sockjs", "spring"])
async def info(request: pytest.FixtureRequest) -> AsyncIterator[EnvironmentInfo]:
    instance = InstanceOptions(sockjs=spring_settings() if request.param == "spring" else None)
    async with LocalCluster(1, in_process=True, broker="memory:", instance=instance) as cluster:
        yield cluster.describe()


def places(info: EnvironmentInfo) -> list[tuple[str, str]]:
    """Base URL and prefix: straight, through the gateway, and with parameters in the gateway's prefix."""
    straight, gateway = info.instances[0].push_url, info.gateway_url
    return [(straight, ""), (gateway, "/web-socket"), (gateway, "/web-socket;jsessionid=1")]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("method", "path", "status"), [*REQUESTS, *ADMIN])
async def test_requests(info: EnvironmentInfo, method: str, path: str, status: int) -> None:
    body = next((body for begin, body in BODIES.items() if path.startswith(begin)), None)
    headers = {"Content-Type": "application/json"} if body and method == "POST" else {}
    for number, (url, prefix) in enumerate(places(info)):
        place = f"{method}{number}"  # a session of its own: the second poll of one waits for a heart-beat
        answer = await request(url, method, prefix + path.format(place=place), headers, body)
        assert answer.status == status, (prefix, answer)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", SOCKETS)
async def test_sockets(info: EnvironmentInfo, path: str) -> None:
    for url, prefix in places(info):
        async with connect(f"ws{url.removeprefix('http')}{prefix}{path}", proxy=None) as socket:
            assert socket.response is not None and socket.response.status_code == 101


async def test_a_session_is_the_same_with_parameters_and_without() -> None:
    async with one_instance() as instance:
        opened = await request(instance.url, "POST", "/ws/000/joe;a=1/xhr")
        sent = await request(
            instance.url, "POST", "/ws;b/111;c/joe/xhr_send;d", {}, b'["CONNECT\\n\\n\\u0000"]'
        )
        got = await request(instance.url, "POST", "/ws/000/joe/xhr;e")
        assert (opened.body, sent.status, got.body[:12]) == (b"o\n", 204, b'a["CONNECTED')


@pytest.mark.parametrize("transport", ["xhr", "xhr_streaming", "eventsource", "websocket"])
async def test_springs_dialect_wants_none_behind_a_transport(transport: str) -> None:
    """As Spring itself."""
    path = f"/ws/000/s4/{transport};x=1"
    async with one_instance(sockjs=spring_settings()) as instance:
        if transport == "websocket":
            with pytest.raises(InvalidStatus, match="404"):
                async with connect(f"ws{instance.url.removeprefix('http')}{path}", proxy=None):
                    pass
            return
        method = "GET" if transport == "eventsource" else "POST"
        assert (await request(instance.url, method, path)).status == 404


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ({"path": "/a/b"}, "/a/b"),
        ({"path": "/a;x/b", "raw_path": b"/a;x/b"}, "/a/b"),
        ({"path": "/a;x/b", "raw_path": b"/a%3Bx/b"}, "/a;x/b"),
        ({"path": "/é;x/;y", "raw_path": b"/%C3%A9;x/;y?q=;/"}, "/é/"),
        ({"path": "/a;x/b;y"}, "/a/b"),
        ({"path": "/a;x/b", "raw_path": None}, "/a/b"),
    ],
)
def test_a_scope_without_parameters(scope: dict[str, Any], path: str) -> None:
    assert plain_scope(scope)["path"] == path
    assert plain_scope(scope).get("raw_path") == scope.get("raw_path")
    assert ";" not in without_parameters(scope["path"])

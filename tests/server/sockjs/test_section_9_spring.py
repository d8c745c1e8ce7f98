"""docs/wire/sockjs.md §9 and docs/wire/spring-relay.md §9: the dialect of Spring, where it differs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from server.sockets.listener import Listener
from server.sockets.strict_http import StrictHttpProtocol
from server.sockjs import Echo, SockJsService, spring_settings
from server.sockjs.echo import CloseAtOnce
from server.sockjs.suite import PrefixedServices
from tests.support.raw_http import request

from .conftest import Place

NO_CACHE = "no-store, no-cache, must-revalidate, max-age=0"


def spring_services() -> PrefixedServices:
    def user_of(scope: dict[str, Any]) -> str | None:
        return dict(scope["headers"]).get(b"x-user", b"").decode()

    return PrefixedServices(
        {
            "/echo": SockJsService(Echo, spring_settings(allowed_origins=("*",)), user_of=user_of),
            "/close": SockJsService(CloseAtOnce, spring_settings(allowed_origins=("*",))),
            "/same": SockJsService(Echo, spring_settings()),
            "/listed": SockJsService(Echo, spring_settings(allowed_origins=("http://page.test/",))),
        }
    )


@pytest.fixture
async def spring() -> AsyncIterator[Place]:
    async with Listener(spring_services(), http=StrictHttpProtocol) as listener:
        yield Place(listener.url)


def test_defaults() -> None:
    settings = spring_settings()
    assert (settings.heartbeat_s, settings.disconnect_s, settings.response_limit) == (25, 5, 131072)
    assert settings.cookie_needed
    assert settings.websocket
    assert settings.cors
    assert settings.max_waiting_messages == 100
    assert spring_settings(cookie_needed=False).cookie_needed is False


async def test_info_in_springs_order(spring: Place) -> None:
    answer = await spring.get("/echo/info")
    info = json.loads(answer.body)
    assert list(info) == ["entropy", "origins", "cookie_needed", "websocket"]
    assert -(2**31) <= info["entropy"] < 2**31
    assert (info["cookie_needed"], info["websocket"]) == (True, True)
    assert answer["cache-control"] == NO_CACHE
    assert answer["access-control-allow-origin"] is None  # no Origin, no CORS


async def test_jsonp_is_gone(spring: Place) -> None:
    session = spring.session()
    assert (await spring.get(f"{session}/jsonp?c=x")).status == 404
    assert (await spring.post(f"{session}/jsonp_send", b'["x"]')).status == 404


async def test_the_last_segment_has_no_semicolon(spring: Place) -> None:
    session = spring.session()
    assert (await spring.post(f"{session}/xhr;jsessionid=1")).status == 404
    assert (await spring.post(f"{session};x=1/xhr")).status == 200


async def test_iframe_page(spring: Place) -> None:
    answer = await spring.get("/echo/iframe.html")
    assert answer["cache-control"] == NO_CACHE
    assert answer["etag"]
    assert answer["x-frame-options"] is None
    body = answer.body.decode()
    assert "\t<title>" in body
    assert body.index("_sockjs_onload") < body.index("<script src=")
    assert (await spring.get("/same/iframe.html"))["x-frame-options"] == "SAMEORIGIN"
    assert (await spring.get("/listed/iframe.html")).status == 404


@pytest.mark.parametrize(
    ("prefix", "origin", "status"),
    [
        ("/same", None, 200),
        ("/same", "http://page.test", 403),
        ("/same", "http://127.0.0.1", 200),  # what the test's Host header says
        ("/listed", "http://page.test", 200),
        ("/listed", "HTTP://PAGE.TEST/", 200),
        ("/listed", "http://other.test", 403),
        ("/echo", "http://other.test", 200),
    ],
)
async def test_origins(spring: Place, prefix: str, origin: str | None, status: int) -> None:
    headers = {"Origin": origin} if origin else {}
    session = spring.session(prefix)
    assert (await spring.get(f"{prefix}/info", headers)).status == status
    assert (await spring.post(f"{session}/xhr", None, headers)).status == status
    sent = await spring.post(f"{session}/xhr_send", b'["x"]', headers)
    assert sent.status == (204 if status == 200 else 403)
    preflight = await spring.ask("OPTIONS", f"{session}/xhr", headers)
    assert preflight.status == (204 if status == 200 else 403)
    async with spring.connect() as http:
        head = await http.ask("GET", f"{spring.session(prefix)}/htmlfile?c=x", headers)
        assert head.status == status


async def test_a_frame_of_a_foreign_page_says_so_without_an_origin(spring: Place) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert (await spring.get(f"{spring.session('/same')}/htmlfile?c=x", headers)).status == 403


async def test_a_session_belongs_to_its_user(spring: Place) -> None:
    session = spring.session()
    joe, pete = {"X-User": "joe"}, {"X-User": "pete"}
    assert (await spring.post(f"{session}/xhr", None, joe)).body == b"o\n"
    for stranger in (pete, {}):
        assert (await spring.post(f"{session}/xhr", None, stranger)).status == 404
        assert (await spring.post(f"{session}/xhr_send", b'["x"]', stranger)).status == 404
    assert (await spring.post(f"{session}/xhr_send", b'["x"]', joe)).status == 204
    assert (await spring.post(f"{session}/xhr", None, joe)).body == b'a["x"]\n'


async def test_a_session_belongs_to_its_transport(spring: Place) -> None:
    session = spring.session()
    assert (await spring.post(f"{session}/xhr")).body == b"o\n"
    assert (await spring.post(f"{session}/xhr_streaming")).status == 404
    assert (await spring.get(f"{session}/eventsource")).status == 404


async def test_streaming_has_a_frame_for_each_message_and_polling_one_for_all(spring: Place) -> None:
    session = spring.session()
    async with spring.connect() as http:
        head = await http.ask("GET", f"{session}/eventsource")
        assert head["content-type"] == "text/event-stream; charset=UTF-8"
        assert (await http.chunk(), await http.chunk()) == (b"\r\n", b"data: o\r\n\r\n")
        await spring.post(f"{session}/xhr_send", b'["a%","b"]')
        assert [await http.chunk(), await http.chunk()] == [
            b'data: a["a%25"]\r\n\r\n',
            b'data: a["b"]\r\n\r\n',
        ]
    session = spring.session()
    await spring.post(f"{session}/xhr")
    await spring.post(f"{session}/xhr_send", b'["a","b"]')
    assert (await spring.post(f"{session}/xhr")).body == b'a["a","b"]\n'


@pytest.mark.parametrize("query", ["", "?c=*"])
async def test_any_bad_callback_is_a_missing_one(spring: Place, query: str) -> None:
    answer = await spring.get(f"{spring.session()}/htmlfile{query}")
    assert (answer.status, answer.body) == (500, b'"callback" parameter required')


async def test_htmlfile_page(spring: Place) -> None:
    async with spring.connect() as http:
        await http.ask("GET", f"{spring.session()}/htmlfile?c=x")
        page = await http.chunk()
    assert page.startswith(b"<!DOCTYPE html>")
    assert b"\n\t<meta" in page


async def test_broken_json_on_a_websocket(spring: Place) -> None:
    url = f"ws{spring.url.removeprefix('http')}{spring.session()}/websocket"
    async with connect(url, proxy=None) as ws:
        assert await ws.recv() == "o"
        await ws.send("[")
        assert await ws.recv() == 'c[1007,""]'
        with pytest.raises(ConnectionClosed) as ended:
            await ws.recv()
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1007


async def test_a_websocket_closes_with_the_session_s_code(spring: Place) -> None:
    url = f"ws{spring.url.removeprefix('http')}{spring.session('/close')}/websocket"
    async with connect(url, proxy=None) as ws:
        assert [await ws.recv(), await ws.recv()] == ["o", 'c[3000,"Go away!"]']
        with pytest.raises(ConnectionClosed) as ended:
            await ws.recv()
    assert ended.value.rcvd is not None
    assert (ended.value.rcvd.code, ended.value.rcvd.reason) == (3000, "Go away!")


async def test_plain_requests_on_a_websocket_s_path(spring: Place) -> None:
    answer = await spring.get("/echo/websocket")
    assert (answer.status, answer.body) == (400, b'Can "Upgrade" only to "WebSocket".')
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "7"}
    for path in ("/echo/websocket", "/echo"):
        answer = await request(spring.url, "GET", path, headers)
        assert (answer.status, answer["sec-websocket-version"]) == (426, "13")

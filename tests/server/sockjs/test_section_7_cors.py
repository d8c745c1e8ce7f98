"""docs/wire/sockjs.md §7: preflights, CORS headers, cookies."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest

from server.sockets.listener import Listener
from server.sockjs import Echo, SockJsService, SockJsSettings
from tests.support.raw_http import request

from .conftest import Place

PREFLIGHTS = [
    ("/info", "OPTIONS, GET"),
    ("/abc/abc/xhr", "OPTIONS, POST"),
    ("/abc/abc/xhr_streaming", "OPTIONS, POST"),
    ("/abc/abc/xhr_send", "OPTIONS, POST"),
]


@pytest.mark.parametrize("origin", ["test", "null", "http://example.com:8000"])
@pytest.mark.parametrize(("path", "methods"), PREFLIGHTS)
async def test_preflights(any_place: Place, path: str, methods: str, origin: str) -> None:
    headers = {"Access-Control-Request-Method": "POST", "Origin": origin}
    answer = await any_place.ask("OPTIONS", f"/echo{path}", headers)
    assert (answer.status, answer.body) == (204, b"")
    assert answer["cache-control"] == "public, max-age=31536000"
    expires, date = answer["expires"], answer["date"]
    assert expires is not None
    assert date is not None
    assert (parsedate_to_datetime(expires) - parsedate_to_datetime(date)).days in (364, 365)
    assert answer["access-control-max-age"] == "31536000"
    assert answer["access-control-allow-methods"] == methods
    assert answer["access-control-allow-origin"] == origin
    assert answer["access-control-allow-credentials"] == "true"
    assert answer["vary"] == "Origin"


@pytest.mark.parametrize(("path", "methods"), PREFLIGHTS)
async def test_options_without_an_origin(place: Place, path: str, methods: str) -> None:
    answer = await place.ask("OPTIONS", f"/echo{path}")
    assert answer["access-control-allow-origin"] == "*"
    assert answer["access-control-allow-credentials"] is None
    assert answer["vary"] == "Origin"


async def test_a_preflight_creates_no_session(place: Place) -> None:
    await place.ask("OPTIONS", "/echo/abc/preflight/xhr", {"Origin": "test"})
    assert (await place.post("/echo/abc/preflight/xhr_send", b'["a"]')).status == 404


@pytest.mark.parametrize(
    ("asked", "allowed"), [({"Access-Control-Request-Headers": "a, b, c"}, "a, b, c"), ({}, None)]
)
async def test_headers_that_are_asked_for_are_allowed(
    place: Place, asked: dict[str, str], allowed: str | None
) -> None:
    headers = {"Origin": "test", "Access-Control-Request-Method": "POST", **asked}
    answer = await place.ask("OPTIONS", "/echo/abc/abc/xhr", headers)
    assert answer["access-control-allow-headers"] == allowed


async def test_an_empty_list_of_headers_is_none(place: Place) -> None:
    headers = {"Origin": "test", "Access-Control-Request-Headers": ""}
    answer = await place.ask("OPTIONS", "/echo/abc/abc/xhr", headers)
    assert answer["access-control-allow-headers"] is None


@pytest.mark.parametrize("path", ["info", "xhr", "xhr_streaming", "eventsource", "xhr_send"])
async def test_answers_may_be_read_by_other_origins(place: Place, path: str) -> None:
    method = "GET" if path in ("info", "eventsource") else "POST"
    session = place.session()
    await place.post(f"{session}/xhr")
    full = "/echo/info" if path == "info" else f"{session}/{path}"
    for origin in ("http://page.test", None):
        async with place.connect() as http:
            head = await http.ask(method, full, {"Origin": origin} if origin else {}, b'["a"]')
            assert head.status in (200, 204)
            assert head["access-control-allow-origin"] == (origin or "*")
            assert head["access-control-allow-credentials"] == ("true" if origin else None)
            assert head["vary"] == "Origin"


async def test_errors_may_be_read_too(place: Place) -> None:
    answer = await place.post("/echo/a/unknown/xhr_send", b'["a"]', {"Origin": "http://page.test"})
    assert (answer.status, answer["access-control-allow-origin"]) == (404, "http://page.test")
    answer = await place.post("/echo/a/unknown/xhr_send", b"", {"Origin": "http://page.test"})
    assert (answer.status, answer["access-control-allow-origin"]) == (500, "http://page.test")


async def test_cors_can_be_left_to_something_in_front() -> None:
    async with Listener(SockJsService(Echo, SockJsSettings(cors=False))) as listener:
        answer = await request(listener.url, "GET", "/info", {"Origin": "test"})
    assert answer["access-control-allow-origin"] is None


COOKIE_PATHS = [
    ("POST", "xhr"),
    ("POST", "xhr_streaming"),
    ("GET", "eventsource"),
    ("GET", "htmlfile?c=x"),
    ("GET", "jsonp?c=x"),
    ("POST", "xhr_send"),
    ("POST", "jsonp_send"),
    ("OPTIONS", "xhr"),
    ("OPTIONS", "xhr_streaming"),
    ("OPTIONS", "xhr_send"),
]


@pytest.mark.parametrize(("method", "path"), COOKIE_PATHS)
@pytest.mark.parametrize(
    ("sent", "set_to"),
    [
        ({}, "dummy"),
        ({"Cookie": "JSESSIONID=abcdef"}, "abcdef"),
        ({"Cookie": "a=b; JSESSIONID=x.y-1; c=d"}, "x.y-1"),
        ({"Cookie": "XJSESSIONID=no"}, "dummy"),
    ],
)
async def test_every_answer_of_a_session_carries_the_cookie(
    place: Place, method: str, path: str, sent: dict[str, str], set_to: str
) -> None:
    session = place.session("/cookie_needed_echo")
    await place.post(f"{session}/xhr")
    async with place.connect() as http:
        head = await http.ask(method, f"{session}/{path}", sent, b'["a"]' if method == "POST" else None)
        assert head.status in (200, 204)
        assert head["set-cookie"] == f"JSESSIONID={set_to}; path=/"


@pytest.mark.parametrize("path", ["", "/iframe.html", "/info", "/websocket"])
async def test_pages_carry_no_cookie(place: Place, path: str) -> None:
    assert (await place.get(f"/cookie_needed_echo{path}"))["set-cookie"] is None


async def test_there_is_no_cookie_by_default(place: Place) -> None:
    assert (await place.post(f"{place.session()}/xhr", None, {"Cookie": "JSESSIONID=a"}))[
        "set-cookie"
    ] is None


async def test_a_handshake_carries_no_cookie(place: Place) -> None:
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
    }
    async with place.connect() as http:
        head = await http.ask("GET", f"{place.session('/cookie_needed_echo')}/websocket", headers)
    assert head.status == 101
    assert head["set-cookie"] is None

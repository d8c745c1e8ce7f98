"""docs/wire/sockjs.md §2: greeting, iframe page, info."""

from __future__ import annotations

import json
import re
from email.utils import parsedate_to_datetime

import pytest

from core.errors import UsageError
from server.sockets.listener import Listener
from server.sockjs import Echo, SockJsService, SockJsSettings
from tests.support.raw_http import request

from .conftest import Place

IFRAME = """<!DOCTYPE html>
<html>
<head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
  <script src="CLIENT_URL"></script>
  <script>
    document.domain = document.domain;
    SockJS.bootstrap_iframe();
  </script>
</head>
<body>
  <h2>Don't panic!</h2>
  <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>
</body>
</html>
"""
NO_CACHE = "no-store, no-cache, no-transform, must-revalidate, max-age=0"


async def test_greeting(any_place: Place) -> None:
    answer = await any_place.get("/echo")
    assert (answer.status, answer.body) == (200, b"Welcome to SockJS!\n")
    assert answer["content-type"] == "text/plain; charset=UTF-8"
    assert answer["set-cookie"] is None


async def test_greeting_keeps_an_http_1_1_connection(any_place: Place) -> None:
    async with any_place.connect() as http:
        for _ in range(2):
            head = await http.ask("GET", "/echo", {"Connection": "Keep-Alive"})
            assert head["connection"] in (None, "keep-alive")
            assert head["content-length"] == "19"
            assert (await http.whole(head)).body == b"Welcome to SockJS!\n"


async def test_greeting_on_http_1_0(any_place: Place) -> None:
    async with any_place.connect() as http:
        head = await http.ask("GET", "/echo", {"Connection": "Keep-Alive"}, version="1.0")
        assert head["transfer-encoding"] is None
        assert head["content-length"] == "19"
        assert (await http.whole(head)).body == b"Welcome to SockJS!\n"
        assert await http.closed()


@pytest.mark.parametrize(
    "path",
    [
        "/iframe.html",
        "/iframe-a.html",
        "/iframe-.html",
        "/iframe-0.1.2.html",
        "/iframe-0.1.2abc-dirty.2144.html",
        "/iframe-a.html?t=1234",
        "/iframe-0.1.2.html?t=qweqweq123",
    ],
)
async def test_iframe_page(any_place: Place, path: str) -> None:
    answer = await any_place.get(f"/echo{path}")
    assert answer.status == 200
    body = answer.body.decode()
    match = re.search(r'src="((?:/|http)[^"]*)"', body)
    assert match is not None
    assert body == IFRAME.replace("CLIENT_URL", match[1])
    assert answer["content-type"] == "text/html; charset=UTF-8"
    assert answer["cache-control"] == "public, max-age=31536000"
    expires, date = answer["expires"], answer["date"]
    assert expires is not None
    assert date is not None
    assert (parsedate_to_datetime(expires) - parsedate_to_datetime(date)).days in (364, 365)
    etag = answer["etag"]
    assert etag is not None
    assert re.fullmatch(r'"[^"]+"', etag)
    assert answer["last-modified"] is None
    assert answer["set-cookie"] is None


async def test_iframe_page_that_the_client_has(any_place: Place) -> None:
    etag = (await any_place.get("/echo/iframe.html"))["etag"]
    assert etag is not None
    assert (await any_place.get("/echo/iframe-1.html"))["etag"] == etag
    answer = await any_place.get("/echo/iframe.html", {"If-None-Match": etag})
    assert (answer.status, answer.body) == (304, b"")
    assert answer["content-type"] is None
    assert (await any_place.get("/echo/iframe.html", {"If-None-Match": '"other"'})).status == 200


async def test_iframe_page_loads_the_library_from_where_it_is_told() -> None:
    service = SockJsService(Echo, SockJsSettings(client_url="/static/sockjs.js"))
    async with Listener(service) as listener:
        answer = await request(listener.url, "GET", "/iframe.html")
    assert answer.body.decode() == IFRAME.replace("CLIENT_URL", "/static/sockjs.js")


@pytest.mark.parametrize("url", ["sockjs.js", "javascript:alert()", '/x"onload="'])
def test_a_client_url_that_no_page_could_load(url: str) -> None:
    with pytest.raises(UsageError):
        SockJsSettings(client_url=url)


async def test_info(any_place: Place) -> None:
    answer = await any_place.get("/echo/info", {"Origin": "test"})
    assert answer.status == 200
    assert answer["content-type"] == "application/json; charset=UTF-8"
    assert answer["set-cookie"] is None
    assert answer["cache-control"] == NO_CACHE
    assert answer["expires"] is None
    assert answer["last-modified"] is None
    assert answer["access-control-allow-origin"] == "test"
    info = json.loads(answer.body)
    entropy = info.pop("entropy")
    assert info == {"websocket": True, "origins": ["*:*"], "cookie_needed": False}
    assert isinstance(entropy, int)
    assert 0 <= entropy < 2**32


async def test_info_gives_another_entropy_each_time(place: Place) -> None:
    found = {json.loads((await place.get("/echo/info")).body)["entropy"] for _ in range(5)}
    assert len(found) == 5


async def test_info_without_websockets_and_with_a_cookie(place: Place) -> None:
    assert json.loads((await place.get("/disabled_websocket_echo/info")).body)["websocket"] is False
    answer = await place.get("/cookie_needed_echo/info")
    assert json.loads(answer.body)["cookie_needed"] is True
    assert answer["set-cookie"] is None


async def test_info_may_name_another_base_url() -> None:
    async with Listener(SockJsService(Echo, SockJsSettings(base_url="https://x.test/ws"))) as listener:
        answer = await request(listener.url, "GET", "/info")
    assert json.loads(answer.body)["base_url"] == "https://x.test/ws"


async def test_info_preflight(any_place: Place) -> None:
    answer = await any_place.ask("OPTIONS", "/echo/info", {"Origin": "test"})
    assert (answer.status, answer.body) == (204, b"")
    assert answer["access-control-allow-methods"] == "OPTIONS, GET"

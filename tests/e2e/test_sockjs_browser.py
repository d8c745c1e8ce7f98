"""sockjs-client in a browser: also what only browsers have, from our own and from another origin."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Mount, Route

from server.connections.fast_websocket import FastWebSocketProtocol
from server.sockets.listener import Listener
from server.sockets.strict_http import StrictHttpProtocol
from server.sockjs import Echo, SockJsService, SockJsSettings
from server.sockjs.echo import CloseAtOnce
from tests.support.browser import Page, open_page
from tests.support.requirements import node_modules, requires

pytestmark = [requires("chromium", "sockjs"), pytest.mark.asyncio(loop_scope="module")]

AWKWARD = '100% é \u2028 😀 %E0 </script> \x01 \\ " \u200c \uffff \ud83d'
TEXTS = [AWKWARD, "", *(f"{number} {'x' * 500}" for number in range(20)), "y" * 50_000]
ANYWHERE = ["websocket", "xhr-streaming", "eventsource", "xhr-polling", "jsonp-polling"]
FRAMED = ["iframe-eventsource", "iframe-htmlfile", "iframe-xhr-polling"]
#: Origins and what the client can do there: the iframe is its way around a missing CORS.
CASES = [
    *(("own", transport) for transport in [*ANYWHERE, "htmlfile"]),
    *(("other", transport) for transport in [*ANYWHERE, *FRAMED]),
]

ECHO = """new Promise((done) => {
  const texts = %s, got = [];
  let transport = "";
  const socket = new SockJS("%s/echo", null, { transports: ["%s"] });
  socket.onopen = () => {
    transport = socket.transport;
    texts.forEach((text) => socket.send(text));
  };
  socket.onmessage = (message) => {
    got.push(message.data);
    if (got.length === texts.length) socket.close(3001, "seen");
  };
  socket.onclose = ({ code, reason }) =>
    done(JSON.stringify({ transport, code, reason, equal: texts.map((text, at) => text === got[at]) }));
})"""
CLOSE = """new Promise((done) => {
  const socket = new SockJS("%s/close", null, { transports: ["%s"] });
  socket.onclose = (close) => done([close.code, close.reason]);
})"""


@asynccontextmanager
async def site() -> AsyncGenerator[str]:
    """A page with the client library, and services whose streams end often."""

    async def page(request: Request) -> Response:
        return HTMLResponse('<!doctype html><title>x</title><body><script src="/sockjs.js"></script>')

    async def library(request: Request) -> Response:
        return FileResponse(node_modules() / "sockjs-client" / "dist" / "sockjs.min.js")

    settings = SockJsSettings(response_limit=4096, client_url="/sockjs.js")
    routes: list[Any] = [Route("/", page), Route("/sockjs.js", library)]
    routes += [
        Mount("/echo", SockJsService(Echo, settings)),
        Mount("/close", SockJsService(CloseAtOnce, settings)),
    ]
    app = Starlette(routes=routes)
    async with Listener(app, http=StrictHttpProtocol, ws=FastWebSocketProtocol) as listener:
        yield listener.url


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def page() -> AsyncIterator[Page]:
    async with open_page() as page:
        yield page


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sites() -> AsyncIterator[dict[str, str]]:
    async with site() as own, site() as other:
        yield {"own": own, "other": other}


@pytest.mark.parametrize(("where", "transport"), CASES)
async def test_echo(page: Page, sites: dict[str, str], where: str, transport: str) -> None:
    await page.go(f"{sites['own']}/")
    found = json.loads(await page.evaluate(ECHO % (json.dumps(TEXTS), sites[where], transport)))
    assert found["transport"] == transport
    assert all(found["equal"])
    assert (found["code"], found["reason"]) == (3001, "seen")


@pytest.mark.parametrize(("where", "transport"), CASES)
async def test_close(page: Page, sites: dict[str, str], where: str, transport: str) -> None:
    await page.go(f"{sites['own']}/")
    assert await page.evaluate(CLOSE % (sites[where], transport)) == [3000, "Go away!"]

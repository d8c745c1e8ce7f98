"""A service inside somebody's application, under uvicorn and under hypercorn; and the example."""

from __future__ import annotations

import runpy
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from server.sockets.listener import Listener
from server.sockjs import Echo, SockJsService, SockJsSettings
from tests.support.hypercorn_host import HYPERCORN, hypercorn
from tests.support.processes import until
from tests.support.raw_http import connected, request
from tests.support.requirements import needs_alias

EXAMPLE = Path(__file__).resolve().parents[3] / "assets" / "examples" / "echo.py"


class Host:
    """A server with a service at ``/deep/echo``."""

    def __init__(self, url: str, service: SockJsService) -> None:
        self.url = url
        self.service = service
        self.base = "/deep/echo"


@asynccontextmanager
async def uvicorn(app: Any) -> AsyncGenerator[str]:
    async with Listener(app) as listener:
        yield listener.url


@pytest.fixture(params=["uvicorn", HYPERCORN])
async def host(request: pytest.FixtureRequest) -> AsyncIterator[Host]:
    serve: Callable[[Any], AbstractAsyncContextManager[str]] = (
        hypercorn if request.param == "hypercorn" else uvicorn
    )
    service = SockJsService(Echo, SockJsSettings(response_limit=1000, disconnect_s=0.2))
    inner = Starlette(routes=[Mount("/echo", service)])
    app = Starlette(routes=[Mount("/deep", inner)])
    async with serve(app) as url:
        yield Host(url, service)
        service.close()


async def test_pages(host: Host) -> None:
    assert (await request(host.url, "GET", f"{host.base}/")).body == b"Welcome to SockJS!\n"
    assert (await request(host.url, "GET", f"{host.base}/info")).status == 200
    assert (await request(host.url, "GET", f"{host.base}/iframe.html")).status == 200
    missing = await request(host.url, "GET", f"{host.base}/nonsense")
    assert missing.body == b"404 Error: Page not found\n"


@pytest.mark.parametrize(("method", "path"), [("POST", "xhr"), ("GET", "jsonp?c=x")])
async def test_polling(host: Host, method: str, path: str) -> None:
    session = f"{host.base}/000/s"
    async with connected(host.url) as http:
        for number in range(4):
            answer = await http.whole(await http.ask(method, f"{session}/{path}"))
            assert (b"%dxxx" % number if number else b"o") in answer.body
            body = b'["%dxxx"]' % (number + 1)
            assert (await request(host.url, "POST", f"{session}/xhr_send", body=body)).status == 204


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "xhr_streaming"), ("GET", "eventsource"), ("GET", "htmlfile?c=x")]
)
async def test_streaming(host: Host, method: str, path: str) -> None:
    """Frames as they come, the end at the limit, and the next response."""
    session = f"{host.base}/000/s"
    number = 0
    async with connected(host.url) as http:
        for _ in range(2):
            await http.ask(method, f"{session}/{path}")
            await http.chunk()
            size = 0 if number else len(await http.chunk())
            while size < 1000:
                body = b'["%d%b"]' % (number, b"x" * 200)
                assert (await request(host.url, "POST", f"{session}/xhr_send", body=body)).status == 204
                chunk = await http.chunk()
                assert b"%dxxx" % number in chunk
                size += len(chunk)
                number += 1
            assert await http.chunk() == b""


async def test_a_stream_that_breaks_off_is_noticed(host: Host) -> None:
    async with connected(host.url) as http:
        await http.ask("POST", f"{host.base}/000/s/xhr_streaming")
        await http.chunk()
        assert host.service.sessions == 1
    await until(lambda: host.service.sessions == 0, "the session ends and is forgotten")


async def test_websockets(host: Host) -> None:
    url = f"ws{host.url.removeprefix('http')}{host.base}"
    async with connect(f"{url}/0/a/websocket", proxy=None) as ws:
        assert await ws.recv() == "o"
        await ws.send('["a"]')
        assert await ws.recv() == 'a["a"]'
        host.service.close()
        assert await ws.recv() == 'c[1001,"the server stops"]'
    await until(lambda: host.service.sessions == 0, "the session ends")
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"{url}/websocket", proxy=None):
            pass
    assert refused.value.response.status_code == 503


async def test_a_service_may_be_the_whole_application() -> None:
    service = SockJsService(Echo)
    async with Listener(service, lifespan="on") as listener:
        assert (await request(listener.url, "POST", "/0/a/xhr")).body == b"o\n"
    assert service.sessions == 0


@needs_alias
async def test_the_example() -> None:
    app = runpy.run_path(str(EXAMPLE))["app"]
    page = {"Origin": "http://localhost:3000"}
    async with Listener(app) as listener:
        assert (await request(listener.url, "GET", "/echo/")).body == b"Welcome to SockJS!\n"
        assert (await request(listener.url, "GET", "/echo/info", page)).status == 200
        other = await request(listener.url, "GET", "/echo/info", {"Origin": "http://other.test"})
        assert other.status == 403
        url = f"ws{listener.url.removeprefix('http')}/echo/0/a/websocket"
        async with connect(url, proxy=None, origin="http://localhost:3000") as ws:  # type: ignore[arg-type]
            assert await ws.recv() == "o"
            await ws.send('["a","b"]')
            assert [await ws.recv(), await ws.recv()] == ['a["a"]', 'a["b"]']

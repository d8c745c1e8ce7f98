"""What strangers may make a SockJS service hold, and how it stops."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from server.connections.fast_websocket import FastWebSocketProtocol
from server.sockets.listener import Listener
from server.sockets.strict_http import StrictHttpProtocol
from server.sockjs import Connection, Echo, SockJsService, SockJsSettings
from server.sockjs.session import HttpSession
from tests.support.processes import until
from tests.support.raw_http import connected, request


class Remembered(Echo):
    """Echoes that can be found."""

    found: list[Connection]

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.found.append(connection)


def remembered() -> type[Remembered]:
    class Here(Remembered):
        found: list[Connection] = []  # noqa: RUF012

    return Here


def found_session(application: type[Remembered]) -> HttpSession:
    (connection,) = application.found
    assert isinstance(connection, HttpSession)
    return connection


async def test_sessions_are_limited_and_found_ones_go_on() -> None:
    service = SockJsService(Echo, SockJsSettings(max_sessions=2))
    async with Listener(service) as listener:
        for name in "ab":
            assert (await request(listener.url, "POST", f"/0/{name}/xhr")).status == 200
        refused = await request(listener.url, "POST", "/0/c/xhr", {"Origin": "http://page.test"})
        assert refused.status == 503
        assert refused["retry-after"] == "1"
        assert refused["access-control-allow-origin"] == "http://page.test"
        assert (await request(listener.url, "POST", "/0/a/xhr_send", body=b'["x"]')).status == 204
        assert (await request(listener.url, "POST", "/0/a/xhr")).body == b'a["x"]\n'
        assert service.sessions == 2


async def test_sessions_begin_at_a_limited_rate() -> None:
    async with Listener(SockJsService(Echo, SockJsSettings(sessions_per_s=3.0))) as listener:
        statuses = [(await request(listener.url, "POST", f"/0/{name}/xhr")).status for name in range(20)]
        assert statuses[:3] == [200, 200, 200]
        assert 503 in statuses


async def test_ids_are_ours_and_not_the_client_s() -> None:
    application = remembered()
    async with Listener(SockJsService(application)) as listener:
        await request(listener.url, "POST", "/0/name/xhr")
        url = f"ws{listener.url.removeprefix('http')}/0/name/websocket"
        async with connect(url, proxy=None) as one, connect(url, proxy=None) as other:
            assert (await one.recv(), await other.recv()) == ("o", "o")
            ids = {each.id for each in application.found}
            assert len(ids) == 3
            assert all(len(id) == 16 and "name" not in id for id in ids)


async def test_a_stream_that_is_not_read_is_cut_when_too_much_waits() -> None:
    application = remembered()
    settings = SockJsSettings(response_limit=1 << 30, stall_s=0.1)
    service = SockJsService(application, settings)
    async with Listener(service, http=StrictHttpProtocol) as listener, connected(listener.url) as http:
        await http.ask("POST", "/0/a/xhr_streaming")
        session = found_session(application)
        sent = 0
        while session.ended is None:  # nobody reads: the buffers of both sides fill up
            session.send("x" * 100_000)
            sent += 100_000
            await asyncio.sleep(0)
            assert sent < 1 << 28
        assert session.waiting_bytes == 0
        await until(lambda: not session.attached, "the connection is cut")


@pytest.mark.parametrize("classes", [{}, {"ws": FastWebSocketProtocol}])
async def test_a_websocket_that_is_not_read_is_cut_when_too_much_waits(classes: dict[str, Any]) -> None:
    application = remembered()
    service = SockJsService(application)
    async with Listener(service, **classes) as listener, connected(listener.url) as http:
        handshake = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
        }
        assert (await http.ask("GET", "/0/a/websocket", handshake)).status == 101
        await until(lambda: bool(application.found), "the session begins")
        sent = 0
        while service.sessions:
            application.found[0].send("x" * 100_000)
            sent += 100_000
            await asyncio.sleep(0)
            assert sent < 1 << 28


async def test_a_graceful_stop_flushes_polls_and_tells_everybody() -> None:
    """A client between two polls comes for what waited, and again for the close frame."""
    application = remembered()
    service = SockJsService(application)
    async with (
        Listener(service) as listener,
        connected(listener.url) as stream,
        connected(listener.url) as poll,
    ):
        await request(listener.url, "POST", "/0/between/xhr")
        await stream.ask("POST", "/0/streaming/xhr_streaming")
        await stream.chunk()
        await stream.chunk()
        await request(listener.url, "POST", "/0/waiting/xhr")
        waiting = await poll.ask("POST", "/0/waiting/xhr")
        for connection in application.found:
            connection.send("last")
        stopping = asyncio.create_task(service.stop(within=30))

        close = b'c[1001,"the server stops"]\n'
        assert await stream.chunk() == b'a["last"]\n'
        assert await stream.chunk() == close
        assert await stream.chunk() == b""
        assert (await poll.whole(waiting)).body == b'a["last"]\n'
        assert (await poll.whole(await poll.ask("POST", "/0/waiting/xhr"))).body == close
        assert not stopping.done()
        assert (await request(listener.url, "POST", "/0/between/xhr")).body == b'a["last"]\n'
        assert (await request(listener.url, "POST", "/0/between/xhr")).body == close
        await stopping
        assert service.sessions == 0

        assert (await request(listener.url, "POST", "/0/new/xhr")).status == 503
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"ws{listener.url.removeprefix('http')}/0/new/websocket", proxy=None):
                pass
        assert refused.value.response.status_code == 503


async def test_a_stop_waits_for_nobody_longer_than_it_is_told() -> None:
    service = SockJsService(Echo)
    async with Listener(service) as listener:
        await request(listener.url, "POST", "/0/gone/xhr")
        await service.stop(within=0.05)
        assert service.sessions == 0


async def test_sockets_are_closed_by_a_stop() -> None:
    service = SockJsService(Echo)
    async with (
        Listener(service) as listener,
        connect(f"ws{listener.url.removeprefix('http')}/0/a/websocket", proxy=None) as ws,
    ):
        assert await ws.recv() == "o"
        await service.stop()
        assert await ws.recv() == 'c[1001,"the server stops"]'


async def test_a_server_that_died_has_no_sessions_and_tells_nobody() -> None:
    application = remembered()
    service = SockJsService(application, SockJsSettings(disconnect_s=0.01))
    async with Listener(service) as listener, connected(listener.url) as stream:
        await request(listener.url, "POST", "/0/between/xhr")
        await stream.ask("POST", "/0/streaming/xhr_streaming")
        service.abandon()
        assert service.sessions == 0
        assert all(isinstance(each, HttpSession) and each.ended is None for each in application.found)

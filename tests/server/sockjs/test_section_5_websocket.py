"""docs/wire/sockjs.md §4, §5: the transport websocket, and WebSockets without SockJS framing."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server.sockjs.suite import SuiteServer
from tests.support.raw_http import connected

from .conftest import Place

HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
}


@asynccontextmanager
async def socket(place: Place, path: str) -> AsyncGenerator[ClientConnection]:
    async with connect(f"ws{place.url.removeprefix('http')}{path}", proxy=None) as socket:
        yield socket


async def end_of(socket: ClientConnection) -> tuple[int, str]:
    """Code and reason of a close; whatever came before it is an error."""
    with pytest.raises(ConnectionClosed) as ended:
        await socket.recv()
    close = ended.value.rcvd
    assert close is not None
    return close.code, close.reason


async def test_echo(any_place: Place) -> None:
    async with socket(any_place, f"{any_place.session()}/websocket") as ws:
        assert await ws.recv() == "o"
        await ws.send('["a"]')
        assert await ws.recv() == 'a["a"]'
        await ws.send('"one string"')
        assert await ws.recv() == 'a["one string"]'
        await ws.send(r'["100% é \u2028 \ud83d\ude00 \ud800"]')
        assert await ws.recv() == r'a["100% é \u2028 \ud83d\ude00 \ud800"]'


async def test_empty_messages_and_arrays_are_ignored(any_place: Place) -> None:
    async with socket(any_place, f"{any_place.session()}/websocket") as ws:
        assert await ws.recv() == "o"
        await ws.send("")
        await ws.send("[]")
        await ws.send('["a"]')
        assert await ws.recv() == 'a["a"]'


async def test_the_close_frame_comes_before_the_close(any_place: Place) -> None:
    async with socket(any_place, f"{any_place.session('/close')}/websocket") as ws:
        assert await ws.recv() == "o"
        assert await ws.recv() == 'c[3000,"Go away!"]'
        assert await end_of(ws) == (1000, "Normal closure")


async def test_one_name_may_be_used_by_several_sockets(any_place: Place) -> None:
    path = f"{any_place.session()}/websocket"
    async with socket(any_place, path) as first, socket(any_place, path) as second:
        assert (await first.recv(), await second.recv()) == ("o", "o")
        await first.send('["a"]')
        await second.send('["b"]')
        assert (await first.recv(), await second.recv()) == ('a["a"]', 'a["b"]')
    async with socket(any_place, path) as again:
        assert await again.recv() == "o"


@pytest.mark.parametrize("text", ['["a', "nonsense", "{}", "[1]", "3"])
async def test_broken_json_ends_the_connection_without_a_frame(any_place: Place, text: str) -> None:
    async with socket(any_place, f"{any_place.session()}/websocket") as ws:
        assert await ws.recv() == "o"
        await ws.send(text)
        assert await end_of(ws) == (3000, "Broken framing.")


@pytest.mark.parametrize("path", ["/0/0/websocket", "/websocket"])
async def test_a_request_that_is_no_handshake(any_place: Place, path: str) -> None:
    answer = await any_place.get(f"/echo{path}")
    assert (answer.status, answer.body) == (400, b"Not a valid websocket request")


async def test_a_proxy_that_rewrote_the_connection_header(any_place: Place) -> None:
    headers = {"Upgrade": "WebSocket", "Connection": "close"}
    answer = await any_place.get("/echo/0/0/websocket", headers)
    assert (answer.status, answer.body) == (400, b"Not a valid websocket request")


@pytest.mark.parametrize("headers", [{}, {"Upgrade": "WebSocket", "Connection": "Upgrade"}])
async def test_only_get_opens_a_socket(place: Place, headers: dict[str, str]) -> None:
    answer = await place.post("/echo/0/0/websocket", None, headers)
    assert (answer.status, answer.body) == (405, b"")
    assert answer["allow"] == "GET"
    assert answer["content-type"] is None


@pytest.mark.parametrize("connection", ["Upgrade", "keep-alive, Upgrade"])
@pytest.mark.parametrize("path", ["/000/handshake/websocket", "/websocket"])
async def test_headers_of_the_handshake(any_place: Place, path: str, connection: str) -> None:
    async with any_place.connect() as http:
        head = await http.ask("GET", f"/echo{path}", {**HANDSHAKE, "Connection": connection})
        assert head.status == 101
        assert head["sec-websocket-accept"] == "HSmrc0sMlYUkAGmm5OPpG2HaGWk="
        assert (head["connection"] or "").lower() == "upgrade"
        assert (head["upgrade"] or "").lower() == "websocket"
        assert head["content-length"] is None


@pytest.mark.parametrize("path", ["/000/v8/websocket", "/websocket"])
async def test_version_8_is_13_on_the_wire(place: Place, path: str) -> None:
    async with place.connect() as http:
        assert (
            await http.ask("GET", f"/echo{path}", {**HANDSHAKE, "Sec-WebSocket-Version": "8"})
        ).status == 101


async def test_other_versions_are_refused_in_words(place: Place) -> None:
    headers = {**HANDSHAKE, "Sec-WebSocket-Version": "7"}
    async with place.connect() as http:
        answer = await http.whole(await http.ask("GET", "/echo/websocket", headers))
    assert (answer.status, answer.body) == (400, b"Only supported WebSocket protocol is RFC 6455.")
    assert (await place.ask("GET", "/echo/0/0/websocket", headers)).status == 400


@pytest.mark.parametrize("path", ["/websocket", "/0/0/websocket"])
async def test_disabled_websockets_are_not_there(any_place: Place, path: str) -> None:
    answer = await any_place.get(f"/disabled_websocket_echo{path}")
    assert answer.status == 404
    assert answer["cache-control"] == "public, max-age=31536000"
    with pytest.raises(InvalidStatus) as refused:
        async with socket(any_place, f"/disabled_websocket_echo{path}"):
            pass
    assert refused.value.response.status_code == 404


@pytest.mark.parametrize("path", ["/echo/a./a/websocket", "/nowhere/websocket", "/echo/a"])
async def test_handshakes_on_unknown_paths(any_place: Place, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with socket(any_place, path):
            pass
    assert refused.value.response.status_code == 404


async def test_a_handshake_on_another_transport(any_place: Place) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with socket(any_place, "/echo/a/a/xhr"):
            pass
    assert refused.value.response.status_code == 400


async def test_the_head_is_answered_before_the_last_bytes_of_a_draft_s_handshake() -> None:
    """The protocol's suite asks for it: hixie-76, with the numbers of the draft's own kind."""
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "WebSocket",
        "Origin": "http://localhost",
        "Sec-WebSocket-Key1": "4 @1  46546xW%0l 1 5",
        "Sec-WebSocket-Key2": "12998 5 Y3 1  .P00",
    }
    async with SuiteServer() as server, connected(server.url) as http:
        head = await http.ask("GET", "/echo/000/h/websocket", headers)
        assert head.status == 101
        assert head["content-length"] is None
        assert head["sec-websocket-location"] == "ws://127.0.0.1/echo/000/h/websocket"
        assert head["sec-websocket-origin"] == "http://localhost"
        http.writer.write(b"aaaaaaaa")
        answer = b"\xca4\x00\xd8\xa5\x08G\x97,\xd5qZ\xba\xbfC{"
        assert await http.reader.readexactly(16) == answer
        assert await http.reader.readuntil(b"\xff") == b"\x00o\xff"
        http.writer.write(b'\x00["a"]\xff')
        assert await http.reader.readuntil(b"\xff") == b'\x00a["a"]\xff'
        http.writer.write(b"\xff\x00")
        assert await http.closed()


async def test_a_draft_s_handshake_in_one_piece() -> None:
    keys = "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n"
    head = "Host: x\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
    async with SuiteServer() as server, connected(server.url) as http:
        http.writer.write(f"GET /close/0/h/websocket HTTP/1.1\r\n{head}{keys}\r\naaaaaaaa".encode())
        assert (await http.head()).status == 101
        await http.reader.readexactly(16)
        assert await http.reader.read() == b'\x00o\xff\x00c[3000,"Go away!"]\xff\xff\x00'
        async with connected(server.url) as other:
            other.writer.write(f"GET /nowhere HTTP/1.1\r\n{head}{keys}\r\naaaaaaaa".encode())
            assert (await other.head()).status == 403


# ---- without SockJS framing --------------------------------------------------------------------


async def test_raw_messages_pass_as_they_are(any_place: Place) -> None:
    async with socket(any_place, "/echo/websocket") as ws:
        for message in ("Hello world!\uffff", '["a"]', "", b"\x00\xff", "😀"):
            await ws.send(message)
            assert await ws.recv() == message


async def test_raw_close_is_a_real_close(any_place: Place) -> None:
    async with socket(any_place, "/close/websocket") as ws:
        assert await end_of(ws) == (3000, "Go away!")

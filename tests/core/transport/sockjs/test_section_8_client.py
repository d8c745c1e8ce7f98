"""docs/wire/sockjs.md §3 to §5 and §8: what clients get, and what sockjs-client does, held against ours."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import pytest

from core.errors import ConnectionClosed, HandshakeRefused, LocalProtocolError, TargetUnreachable, UsageError
from core.transport import Carrier, connect_url
from core.transport.sockjs import TRANSPORTS, SockJsTransport, connect_sockjs
from tests.support.recorder import Recorder
from tests.support.scripted_http import Asked, ScriptedHttp, chunk, streaming, whole
from tests.support.sockjs_far import sockjs_server

EXCHANGES: tuple[SockJsTransport, ...] = ("xhr-streaming", "eventsource", "xhr-polling")
KINDS = {"xhr-streaming": "xhr_streaming", "eventsource": "eventsource", "xhr-polling": "xhr"}


async def connect(
    url: str, recorder: Recorder, transports: Sequence[SockJsTransport] = TRANSPORTS, **more: Any
) -> Carrier:
    return await connect_sockjs(
        url, on_data=recorder.on_data, on_close=recorder.on_close, transports=transports, **more
    )


def wrapped(transport: str, frame: bytes) -> bytes:
    """A frame as the body of its transport has it."""
    return b"data: " + frame + b"\r\n\r\n" if transport == "eventsource" else frame + b"\n"


# ---- URLs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["ws://h/x", "http:///x", "http://h/x#part", "http://h:0x/", "h/x", "http://h/ü"]
)
async def test_only_http_urls_without_a_fragment(url: str) -> None:
    with pytest.raises(UsageError):
        await connect(url, Recorder())


async def test_headers_may_not_break_lines() -> None:
    with pytest.raises(UsageError, match="not a header"):
        await connect("http://127.0.0.1:1/x", Recorder(), headers=[("A", "b\r\nC: d")])


async def test_no_such_transport() -> None:
    with pytest.raises(UsageError, match="xhr_streaming"):
        await connect("http://127.0.0.1:1/x", Recorder(), ["xhr_streaming"])  # type: ignore[list-item]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_query_and_headers_go_with_every_request(transport: SockJsTransport) -> None:
    async with sockjs_server() as server:
        recorder = Recorder()
        given = [("Authorization", "Bearer abc"), ("X-Of-Mine", "1")]
        url = f"{server.url}//?access_token=abc&a=%20b"
        carrier = await connect(url, recorder, [transport], headers=given)
        carrier.send(b"x")
        await server.fars[0].received_count(1)
        carrier.abort()
        for (_, path, query), headers in zip(server.requests, server.headers, strict=True):
            assert path.startswith("/x/") and "//" not in path, "slashes at the end are stripped"
            assert query.startswith("access_token=abc&a=%20b")
            assert headers["authorization"] == "Bearer abc"
            assert headers["x-of-mine"] == "1"
        times = [query for _, path, query in server.requests if path.endswith(("/info", "/xhr_send"))]
        assert all(re.search(r"&t=\d{13}$", query) for query in times)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_server_and_session_ids(transport: SockJsTransport) -> None:
    async with sockjs_server() as server:
        carriers = [await connect(server.url, Recorder(), [transport]) for _ in range(5)]
        paths = {path for _, path, _ in server.requests if not path.endswith("/info")}
        assert len(paths) == 5
        assert all(re.fullmatch(r"/x/\d{3}/[a-z0-5]{8}/\w+", path) for path in paths)
        for carrier in carriers:
            carrier.abort()


async def test_credentials_of_the_url_become_a_header() -> None:
    async with sockjs_server() as server:
        recorder = Recorder()
        carrier = await connect(server.url.replace("//", "//joe:s%20t@"), recorder, ["xhr-polling"])
        assert {each["authorization"] for each in server.headers} == {"Basic am9lOnMgdA=="}
        assert not any("joe" in each["host"] for each in server.headers)
        carrier.abort()


async def test_an_http_url_means_sockjs() -> None:
    async with sockjs_server() as server:
        recorder = Recorder()
        carrier = await connect_url(server.url, on_data=recorder.on_data, on_close=recorder.on_close)
        assert server.fars[0].connection.transport == "websocket"
        carrier.abort()


# ---- /info --------------------------------------------------------------------------------------------


async def test_websocket_false_is_respected() -> None:
    async with sockjs_server(websocket=False) as server:
        carrier = await connect(server.url, Recorder())
        assert server.fars[0].connection.transport == "xhr_streaming"
        assert "websocket" not in server.paths
        carrier.abort()
        with pytest.raises(HandshakeRefused, match="no WebSockets"):
            await connect(server.url, Recorder(), ["websocket"])


async def test_base_url_is_used_instead() -> None:
    async with sockjs_server() as other, sockjs_server(base_url=other.url) as server:
        given = [("Authorization", "Bearer abc")]
        carrier = await connect(f"{server.url}?access_token=abc", Recorder(), ["xhr-polling"], headers=given)
        assert server.paths == ["info"]
        assert len(other.fars) == 1
        for (_, _, query), headers in zip(other.requests, other.headers, strict=True):
            assert "abc" not in query, "what was given for one origin is not told to another"
            assert "authorization" not in headers
        carrier.abort()


async def test_base_url_on_the_same_server() -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(streaming(b"o\n"))

    async with ScriptedHttp(script, info=b'{"base_url":"/there/y/"}') as server:
        carrier = await connect(f"{server.url}?a=1", Recorder(), ["xhr-streaming"])
        assert server.asked[1].path.startswith("/there/y/")
        assert server.asked[1].query == "a=1"
        carrier.abort()


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (whole(b"no", "404 Not Found"), 404),
        (whole(b"gone", "503 X"), 503),
        (whole(b"<html>"), 200),
        (whole(b"1"), 200),
    ],
)
async def test_a_bad_info_is_1002_cannot_connect(answer: bytes, status: int) -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    async with ScriptedHttp(script, info=None) as server:
        with pytest.raises(HandshakeRefused, match="cannot connect to server") as caught:
            await connect(f"{server.url}?access_token=abc", Recorder())
        assert caught.value.status == status
        assert "abc" not in str(caught.value), "a query may hold a secret"
        await server.until(lambda: not server.open)


async def test_info_that_does_not_come_in_time() -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        pass

    async with ScriptedHttp(script, info=None) as server:
        with pytest.raises(TargetUnreachable, match=r"within 0\.05 s"):
            await connect(server.url, Recorder(), info_timeout=0.05)
        await server.until(lambda: not server.open)


# ---- choice -------------------------------------------------------------------------------------------


async def test_transports_are_tried_in_order_with_new_session_ids() -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        match asked.kind:
            case "websocket":
                writer.write(whole(b"", "400 Bad Request", "Connection: close"))
                writer.close()
            case "xhr_streaming":
                writer.write(whole(b"", "500 X"))
            case "eventsource":
                writer.write(streaming())
                writer.close()
            case _ if server.kinds().count("xhr") == 1:
                writer.write(whole(b"o\n"))
            case _:
                pass

    async with ScriptedHttp(script) as server:
        carrier = await connect(server.url, Recorder())
        await server.until(lambda: len(server.kinds()) == 5)
        assert server.kinds() == ["websocket", "xhr_streaming", "eventsource", "xhr", "xhr"]
        sessions = [each.session for each in server.asked[1:]]
        assert len(set(sessions)) == 4 and sessions[3] == sessions[4]
        carrier.abort()


async def test_when_all_failed_it_is_2000_and_names_them() -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(b"not here", "404 Not Found", "Connection: close"))
        writer.close()

    async with ScriptedHttp(script) as server:
        with pytest.raises(HandshakeRefused, match=r"All transports failed \(2000\)") as caught:
            await connect(server.url, Recorder())
        assert all(name in str(caught.value) for name in TRANSPORTS)
        assert caught.value.status == 404
        await server.until(lambda: not server.open)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_transport_that_does_not_open_times_out(transport: SockJsTransport) -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.kind != "websocket":
            writer.write(streaming(b"\r\n" if asked.kind == "eventsource" else b"h" * 2048 + b"\n"))

    async with ScriptedHttp(script) as server:
        begun = asyncio.get_running_loop().time()
        with pytest.raises(TargetUnreachable, match=r"2007"):
            await connect(server.url, Recorder(), [transport])
        assert asyncio.get_running_loop().time() - begun >= 0.6, "two round trips of 300 ms and what one took"
        await server.until(lambda: not server.open)


async def test_a_timeout_can_be_longer_than_the_round_trips_suggest() -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.8)
        writer.write(streaming(b"o\n"))

    async with ScriptedHttp(script) as server:
        carrier = await connect(server.url, Recorder(), ["xhr-streaming"], least_timeout=5)
        carrier.abort()


@pytest.mark.parametrize("transport", EXCHANGES)
async def test_a_code_of_the_servers_own_ends_the_search(transport: SockJsTransport) -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(streaming(wrapped(transport, b'c[4001,"not you"]')))

    async with ScriptedHttp(script) as server:
        with pytest.raises(ConnectionClosed) as caught:
            await connect(server.url, Recorder(), [transport, "xhr-polling"])
        assert (caught.value.code, caught.value.reason) == (4001, "not you")
        assert len(server.kinds()) == 1


async def test_another_close_before_the_opening_goes_on_to_the_next() -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        last = asked.kind == "eventsource"
        writer.write(streaming(b"data: o\r\n\r\n" if last else b'c[1002,"Connection interrupted"]\n'))

    async with ScriptedHttp(script) as server:
        carrier = await connect(server.url, Recorder(), ["xhr-streaming", "eventsource"])
        assert server.kinds() == ["xhr_streaming", "eventsource"]
        carrier.abort()


# ---- receiving ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_server_closes_with_code_and_reason(transport: SockJsTransport) -> None:
    async with sockjs_server() as server:
        recorder = Recorder()
        await connect(server.url, recorder, [transport])
        await server.fars[0].send(b"last")
        await server.fars[0].close(3000, "Go away!")
        info = await recorder.closed()
        assert (info.code, info.reason, info.asked, info.error) == (3000, "Go away!", False, "")
        assert recorder.data == [b"last"]


@pytest.mark.parametrize("transport", EXCHANGES)
async def test_awkward_text_both_ways(transport: SockJsTransport) -> None:
    text = '100% é \u2028 😀 %E0 %25 </script> \x01 \\ " \u200c \uffff \r\n\0'.encode()
    async with sockjs_server() as server:
        recorder = Recorder()
        carrier = await connect(server.url, recorder, [transport])
        carrier.send(text)
        assert await server.fars[0].received_count(1) == [text]
        await server.fars[0].send(text)
        assert await recorder.messages(1) == [text]
        carrier.abort()


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_what_is_no_utf_8_cannot_be_sent(transport: SockJsTransport) -> None:
    async with sockjs_server() as server:
        carrier = await connect(server.url, Recorder(), [transport])
        with pytest.raises(LocalProtocolError, match="SockJS carries text only"):
            carrier.send(b"\xff")
        carrier.send(b"still there")
        await server.fars[0].received_count(1)
        carrier.abort()


@pytest.mark.parametrize("transport", ["xhr-streaming", "eventsource"])
async def test_a_streaming_answer_that_ends_is_asked_for_again(transport: SockJsTransport) -> None:
    async with sockjs_server(response_limit=4096) as server:
        recorder = Recorder()
        carrier = await connect(server.url, recorder, [transport])
        sent = [b"%d " % number + b"x" * 1000 for number in range(30)]
        for number, message in enumerate(sent, 1):
            await server.fars[0].send(message)
            await recorder.messages(number)
        assert recorder.data == sent
        assert server.paths.count(KINDS[transport]) > 1
        assert len(server.fars) == 1, "it is the same session"
        carrier.abort()


async def test_polls_follow_each_other_on_one_connection() -> None:
    async with sockjs_server() as server:
        recorder = Recorder()
        carrier = await connect(server.url, recorder, ["xhr-polling"])
        for number in range(20):
            await server.fars[0].send(b"%d" % number)
            await recorder.messages(number + 1)
        assert server.paths.count("xhr") >= 21
        assert server.connections == 1
        carrier.abort()


@pytest.mark.parametrize("transport", EXCHANGES)
async def test_heartbeats_mean_nothing(transport: SockJsTransport) -> None:
    async with sockjs_server(heartbeat_s=0.02) as server:
        recorder = Recorder()
        carrier = await connect(server.url, recorder, [transport])
        await asyncio.sleep(0.1)
        await server.fars[0].send(b"after")
        assert await recorder.messages(1) == [b"after"]
        carrier.abort()


@pytest.mark.parametrize("transport", EXCHANGES)
async def test_a_second_opening_is_a_lost_session(transport: SockJsTransport) -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(wrapped(transport, b"o")))

    async with ScriptedHttp(script) as server:
        recorder = Recorder()
        await connect(server.url, recorder, [transport])
        info = await recorder.closed()
        assert (info.code, info.asked) == (1006, False)
        assert "Server lost session" in info.error
        await server.until(lambda: not server.open)


@pytest.mark.parametrize("status", ["404 Not Found", "204 No Content", "302 Found", "500 X"])
async def test_any_other_status_is_1006(status: str) -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        answer = b"HTTP/1.1 204 No Content\r\n\r\n" if status.startswith("204") else whole(b"gone", status)
        writer.write(whole(b"o\n") if len(server.kinds()) == 1 else answer)

    async with ScriptedHttp(script) as server:
        recorder = Recorder()
        await connect(server.url, recorder, ["xhr-polling"])
        info = await recorder.closed()
        assert info.code == 1006 and status[:3] in info.error
        await server.until(lambda: not server.open)


async def test_one_text_in_a_frame_of_its_own() -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(streaming(b"o\n", b'm"one"\na["two","\\ud83d","3"]\n', b"h\n", b"a[]\n"))

    async with ScriptedHttp(script) as server:
        recorder = Recorder()
        carrier = await connect(server.url, recorder, ["xhr-streaming"])
        assert await recorder.messages(4) == [b"one", b"two", "\ufffd".encode(), b"3"]
        carrier.abort()


async def test_cookies_of_the_service_go_with_its_requests() -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(
            whole(b"o\n" if len(server.kinds()) == 1 else b"h\n", "200 OK", "Set-Cookie: b=2; Path=/")
        )
        await server.until(lambda: len(server.kinds()) < 3 or server.open == 0)

    info = b'{"websocket":true}'
    async with ScriptedHttp(script, info=info) as server:
        carrier = await connect(server.url, Recorder(), ["xhr-polling"])
        await server.until(lambda: len(server.kinds()) == 2)
        assert [each.headers.get("cookie") for each in server.asked] == [None, None, "b=2"]
        carrier.abort()


# ---- sending ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", EXCHANGES)
async def test_one_request_under_way_and_what_waits_goes_together(transport: SockJsTransport) -> None:
    let = asyncio.Event()

    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.kind == "xhr_send":
            await let.wait()
            writer.write(
                b"HTTP/1.1 204 No Content\r\n\r\n" if asked.body == b'["0"]' else whole(b"", "200 OK")
            )
        else:
            writer.write(streaming(wrapped(transport, b"o")))

    async with ScriptedHttp(script) as server:
        carrier = await connect(server.url, Recorder(), [transport])
        for number in range(5):
            carrier.send(b"%d" % number)
        await server.until(lambda: server.kinds().count("xhr_send") == 1)
        await asyncio.sleep(0.02)
        assert server.kinds().count("xhr_send") == 1
        let.set()
        await server.until(lambda: server.kinds().count("xhr_send") == 2)
        sends = [each for each in server.asked if each.kind == "xhr_send"]
        assert [each.body for each in sends] == [b'["0"]', b'["1","2","3","4"]']
        assert {each.headers["content-type"] for each in sends} == {"text/plain"}
        carrier.abort()


async def test_a_long_queue_goes_in_bodies_that_servers_take() -> None:
    async with sockjs_server(max_body=128 * 1024) as server:
        carrier = await connect(server.url, Recorder(), ["xhr-streaming"])
        for number in range(40):
            carrier.send(b"%02d" % number + b"x" * 10_000)
        got = await server.fars[0].received_count(40)
        assert [each[:2] for each in got] == [b"%02d" % number for number in range(40)]
        carrier.abort()


@pytest.mark.parametrize("status", ["404 Not Found", "500 X", "201 Created", "302 Found"])
async def test_a_send_that_is_not_taken_is_1006(status: str) -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(b"why", status) if asked.kind == "xhr_send" else streaming(b"o\n"))

    async with ScriptedHttp(script) as server:
        recorder = Recorder()
        carrier = await connect(server.url, recorder, ["xhr-streaming"])
        carrier.send(b"x")
        info = await recorder.closed()
        assert info.code == 1006
        assert "Sending error" in info.error and status[:3] in info.error and "why" in info.error
        await server.until(lambda: not server.open)


async def test_a_send_is_never_repeated() -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.kind == "xhr_send":
            writer.transport.abort()
        else:
            writer.write(streaming(b"o\n"))

    async with ScriptedHttp(script) as server:
        recorder = Recorder()
        carrier = await connect(server.url, recorder, ["xhr-streaming"])
        carrier.send(b"x")
        assert (await recorder.closed()).code == 1006
        assert server.kinds().count("xhr_send") == 1


# ---- closing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", EXCHANGES)
async def test_closing_sends_nothing_and_ends_promptly(transport: SockJsTransport) -> None:
    async with sockjs_server() as server:
        recorder = Recorder()
        carrier = await connect(server.url, recorder, [transport])
        carrier.send(b"x")
        await server.fars[0].received_count(1)
        await asyncio.sleep(0.02)
        asked = len(server.requests)
        carrier.close(4002, "done")
        info = await recorder.closed()
        assert (info.code, info.reason, info.asked, info.error) == (4002, "done", True, "")
        assert len(server.requests) <= asked + 1, "a poll may have been on its way"
        assert not any(kind in server.paths[asked:] for kind in ("xhr_send", "websocket"))


@pytest.mark.parametrize("transport", EXCHANGES)
async def test_what_was_sent_before_closing_arrives_and_so_does_the_answer(
    transport: SockJsTransport,
) -> None:
    async with sockjs_server() as server:
        recorder = Recorder()
        carrier = await connect(server.url, recorder, [transport])
        for number in range(3):
            carrier.send(b"%d" % number)
        carrier.close()
        far = server.fars[0]
        await far.received_count(3)
        await far.send(b"goodbye")
        await far.close(1000, "as you wish")
        info = await recorder.closed()
        assert (info.code, info.reason, info.asked) == (1000, "as you wish", True)
        assert recorder.data == [b"goodbye"]


async def test_a_server_that_does_not_take_the_last_words_is_given_up() -> None:
    async with sockjs_server() as server:
        recorder = Recorder()
        carrier = await connect(server.url, recorder, ["xhr-streaming"], close_timeout=0.05)
        server.gate.clear()
        carrier.send(b"last")
        carrier.close()
        info = await recorder.closed()
        assert (info.code, info.asked) == (1006, True)
        assert "not taken within" in info.error


# ---- HTTP ---------------------------------------------------------------------------------------------


async def test_an_answer_that_ends_with_its_connection() -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        number = len(server.kinds())
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + (b"o\n" if number == 1 else b'a["%d"]\n' % number))
        if number < 4:
            writer.close()

    async with ScriptedHttp(script) as server:
        recorder = Recorder()
        carrier = await connect(server.url, recorder, ["xhr-streaming"])
        assert await recorder.messages(3) == [b"2", b"3", b"4"]
        carrier.abort()


async def test_an_interim_answer_is_no_answer() -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" + streaming(b"o\n"))

    async with ScriptedHttp(script) as server:
        carrier = await connect(server.url, Recorder(), ["xhr-streaming"])
        carrier.abort()


async def test_a_poll_that_meets_a_dying_connection_is_made_again() -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        match len(server.kinds()):
            case 1:
                writer.write(whole(b"o\n"))
            case 2:
                writer.transport.abort()  # as if it had been closed before the request came
            case 3:
                writer.write(whole(b'a["there"]\n'))
            case _:
                pass

    async with ScriptedHttp(script) as server:
        recorder = Recorder()
        carrier = await connect(server.url, recorder, ["xhr-polling"])
        assert await recorder.messages(1) == [b"there"]
        carrier.abort()


async def test_chunks_need_not_be_frames() -> None:
    async def script(server: ScriptedHttp, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(streaming(b"h" * 10, b"hh\no"))
        for piece in (b"\n", b'a["', b"\xc3", b"\xa9", b'"]\na["x"]\n'):
            await writer.drain()
            await asyncio.sleep(0.002)
            writer.write(chunk(piece))

    async with ScriptedHttp(script) as server:
        recorder = Recorder()
        carrier = await connect(server.url, recorder, ["xhr-streaming"])
        assert await recorder.messages(2) == ["é".encode(), b"x"]
        carrier.abort()

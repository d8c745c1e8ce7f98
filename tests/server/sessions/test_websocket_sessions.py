"""WebSocket sessions of an instance, on both transports: conformance cases 11 to 17 and bad input."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server.instance import Instance
from server.sockets.listener import Listener

from ...support.hypercorn_host import HYPERCORN, hypercorn
from ...support.instances import one_instance, push
from ...support.processes import until
from ...support.raw_stomp import joined, raw_stomp


class Place:
    """An instance and the URL of one of its transports."""

    def __init__(self, instance: Instance, url: str, host: str) -> None:
        self.instance = instance
        self.url = url
        self.host = host


@pytest.fixture(params=["fast", "uvicorn", HYPERCORN])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """The same instance under our protocol classes, under uvicorn's own, and under hypercorn."""
    async with one_instance() as instance:
        if request.param == "fast":
            yield Place(instance, instance.url, request.param)
        elif request.param == "hypercorn":
            async with hypercorn(instance.asgi) as url:
                yield Place(instance, url, request.param)
        else:
            async with Listener(instance.asgi) as listener:
                yield Place(instance, listener.url, request.param)


# ---- handshake -------------------------------------------------------------------------------


async def test_case_11_without_a_subprotocol_stomp_works(place: Place) -> None:
    async with raw_stomp(place.url) as client:
        assert client.socket.subprotocol is None
        connected = await client.connect()
        assert connected.headers["version"] == "1.2"


async def test_case_11_the_clients_first_known_subprotocol_wins(place: Place) -> None:
    async with raw_stomp(place.url, subprotocols=["foo", "v11.stomp", "v12.stomp"]) as client:
        assert client.socket.subprotocol == "v11.stomp"


async def test_raw_websocket_is_served_on_ws_websocket_too(place: Place) -> None:
    async with raw_stomp(place.url, "/ws/websocket") as client:
        await client.connect()


async def test_other_paths_are_no_sockets(place: Place) -> None:
    with pytest.raises(InvalidStatus):
        async with raw_stomp(place.url, "/elsewhere"):
            pass


async def test_a_page_of_another_site_may_not_connect(place: Place) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with raw_stomp(place.url, origin="http://evil.example"):
            pass
    assert refused.value.response.status_code == 403


async def test_a_page_of_our_own_may_connect(place: Place) -> None:
    async with raw_stomp(place.url, origin=place.url) as client:
        await client.connect()


# ---- CONNECT ---------------------------------------------------------------------------------


async def test_case_12_connected_carries_the_user_and_the_instance(place: Place) -> None:
    async with raw_stomp(place.url, "/ws?user=joe") as client:
        headers = (await client.connect()).headers
        assert headers["user-name"] == "joe"
        assert headers["instance"] == "i1"
        assert headers["session"] and headers["server"]
        assert headers["heart-beat"] == "10000,10000"


async def test_the_user_is_the_handshakes_else_the_login_else_the_default(place: Place) -> None:
    async with raw_stomp(place.url, "/ws?user=ha%20%C3%A9") as client:
        assert (await client.connect(login="other")).headers["user-name"] == "ha é"
    async with raw_stomp(place.url) as client:
        assert (await client.connect(login="pete")).headers["user-name"] == "pete"
    async with raw_stomp(place.url) as client:
        assert (await client.connect()).headers["user-name"] == "lijian"


@pytest.mark.parametrize("user", ["a%250Ab", "x%252Fy", "a%0Ab"])
async def test_names_that_cannot_be_written_are_refused(place: Place, user: str) -> None:
    async with raw_stomp(place.url, f"/ws?user={user}") as client:
        await client.send("CONNECT", {"accept-version": "1.2", "host": "/"})
        if user == "a%250Ab":  # the name is a%0Ab, which can be written
            await client.expect("CONNECTED")
            return
        error = await client.expect("ERROR")
        assert "user name" in error.headers["message"]
        assert (await client.closed())[0] == 1002


@pytest.mark.parametrize(("accepts", "version"), [("1.0,1.1", "1.1"), ("1.1,1.2", "1.2"), ("1.0", "1.0")])
async def test_the_highest_common_version_is_taken(place: Place, accepts: str, version: str) -> None:
    async with raw_stomp(place.url) as client:
        await client.send("CONNECT", {"accept-version": accepts, "heart-beat": "10000,10000"})
        assert (await client.expect("CONNECTED")).headers["version"] == version


# ---- breaking the protocol -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"SEND\ndestination:/topic/a\n\nx\0", "before CONNECT"),  # case 14
        (b"FOO\n\n\0", "FOO"),  # case 14
        (b"\n", "CONNECT"),
        (b"GET / HTTP/1.1\r\n\r\n", ""),
        (b"CONNECT\naccept-version:9.9\n\n\0", "version"),
        (b"CONNECT\naccept-version:1.2\nheart-beat:x,y\n\n\0", "heart-beat"),
    ],
)
async def test_case_14_garbage_before_connect_is_answered_with_error_and_1002(
    place: Place, data: bytes, says: str
) -> None:
    async with raw_stomp(place.url) as client:
        await client.raw(data)
        error = await client.expect("ERROR")
        assert says in error.headers["message"]
        assert (await client.closed())[0] == 1002
    await until(lambda: place.instance.sessions == 0, "the session is gone")


@pytest.mark.parametrize(
    "data",
    [
        b"SUBSCRIBE\nid:1\n\n\0",
        b"SUBSCRIBE\ndestination:/topic/a\n\n\0",
        b"SEND\n\nx\0",
        b"SEND\ndestination:/topic/a\\x\n\nx\0",
        b"SEND\ndestination:/topic/a\nbroken\n\nx\0",
        b"NOSUCH\n\n\0",
        b"SEND\n" + ("日" * 60).encode() + b":\\x\n\n\0",  # the reason is longer than a close frame
        b"MESSAGE\ndestination:/topic/a\n\nx\0",
        b"CONNECT\naccept-version:1.2\n\n\0",
        b"SEND\ndestination:/nowhere\n\nx\0",
        b"SUBSCRIBE\nid:1\ndestination:/nowhere\n\n\0",
        b"SEND\ndestination:/topic/a\ntransaction:none\n\nx\0",
        b"SEND\ndestination:/topic/a\n\n" + b"x" * 70_000 + b"\0",
    ],
)
async def test_bad_frames_end_the_session_with_error_and_1002_and_nothing_else(
    place: Place, data: bytes
) -> None:
    async with joined(place.url, "neighbour") as neighbour:
        async with raw_stomp(place.url) as client:
            await client.connect()
            await client.raw(data)
            error = await client.expect("ERROR")
            assert error.headers["message"]
            assert (await client.closed())[0] == 1002
        async with aiohttp.ClientSession() as http:
            status, _ = await push(http, place.instance.url, user="neighbour", payload="still here")
        assert status == 202
        assert (await neighbour.expect("MESSAGE")).body == b"still here"


async def test_a_duplicate_subscription_id_is_an_error(place: Place) -> None:
    async with raw_stomp(place.url) as client:
        await client.connect()
        await client.subscribe("/topic/a")
        await client.send("SUBSCRIBE", {"id": "s0", "destination": "/topic/b", "receipt": "dup"})
        error = await client.expect("ERROR")
        assert error.headers["receipt-id"] == "dup"
        assert (await client.closed())[0] == 1002


async def test_text_that_is_not_utf8_is_closed_with_1007(place: Place) -> None:
    async with raw_stomp(place.url) as client:
        await client.connect()
        await client.socket.send(b"\xff\xfe", text=True)
        # Hypercorn cuts the connection by itself.
        assert (await client.closed())[0] == (1006 if place.host == "hypercorn" else 1007)


async def test_a_websocket_message_over_the_transports_limit_is_closed_with_1009(place: Place) -> None:
    async with raw_stomp(place.url) as client:
        await client.connect()
        with suppress(ConnectionClosed):
            await client.socket.send("x" * 300 * 1024)
        assert (await client.closed())[0] == 1009


# ---- frames and messages ---------------------------------------------------------------------


async def test_frames_may_be_split_over_and_joined_in_messages(place: Place) -> None:
    async with raw_stomp(place.url) as client:
        connect = b"CONNECT\r\naccept-version:1.2\r\nhost:/\r\n\r\n\0"
        for position in range(len(connect)):
            await client.raw(connect[position : position + 1])
        await client.expect("CONNECTED")
        await client.raw(
            b"SUBSCRIBE\nid:1\ndestination:/topic/a\n\n\0\n\nSEND\ndestination:/topic/a\n\none\0"
            b"SEND\ndestination:/topic/a\n\ntwo\0\n"
        )
        assert [(await client.expect("MESSAGE")).body for _ in range(2)] == [b"one", b"two"]


async def test_binary_messages_are_understood(place: Place) -> None:
    async with raw_stomp(place.url) as client:
        await client.socket.send(b"CONNECT\naccept-version:1.2\nhost:/\n\n\0")
        await client.expect("CONNECTED")


async def test_fragmented_messages_are_understood(place: Place) -> None:
    async with raw_stomp(place.url) as client:
        await client.socket.send(["CONNECT\naccept-ver", "sion:1.2\n", "host:/\n\n\0"])
        await client.expect("CONNECTED")


@pytest.mark.parametrize(
    ("content_type", "body", "kind"),
    [
        ("application/octet-stream", b"\x01", bytes),
        ("application/octet-stream", b"", str),
        ("text/plain", b"x", str),
    ],
)
async def test_case_17_octet_stream_goes_out_as_a_binary_message(
    place: Place, content_type: str, body: bytes, kind: type
) -> None:
    async with raw_stomp(place.url) as client:
        await client.connect()
        await client.subscribe("/topic/a")
        await client.send("SEND", {"destination": "/topic/a", "content-type": content_type}, body)
        message = await client.expect("MESSAGE")
        assert message.body == body
        assert message.headers["content-type"] == content_type
        assert isinstance(client.messages[-1], kind)


async def test_large_messages_arrive_whole_and_in_order(place: Place) -> None:
    async with raw_stomp(place.url) as client:
        await client.connect()
        await client.subscribe("/topic/a")
        bodies = [bytes([65 + number]) * size for number, size in enumerate((1, 100, 126, 60_000, 65_000, 3))]
        for body in bodies:
            await client.send("SEND", {"destination": "/topic/a"}, body)
        assert [(await client.expect("MESSAGE")).body for _ in bodies] == bodies


async def test_receipts_answer_every_kind_of_frame(place: Place) -> None:
    async with raw_stomp(place.url) as client:
        await client.connect()
        frames: list[tuple[str, dict[str, str]]] = [
            ("SUBSCRIBE", {"id": "1", "destination": "/topic/a"}),
            ("SUBSCRIBE", {"id": "2", "destination": "/user/topic/a"}),
            ("SUBSCRIBE", {"id": "3", "destination": "/app/a"}),
            ("SUBSCRIBE", {"id": "4", "destination": "/queue/a"}),
            ("BEGIN", {"transaction": "t"}),
            ("ABORT", {"transaction": "t"}),
            ("SEND", {"destination": "/topic/b"}),
            ("SEND", {"destination": "/user/nobody/topic/b"}),
            ("SEND", {"destination": "/app/unmapped"}),
            ("UNSUBSCRIBE", {"id": "1"}),
            ("UNSUBSCRIBE", {"id": "3"}),
            ("DISCONNECT", {}),
        ]
        for number, (command, headers) in enumerate(frames):
            await client.send(command, {**headers, "receipt": f"r{number}"})
            assert (await client.expect("RECEIPT")).headers["receipt-id"] == f"r{number}"


async def test_transactions_hold_back_until_commit(place: Place) -> None:
    async with raw_stomp(place.url) as client:
        await client.connect()
        await client.subscribe("/topic/a")
        await client.send("BEGIN", {"transaction": "t"})
        await client.send("BEGIN", {"transaction": "u"})
        await client.send("SEND", {"destination": "/topic/a", "transaction": "t"}, b"held")
        await client.send("SEND", {"destination": "/topic/a", "transaction": "u"}, b"dropped")
        await client.send("SEND", {"destination": "/topic/a"}, b"first")
        await client.send("ABORT", {"transaction": "u"})
        await client.send("COMMIT", {"transaction": "t"})
        assert [(await client.expect("MESSAGE")).body for _ in range(2)] == [b"first", b"held"]
        await client.nothing_before_receipt()


# ---- the end of a session --------------------------------------------------------------------


async def test_case_15_a_lost_connection_takes_the_user_out_of_the_registry(place: Place) -> None:
    instance = place.instance
    async with raw_stomp(place.url, "/ws?user=joe") as client:
        await client.connect()
        await client.subscribe("/user/topic/a")
        assert len(instance.registry.places("joe")) == 1
        client.socket.transport.abort()
        await until(lambda: instance.sessions == 0, "the session is gone")
    assert not instance.registry.places("joe")
    assert instance.info()["topics"] == 0
    assert instance.counters.disconnects == 1


async def test_disconnect_alone_does_not_end_the_connection(place: Place) -> None:
    async with raw_stomp(place.url, "/ws?user=joe") as client:
        await client.connect()
        await client.send("DISCONNECT", {"receipt": "bye"})
        await client.expect("RECEIPT")
        assert place.instance.registry.places("joe")
    await until(lambda: place.instance.sessions == 0, "the session is gone")
    assert not place.instance.registry.places("joe")


async def test_a_stopping_instance_closes_with_1001() -> None:
    async with one_instance() as instance:
        client_context = raw_stomp(instance.url)
        client = await client_context.__aenter__()
        await client.connect()
        closing = asyncio.create_task(client.closed())
    assert (await closing)[0] == 1001
    await client_context.__aexit__(None, None, None)


# ---- the application -------------------------------------------------------------------------


async def test_app_hello_is_logged_and_answered(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "pushscope.server"):
        async with joined(place.url, "lijian") as client:
            await client.send("SEND", {"destination": "/app/hello"}, b"ssss")
            answer = await client.expect("MESSAGE")
    assert answer.body == b"hello"
    assert answer.headers["destination"] == "/user/topic/greetings"
    assert answer.headers["content-type"].startswith("text/plain")
    assert [record.getMessage() for record in caplog.records].count("message: ssss") == 1


async def test_case_16_the_user_destination_is_restored(place: Place) -> None:
    async with joined(place.url, "joe") as client, aiohttp.ClientSession() as http:
        await push(http, place.instance.url, user="joe", payload={"a": 1}, headers={"ps-id": "p1"})
        message = await client.expect("MESSAGE")
    assert message.headers["destination"] == "/user/topic/greetings"
    assert message.headers["subscription"] == "s0"
    assert message.headers["ps-id"] == "p1"
    assert message.headers["content-type"] == "application/json"
    assert "simpOrigDestination" not in message.headers

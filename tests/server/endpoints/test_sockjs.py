"""STOMP over SockJS at an instance's endpoint, on the wire."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from server.brokers.embedded import EmbeddedBroker
from server.instance import Instance
from server.settings.sockjs import SockJsSettings, spring_settings
from server.sockets.listener import Listener

from ...support.instances import one_instance, push
from ...support.processes import until
from ...support.raw_http import connected, request
from ...support.raw_stomp import raw_stomp

CONNECT = "CONNECT\naccept-version:1.2\nlogin:{user}\nheart-beat:{beat}\n\n\0"
SUBSCRIBE = "SUBSCRIBE\nid:0\ndestination:{destination}\nreceipt:r\n\n\0"
SEND = "SEND\ndestination:{destination}\n\n{body}\0"


class Poller:
    """A polling client, by hand."""

    def __init__(self, url: str, name: str = "name", query: str = "") -> None:
        self.url = url
        self.path = f"/ws/000/{name}"
        self.query = query
        self.waiting: list[str] = []

    async def poll(self) -> bytes:
        return (await request(self.url, "POST", f"{self.path}/xhr{self.query}")).body

    async def frame(self) -> str:
        """The next STOMP frame; heart-beats of STOMP and SockJS are skipped."""
        while not self.waiting:
            body = await self.poll()
            if body != b"h\n":
                assert body[:1] == b"a", body
                self.waiting += [text for text in json.loads(body[1:]) if text != "\n"]
        return self.waiting.pop(0)

    async def send(self, *messages: str) -> None:
        answer = await request(
            self.url, "POST", f"{self.path}/xhr_send{self.query}", body=json.dumps(messages).encode()
        )
        assert answer.status == 204

    async def connect(self, user: str = "joe", beat: str = "0,0") -> str:
        assert await self.poll() == b"o\n"
        await self.send(CONNECT.format(user=user, beat=beat))
        frame = await self.frame()
        assert frame.startswith("CONNECTED\n")
        return frame

    async def subscribe(self, destination: str) -> None:
        await self.send(SUBSCRIBE.format(destination=destination))
        assert (await self.frame()).startswith("RECEIPT\n")


@pytest.fixture
async def instance() -> AsyncIterator[Instance]:
    async with one_instance() as instance:
        yield instance
        instance.abort()  # an orderly end would wait for pollers that come no more


async def test_info_and_greeting_are_at_the_endpoint(instance: Instance) -> None:
    answer = await request(instance.url, "GET", "/ws/info")
    assert json.loads(answer.body)["websocket"] is True
    for path in ("/ws", "/ws/"):
        assert (await request(instance.url, "GET", path)).body == b"Welcome to SockJS!\n"
    info = json.loads((await request(instance.url, "GET", "/info")).body)  # the instance's own
    assert info["id"] == "i1"


async def test_the_page_s_frame_and_the_answer_over_polling(instance: Instance) -> None:
    client = Poller(instance.url)
    assert "\nuser-name:joe\n" in await client.connect()
    await client.subscribe("/user/topic/greetings")
    await client.send(SEND.format(destination="/app/hello", body="ssss"))
    assert (await client.frame()).endswith("\n\nhello\0")
    assert (await request(instance.url, "GET", "/test?username=joe")).status == 200
    assert (await client.frame()).endswith("\n\nhello:joe\0")


async def test_frames_may_be_split_over_messages_and_several_in_one(instance: Instance) -> None:
    client = Poller(instance.url)
    await client.poll()
    text = CONNECT.format(user="joe", beat="0,0") + SUBSCRIBE.format(destination="/topic/x")
    await client.send(text[:10], text[10:50], text[50:])
    assert (await client.frame()).startswith("CONNECTED\n")
    assert (await client.frame()).startswith("RECEIPT\n")


async def test_what_was_pushed_between_two_polls_waits(instance: Instance) -> None:
    client = Poller(instance.url)
    await client.connect()
    await client.subscribe("/user/topic/greetings")
    async with aiohttp.ClientSession() as http:
        for number in range(5):
            assert (await push(http, instance.url, user="joe", payload=str(number)))[0] == 202
    bodies = [(await client.frame()).rpartition("\n")[2] for _ in range(5)]
    assert bodies == ["0\0", "1\0", "2\0", "3\0", "4\0"]


@pytest.mark.parametrize(("beat", "quiet"), [("0,0", False), ("10000,10000", True), ("10000,0", True)])
async def test_case_19_sockjs_beats_unless_stomp_does(beat: str, quiet: bool) -> None:
    """docs/wire/spring-relay.md §2.2: with agreed heart-beats of STOMP the session has no ``h``."""
    async with one_instance(
        sockjs=SockJsSettings(heartbeat_s=0.05), heartbeat_ms=(10_000, 10_000)
    ) as instance:
        url = f"ws{instance.url.removeprefix('http')}/ws/000/a/websocket"
        async with connect(url, proxy=None) as ws:
            assert await ws.recv() == "o"
            await ws.send(json.dumps([CONNECT.format(user="joe", beat=beat)]))
            while (frame := await ws.recv()) == "h":
                pass
            assert "CONNECTED" in str(frame)
            if not quiet:
                assert [await ws.recv(), await ws.recv()] == ["h", "h"]
                return
            seen: set[str] = set()
            async with connect(f"{url.replace('/a/', '/b/')}", proxy=None) as clock:  # which hears the time
                for _ in range(4):
                    await clock.recv()
            await ws.send(json.dumps([SUBSCRIBE.format(destination="/topic/x")]))
            while "RECEIPT" not in (frame := str(await ws.recv())):
                seen.add(frame)
            assert seen == set()


async def test_binary_bodies_become_text(instance: Instance) -> None:
    """docs/wire/stomp.md §4: never a binary message over SockJS; what is no UTF-8 becomes U+FFFD."""
    sockjs = Poller(instance.url)
    await sockjs.connect()
    await sockjs.subscribe("/topic/bytes")
    url = f"ws{instance.url.removeprefix('http')}/ws/000/b/websocket"
    async with raw_stomp(instance.url) as sender, connect(url, proxy=None) as ws:
        await ws.recv()
        await ws.send(json.dumps([CONNECT.format(user="joe", beat="0,0")]))
        await ws.recv()
        await ws.send(json.dumps([SUBSCRIBE.format(destination="/topic/bytes")]))
        await ws.recv()
        await sender.connect()
        head = b"SEND\ndestination:/topic/bytes\ncontent-type:application/octet-stream\n\n"
        await sender.socket.send(head + "é\udcff😀".encode("utf-8", "surrogateescape") + b"\0")
        assert (await sockjs.frame()).endswith("\n\né\ufffd😀\0")
        over_websocket = await ws.recv()
        assert isinstance(over_websocket, str)
        assert json.loads(over_websocket[1:])[0].endswith("\n\né\ufffd😀\0")


async def test_two_clients_with_one_name_on_two_transports_are_two_sessions(instance: Instance) -> None:
    poller = Poller(instance.url, "same")
    await poller.connect("joe")
    url = f"ws{instance.url.removeprefix('http')}/ws/000/same/websocket"
    async with connect(url, proxy=None) as ws:
        await ws.recv()
        await ws.send(json.dumps([CONNECT.format(user="pete", beat="0,0")]))
        assert "user-name:pete" in str(await ws.recv())
        assert instance.sessions == 2
        assert "same" not in "".join(instance.parts.connections.hub.sessions)


async def test_an_error_and_its_close_code_reach_a_polling_client(instance: Instance) -> None:
    client = Poller(instance.url)
    await client.connect()
    await client.send(SUBSCRIBE.format(destination="/nowhere"))
    assert (await client.frame()).startswith("ERROR\n")
    assert (await client.poll()).startswith(b"c[1002,")
    assert instance.sessions == 0


async def test_a_client_that_stays_away_is_forgotten() -> None:
    async with one_instance(sockjs=SockJsSettings(disconnect_s=0.05)) as instance:
        await Poller(instance.url).connect()
        await until(lambda: instance.sessions == 0, "the session ends")
        assert instance.registry.local_users == 0


async def test_a_polling_client_that_does_not_come_for_much_is_cut() -> None:
    """The limit on what waits is the instance's own, whatever the transport."""
    async with one_instance(queue_limit=100_000) as instance, aiohttp.ClientSession() as http:
        client = Poller(instance.url)
        await client.connect()
        await client.subscribe("/user/topic/greetings")
        while instance.sessions:
            await push(http, instance.url, user="joe", payload="x" * 20_000)
        assert instance.counters.slow_consumers == 1
        while (body := await client.poll())[:1] == b"a":
            pass
        assert body.startswith(b"c[4500,")


# ---- who may come ------------------------------------------------------------------------------


@pytest.mark.parametrize(("origin", "status"), [(None, 200), ("own", 200), ("http://evil.test", 403)])
async def test_origins(instance: Instance, origin: str | None, status: int) -> None:
    own = "http://127.0.0.1"  # what the test's Host header says
    headers = {} if origin is None else {"Origin": own if origin == "own" else origin}
    for method, path in (("GET", "info"), ("POST", "0/a/xhr"), ("OPTIONS", "0/a/xhr_send")):
        answer = await request(instance.url, method, f"/ws/{path}", headers)
        assert answer.status in ((200, 204) if status == 200 else (403,))
    if status == 403:
        url = f"ws{instance.url.removeprefix('http')}/ws/0/a/websocket"
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url, proxy=None, origin=headers["Origin"]):  # type: ignore[arg-type]
                pass
        assert refused.value.response.status_code == 403


async def test_a_script_of_a_foreign_page_is_refused(instance: Instance) -> None:
    """JSONP has no Origin; a page could otherwise read what is pushed to this machine's user."""
    for path in ("jsonp?c=x", "htmlfile?c=x", "eventsource"):
        answer = await request(instance.url, "GET", f"/ws/0/a/{path}", {"Sec-Fetch-Site": "cross-site"})
        assert answer.status == 403
    assert instance.sessions == 0


async def test_allowed_origins_have_no_iframe_page() -> None:
    async with one_instance(allowed_origins=("http://page.test",)) as instance:
        assert (await request(instance.url, "GET", "/ws/iframe.html")).status == 404
        answer = await request(instance.url, "GET", "/ws/info", {"Origin": "http://page.test"})
        assert answer["access-control-allow-origin"] == "http://page.test"
    async with one_instance() as instance:
        assert (await request(instance.url, "GET", "/ws/iframe.html"))["x-frame-options"] == "SAMEORIGIN"


async def test_the_user_of_the_query_is_that_of_the_first_request(instance: Instance) -> None:
    client = Poller(instance.url, query="?user=pete")
    assert "user-name:pete" in await client.connect("joe")


async def test_springs_way_at_an_instance() -> None:
    async with one_instance(sockjs=spring_settings()) as instance:
        answer = await request(instance.url, "GET", "/ws/info")
        assert next(iter(json.loads(answer.body))) == "entropy"
        client = Poller(instance.url, query="?user=joe")
        await client.connect()
        assert (await request(instance.url, "POST", f"{client.path}/xhr?user=pete")).status == 404


async def test_under_any_server() -> None:
    """The same below a prefix and without our protocol classes."""

    async def below(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await instance.asgi({**scope, "root_path": "/prefix"}, receive, send)

    async with one_instance() as instance, Listener(below) as listener:
        client = Poller(listener.url)
        client.path = f"/prefix{client.path}"
        await client.connect()
        async with connected(listener.url) as http:
            await http.ask("GET", "/prefix/ws/0/b/eventsource")
            assert (await http.chunk(), await http.chunk()) == (b"\r\n", b"data: o\r\n\r\n")


# ---- the broker's side ---------------------------------------------------------------------------


@asynccontextmanager
async def with_broker(**settings: Any) -> AsyncGenerator[tuple[Instance, Poller, AsyncExitStack]]:
    """An instance, a polling client that listens to ``/topic/x``, and what ends the broker."""
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(EmbeddedBroker())
        async with one_instance(broker_url=broker.url, **settings) as instance:
            client = Poller(instance.url)
            await client.connect(beat="10000,10000")
            await client.subscribe("/topic/x")
            yield instance, client, stack


async def test_a_broker_connection_of_its_own_for_each_client() -> None:
    """Spring's relay: the broker's frames and its end reach a polling client as well."""
    async with with_broker(relay="per-client") as (_, client, broker):
        await client.send(SEND.format(destination="/topic/x", body="100% é"))
        assert (await client.frame()).endswith("\n\n100% é\0")
        await broker.aclose()
        assert (await client.frame()).startswith("ERROR\n")
        assert (await client.poll()).startswith(b"c[1002,")


async def test_the_broker_s_loss_ends_polling_clients_too_if_asked_to() -> None:
    async with with_broker(on_broker_loss="spring") as (_, client, broker):
        await broker.aclose()
        assert (await client.frame()).startswith("ERROR\n")
        assert (await client.poll()).startswith(b"c[1002,")


async def test_a_polling_client_does_not_notice_a_broker_that_comes_back() -> None:
    async with with_broker() as (instance, client, broker):
        port = urlsplit(instance.broker.url).port or 0
        await broker.aclose()
        await until(lambda: not instance.broker.available, "the loss is noticed")
        async with EmbeddedBroker(port=port), aiohttp.ClientSession() as http:
            await until(lambda: instance.broker.available, "the broker is back")
            status, _ = await push(http, instance.url, destination="/topic/x", payload="again")
            assert status == 202
            assert (await client.frame()).endswith("\n\nagain\0")

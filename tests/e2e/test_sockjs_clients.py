"""sockjs-client of today and of 2015, under STOMP and alone, over every transport that Node has."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from server.instance import Instance
from server.settings.instance import InstanceSettings
from server.settings.sockjs import SockJsSettings
from server.sockjs.suite import SuiteServer
from tests.support.instances import push
from tests.support.processes import until
from tests.support.requirements import requires
from tests.support.stompjs import AWKWARD, StompJs, large_text

pytestmark = [
    requires("stompjs", "sockjs", "sockjs-old", "stompjs-old"),
    pytest.mark.asyncio(loop_scope="module"),
]

TRANSPORTS = ["websocket", "xhr-streaming", "eventsource", "xhr-polling"]
PAIRS = ["new", "old"]
GREETINGS = "/user/topic/greetings"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def instance() -> AsyncIterator[Instance]:
    async with Instance(InstanceSettings()) as instance:
        yield instance


@pytest_asyncio.fixture(loop_scope="module")
async def client() -> AsyncIterator[StompJs]:
    async with StompJs("sockjs_client.cjs") as client:
        yield client


async def connect(client: StompJs, instance: Instance, pair: str, transport: str, user: str) -> None:
    client.do("connect", pair=pair, url=f"{instance.url}/ws?user={user}", transport=transport)
    connected = await client.expect("connected")
    assert connected["transport"] == transport
    assert connected["headers"]["user-name"] == user


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("pair", PAIRS)
async def test_stomp_over_every_transport(
    instance: Instance, client: StompJs, pair: str, transport: str
) -> None:
    """The article's page: a push, an answer, awkward text both ways, a large push."""
    user = f"{pair}.{transport}"
    await connect(client, instance, pair, transport, user)
    await client.subscribe("sub-0", GREETINGS)
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{instance.url}/test?username={user}") as answer:
            assert answer.status == 200
        assert (await client.expect("message"))["body"] == f"hello:{user}"

        client.do("publish", destination="/app/hello", body="ssss")
        assert (await client.expect("message"))["body"] == "hello"

        await client.subscribe("sub-1", f"/topic/{user}")
        client.do("publish", destination=f"/topic/{user}", body=AWKWARD)
        assert (await client.expect("message"))["body"] == AWKWARD
        await push(http, instance.url, user=user, payload=AWKWARD)
        assert (await client.expect("message"))["body"] == AWKWARD

        large = large_text(pair, transport)
        assert len(large) > 200_000
        status, _ = await push(http, instance.url, user=user, payload=large)
        assert status == 202
        assert (await client.expect("message"))["body"] == large
        for number in range(20):
            await push(http, instance.url, user=user, payload=str(number))
        bodies = [(await client.expect("message"))["body"] for _ in range(20)]
        assert bodies == [str(number) for number in range(20)]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("pair", PAIRS)
async def test_a_refused_frame_is_an_error_and_the_end(
    instance: Instance, client: StompJs, pair: str, transport: str
) -> None:
    await connect(client, instance, pair, transport, "refused")
    client.do("subscribe", id="1", destination="/nowhere", receipt="r")
    assert "/nowhere" in str(await client.expect("error"))
    assert (await client.expect("closed"))["code"] == 1002


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_clients_that_leave_are_noticed(instance: Instance, client: StompJs, transport: str) -> None:
    await connect(client, instance, "new", transport, "leaving")
    assert instance.registry.local_users
    client.do("deactivate")
    assert (await client.expect("closed"))["code"] in (1000, 1002, 1006)
    await until(lambda: instance.sessions == 0, "the session ends")


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("pair", PAIRS)
async def test_a_graceful_stop_loses_nothing(client: StompJs, pair: str, transport: str) -> None:
    """What was accepted arrives, then the close frame with its code."""
    async with Instance(InstanceSettings()) as instance, aiohttp.ClientSession() as http:
        await connect(client, instance, pair, transport, "last")
        await client.subscribe("sub-0", GREETINGS)
        for number in range(5):
            assert (await push(http, instance.url, user="last", payload=str(number)))[0] == 202
    closed = await client.expect("closed")
    assert (closed["code"], closed["reason"]) == (1001, "the instance stops")
    assert [event["body"] for event in client.events if event["event"] == "message"] == list("01234")


async def test_the_first_transport_that_works_is_found(client: StompJs) -> None:
    """Without WebSockets the client falls back by itself."""
    settings = InstanceSettings(sockjs=SockJsSettings(websocket=False))
    async with Instance(settings) as instance:
        client.do("connect", pair="new", url=f"{instance.url}/ws", transport="")
        assert (await client.expect("connected"))["transport"] == "xhr-streaming"


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("pair", PAIRS)
async def test_echo(client: StompJs, pair: str, transport: str) -> None:
    """SockJS without STOMP; the streaming limit of 4,096 bytes is passed many times."""
    async with SuiteServer() as server:
        client.do("open", pair=pair, url=f"{server.url}/echo", transport=transport)
        assert (await client.expect("open"))["transport"] == transport
        texts = [
            AWKWARD,
            "",
            " ",
            *(f"{number} {'x' * 1000}" for number in range(30)),
            "\ud83d",
            "y" * 100_000,
        ]
        for text in texts:
            client.do("send", body=text)
        for text in texts:
            assert (await client.expect("message"))["body"] == text


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("pair", PAIRS)
async def test_close(client: StompJs, pair: str, transport: str) -> None:
    async with SuiteServer() as server:
        client.do("open", pair=pair, url=f"{server.url}/close", transport=transport)
        await client.expect("open")
        closed = await client.expect("closed")
        assert (closed["code"], closed["reason"]) == (3000, "Go away!")

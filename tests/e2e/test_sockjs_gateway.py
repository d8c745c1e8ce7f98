"""sockjs-client of today and of 2015, under STOMP, through the gateway with two instances."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from server import LocalCluster
from tests.support.instances import push
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
async def cluster() -> AsyncIterator[LocalCluster]:
    async with LocalCluster(instances=2) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as http:
        yield http


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("pair", PAIRS)
async def test_the_article_over_every_transport(
    cluster: LocalCluster, http: aiohttp.ClientSession, pair: str, transport: str
) -> None:
    """Two users at once, so that the requests of one shift the turns of the other's."""
    async with StompJs("sockjs_client.cjs") as first, StompJs("sockjs_client.cjs") as second:
        on = {
            await connect(cluster, client, pair, transport, f"{pair}.{transport}.{number}")
            for number, client in enumerate((first, second))
        }
        assert transport != "websocket" or len(on) == 2  # in turn; the others by the session's name
        for number, client in enumerate((first, second)):
            await exchange(cluster, http, client, f"{pair}.{transport}.{number}", large_text(pair, transport))


async def connect(cluster: LocalCluster, client: StompJs, pair: str, transport: str, user: str) -> str:
    """Connect through the gateway and subscribe; returns the instance."""
    url = f"{cluster.describe().gateway_url}/web-socket/ws?user={user}"
    client.do("connect", pair=pair, url=url, transport=transport)
    connected = await client.expect("connected")
    assert connected["transport"] == transport
    assert connected["headers"]["user-name"] == user
    await client.subscribe("sub-0", GREETINGS)
    return str(connected["headers"]["instance"])


async def exchange(
    cluster: LocalCluster, http: aiohttp.ClientSession, client: StompJs, user: str, large: str
) -> None:
    """Everything that can be said, both ways, pushes through every instance: also the other one."""
    urls = [each.push_url for each in cluster.describe().instances]
    for url in urls:
        async with http.get(f"{url}/test?username={user}") as answer:
            assert answer.status == 200
        assert await body(client) == f"hello:{user}"
    client.do("publish", destination="/app/hello", body="ssss")
    assert await body(client) == "hello"

    await client.subscribe("sub-1", f"/topic/{user}")
    client.do("publish", destination=f"/topic/{user}", body=AWKWARD)
    assert await body(client) == AWKWARD
    for url in urls:
        for payload in (AWKWARD, large, *map(str, range(10))):
            assert (await push(http, url, user=user, payload=payload))[0] == 202
        assert await body(client) == AWKWARD
        assert await body(client) == large
        assert [await body(client) for _ in range(10)] == [str(number) for number in range(10)]
    client.do("deactivate")


async def body(client: StompJs) -> str:
    return str((await client.expect("message"))["body"])

"""Instances that are drained or stop in order, through a real gateway, over every transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest

from core import Scenario, run
from core.client import StompClient
from core.load.scenario import Fault
from core.report.result import Result
from server import LocalCluster
from tests.support.rabbitmq import VirtualHost
from tests.support.raw_sockjs import RAW_TRANSPORTS, RawSockJs
from tests.support.requirements import requires

MIXED = {"websocket": 40, "xhr-streaming": 20, "eventsource": 20, "xhr-polling": 20}


@pytest.fixture
async def cluster() -> AsyncIterator[LocalCluster]:
    async with LocalCluster(instances=2, broker="memory:", in_process=True) as cluster:
        yield cluster


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        yield http


async def push(http: aiohttp.ClientSession, base: str, user: str, payload: str) -> None:
    body = {"user": user, "destination": "/topic/greetings", "payload": payload}
    async with http.post(f"{base}/push", json=body) as response:
        assert response.status == 202


async def connected(
    stack: AsyncExitStack, http: aiohttp.ClientSession, base: str, transport: str, on: str
) -> RawSockJs:
    """A STOMP session that the gateway puts on that instance: the name of a session decides."""
    for number in range(100):
        raw = RawSockJs(http, base, f"{transport}-{number}", transport)
        await stack.enter_async_context(raw)
        await raw.send(f"CONNECT\naccept-version:1.2\nhost:h\nlogin:{transport}\nheart-beat:0,0\n\n\0")
        await raw.until("CONNECTED")
        if f"instance:{on}" in raw.text:
            return raw
        await raw.__aexit__(None, None, None)
    raise AssertionError(f"no session of 100 came to {on}")


async def settled(
    stack: AsyncExitStack, http: aiohttp.ClientSession, cluster: LocalCluster, on: str
) -> dict[str, RawSockJs]:
    """A subscribed STOMP session of each transport on that instance."""
    base = f"{cluster.describe().gateway_url}/web-socket/ws"
    found: dict[str, RawSockJs] = {}
    for transport in RAW_TRANSPORTS:
        raw = await connected(stack, http, base, transport, on)
        await raw.send("SUBSCRIBE\nid:0\ndestination:/user/topic/greetings\nreceipt:r\n\n\0")
        await raw.until("RECEIPT")
        found[transport] = raw
    return found


async def test_drained_sessions_of_every_transport_go_on(
    cluster: LocalCluster, http: aiohttp.ClientSession
) -> None:
    info = cluster.describe()
    async with AsyncExitStack() as stack:
        sessions = await settled(stack, http, cluster, "i1")
        await cluster.control("drain", "i1")
        for turn in range(3):
            for each in info.instances:
                for transport, raw in sessions.items():
                    await push(http, each.push_url, transport, f"{turn} by {each.id}.")
                    await raw.until(f"{turn} by {each.id}.")
            for raw in sessions.values():
                await raw.send(f"SEND\ndestination:/app/hello\nreceipt:again{turn}\n\nssss\0")
                await raw.until(f"again{turn}")
        for raw in sessions.values():
            assert "c[" not in raw.text
            assert not raw.statuses
        fresh = RawSockJs(http, f"{info.gateway_url}/web-socket/ws", "fresh", "xhr")
        await stack.enter_async_context(fresh)
        await fresh.send("CONNECT\naccept-version:1.2\nhost:h\n\n\0")
        await fresh.until("instance:i2")


async def test_a_stop_flushes_every_transport_and_says_so(
    cluster: LocalCluster, http: aiohttp.ClientSession
) -> None:
    async with AsyncExitStack() as stack:
        sessions = await settled(stack, http, cluster, "i1")
        sessions["xhr"].receiving.clear()  # it is between two polls
        await push(http, cluster.describe().instances[1].push_url, "xhr", "the poll under way")
        await sessions["xhr"].until("the poll under way")
        for each in cluster.describe().instances:
            for transport in RAW_TRANSPORTS:
                for number in range(5):
                    await push(http, each.push_url, transport, f"({number} by {each.id})")
        stopping = asyncio.ensure_future(cluster.control("stop", "i1"))
        await sessions["xhr_streaming"].until("c[1001")
        sessions["xhr"].receiving.set()
        for transport, raw in sessions.items():
            await raw.until("c[1001")
            assert not raw.statuses
            for each in ("i1", "i2"):
                places = [raw.text.index(f"({number} by {each})") for number in range(5)]
                assert places == sorted(places), transport
                assert raw.text.count(f"by {each})") == 5
            assert raw.text.rindex("by i") < raw.text.index("c[1001")
        await stopping


async def test_a_push_while_its_user_is_moving_waits_for_it(
    cluster: LocalCluster, http: aiohttp.ClientSession
) -> None:
    info = cluster.describe()
    url = info.websocket_url.replace("{user}", "anna")
    async with StompClient(url) as client:
        await client.subscribe("/user/topic/greetings")
        on = client.connected.headers["instance"]
        other = next(each for each in info.instances if each.id != on)
        await cluster.control("stop", on)
    for number in range(3):
        await push(http, other.push_url, "anna", str(number))
    async with StompClient(url) as client:
        greetings = await client.subscribe("/user/topic/greetings")
        await push(http, other.push_url, "anna", "3")
        assert [(await anext(greetings)).body for _ in range(4)] == [b"0", b"1", b"2", b"3"]


def assert_everything_arrived(result: Result) -> None:
    summary = result.summary
    assert (summary.lost, summary.duplicate, summary.misrouted, summary.reordered) == (0, 0, 0, 0)
    assert summary.delivered == summary.expected == summary.pushed > 0
    assert {user.state for user in result.users} == {"connected"}


@requires("rabbitmq")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["stomp", "amqp"])
async def test_a_stop_loses_nothing_on_rabbitmq(rabbitmq: VirtualHost, kind: str) -> None:
    url = rabbitmq.amqp_url if kind == "amqp" else rabbitmq.stomp_url
    stop = Fault(at=0.5, action="stop", instance="i2")
    scenario = Scenario(users=20, rate=100, duration=2, drain=12, faults=(stop,))
    async with LocalCluster(instances=2, broker=url) as cluster:
        result = await run(scenario, cluster, workers=0)
    assert_everything_arrived(result)


@pytest.mark.timeout(120)
async def test_mixed_users_while_one_instance_is_drained_and_another_stops() -> None:
    faults = (
        Fault(at=0.5, action="drain", instance="i1"),
        Fault(at=1.5, action="undrain", instance="i1"),
        Fault(at=2.0, action="stop", instance="i2"),
    )
    scenario = Scenario(users=30, rate=60, duration=4, drain=12, transports=MIXED, faults=faults)
    async with LocalCluster(instances=2) as cluster:
        result = await run(scenario, cluster, workers=0)
    assert_everything_arrived(result)
    # Draining moved nobody: all that moved, moved once, because of the stop.
    assert {user.reconnects for user in result.users} == {0, 1}
    assert {user.on for user in result.users} == {"i1"}

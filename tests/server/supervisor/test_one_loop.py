"""A cluster whose roles share this loop: the same behaviour, no process, no pause."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from typing import Literal

import aiohttp
import pytest

from core.client import StompClient
from core.environment import EnvironmentInfo, LogLine
from core.errors import PortTakenError, UsageError
from core.transport import CloseInfo
from server import LocalCluster
from tests.support.processes import descendants, refuses


@pytest.fixture(autouse=True)
def no_process() -> Iterator[None]:
    before = descendants()
    yield
    assert descendants() == before


def _user_url(info: EnvironmentInfo) -> str:
    return info.websocket_url.replace("{user}", "anna")


async def _push(base: str, user: str) -> int:
    async with aiohttp.ClientSession() as http, http.get(f"{base}/test", params={"username": user}) as answer:
        return answer.status


@pytest.mark.parametrize("broker", ["memory:", "embedded:"])
@pytest.mark.parametrize("strategy", ["relay", "broadcast"])
async def test_a_push_through_any_instance_arrives(
    broker: str, strategy: Literal["relay", "broadcast"]
) -> None:
    async with LocalCluster(instances=3, broker=broker, strategy=strategy, in_process=True) as cluster:
        info = cluster.describe()
        assert {each.pid for each in info.instances} == {None}
        async with StompClient(_user_url(info)) as client:
            greetings = await client.subscribe("/user/topic/greetings")
            for each in info.instances:
                assert await _push(each.push_url, "anna") == 200
                assert (await anext(greetings)).body == b"hello:anna"
    assert all(refuses(each.push_url) for each in info.instances)
    assert all(refuses(part.url) for part in info.parts if part.name != "broker" or broker == "embedded:")
    assert {each.state for each in cluster.describe().instances} == {"stopped"}


async def test_a_killed_instance_says_no_goodbye() -> None:
    async with LocalCluster(instances=2, broker="memory:", in_process=True) as cluster:
        info = cluster.describe()
        ended: asyncio.Future[CloseInfo] = asyncio.get_running_loop().create_future()
        async with StompClient(_user_url(info), on_close=ended.set_result) as client:
            on = client.connected.headers["instance"]
            await client.subscribe("/user/topic/greetings")
            assert await cluster.control("kill", on) == on
            assert (await ended).code == 1006
        states = {each.id: each for each in cluster.describe().instances}
        assert states[on].state == "dead"
        assert states[on].exit_code == -9
        assert refuses(states[on].push_url)
        # The gateway routes around it, and whoever comes back is found again.
        other = next(each for each in states.values() if each.id != on)
        async with StompClient(_user_url(info)) as client:
            assert client.connected.headers["instance"] == other.id
            greetings = await client.subscribe("/user/topic/greetings")
            assert await _push(other.push_url, "anna") == 200
            assert (await anext(greetings)).body == b"hello:anna"
        assert await cluster.control("add") == "i3"
        with pytest.raises(UsageError, match="shares this process"):
            await cluster.control("pause", "i3")
        assert await cluster.control("stop", "i3") == "i3"


async def test_log_lines_tell_their_role(caplog: pytest.LogCaptureFixture) -> None:
    cluster = LocalCluster(instances=2, broker="memory:", in_process=True)
    events = cluster.events()
    with caplog.at_level(logging.INFO, "pushscope"):
        async with cluster, StompClient(cluster.describe().websocket_url.replace("{user}", "anna")) as client:
            answers = await client.subscribe("/user/topic/greetings")
            on = client.connected.headers["instance"]
            await client.send("/app/hello", "ssss")
            assert (await anext(answers)).body == b"hello"
    said = [event for event in [each async for each in events] if isinstance(event, LogLine)]
    assert [line.source for line in said if line.text.endswith("message: ssss")] == [on]
    assert not logging.getLogger("pushscope").handlers


async def test_a_given_port_that_is_taken_undoes_the_rest() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cluster = LocalCluster(broker="memory:", in_process=True, ports=(0, port))
        with pytest.raises(PortTakenError, match=str(port)):
            await cluster.start(lambda step: None)
    assert all(refuses(part.url) for part in cluster.describe().parts if part.url)


async def test_cancel_during_the_start() -> None:
    def progress(step: object) -> None:
        asyncio.get_running_loop().call_soon(starting.cancel)

    before = asyncio.all_tasks()
    starting = asyncio.ensure_future(LocalCluster(broker="memory:", in_process=True).start(progress))
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert asyncio.all_tasks() == before


async def test_a_drained_instance_keeps_its_users_and_gets_no_new_ones() -> None:
    async with LocalCluster(instances=2, broker="memory:", in_process=True) as cluster:
        info = cluster.describe()
        async with StompClient(_user_url(info)) as client:
            on = client.connected.headers["instance"]
            greetings = await client.subscribe("/user/topic/greetings")
            assert await cluster.control("drain", on) == on
            assert {each.id: each.draining for each in cluster.describe().instances}[on] is True
            with pytest.raises(UsageError, match=f"cannot drain {on}: it is drained"):
                await cluster.control("drain", on)
            for _ in range(3):
                async with StompClient(info.websocket_url.replace("{user}", "bert")) as other:
                    assert other.connected.headers["instance"] != on
            for each in info.instances:  # it still takes pushes, and delivers them
                assert await _push(each.push_url, "anna") == 200
                assert (await anext(greetings)).body == b"hello:anna"
            assert await cluster.control("undrain") == on
            places: set[str] = set()
            for _ in range(2):
                async with StompClient(info.websocket_url.replace("{user}", "bert")) as other:
                    places.add(other.connected.headers["instance"])
            assert places == {"i1", "i2"}
        with pytest.raises(UsageError, match="no instance to undrain"):
            await cluster.control("undrain")

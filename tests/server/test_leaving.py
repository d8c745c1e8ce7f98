"""An instance that leaves: what it refuses, what it says to others, what it flushes."""

from __future__ import annotations

import asyncio

import pytest

from core.client import StompClient
from core.errors import ConnectionClosed
from server.discovery import Discovery, DiscoveryClient, Snapshot
from server.leaving import leave
from tests.support.instances import cluster, one_instance, push
from tests.support.processes import until


async def test_it_takes_no_pushes_any_more() -> None:
    async with cluster(1) as bench:
        [instance] = bench.instances
        instance.parts.push_api.stop()
        status, answer = await bench.push(instance, destination="/topic/a", payload="x", user="anna")
        assert status == 503
        assert "about to stop" in answer["error"]
        assert instance.info()["undeliverable"]["counts"][0]["reason"] == "stopping"
        assert instance.counters.refused == 1


async def test_it_is_out_of_service_before_it_is_gone() -> None:
    seen: list[list[str]] = []

    def note(snapshot: Snapshot) -> None:
        statuses = [item.status for item in snapshot.of("web-socket", status=None)]
        if not seen or seen[-1] != statuses:
            seen.append(statuses)

    async with Discovery() as discovery, DiscoveryClient(discovery.url, None, note):
        async with one_instance(discovery_url=discovery.url):
            await until(lambda: seen[-1] == ["UP"], "it is up")
        await until(lambda: seen[-1] == [], "it is gone")
    assert seen[-3:] == [["UP"], ["OUT_OF_SERVICE"], []]


class Deaf(DiscoveryClient):
    """One whose registry does not answer."""

    async def update(self, *, status: str | None = None, metadata: dict[str, str] | None = None) -> None:
        await asyncio.Event().wait()


async def test_a_registry_that_does_not_answer_keeps_no_client_waiting() -> None:
    async with one_instance() as instance, StompClient(f"{instance.url}/ws".replace("http", "ws")) as client:
        deaf = Deaf("http://127.0.0.1:1", None)
        await leave(instance.settings, instance.parts, instance.broker, deaf)
        assert (await client.wait_closed()).code == 1001


async def test_what_is_pushed_before_the_goodbye_is_written_before_the_close() -> None:
    async with cluster(2) as bench:
        first, second = bench.instances
        url = f"ws{first.url.removeprefix('http')}/ws?user=anna"
        async with StompClient(url) as client:
            greetings = await client.subscribe("/user/topic/a")
            for number in range(50):
                for instance in (first, second):
                    status, _ = await push(
                        bench.http, instance.url, destination="/topic/a", payload=str(number), user="anna"
                    )
                    assert status == 202
            await first.__aexit__(None, None, None)
            got: list[bytes] = []
            with pytest.raises(ConnectionClosed, match="1001"):
                while True:
                    got.append((await anext(greetings)).body)
        assert sorted(got) == sorted(str(number).encode() for number in range(50) for _ in "12")


async def test_an_instance_that_stops_lets_users_of_another_one_come_first() -> None:
    async with cluster(3) as bench:
        first, second, third = bench.instances
        addresses = [f"ws{each.url.removeprefix('http')}/ws?user=anna" for each in bench.instances]
        async with StompClient(addresses[0]) as before:
            await before.subscribe("/user/topic/a")
            await first.__aexit__(None, None, None)
            await before.wait_closed()
        status, _ = await bench.push(second, destination="/topic/a", payload="1", user="anna")
        assert status == 202
        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(second.__aexit__(None, None, None))
            async with StompClient(addresses[2]) as client:
                greetings = await client.subscribe("/user/topic/a")
                assert (await anext(greetings)).body == b"1"
            await stopping
        assert third.counters.undeliverable == 0

"""Cases 41 and 42 of docs/wire/conformance.md: an instance dies; the article's one destination for
everything."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from server import LocalCluster
from server.brokers.embedded import EmbeddedBroker
from server.brokers.stomp import StompBroker

from ..support.broker_tap import broker_tap
from ..support.instances import one_instance, push
from ..support.processes import until
from ..support.raw_stomp import RawStomp, joined
from ..support.spring_peer import spring_peer

#: Pushes to each user by each instance that lives.
PUSHES = 25


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.timeout(120)
async def test_case_41_nothing_pushed_after_a_users_receipt_is_lost_when_an_instance_is_killed() -> None:
    """Three processes, one killed: its users come back elsewhere and miss nothing from then on."""
    async with (
        LocalCluster(instances=3) as running,
        aiohttp.ClientSession() as http,
        AsyncExitStack() as stack,
    ):
        places = running.describe().instances
        urls = [each.push_url.removesuffix("/push") for each in places]
        pid = places[1].pid
        assert pid is not None
        gone = [
            await stack.enter_async_context(joined(urls[1], f"u{number}", "/user/topic/greetings"))
            for number in range(6)
        ]
        stays = await stack.enter_async_context(joined(urls[0], "stays"))
        os.kill(pid, signal.SIGKILL)
        for client in gone:
            await client.closed()

        async def comes_back(number: int) -> None:
            # From the receipt inside joined() on, every push by any living instance arrives.
            url = urls[0] if number % 2 else urls[2]
            async with joined(url, f"u{number}") as client:
                await receives_all(http, (urls[0], urls[2]), f"u{number}", client)

        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(comes_back(number))
            group.create_task(receives_all(http, (urls[0], urls[2]), "stays", stays))


async def receives_all(
    http: aiohttp.ClientSession, urls: tuple[str, ...], user: str, client: RawStomp
) -> None:
    """Push by all these instances in turn; the user gets every one once, in the order of each."""
    for number in range(PUSHES):
        for way, url in enumerate(urls):
            status, answer = await push(http, url, user=user, payload=f"{way}:{number}")
            assert status == 202, answer
    got = [(await client.expect("MESSAGE")).body.decode() for _ in range(PUSHES * len(urls))]
    for way in range(len(urls)):
        assert [each for each in got if each.startswith(f"{way}:")] == [
            f"{way}:{number}" for number in range(PUSHES)
        ]
    await client.nothing_before_receipt()


async def test_case_42_both_broadcasts_and_pushes_share_one_destination() -> None:
    """As the article has it: snapshots, unresolved users and pushes on ``/topic/greetings``."""
    shared = "/topic/greetings"
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        broker = await enter(EmbeddedBroker())
        url, lines = await enter(broker_tap(broker.url))
        both: dict[str, Any] = {"unresolved_destination": shared, "registry_destination": shared}
        one = await enter(one_instance(broker_url=url, **both))
        two = await enter(one_instance(id="i2", broker_url=broker.url, **both))
        spring = await enter(spring_peer(StompBroker(broker.url), registry=shared, unresolved=shared))
        http = await enter(aiohttp.ClientSession())
        joe = await enter(joined(one.url, "joe"))

        # One subscription serves both broadcasts.
        wanted = [frame.headers["destination"] for frame in lines[0].said if frame.command == "SUBSCRIBE"]
        assert wanted.count(shared) == 1

        # A snapshot is understood, and answered with ours.
        spring.users = {"ann": {"spring-1": ("/user/topic/greetings",)}}
        await spring.listen(f"{shared}-userspring-1")
        spring.tell()
        await until(lambda: all(bool(each.registry.places("ann")) for each in (one, two)), "ann is known")
        await spring.until(
            lambda: any("joe" in content["userMap"] for _, content in spring.snapshots), "joe is told"
        )

        # A broadcast for an unresolved user reaches the one who has it, once.
        origin = {"simpOrigDestination": f"/user/joe{shared}", "customHeader": "kept"}
        spring.say(shared, origin, b"from a stranger")
        message = await joe.expect("MESSAGE")
        assert (message.body, message.headers["customHeader"]) == (b"from a stranger", "kept")
        assert message.headers["destination"] == f"/user{shared}"

        # Pushes beside them, to joe and to Spring's ann; to the topic itself none, which could be a snapshot.
        told = len(one.parts.users.spring.strangers) if one.parts.users.spring is not None else 0
        payloads: tuple[Any, ...] = ("text", {"id": "x", "userMap": None}, {"user_map": {}})
        for payload in payloads:
            assert (await push(http, two.url, destination=shared, payload=payload))[0] == 400
        assert (await push(http, two.url, user="joe", destination=shared, payload="to joe"))[0] == 202
        assert (await joe.expect("MESSAGE")).body == b"to joe"
        assert (await push(http, two.url, user="ann", destination=shared, payload="to ann"))[0] == 202
        await spring.until(lambda: bool(spring.received), "ann's push")
        assert spring.received[0].headers["simpOrigDestination"] == f"/user{shared}"
        await joe.nothing_before_receipt()
        assert one.parts.users.spring is not None
        assert len(one.parts.users.spring.strangers) == told == 1

        # A user whom nobody knows is asked for on the same destination, and that ends there.
        assert (await push(http, two.url, user="nobody", destination=shared, payload="x"))[1]["sessions"] == 0
        await until(lambda: two.counters.undeliverable == 1, "it is counted where it came in")
        assert one.counters.undeliverable == 0

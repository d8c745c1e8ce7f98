"""Clients that do not read, under each policy and each server: nobody else notices, nothing is split."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest

from server.instance import Instance
from server.messages.stages import Stage
from server.sessions.session import Session
from server.settings.instance import SlowPolicy
from server.sockets.listener import Listener

from ...support.deaf import DeafClient, deaf_client
from ...support.hypercorn_host import HYPERCORN, hypercorn
from ...support.instances import one_instance
from ...support.processes import until
from ...support.raw_stomp import joined

LIMIT = 256 * 1024
BODY = b"x" * 20_000


@asynccontextmanager
async def served(instance: Instance, server: str) -> AsyncGenerator[str]:
    """The URL of an instance under a server."""
    if server in ("fast", "sockjs"):
        yield instance.url
    elif server == "hypercorn":
        async with hypercorn(instance.asgi) as url:
            yield url
    else:
        async with Listener(instance.asgi) as listener:
            yield listener.url


async def flood(instance: Instance, until_dropped: int, sent: int = 0) -> int:
    """Publish numbered messages to /topic/flood until so many were dropped; how many were sent at last."""
    counters = instance.counters
    while counters.dropped_oldest + counters.dropped_newest + counters.conflated < until_dropped:
        sent += 1
        assert sent < 2000
        wanted = counters.from_broker + 1
        instance.template.send("/topic/flood", BODY, {"n": str(sent)})
        await turn(lambda wanted=wanted: counters.from_broker >= wanted)
    return sent


async def turn(queued: Callable[[], bool]) -> None:
    """Wait until a message is queued, and for the turn in which it is written or held."""
    for _ in range(1_000_000):
        if queued():
            break
        await asyncio.sleep(0)
    await asyncio.sleep(0)


def session_of(instance: Instance, user: str) -> Session:
    return next(session for session in instance.hub.sessions.values() if session.user == user)


@pytest.mark.parametrize("server", ["fast", "uvicorn", HYPERCORN, "sockjs"])
@pytest.mark.parametrize("policy", ["drop-oldest", "drop-newest", "conflate"])
async def test_a_slow_client_misses_messages_and_keeps_its_connection(
    policy: SlowPolicy, server: str
) -> None:
    async with (
        one_instance(queue_limit=LIMIT, slow_consumer=policy) as instance,
        served(instance, server) as url,
        deaf_client(url, sockjs=server == "sockjs") as slow,
        joined(url, "quick", "/topic/flood") as quick,
    ):
        await slow.send("SUBSCRIBE", {"id": "0", "destination": "/topic/flood", "receipt": "r0"})
        await slow.expect("RECEIPT")
        session = session_of(instance, "slow")
        # Something that may not be dropped, in the middle of what may be.
        sent = await flood(instance, 1)
        await slow.send("SEND", {"destination": "/topic/other", "receipt": "r1"}, b"")
        await until(lambda: instance.counters.sends == 1, "the receipt is queued")
        sent = await flood(instance, 30, sent)
        assert session.held_bytes <= LIMIT + 1000
        assert instance.info()["slow"] == {"policy": policy, "clients": 1, "held_bytes": session.held_bytes}
        assert [(await quick.expect("MESSAGE")).headers["n"] for _ in range(sent)] == numbers(1, sent)

        instance.template.send("/topic/flood", b"last", {"n": "last"})
        heard, receipts = await read_until_last(slow, instance, policy)
        assert receipts == ["r1"]
        assert heard == sorted(heard, key=int), "in order"
        assert len(set(heard)) == len(heard) < sent, "some are missing, none comes twice"
        counters = instance.counters
        dropped = counters.dropped_oldest + counters.dropped_newest + counters.conflated
        assert sent - len(heard) <= dropped <= sent - len(heard) + 1
        assert counters.slow_consumers == 0
        await until(lambda: not session.paused, "it has caught up")
        assert instance.info()["slow"]["clients"] == 0
        instance.template.send("/topic/flood", b"after", {"n": "after"})
        assert (await slow.expect("MESSAGE")).headers["n"] == "after"


async def read_until_last(
    slow: DeafClient, instance: Instance, policy: SlowPolicy
) -> tuple[list[str], list[str]]:
    """Read on until the last message, or its place; the numbers and receipts that came before."""
    heard: list[str] = []
    receipts: list[str] = []
    await slow.send("SEND", {"destination": "/topic/other", "receipt": "end"}, b"")
    while (frame := await slow.frame()) is not None:
        if frame.command == "RECEIPT":
            if frame.headers["receipt-id"] == "end":
                break
            receipts.append(frame.headers["receipt-id"])
        elif frame.headers["n"] != "last":
            assert len(frame.body) == len(BODY)
            heard.append(frame.headers["n"])
    return heard, receipts


def numbers(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]


async def test_conflation_leaves_the_newest_of_each_destination() -> None:
    async with (
        one_instance(queue_limit=LIMIT, slow_consumer="conflate") as instance,
        deaf_client(instance.url) as slow,
    ):
        await slow.send("SUBSCRIBE", {"id": "0", "destination": "/topic/price.*", "receipt": "r0"})
        await slow.expect("RECEIPT")
        session = session_of(instance, "slow")
        count = 0
        while instance.counters.conflated < 20:
            count += 1
            for name in ("a", "b"):
                instance.template.send(f"/topic/price.{name}", BODY, {"n": str(count)})
            await turn(lambda wanted=2 * count: instance.counters.delivered >= wanted)
        assert session.held_bytes < 3 * len(BODY)
        await slow.send("SEND", {"destination": "/topic/other", "receipt": "end"}, b"")
        newest: dict[str, int] = {}
        while (frame := await slow.frame()) is not None and frame.command == "MESSAGE":
            name, number = frame.headers["destination"], int(frame.headers["n"])
            assert number > newest.get(name, 0)
            newest[name] = number
        assert newest == {"/topic/price.a": count, "/topic/price.b": count}


async def test_the_last_stage_of_a_dropped_push_is_known() -> None:
    async with (
        one_instance(queue_limit=LIMIT, slow_consumer="drop-oldest") as instance,
        deaf_client(instance.url) as slow,
    ):
        await slow.send("SUBSCRIBE", {"id": "0", "destination": "/user/topic/a", "receipt": "r0"})
        await slow.expect("RECEIPT")
        count = 0
        while instance.counters.dropped_oldest == 0:
            count += 1
            instance.template.send_to_user("slow", "/topic/a", BODY, {"ps-id": f"p{count}"})
            await turn(lambda wanted=count: instance.counters.delivered >= wanted)
        stages = [instance.stages.get(f"p{number}") for number in range(1, count + 1)]
        assert stages.count(Stage.DROPPED) == instance.counters.dropped_oldest == 1
        dropped = stages.index(Stage.DROPPED)
        assert set(stages[:dropped]) == {Stage.WRITTEN}
        assert set(stages[dropped + 1 :]) == {Stage.QUEUED}
        for number in range(1, count + 1):
            if number != dropped + 1:
                assert (await slow.expect("MESSAGE")).headers["ps-id"] == f"p{number}"


@pytest.mark.parametrize("policy", ["drop-oldest", "conflate"])
async def test_a_client_that_takes_nothing_at_all_is_cut_whatever_the_policy(policy: SlowPolicy) -> None:
    async with (
        one_instance(queue_limit=LIMIT, slow_consumer=policy, stall_s=0.5) as instance,
        deaf_client(instance.url) as slow,
        joined(instance.url, "quick", "/topic/flood"),
    ):
        await slow.send("SUBSCRIBE", {"id": "0", "destination": "/topic/flood", "receipt": "r0"})
        await slow.expect("RECEIPT")
        await flood(instance, 1)
        await until(lambda: instance.counters.slow_consumers == 1, "the stall is seen")
        await until(lambda: instance.sessions == 1, "the slow one is gone")


async def test_metrics_show_slow_clients() -> None:
    async with one_instance(slow_consumer="conflate") as instance:
        info = instance.info()
        assert info["slow"] == {"policy": "conflate", "clients": 0, "held_bytes": 0}
        assert {"dropped_oldest", "dropped_newest", "conflated"} <= set(info["counters"])

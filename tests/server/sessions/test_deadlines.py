"""Clients that do not read, do not speak, or fall silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from server.messages.stages import Stage
from server.sockets.listener import Listener

from ...support.deaf import deaf_client
from ...support.instances import one_instance
from ...support.processes import until
from ...support.raw_stomp import joined, raw_stomp


@asynccontextmanager
async def deaf_subscriber(url: str) -> AsyncGenerator[None]:
    """A client that subscribes to /topic/flood and reads nothing from then on."""
    async with deaf_client(url) as client:
        await client.send("SUBSCRIBE", {"id": "0", "destination": "/topic/flood", "receipt": "r"})
        await client.expect("RECEIPT")
        yield


@pytest.mark.parametrize("transport", ["fast", "asgi"])
async def test_a_client_that_does_not_read_is_cut_and_its_neighbours_are_served(transport: str) -> None:
    async with one_instance(queue_limit=256 * 1024) as instance, Listener(instance.asgi) as fallback:
        place = instance if transport == "fast" else fallback
        async with (
            deaf_subscriber(place.url),
            joined(place.url, "quick", "/topic/flood") as quick,
            raw_stomp(place.url) as sender,
        ):
            await sender.connect()
            sent = 0
            async with asyncio.timeout(30):
                while instance.counters.slow_consumers == 0:
                    await sender.send("SEND", {"destination": "/topic/flood"}, b"x" * 60_000)
                    assert len((await quick.expect("MESSAGE")).body) == 60_000
                    sent += 1
            assert 4 < sent < 1000
            await until(lambda: instance.sessions == 2, "the slow one is gone")
            await sender.send("SEND", {"destination": "/topic/flood"}, b"after")
            assert (await quick.expect("MESSAGE")).body == b"after"


async def test_a_client_that_is_full_for_too_long_is_cut_by_a_timer() -> None:
    async with (
        one_instance(queue_limit=2**30, stall_s=0.5) as instance,
        deaf_subscriber(instance.url),
        raw_stomp(instance.url) as sender,
    ):
        await sender.connect()
        session = next(session for session in instance.hub.sessions.values() if session.user == "slow")
        async with asyncio.timeout(30):
            while not session.paused:
                await sender.send("SEND", {"destination": "/topic/flood", "receipt": "r"}, b"x" * 60_000)
                await sender.expect("RECEIPT")
        await until(lambda: instance.counters.slow_consumers == 1, "the stall is seen")


async def test_what_waited_for_a_client_that_was_cut_is_recorded() -> None:
    async with one_instance() as instance, deaf_subscriber(instance.url):
        session = next(iter(instance.hub.sessions.values()))
        instance.router.pause(session)
        session.pending_ids.append("held-1")
        session.pending.append(b"x" * (instance.settings.queue_limit + 1))
        instance.router.outbox.dirty.append(session)
        instance.router.outbox.flush()
        assert instance.stages.get("held-1") == Stage.CUT
        assert instance.sessions == 0


async def test_case_18_who_never_says_anything_is_closed_with_4500() -> None:
    async with one_instance(first_message_s=1.0) as instance:
        async with raw_stomp(instance.url) as silent, raw_stomp(instance.url) as talker:
            await talker.connect()
            assert (await silent.closed())[0] == 4500
            await talker.nothing_before_receipt()
        assert instance.counters.silent == 1


async def test_heart_beats_are_sent_to_who_wants_them() -> None:
    async with one_instance(heartbeat_ms=(500, 500)) as instance, raw_stomp(instance.url) as client:
        connected = await client.connect(**{"heart-beat": "0,500"})
        assert connected.headers["heart-beat"] == "500,500"
        async with asyncio.timeout(20):
            assert await client.socket.recv() == "\n"
            assert await client.socket.recv() == "\n"


async def test_who_promised_heart_beats_and_is_silent_is_cut() -> None:
    async with one_instance(heartbeat_ms=(500, 500)) as instance:
        async with raw_stomp(instance.url) as client:
            await client.connect(**{"heart-beat": "500,0"})
            error = await client.expect("ERROR")  # after three silent intervals
            assert "heart-beat" in error.headers["message"]
            assert (await client.closed())[0] == 1002
        assert instance.counters.silent == 1


async def test_whoever_wants_no_heart_beats_is_left_alone() -> None:
    async with one_instance(heartbeat_ms=(500, 500)) as instance, raw_stomp(instance.url) as client:
        await client.connect(**{"heart-beat": "0,0"})
        session = next(iter(instance.hub.sessions.values()))
        assert instance.router.look(session, session.opened_at + 1000) is None
        await client.nothing_before_receipt()
        assert client.beats == 0

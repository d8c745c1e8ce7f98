"""Attackers at an instance's own door, with everything open that an operator can open.

Every destination goes to the broker here, whatever it begins with; only the guard stands before it. Each
attempt is made on a connection of its own, over the shared broker connection and over one for each client.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from core.protocol import Prefixes
from server.brokers.embedded import EmbeddedBroker
from server.instance import Instance

from ...support.instances import one_instance
from ...support.raw_stomp import PATIENCE, joined, raw_stomp
from .attacks import internal_spellings, session_spellings, wildcards

EVERYTHING = Prefixes(broker=("/", ""))


@pytest.fixture(params=["multiplexed", "per-client"])
async def instance(request: pytest.FixtureRequest) -> AsyncIterator[Instance]:
    async with (
        EmbeddedBroker() as broker,
        one_instance(broker_url=broker.url, prefixes=EVERYTHING, relay=request.param) as instance,
    ):
        yield instance


async def attempt(url: str, command: str, destination: str) -> str:
    """What a client hears that tries this, and how it ends."""
    async with raw_stomp(url, "/ws?user=mallory") as client:
        await client.connect()
        headers = {"destination": destination, "receipt": "r"}
        await client.send(command, {"id": "1", **headers} if command == "SUBSCRIBE" else headers, b"")
        frame = await client.frame()
        if frame.command != "ERROR":
            return f"{frame.command} for {destination}"
        return f"{frame.headers['message']}, {(await client.closed())[0]}"


async def attempt_all(url: str, command: str, destinations: Iterable[str]) -> set[str]:
    """The outcomes of all attempts, some at a time."""
    waiting = iter(destinations)
    outcomes: set[str] = set()

    async def work() -> None:
        for destination in waiting:
            outcomes.add(await attempt(url, command, destination))

    async with asyncio.timeout(2 * PATIENCE), asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(work())
    return outcomes


@pytest.mark.parametrize("command", ["SUBSCRIBE", "SEND"])
async def test_no_attempt_gets_through(instance: Instance, command: str) -> None:
    tried = [*internal_spellings(), *session_spellings(), *wildcards()]
    assert await attempt_all(instance.url, command, tried) == {"Access refused, 1002"}
    assert instance.counters.refused_frames == len(tried)


async def test_another_session_is_out_of_reach(instance: Instance) -> None:
    async with joined(instance.url, "joe", "/user/topic/inbox") as joe:
        victim = next(iter(instance.hub.sessions.values())).id
        tried = [
            f"/topic/inbox-user{victim}",
            f"/queue/inbox-user{victim}",
            f"/topic/*.inbox-user{victim}",
            f"/exchange/amq.topic/inbox-user{victim}",
            f"/topic/inbox%2Duser{victim}",
            f"/user/topic/inbox-user{victim}?x=",
            f"/user/topic/a,/topic/inbox-user{victim},/topic/b",
        ]
        assert await attempt_all(instance.url, "SUBSCRIBE", tried) == {"Access refused, 1002"}
        assert await attempt_all(instance.url, "SEND", tried[:5]) == {"Access refused, 1002"}
        sent = [f"/user/mallory/topic/inbox-user{victim}?x=", f"/user/x/topic/a,inbox-user{victim},b"]
        assert await attempt_all(instance.url, "SEND", sent) == {"Access refused, 1002"}
        await joe.nothing_before_receipt()


async def test_forged_headers_are_not_passed_on(instance: Instance) -> None:
    forged = {
        "simpOrigDestination": "/user/topic/elsewhere",
        "user-name": "root",
        "ps-id": "run.i1.joe.1",
        "ps-via": "i1",
        "subscription": "s9",
        "exclusive": "true",
        "CC": "simp-user-registry",
    }
    async with joined(instance.url, "joe", "/topic/news") as joe, raw_stomp(instance.url) as mallory:
        await mallory.connect()
        await mallory.send("SEND", {"destination": "/topic/news", **forged, "mine": "kept"}, b"x")
        headers = (await joe.expect("MESSAGE")).headers
        assert headers["destination"] == "/topic/news" and headers["subscription"] == "s0"
        assert headers["mine"] == "kept"
        assert not (set(forged) - {"subscription"}) & set(headers)
    assert instance.stages.get("run.i1.joe.1") is None


async def test_a_client_cannot_make_an_unresolved_message_or_a_snapshot(instance: Instance) -> None:
    """Case 28's second half: what is sent to the broadcast destinations is not taken for a broadcast."""
    snapshot = b'{"id":"evil","userMap":{"joe":{"name":"joe","sessions":[{"id":"evil-session"}]}}}'
    async with joined(instance.url, "joe", "/user/topic/inbox") as joe, raw_stomp(instance.url) as mallory:
        await mallory.connect()
        headers = {
            "destination": instance.settings.registry_destination,
            "content-type": "application/json",
        }
        await mallory.send("SEND", headers, snapshot)
        await mallory.expect("ERROR")
        assert list(instance.registry.places("joe")) != ["evil-session"]
        assert len(instance.registry.places("joe")) == 1
        await joe.nothing_before_receipt()

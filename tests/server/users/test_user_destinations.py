"""User destinations on the broker's wire: conformance cases 20 to 28, seen by a stranger on the broker."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from server.brokers.delivery import Delivery
from server.brokers.memory import MemoryBroker, MemoryExchange
from server.instance import Instance
from server.users.registry import RemotePeer

from ...support.instances import one_instance, push
from ...support.processes import until
from ...support.raw_stomp import joined, raw_stomp


class Bench:
    """An instance, and a stranger who hears every topic and can say anything."""

    def __init__(self, instance: Instance, stranger: MemoryBroker, http: aiohttp.ClientSession) -> None:
        self.instance = instance
        self.stranger = stranger
        self.http = http
        self.heard: list[Delivery] = []
        stranger.subscribe("/topic/#", self._hear)
        stranger.subscribe("/queue/foo-user123", self.heard.append)

    def _hear(self, delivery: Delivery) -> None:
        if (
            ".peer" not in delivery.headers["destination"]
            and "registry" not in delivery.headers["destination"]
        ):
            self.heard.append(delivery)

    def remote(self, user: str, *sessions: str) -> None:
        """Have the registry know sessions of another instance."""
        peer = RemotePeer("i9", "e9", now=0.0)
        for session in sessions:
            self.instance.registry.add_remote(peer, session, user)

    async def push(self, **request: object) -> dict[str, object]:
        status, answer = await push(self.http, self.instance.url, **request)
        assert status == 202
        return answer

    async def settle(self) -> None:
        """Wait until everything published so far has been heard."""
        self.stranger.publish("/topic/settled", {}, b"", lambda error: None)
        await until(
            lambda: any(item.headers["destination"] == "/topic/settled" for item in self.heard), "settled"
        )
        self.heard = [item for item in self.heard if item.headers["destination"] != "/topic/settled"]


@asynccontextmanager
async def bench(**settings: Any) -> AsyncGenerator[Bench]:
    exchange = MemoryExchange()
    stranger = MemoryBroker(exchange)
    await stranger.start(lambda available, reason: None)
    async with (
        one_instance(broker=MemoryBroker(exchange), **settings) as instance,
        aiohttp.ClientSession() as http,
    ):
        yield Bench(instance, stranger, http)
    await stranger.stop()


@pytest.mark.parametrize("user", ["joe", ""])
async def test_case_20_subscribing_goes_to_the_sessions_own_destination(user: str) -> None:
    async with bench(default_user="") as found, raw_stomp(found.instance.url, f"/ws?user={user}") as client:
        connected = await client.connect()
        assert connected.headers.get("user-name", "") == user
        session = connected.headers["session"]
        await client.subscribe("/user/queue/foo", "7")
        found.stranger.publish(
            f"/queue/foo-user{session}", {"simpOrigDestination": "/user/queue/foo"}, b"from elsewhere"
        )
        message = await client.expect("MESSAGE")
        assert message.headers["subscription"] == "7"
        assert message.headers["destination"] == "/user/queue/foo"
        assert bool(user) == bool(found.instance.registry.local_users)


async def test_case_21_each_session_has_its_own_destination() -> None:
    async with (
        bench() as found,
        joined(found.instance.url, "joe", "/user/queue/foo") as one,
        joined(found.instance.url, "joe", "/user/queue/foo") as two,
    ):
        first, _ = found.instance.registry.local("joe")
        found.stranger.publish(f"/queue/foo-user{first}", {}, b"x")
        assert (await one.expect("MESSAGE")).headers["destination"] == f"/queue/foo-user{first}"
        await two.nothing_before_receipt()


async def test_case_22_a_push_is_one_send_per_session_with_its_origin() -> None:
    async with bench() as found:
        found.remote("joe", "123", "456")
        found.stranger.subscribe("/queue/foo-user456", found.heard.append)
        answer = await found.push(user="joe", destination="/queue/foo", payload="x", headers={"custom": "1"})
        assert answer["sessions"] == 2
        await until(lambda: len(found.heard) == 2, "both were sent")
        assert {item.headers["destination"] for item in found.heard} == {
            "/queue/foo-user123",
            "/queue/foo-user456",
        }
        for item in found.heard:
            assert item.headers["simpOrigDestination"] == "/user/queue/foo"
            assert (item.headers["custom"], item.body) == ("1", b"x")


async def test_case_23_a_sender_that_is_one_of_the_users_sessions_means_itself() -> None:
    async with (
        bench() as found,
        joined(found.instance.url, "joe") as one,
        joined(found.instance.url, "joe") as two,
    ):
        await one.send("SEND", {"destination": "/user/joe/topic/greetings", "receipt": "r"}, b"x")
        frames = [await one.frame(), await one.frame()]
        assert {frame.command for frame in frames} == {"MESSAGE", "RECEIPT"}
        await two.nothing_before_receipt()


async def test_a_session_may_be_addressed_by_its_own_id() -> None:
    async with bench() as found, raw_stomp(found.instance.url) as client:
        session = (await client.connect()).headers["session"]
        await client.subscribe("/user/topic/greetings")
        await client.send("SEND", {"destination": f"/user/{session}/topic/greetings"}, b"me")
        assert (await client.expect("MESSAGE")).body == b"me"


async def test_case_25_other_destinations_are_not_translated() -> None:
    async with bench() as found, joined(found.instance.url, "joe", "/queue/foo") as client:
        found.stranger.publish("/queue/foo", {}, b"plain")
        assert (await client.expect("MESSAGE")).headers["destination"] == "/queue/foo"


async def test_case_26_an_unknown_user_is_asked_for_exactly_once() -> None:
    async with bench() as found:
        answer = await found.push(
            user="joe/x", destination="/queue/foo", payload="x", headers={"custom": "1"}
        )
        assert answer["sessions"] == 0
        await found.settle()
        (item,) = found.heard
        assert item.headers["destination"] == "/topic/unresolved-user-destination"
        assert item.headers["simpOrigDestination"] == "/user/joe%2Fx/queue/foo"
        assert (item.headers["custom"], item.body) == ("1", b"x")


@pytest.mark.parametrize("destination", ["/topic/greetings", "/queue/foo"])
async def test_case_27_a_broadcast_reaches_our_sessions_with_its_headers(destination: str) -> None:
    async with bench() as found, joined(found.instance.url, "joe", f"/user{destination}") as joe:
        found.stranger.publish(
            "/topic/unresolved-user-destination",
            {
                "simpOrigDestination": f"/user/joe{destination}",
                "customHeader": "kept",
                "redelivered": "false",
                "content-type": "application/json",
            },
            b'{"a":1}',
        )
        message = await joe.expect("MESSAGE")
        assert message.headers["destination"] == f"/user{destination}"
        assert message.headers["customHeader"] == "kept"
        assert message.headers["content-type"] == "application/json"
        assert message.headers["message-id"].startswith("i1-")
        assert "redelivered" not in message.headers
        assert message.body == b'{"a":1}'
        await joe.nothing_before_receipt()


async def test_case_28_a_broadcast_for_nobody_sends_nothing() -> None:
    async with bench() as found:
        found.stranger.publish(
            "/topic/unresolved-user-destination", {"simpOrigDestination": "/user/joe/queue/foo"}, b"x"
        )
        found.stranger.publish("/topic/unresolved-user-destination", {}, b"no origin")
        found.stranger.publish("/topic/unresolved-user-destination", {"simpOrigDestination": "/user/"}, b"x")
        await until(lambda: found.instance.counters.wasted == 2, "the broadcasts were looked at")
        await found.settle()
        assert len(found.heard) == 3  # the three that the stranger said itself

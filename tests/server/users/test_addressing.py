"""Whom a user destination means: users, single sessions wherever they are, anonymous ones."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest

from server.brokers.memory import MemoryBroker, MemoryExchange
from server.handlers import message_mapping, send_to_user
from server.instance import Instance

from ...support.instances import cluster, one_instance, push
from ...support.processes import until
from ...support.raw_stomp import RawStomp, raw_stomp

TOPIC = "/topic/greetings"


@asynccontextmanager
async def session(url: str, user: str = "", topic: str = TOPIC) -> AsyncGenerator[tuple[RawStomp, str]]:
    """A client ("" for an anonymous one) and its session's id."""
    async with raw_stomp(url, f"/ws?user={user}" if user else "/ws") as client:
        id = (await client.connect()).headers["session"]
        await client.subscribe(f"/user{topic}")
        yield client, id


@pytest.mark.parametrize("user", ["joe", ""])
@pytest.mark.parametrize("strategy", ["relay", "broadcast"])
async def test_a_push_reaches_one_session_through_every_instance(strategy: str, user: str) -> None:
    async with cluster(2, strategy=strategy, default_user="") as found:
        one, two = found.instances
        async with session(two.url, user) as (wanted, id), session(two.url, user) as (other, _):
            for instance in (one, two):
                status, answer = await found.push(instance, session=id, payload="x")
                assert status == 202
                if strategy == "relay":
                    assert answer["sessions"] == 1
                message = await wanted.expect("MESSAGE")
                assert (message.body, message.headers["destination"]) == (b"x", f"/user{TOPIC}")
            await wanted.nothing_before_receipt()
            await other.nothing_before_receipt()


async def test_a_client_reaches_an_anonymous_session_of_another_instance() -> None:
    async with cluster(2, default_user="") as found:
        one, two = found.instances
        async with session(two.url) as (anonymous, id), session(one.url, "joe") as (joe, _):
            await joe.send("SEND", {"destination": f"/user/{id}{TOPIC}"}, b"psst")
            assert (await anonymous.expect("MESSAGE")).body == b"psst"
            assert one.registry.local_users == 1
            assert two.registry.local_users == 0, "anonymous sessions are no users"


async def test_a_session_may_address_itself() -> None:
    async with one_instance() as instance, session(instance.url) as (client, id):
        await client.send("SEND", {"destination": f"/user/{id}{TOPIC}"}, b"me")
        assert (await client.expect("MESSAGE")).body == b"me"


async def test_a_name_that_is_a_user_is_a_user_though_a_session_has_that_id() -> None:
    async with cluster(1, default_user="") as found, session(found.instances[0].url, "joe") as (joe, id):
        one = found.instances[0]
        async with session(one.url, id) as (namesake, _):
            await found.push(one, user=id, payload="to the user")
            assert (await namesake.expect("MESSAGE")).body == b"to the user"
            await found.push(one, session=id, payload="to the session")
            assert (await joe.expect("MESSAGE")).body == b"to the session"
            await joe.nothing_before_receipt()
            await namesake.nothing_before_receipt()


@pytest.mark.parametrize(
    "request_", [{"user": "joe", "session": "s"}, {"session": ""}, {"session": "a%2Fb"}, {"session": 1}]
)
async def test_a_push_to_a_session_that_makes_no_sense_is_400(request_: dict[str, object]) -> None:
    async with cluster(1) as found:
        status, answer = await found.push(found.instances[0], payload="x", **request_)
        assert (status, bool(answer["error"])) == (400, True)


@message_mapping("/mine")
@send_to_user("/topic/greetings", broadcast=False)
def mine(message: str) -> str:
    return f"only you: {message}"


@pytest.mark.parametrize("user", ["joe", ""])
async def test_without_broadcast_a_reply_is_for_the_asking_session_only(user: str) -> None:
    async with (
        one_instance(default_user="", handlers=[mine]) as instance,
        session(instance.url, user) as (asking, _),
        session(instance.url, user) as (other, _),
    ):
        await asking.send("SEND", {"destination": "/app/mine"}, b"hi")
        assert (await asking.expect("MESSAGE")).body == b"only you: hi"
        await other.nothing_before_receipt()


@asynccontextmanager
async def instances(kind: str, count: int, strategy: str) -> AsyncGenerator[list[Instance]]:
    """So many instances on one broker of a kind."""
    if kind == "embedded":
        async with cluster(count, strategy=strategy) as found:
            yield found.instances
        return
    exchange = MemoryExchange()
    async with AsyncExitStack() as stack:
        made = [
            one_instance(broker=MemoryBroker(exchange), id=f"i{number}", strategy=strategy)
            for number in range(count)
        ]
        yield [await stack.enter_async_context(each) for each in made]


@pytest.mark.parametrize("kind", ["memory", "embedded"])
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(("strategy", "share"), [("relay", 0), ("broadcast", 1)])
async def test_what_a_strategy_wastes_can_be_seen(strategy: str, share: int, count: int, kind: str) -> None:
    """Relay wastes nothing; with broadcast all instances but the user's get every message for nobody."""
    pushes = 12
    async with (
        instances(kind, count, strategy) as found,
        aiohttp.ClientSession() as http,
        session(found[0].url, "joe") as (joe, _),
    ):
        for number in range(pushes):
            via = found[number % count]
            assert (await push(http, via.url, user="joe", payload=str(number)))[0] == 202
        for _ in range(pushes):
            await joe.expect("MESSAGE")
        expected = pushes * (count - 1) * share
        await until(lambda: sum(each.counters.wasted for each in found) == expected, "all wasted")
        received = sum(each.counters.from_broker for each in found)
        if strategy == "broadcast":
            assert received == pushes * count, "of which (N-1)/N were wasted"
        else:
            assert received == pushes - pushes // count, "what came in at other instances"

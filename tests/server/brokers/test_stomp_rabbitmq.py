"""The relay at a real RabbitMQ: what it refuses and how, and that one mistake does not cut everybody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from core.errors import BrokerRefused, BrokerUnavailable
from server.brokers.base import Broker
from server.brokers.delivery import Delivery
from server.brokers.refusals import refusal_of
from tests.support.processes import until
from tests.support.rabbitmq import VirtualHost
from tests.support.requirements import requires
from tests.support.stomp_tcp import tcp_stomp

from .test_stomp import PATIENCE, Watched, watched

pytestmark = requires("rabbitmq")


@pytest.fixture
async def relay(rabbitmq: VirtualHost) -> AsyncIterator[Watched]:
    async with watched(rabbitmq.stomp_url) as relay:
        await relay.up()
        yield relay


async def subscribed(broker: Broker, destination: str, got: list[Delivery]) -> BrokerUnavailable | None:
    ready: asyncio.Future[BrokerUnavailable | None] = asyncio.get_running_loop().create_future()
    broker.subscribe(destination, got.append, ready.set_result)
    async with asyncio.timeout(PATIENCE):
        return await ready


async def published(
    broker: Broker, destination: str, headers: dict[str, str] | None = None
) -> BrokerUnavailable | None:
    done: asyncio.Future[BrokerUnavailable | None] = asyncio.get_running_loop().create_future()
    broker.publish(destination, headers or {}, b"x", done.set_result)
    async with asyncio.timeout(PATIENCE):
        return await done


@pytest.mark.parametrize("command", ["SEND", "SUBSCRIBE"])
@pytest.mark.parametrize(
    "destination",
    [
        "/topic/a/b",
        "/topic/",
        "/topic",
        "/topic//a",
        "/queue/a/b",
        "/queue/",
        "/foo/x",
        "//topic/a",
        "/temp-queue/x",
        "/exchange/",
        "/exchange//x",
        "/exchange/amq.topic/a/b",
        "/topic/a",
        "/topic/a%2Fb",
        "/queue/a",
        "/exchange/amq.topic/a",
        "/exchange/amq.topic",
        "bare",
    ],
)
async def test_what_we_refuse_is_what_rabbitmq_refuses_in_its_words(
    rabbitmq: VirtualHost, destination: str, command: str
) -> None:
    ours = refusal_of("RabbitMQ/3.10.8", destination, command)
    async with tcp_stomp(rabbitmq.stomp_url) as client:
        client.send(command, {"destination": destination, "id": "1", "receipt": "r"})
        answer = await client.frame()
        assert answer is not None
        if answer.command == "RECEIPT":
            assert ours is None
        else:
            assert ours is not None
            assert (ours.title, str(ours)) == (answer.headers["message"], answer.body.decode().strip())


async def test_a_destination_that_is_none_does_not_reach_the_connection(relay: Watched) -> None:
    error = await subscribed(relay.broker, "/topic/a/b", [])
    assert isinstance(error, BrokerRefused)
    assert (error.title, str(error)) == ("Invalid destination", "'/a/b' is not a valid topic destination")
    with pytest.raises(BrokerRefused, match="is not a valid queue destination"):
        relay.broker.publish("/queue/a/b", {}, b"x")
    assert await published(relay.broker, "/topic/a") is None
    assert relay.changes == [(True, "")]


async def test_a_subscription_over_which_rabbitmq_hangs_up_is_refused_and_the_others_live(
    relay: Watched,
) -> None:
    got: list[Delivery] = []
    assert await subscribed(relay.broker, "/topic/a", got) is None
    error = await subscribed(relay.broker, "/exchange/nope/key", [])
    assert error is not None and "no exchange 'nope'" in str(error)
    await until(lambda: relay.changes[-1] == (True, "") and len(relay.changes) == 3, "it is back")
    assert "no exchange 'nope'" in relay.changes[1][1], "the reason of the loss"
    assert await published(relay.broker, "/topic/a") is None
    await until(lambda: len(got) == 1, "the other subscription delivers")
    # Nor can anybody do it again for a while.
    again = await subscribed(relay.broker, "/exchange/nope/other", [])
    assert again is not None and "no exchange 'nope'" in str(again)
    with pytest.raises(BrokerRefused, match="no exchange 'nope'"):
        relay.broker.publish("/exchange/nope/key", {}, b"x")
    assert len(relay.changes) == 3


async def test_a_send_over_which_rabbitmq_hangs_up_is_settled_and_banned(relay: Watched) -> None:
    error = await published(relay.broker, "/exchange/nope/key")
    assert error is not None and "no exchange 'nope'" in str(error)
    await until(lambda: len(relay.changes) == 3, "lost and back")
    with pytest.raises(BrokerRefused, match="no exchange 'nope'"):
        relay.broker.publish("/exchange/nope/key", {}, b"x")


async def test_a_send_that_rabbitmq_refuses_without_saying_which_is_settled(relay: Watched) -> None:
    # A kind of queue that it does not know and does not name; a number in priority is asked for at our door.
    error = await published(relay.broker, "/queue/a", {"x-max-priority": "high"})
    assert error is not None and "Processing error" in str(error)
    assert relay.changes == [(True, "")]


async def test_a_queue_that_somebody_deletes_is_there_again(relay: Watched, rabbitmq: VirtualHost) -> None:
    got: list[Delivery] = []
    assert await subscribed(relay.broker, "/queue/work", got) is None
    await rabbitmq.node.ask("DELETE", f"queues/{rabbitmq.name}/work")
    await until(lambda: len(relay.changes) == 3, "it was noticed, and the connection made again")
    assert "/queue/work" in relay.changes[1][1]
    await until(lambda: relay.broker.available, "it is back")
    assert await published(relay.broker, "/queue/work") is None
    await until(lambda: len(got) == 1, "it delivers")


async def test_a_dropped_connection_is_made_again_with_all_subscriptions(
    relay: Watched, rabbitmq: VirtualHost
) -> None:
    got: list[Delivery] = []
    for number in range(50):
        assert await subscribed(relay.broker, f"/topic/t{number}", got) is None
    assert await rabbitmq.drop_connections() == 1
    await until(lambda: len(relay.changes) == 3, "lost and back")
    for number in range(50):
        assert await published(relay.broker, f"/topic/t{number}") is None
    await until(lambda: len(got) == 50, "all deliver")
    assert len([each for each in await rabbitmq.queues() if each["name"].startswith("stomp-")]) == 50


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("guest:guest", "guest:wrong"), "Access refused for user 'guest'"),
        (("/test-", "/nowhere-"), "access denied"),
    ],
)
async def test_a_refused_login_is_told_in_rabbitmqs_words(
    rabbitmq: VirtualHost, change: tuple[str, str], words: str
) -> None:
    async with watched(rabbitmq.stomp_url.replace(*change)) as relay:
        await until(lambda: words in relay.broker.reason, "the reason")
        assert "wrong" not in relay.broker.reason


async def test_nothing_is_left_behind(rabbitmq: VirtualHost) -> None:
    async with watched(rabbitmq.stomp_url) as relay:
        await relay.up()
        assert await subscribed(relay.broker, "/topic/a", []) is None
        assert len(await rabbitmq.queues()) == 1
    await rabbitmq.until_unused()

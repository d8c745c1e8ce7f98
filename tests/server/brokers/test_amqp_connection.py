"""RabbitMQ over AMQP: URLs, logins, loss and return, nothing left behind."""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import quote

import pytest

from core.errors import BrokerUnavailable, UsageError
from server.brokers.amqp import AmqpBroker
from server.brokers.urls import broker_for

from ...support.processes import until, unused_port
from ...support.rabbitmq import VirtualHost
from ...support.watched_broker import HELD, PATIENCE, QUICK, Inbox, connected, eventually, watched


@pytest.mark.parametrize(
    "url", ["amqp://", "amqp://:5672", "amqp://u:secret@h:port", "amqp://u:secret@h,", "amqps://u:secret@:1"]
)
def test_urls_that_make_no_sense_are_refused_without_the_password(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        broker_for(url)
    assert "secret" not in str(refused.value)
    assert "amqp://" in refused.value.hint


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("amqp://h", "amqp://h:5672"),
        ("amqps://u:secret@h/a%2Fb", "amqps://h:5671/a/b"),
        ("amqp://u:secret@one:1,[::1]:2,three/", "amqp://one:1"),
    ],
)
def test_urls_are_shown_without_user_and_password(url: str, public: str) -> None:
    assert broker_for(url).url == public


async def test_a_wrong_password_is_a_reason_and_no_secret(
    rabbitmq: VirtualHost, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = rabbitmq.amqp_url.replace("guest:guest", "guest:pa%2Fs%3Aword")
    async with watched(AmqpBroker(url, times=QUICK)) as relay:
        await until(lambda: "ACCESS_REFUSED" in relay.broker.reason, "the login was refused")
        with pytest.raises(BrokerUnavailable):
            relay.broker.publish("/topic/a", {}, b"")
    for secret in ("pa%2Fs%3Aword", "pa/s:word"):
        assert secret not in caplog.text and secret not in relay.broker.reason


async def test_an_unknown_virtual_host_is_a_reason(rabbitmq: VirtualHost) -> None:
    async with watched(AmqpBroker(f"{rabbitmq.amqp_url}-not", times=QUICK)) as relay:
        await until(lambda: "not found" in relay.broker.reason, "the broker said so")


async def test_names_with_odd_characters_are_understood(rabbitmq: VirtualHost) -> None:
    node, name, password = rabbitmq.node, "a/b ü", "p@:/%#?ü"
    await node.ask("PUT", f"vhosts/{quote(name, safe='')}")
    await node.ask("PUT", "users/odd", {"password": password, "tags": ""})
    rights = {"configure": ".*", "write": ".*", "read": ".*"}
    await node.ask("PUT", f"permissions/{quote(name, safe='')}/odd", rights)
    place = f"127.0.0.1:{node.amqp_port}"
    async with connected(f"amqp://odd:{quote(password, safe='')}@{place}/{quote(name, safe='')}"):
        pass
    await node.ask("DELETE", f"vhosts/{quote(name, safe='')}")
    await node.ask("DELETE", "users/odd")


async def test_the_next_host_of_the_list_is_tried(rabbitmq: VirtualHost) -> None:
    place = f"127.0.0.1:{rabbitmq.node.amqp_port}"
    url = rabbitmq.amqp_url.replace(place, f"127.0.0.1:{unused_port()},{place}")
    async with connected(url):
        pass


async def test_a_lost_connection_comes_back_with_all_subscriptions(rabbitmq: VirtualHost) -> None:
    inbox, work = Inbox(), Inbox()
    async with connected(rabbitmq.amqp_url) as relay:
        gone = await relay.subscribe("/topic/gone", inbox.put_nowait)
        await relay.subscribe("/topic/a.#", inbox.put_nowait)
        await relay.subscribe("/queue/work", work.put_nowait, HELD)
        relay.broker.unsubscribe(gone)
        await relay.publish("/queue/work", b"held")
        held = await work.next()
        await rabbitmq.drop_connections()
        await until(lambda: len(relay.changes) >= 3, "it was lost and came back")
        assert [available for available, _ in relay.changes[:3]] == [True, False, True]
        assert relay.changes[1][1]
        await relay.publish("/topic/a.b", b"1")
        await relay.publish("/topic/gone", b"2")
        assert await inbox.bodies(1) == [b"1"]
        again = await work.next()
        assert (again.body, again.headers["redelivered"]) == (b"held", "true")
        handle = 3
        relay.broker.ack(handle, held.ack)  # stale: of the connection before
        relay.broker.ack(handle, again.ack)
        await relay.publish("/queue/work", b"next")
        assert await work.bodies(1) == [b"next"]
        assert inbox.empty()


async def test_what_was_not_confirmed_is_settled_when_the_broker_crashes(rabbitmq: VirtualHost) -> None:
    node, inbox = rabbitmq.node, Inbox()
    outcomes: list[BrokerUnavailable | None] = []
    async with connected(rabbitmq.amqp_url) as relay:
        await relay.subscribe("/topic/a", inbox.put_nowait)
        await node.stop(hard=True)
        for _ in range(3):
            if relay.broker.available:
                relay.broker.publish("/topic/a", {}, b"x", outcomes.append)
            else:
                outcomes.append(BrokerUnavailable("refused"))
        await until(lambda: not relay.broker.available and len(outcomes) == 3, "all are settled")
        assert all(outcomes)
        with pytest.raises(BrokerUnavailable) as refused:
            relay.broker.publish("/topic/a", {}, b"x")
        assert relay.broker.url in str(refused.value)
        ready: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        relay.broker.subscribe("/topic/meanwhile", inbox.put_nowait, ready.set_result)
        await node.start()
        async with asyncio.timeout(PATIENCE):
            assert await ready is None
        await relay.up()
        await relay.publish("/topic/a", b"1")
        await relay.publish("/topic/meanwhile", b"2")
        assert await inbox.bodies(2) == [b"1", b"2"]


async def test_stopping_leaves_nothing(rabbitmq: VirtualHost) -> None:
    before = asyncio.all_tasks()
    async with connected(rabbitmq.amqp_url) as relay:
        for number in range(20):
            await relay.subscribe(f"/topic/{number}", lambda message: None)
            await relay.subscribe("/exchange/amq.direct/k", lambda message: None)

        async def one_connection() -> bool:
            return len(await rabbitmq.connections()) == 1

        await eventually(one_connection, "the node tells of one connection")
    assert asyncio.all_tasks() == before

    async def nothing() -> bool:
        return not await rabbitmq.connections() and not await rabbitmq.queues()

    await eventually(nothing, "no connection and no queue is left")


async def test_unsubscribing_leaves_nothing_either(rabbitmq: VirtualHost) -> None:
    async with connected(rabbitmq.amqp_url) as relay:
        begun = len(asyncio.all_tasks())
        handles = [await relay.subscribe(f"/topic/{number}", lambda message: None) for number in range(20)]
        handles += [await relay.subscribe("/exchange/amq.direct/k", lambda message: None) for _ in range(5)]
        for handle in handles:
            relay.broker.unsubscribe(handle)

        async def nothing() -> bool:
            bindings = [each for each in await rabbitmq.bindings() if each["source"]]
            return not bindings and len(await rabbitmq.queues()) == 1

        await eventually(nothing, "no binding is left, and only the instance's queue")
        await until(lambda: len(asyncio.all_tasks()) == begun, "no task is left")


async def test_a_stop_settles_what_waits(rabbitmq: VirtualHost) -> None:
    broker = AmqpBroker(f"amqp://127.0.0.1:{unused_port()}", times=QUICK)
    await broker.start(lambda available, reason: None)
    outcomes: list[object] = []
    broker.subscribe("/topic/a", lambda message: None, outcomes.append)
    broker.subscribe("/queue/a", lambda message: None, outcomes.append)
    await until(lambda: "not connected yet" not in broker.reason, "it was tried")
    await broker.stop()
    assert len(outcomes) == 2 and all(isinstance(each, BrokerUnavailable) for each in outcomes)


async def test_more_consumers_than_channels_share_them(rabbitmq: VirtualHost) -> None:
    boxes = [Inbox() for _ in range(5)]
    async with watched(AmqpBroker(rabbitmq.amqp_url, times=QUICK, most_lanes=2)) as relay:
        await relay.up()
        handles = [
            await relay.subscribe(f"/queue/q{number}", box.put_nowait, HELD)
            for number, box in enumerate(boxes)
        ]
        for number, box in enumerate(boxes):
            await relay.publish(f"/queue/q{number}", b"%d" % number)
            assert (await box.next()).body == b"%d" % number
        relay.broker.unsubscribe(handles[0])  # gives back what it holds
        await relay.subscribe("/queue/q0", boxes[0].put_nowait)
        again = await boxes[0].next()
        assert (again.body, again.headers["redelivered"]) == (b"0", "true")
        await rabbitmq.node.ask("PUT", f"queues/{rabbitmq.name}/other", {"durable": False})
        with pytest.raises(BrokerUnavailable):
            await relay.subscribe("/queue/other", boxes[0].put_nowait)
        await relay.publish("/queue/q4", b"still")
        assert await boxes[4].bodies(1) == [b"still"]

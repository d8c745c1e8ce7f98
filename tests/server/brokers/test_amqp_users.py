"""Users of an instance on AMQP: one connection and one queue for all, receipts after the binding."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import aiohttp

from core.protocol import encode
from tests.support.instances import one_instance, push
from tests.support.rabbitmq import VirtualHost
from tests.support.raw_stomp import RawStomp, joined, raw_stomp
from tests.support.watched_broker import PATIENCE, eventually

from .test_amqp_wire import Splice

USERS = 500
#: Users that connect at a time.
AT_ONCE = 50


async def bindings(host: VirtualHost) -> int:
    """How many keys are bound to the exchange of topics."""
    return len(await host.node.ask("GET", f"exchanges/{host.name}/amq.topic/bindings/source"))


async def test_idle_users_cost_rabbitmq_one_connection_and_one_queue(rabbitmq: VirtualHost) -> None:
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        instance = await stack.enter_async_context(one_instance(broker_url=rabbitmq.amqp_url))
        own = await bindings(rabbitmq)
        clients: list[RawStomp] = []
        for first in range(0, USERS, AT_ONCE):
            opening = [
                stack.enter_async_context(joined(instance.url, f"u{number}"))
                for number in range(first, first + AT_ONCE)
            ]
            clients += await asyncio.gather(*opening)

        async def one_connection() -> bool:  # which RabbitMQ's statistics tell of a little later
            return len(await rabbitmq.connections()) == 1

        await eventually(one_connection, "one connection")
        assert [queue["exclusive"] for queue in await rabbitmq.queues()] == [True]
        # Each RECEIPT came after the binding, so all of them are there by now.
        assert await bindings(rabbitmq) == own + USERS
        for number in (0, USERS // 2, USERS - 1):
            assert (await push(http, instance.url, user=f"u{number}", payload=number))[0] == 202
            assert (await clients[number].expect("MESSAGE")).body == str(number).encode()
        await asyncio.gather(*(client.socket.close() for client in clients))

        async def unbound() -> bool:
            return await bindings(rabbitmq) == own

        await eventually(unbound, "no user's binding is left")

    async def nothing() -> bool:
        return not await rabbitmq.connections() and not await rabbitmq.queues()

    await eventually(nothing, "no connection and no queue is left")


async def test_the_receipt_follows_the_binding(rabbitmq: VirtualHost) -> None:
    async with (
        Splice(rabbitmq.node.amqp_port).listening() as splice,
        one_instance(broker_url=f"amqp://guest:guest@127.0.0.1:{splice.port}/{rabbitmq.name}") as instance,
        raw_stomp(instance.url, "/ws?user=joe") as client,
    ):
        own = await bindings(rabbitmq)
        await client.connect()
        splice.flowing.clear()
        head = {"id": "1", "destination": "/user/topic/greetings", "receipt": "bound"}
        await client.send("SUBSCRIBE", head)
        await client.nothing_before_receipt()  # something else is answered, the subscription is not
        assert await bindings(rabbitmq) == own
        splice.flowing.set()
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "bound"
        assert await bindings(rabbitmq) == own + 1


async def test_users_who_come_while_the_broker_is_away_are_bound_when_it_is_back(
    rabbitmq: VirtualHost,
) -> None:
    async with (
        aiohttp.ClientSession() as http,
        one_instance(broker_url=rabbitmq.amqp_url) as instance,
        joined(instance.url, "early") as early,
        raw_stomp(instance.url, "/ws?user=late") as late,
    ):
        await late.connect()
        await rabbitmq.drop_connections()
        await late.raw(
            encode("SUBSCRIBE", {"id": "1", "destination": "/user/topic/greetings", "receipt": "r"})
        )
        async with asyncio.timeout(PATIENCE):
            assert (await late.expect("RECEIPT")).headers["receipt-id"] == "r"

        async def accepted() -> bool:
            return (await push(http, instance.url, user="early", payload=1))[0] == 202

        await eventually(accepted, "pushes are taken again")
        assert (await push(http, instance.url, user="late", payload=2))[0] == 202
        assert (await early.expect("MESSAGE")).body == b"1"
        assert (await late.expect("MESSAGE")).body == b"2"

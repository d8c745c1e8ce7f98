"""Where an operator opens RabbitMQ's exchanges to clients: what they hear there and what they do not."""

from __future__ import annotations

import pytest

from core.protocol import Prefixes

from ...support.instances import one_instance
from ...support.rabbitmq import VirtualHost
from ...support.raw_stomp import RawStomp, raw_stomp

OPENED = Prefixes(broker=("/topic", "/queue", "/exchange"))


async def refused(url: str, command: str, destination: str) -> str:
    """What a client hears that tries this; it is closed with 1002."""
    async with raw_stomp(url) as client:
        await client.connect()
        await client.send(command, {"id": "1", "destination": destination, "receipt": "r"})
        error = await client.expect("ERROR")
        assert (await client.closed())[0] == 1002
    return error.headers["message"]


async def subscribed(client: RawStomp, destination: str, ack: str = "auto") -> str:
    session = (await client.connect()).headers["session"]
    headers = {"id": "s0", "destination": destination, "ack": ack, "receipt": "ready"}
    await client.send("SUBSCRIBE", headers)
    await client.expect("RECEIPT")
    return session


@pytest.mark.parametrize("ack", ["auto", "client-individual"])
async def test_a_wildcard_of_an_exchange_does_not_show_what_is_meant_for_others(
    rabbitmq: VirtualHost, ack: str
) -> None:
    async with (
        one_instance(broker_url=rabbitmq.stomp_url, prefixes=OPENED, local_shortcut=False) as instance,
        raw_stomp(instance.url, "/ws?user=joe") as joe,
        raw_stomp(instance.url, "/ws?user=spy") as spy,
        raw_stomp(instance.url) as sender,
    ):
        await subscribed(joe, "/user/topic/news.today")
        await subscribed(spy, "/exchange/amq.topic/news.#", ack)
        await sender.connect()
        for destination, body in (
            ("/user/joe/topic/news.today", b"secret"),
            ("/topic/news.tomorrow", b"public"),
        ):
            await sender.send("SEND", {"destination": destination, "receipt": "sent"}, body)
            await sender.expect("RECEIPT")
        assert (await joe.expect("MESSAGE")).body == b"secret"
        assert (await spy.expect("MESSAGE")).body == b"public"


async def test_exchanges_reach_nothing_internal_and_no_other_session(rabbitmq: VirtualHost) -> None:
    async with (
        one_instance(broker_url=rabbitmq.stomp_url, prefixes=OPENED) as instance,
        raw_stomp(instance.url, "/ws?user=joe") as joe,
    ):
        session = await subscribed(joe, "/user/exchange/amq.direct/pos")
        for destination in (
            f"/exchange/amq.direct/pos-user{session}",
            "/exchange/amq.topic/simp-user-registry",
            "/exchange/amq.topic/#",
            "/exchange/amq.rabbitmq.trace/#",
            "/exchange/no-such-exchange/a",
            "/exchange/amq.topic/" + "x" * 300,
        ):
            for command in ("SUBSCRIBE", "SEND"):
                assert await refused(instance.url, command, destination) == "Access refused"
        # The connection that everybody shares has lived through it.
        assert instance.broker.available and instance.counters.broker_losses == 0
        await joe.send("SEND", {"destination": "/user/joe/exchange/amq.direct/pos"}, b"mine")
        assert (await joe.expect("MESSAGE")).body == b"mine"


async def test_headers_of_clients_do_not_harm_the_shared_connection(rabbitmq: VirtualHost) -> None:
    async with (
        one_instance(broker_url=rabbitmq.stomp_url) as instance,
        raw_stomp(instance.url) as client,
    ):
        await client.connect()
        await client.subscribe("/queue/orders")
        orders = {
            "exclusive": "true",
            "durable": "false",
            "x-expires": "1",
            "CC": "a",
            "user-id": "x",
            "reply-to": "/temp-queue/a",
        }
        await client.send("SEND", {"destination": "/queue/orders", "receipt": "r", **orders}, b"x")
        frames = {(await client.frame()).command for _ in range(2)}
        assert frames == {"RECEIPT", "MESSAGE"}
        queues = await rabbitmq.queues()
        orders_queue = next(queue for queue in queues if queue["name"] == "orders")
        assert orders_queue["durable"] and not orders_queue["exclusive"] and not orders_queue["arguments"]
        assert instance.counters.broker_losses == 0

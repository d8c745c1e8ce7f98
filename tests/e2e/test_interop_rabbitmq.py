"""On one RabbitMQ with others: clients of STOMP and AMQP that nobody here wrote, and our own instances.

Each test runs with an instance that speaks STOMP to the broker and with one that speaks AMQP; the
others must not be able to tell which.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aio_pika
import aiohttp
import msgspec
import pytest
from aio_pika.abc import AbstractChannel

from server.brokers.stomp import StompBroker
from server.instance import Instance
from server.roles.options import InstanceOptions
from server.roles.running import instance_settings
from tests.support.instances import one_instance, push
from tests.support.processes import until
from tests.support.rabbitmq import VirtualHost
from tests.support.raw_stomp import PATIENCE, RawStomp, joined, raw_stomp
from tests.support.requirements import requires
from tests.support.spring_peer import spring_peer
from tests.support.stomp_py import StompPy

pytestmark = requires("rabbitmq")

_JSON = "application/json;charset=UTF-8"
_TEXT = "Grüße".encode()


@pytest.fixture(params=["stomp", "amqp"])
async def ours(request: pytest.FixtureRequest, rabbitmq: VirtualHost) -> AsyncIterator[Instance]:
    """An instance on that broker."""
    async with one_instance(broker_url=url_of(rabbitmq, request.param)) as instance:
        yield instance


def url_of(host: VirtualHost, kind: str) -> str:
    return host.stomp_url if kind == "stomp" else host.amqp_url


@pytest.fixture
async def stomp(rabbitmq: VirtualHost) -> AsyncIterator[StompPy]:
    """stomp.py at the broker."""
    async with StompPy(rabbitmq.node.stomp_port, vhost=rabbitmq.name) as client:
        yield client


@pytest.fixture
async def amqp(rabbitmq: VirtualHost) -> AsyncIterator[AbstractChannel]:
    """aio-pika at the broker."""
    async with await aio_pika.connect(rabbitmq.amqp_url) as connection, connection.channel() as channel:
        yield channel


async def listen(stomp: StompPy, destination: str, id: str = "1") -> None:
    """Subscribe with stomp.py, and wait until it is in place."""
    await stomp.call("subscribe", destination, id, headers={"receipt": f"listen-{id}"})
    assert (await stomp.expect("receipt")).headers["receipt-id"] == f"listen-{id}"


async def bound(amqp: AbstractChannel, key: str) -> aio_pika.abc.AbstractQueue:
    """A queue of aio-pika's own that gets a topic's messages."""
    queue = await amqp.declare_queue(exclusive=True)
    await queue.bind("amq.topic", key)
    return queue


async def taken(queue: aio_pika.abc.AbstractQueue) -> aio_pika.abc.AbstractIncomingMessage:
    """The next message of a queue."""
    async with asyncio.timeout(PATIENCE):
        while (message := await queue.get(no_ack=True, fail=False)) is None:
            pass
        return message


async def session_of(client: RawStomp, destination: str) -> str:
    """Connect as joe and subscribe; the session's id."""
    connected = await client.connect(login="joe")
    await client.subscribe(destination)
    return connected.headers["session"]


async def test_a_foreign_stomp_client_reaches_our_clients(ours: Instance, stomp: StompPy) -> None:
    async with joined(ours.url, "joe", "/topic/news") as client:
        headers = {"content-type": _JSON, "tenant": "a:b\\c"}
        await stomp.call("send", "/topic/news", _TEXT, headers=headers)
        message = await client.expect("MESSAGE")
        assert message.body == _TEXT
        assert message.headers["destination"] == "/topic/news"
        assert (message.headers["content-type"], message.headers["tenant"]) == (_JSON, "a:b\\c")


async def test_a_foreign_stomp_client_hears_our_clients(ours: Instance, stomp: StompPy) -> None:
    await listen(stomp, "/topic/chat")
    async with raw_stomp(ours.url, "/ws?user=joe") as client:
        await client.connect()
        head = {"destination": "/topic/chat", "content-type": _JSON, "tenant": "a:b\\c", "receipt": "r"}
        await client.send("SEND", head, _TEXT)
        await client.expect("RECEIPT")
    message = await stomp.expect("message")
    assert message.body == _TEXT
    assert message.headers["destination"] == "/topic/chat"
    assert (message.headers["content-type"], message.headers["tenant"]) == (_JSON, "a:b\\c")
    assert not {"amqp-message-id", "priority", "persistent"} & message.headers.keys()


async def test_a_foreign_amqp_publisher_reaches_our_clients(ours: Instance, amqp: AbstractChannel) -> None:
    exchange = await amqp.get_exchange("amq.topic")
    async with joined(ours.url, "joe", "/topic/news") as client:
        message = aio_pika.Message(_TEXT, headers={"tenant": "a:b\\c"}, content_type=_JSON)
        await exchange.publish(message, "news")
        got = await client.expect("MESSAGE")
        assert (got.body, got.headers["destination"]) == (_TEXT, "/topic/news")
        assert (got.headers["content-type"], got.headers["tenant"]) == (_JSON, "a:b\\c")


async def test_a_foreign_amqp_consumer_hears_our_clients(ours: Instance, amqp: AbstractChannel) -> None:
    queue = await bound(amqp, "chat.#")
    async with raw_stomp(ours.url, "/ws?user=joe") as client:
        await client.connect()
        head = {"destination": "/topic/chat.room", "content-type": _JSON, "tenant": "a:b\\c", "receipt": "r"}
        await client.send("SEND", head, _TEXT)
        await client.expect("RECEIPT")
    message = await taken(queue)
    assert (message.body, message.routing_key, message.content_type) == (_TEXT, "chat.room", _JSON)
    assert message.headers["tenant"] == "a:b\\c"


async def test_binary_bodies_and_odd_names_pass_in_both_directions(
    ours: Instance, stomp: StompPy, amqp: AbstractChannel
) -> None:
    body = bytes(range(256))
    queue = await bound(amqp, "a/ü")
    await listen(stomp, "/topic/a%2Fü")
    async with joined(ours.url, "joe", "/topic/a%2Fü") as client:
        await (await amqp.get_exchange("amq.topic")).publish(
            aio_pika.Message(body, content_type="application/octet-stream"), "a/ü"
        )
        assert (await client.expect("MESSAGE")).body == body
        assert (await stomp.expect("message")).body == body
        assert (await taken(queue)).body == body
        head = {"destination": "/topic/a%2Fü", "content-type": "application/octet-stream"}
        await client.socket.send(
            b"SEND\n" + "".join(f"{name}:{value}\n" for name, value in head.items()).encode()
            + b"content-length:256\n\n" + body + b"\0"
        )  # fmt: skip
        assert (await client.expect("MESSAGE")).body == body
        assert (await stomp.expect("message")).body == body
        assert (await taken(queue)).body == body


async def test_a_spring_instance_reaches_a_session_of_ours(ours: Instance, stomp: StompPy) -> None:
    async with raw_stomp(ours.url) as client:
        id = await session_of(client, "/user/topic/greetings")
        headers = {"simpOrigDestination": "/user/topic/greetings", "content-type": _JSON}
        await stomp.call("send", f"/topic/greetings-user{id}", _TEXT, headers=headers)
        message = await client.expect("MESSAGE")
        assert (message.body, message.headers["content-type"]) == (_TEXT, _JSON)
        assert message.headers["destination"] == "/user/topic/greetings"
        assert "simpOrigDestination" not in message.headers


async def test_a_spring_instance_that_does_not_know_the_user_asks_us(ours: Instance, stomp: StompPy) -> None:
    async with raw_stomp(ours.url) as client:
        await session_of(client, "/user/topic/greetings")
        headers = {"simpOrigDestination": "/user/joe/topic/greetings", "tenant": "t"}
        await stomp.call("send", "/topic/unresolved-user-destination", b"found", headers=headers)
        message = await client.expect("MESSAGE")
        assert (message.body, message.headers["tenant"]) == (b"found", "t")
        assert message.headers["destination"] == "/user/topic/greetings"


async def test_a_push_for_a_user_of_a_spring_instance_is_shaped_as_springs(
    ours: Instance, stomp: StompPy
) -> None:
    await listen(stomp, "/topic/unresolved-user-destination")
    async with aiohttp.ClientSession() as http:
        status, _ = await push(http, ours.url, user="elsewhere", payload="x")
        assert status == 202
    message = await stomp.expect("message")
    assert message.headers["simpOrigDestination"] == "/user/elsewhere/topic/greetings"
    assert message.body == b"x"


async def test_a_queue_is_shared_with_foreign_clients(
    ours: Instance, stomp: StompPy, amqp: AbstractChannel
) -> None:
    async with raw_stomp(ours.url, "/ws?user=joe") as client:
        await client.connect()
        await client.subscribe("/queue/ours")
        await amqp.default_exchange.publish(aio_pika.Message(b"1", content_type=_JSON), "ours")
        message = await client.expect("MESSAGE")
        assert (message.body, message.headers["destination"]) == (b"1", "/queue/ours")
        await stomp.call("send", "/queue/ours", b"2")
        assert (await client.expect("MESSAGE")).body == b"2"

        queue = await amqp.declare_queue("theirs", durable=True)  # as RabbitMQ's STOMP declares it
        await client.send("SEND", {"destination": "/queue/theirs", "content-type": _JSON}, b"3")
        taken_message = await taken(queue)
        assert (taken_message.body, taken_message.content_type) == (b"3", _JSON)
        await listen(stomp, "/queue/theirs")
        await client.send("SEND", {"destination": "/queue/theirs"}, b"4")
        assert (await stomp.expect("message")).body == b"4"


async def test_both_broadcasts_on_one_topic_as_the_article_has_it(rabbitmq: VirtualHost) -> None:
    """The article's own service beside ours, by the options of the command line, over STOMP and AMQP."""
    shared = "/topic/greetings"
    options = InstanceOptions(user_destination_broadcast=shared, user_registry_broadcast=shared)
    settings: dict[str, Any] = msgspec.structs.asdict(instance_settings(options))
    first: dict[str, Any] = {**settings, "id": "i1", "broker_url": rabbitmq.stomp_url}
    second: dict[str, Any] = {**settings, "id": "i2", "broker_url": rabbitmq.amqp_url}
    async with (
        one_instance(**first) as one,
        one_instance(**second) as two,
        spring_peer(StompBroker(rabbitmq.stomp_url), registry=shared, unresolved=shared) as spring,
        aiohttp.ClientSession() as http,
    ):
        spring.users = {"ann": {"spring-1": (f"/user{shared}",)}}
        await spring.listen(f"{shared}-userspring-1")
        spring.tell()
        for number, instance in enumerate((one, two)):
            await until(lambda ours=instance: bool(ours.registry.places("ann")), "ann is known")
            async with joined(instance.url, f"joe{number}") as joe:
                # A snapshot of ours names joe, and what Spring looks for a user with finds him.
                await spring.until(
                    lambda name=f"joe{number}": any(name in each["userMap"] for _, each in spring.snapshots),
                    "joe is told",
                )
                spring.say(shared, {"simpOrigDestination": f"/user/joe{number}{shared}"}, b"from spring")
                assert (await joe.expect("MESSAGE")).body == b"from spring"
                await push(http, instance.url, user="ann", payload=f"to ann {number}")
                await spring.until(lambda most=number: len(spring.received) > most, "ann's push")
                await push(http, instance.url, user=f"nobody{number}", payload="x")
                await spring.until(
                    lambda asked=f"/user/nobody{number}{shared}": any(
                        each.headers["simpOrigDestination"] == asked for each in spring.unresolved
                    ),
                    "nobody is looked for",
                )
                await joe.nothing_before_receipt()
                for command in ("SUBSCRIBE", "SEND"):
                    async with raw_stomp(instance.url) as client:
                        await client.connect(login="eve")
                        await client.send(command, {"id": "1", "destination": shared})
                        assert b"belongs to the instances" in (await client.expect("ERROR")).body
        assert [each.body for each in spring.received] == [b"to ann 0", b"to ann 1"]


# ---- our own instances, one of each kind -----------------------------------------------------------


class Mixed:
    """Two instances on one broker: the first speaks STOMP to it, the second AMQP."""

    def __init__(self, instances: tuple[Instance, Instance], http: aiohttp.ClientSession) -> None:
        self.instances = instances
        self._http = http

    async def push(self, via: Instance, **request: Any) -> int:
        status, answer = await push(self._http, via.url, **request)
        assert status == 202, answer
        return int(answer["sessions"])


@pytest.fixture
async def mixed(rabbitmq: VirtualHost) -> AsyncIterator[Mixed]:
    patient: dict[str, Any] = {"receipt_wait_s": 10.0}
    async with (
        one_instance(id="i1", broker_url=rabbitmq.stomp_url, **patient) as one,
        one_instance(id="i2", broker_url=rabbitmq.amqp_url, **patient) as two,
        aiohttp.ClientSession() as http,
    ):
        yield Mixed((one, two), http)


async def test_a_mixed_cluster_delivers_in_all_directions(mixed: Mixed) -> None:
    one, two = mixed.instances
    async with joined(one.url, "ann") as ann, joined(two.url, "bob") as bob:
        for via in (one, two):
            for user, client in (("ann", ann), ("bob", bob)):
                assert await mixed.push(via, user=user, payload={"via": via.url}) == 1
                message = await client.expect("MESSAGE")
                assert json.loads(message.body) == {"via": via.url}
                assert message.headers["destination"] == "/user/topic/greetings"
                assert message.headers["content-type"].startswith("application/json")
        for client in (ann, bob):
            await client.nothing_before_receipt()


async def test_a_mixed_cluster_shares_topics_and_queues(mixed: Mixed) -> None:
    one, two = mixed.instances
    async with joined(one.url, "ann", "/topic/room.*") as ann, joined(two.url, "bob", "/topic/room.*") as bob:
        for sender in (ann, bob):
            await sender.send("SEND", {"destination": "/topic/room.7", "tenant": "t"}, b"all")
            for client in (ann, bob):
                message = await client.expect("MESSAGE")
                assert (message.body, message.headers["tenant"]) == (b"all", "t")
        await ann.subscribe("/queue/work", "q")
        await bob.send("SEND", {"destination": "/queue/work"}, b"job")
        assert (await ann.expect("MESSAGE")).body == b"job"


async def test_a_mixed_cluster_keeps_the_order(mixed: Mixed) -> None:
    one, two = mixed.instances
    async with joined(one.url, "ann") as ann, joined(two.url, "bob") as bob:
        for via, user, client in ((two, "ann", ann), (one, "bob", bob)):
            for number in range(100):
                await mixed.push(via, user=user, payload=number)
            got = [json.loads((await client.expect("MESSAGE")).body) for _ in range(100)]
            assert got == list(range(100))


async def test_a_mixed_cluster_knows_whose_session_is_gone(mixed: Mixed) -> None:
    one, two = mixed.instances
    async with joined(one.url, "ann"):
        assert await mixed.push(two, user="ann", payload="x") == 1
    sessions = 1
    for _ in range(200):
        sessions = await mixed.push(two, user="ann", payload="x")
        if not sessions:
            break
        await asyncio.sleep(0.05)
    assert sessions == 0

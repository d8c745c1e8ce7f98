"""ACK and NACK of WebSocket clients, from the client to the broker and back."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from core.client import StompClient, Subscription
from core.errors import ServerError
from server.brokers.memory import MemoryBroker, MemoryExchange
from server.instance import Instance

from ...support.instances import Cluster, cluster, one_instance, push
from ...support.processes import until
from ...support.rabbitmq import VirtualHost
from ...support.raw_stomp import RawStomp, raw_stomp

PATIENCE = 20.0


@asynccontextmanager
async def at(instance: Instance, user: str = "joe") -> AsyncGenerator[StompClient]:
    async with StompClient(instance.url.replace("http", "ws", 1) + "/ws", user=user) as client:
        yield client


async def subscribed(
    client: StompClient, destination: str, ack: str = "client-individual", prefetch: int = 0
) -> Subscription:
    headers = {"prefetch-count": str(prefetch)} if prefetch else {}
    return await client.subscribe(destination, ack=ack, headers=headers)


async def bodies(subscription: Subscription, count: int) -> list[bytes]:
    return [(await subscription.get(PATIENCE)).body for _ in range(count)]


async def sent(client: StompClient, destination: str, *messages: str) -> None:
    for message in messages:
        await client.send(destination, message, receipt=True)


@pytest.fixture
async def two() -> AsyncGenerator[Cluster]:
    async with cluster(2) as found:
        yield found


async def test_what_a_client_held_when_it_went_goes_to_another_instances_client(two: Cluster) -> None:
    one, other = two.instances
    async with at(other, "ann") as stays:
        async with at(one) as goes:
            mine = await subscribed(goes, "/queue/work", prefetch=3)
            await sent(stays, "/queue/work", "1", "2", "3", "4")
            messages = [await mine.get(PATIENCE) for _ in range(3)]
            assert all("redelivered" not in message.frame.headers for message in messages)
            assert len({message.frame.headers["ack"] for message in messages}) == 3
            await goes.ack(messages[1], receipt=True)
            assert (await mine.get(PATIENCE)).body == b"4"  # the acknowledged one made room
        theirs = await subscribed(stays, "/queue/work")
        again = [await theirs.get(PATIENCE) for _ in range(3)]
        assert [message.body for message in again] == [b"1", b"3", b"4"]
        assert all(message.frame.headers["redelivered"] == "true" for message in again)


async def test_a_cumulative_acknowledgement_settles_all_before_it(two: Cluster) -> None:
    one, other = two.instances
    async with at(other, "ann") as stays:
        async with at(one) as goes:
            beside = await subscribed(goes, "/queue/beside", "client")
            mine = await subscribed(goes, "/queue/work", "client")
            await sent(goes, "/queue/beside", "b")
            await sent(goes, "/queue/work", "1", "2", "3", "4")
            assert await bodies(beside, 1) == [b"b"]
            messages = [await mine.get(PATIENCE) for _ in range(4)]
            await goes.ack(messages[2], receipt=True)
            with pytest.raises(ServerError, match="Subscription not found"):
                await goes.ack(messages[0], receipt=True)  # settled with the third
        left = await subscribed(stays, "/queue/work")
        other_left = await subscribed(stays, "/queue/beside")  # another subscription's
        assert await bodies(left, 1) == [b"4"]
        assert await bodies(other_left, 1) == [b"b"]


async def test_a_refused_message_comes_again_or_is_dropped(two: Cluster) -> None:
    async with at(two.instances[0]) as client:
        mine = await subscribed(client, "/queue/work", prefetch=1)
        await sent(client, "/queue/work", "1", "2")
        first = await mine.get(PATIENCE)
        await client.nack(first)
        again = await mine.get(PATIENCE)
        assert (again.body, again.frame.headers["redelivered"]) == (b"1", "true")
        assert again.frame.headers["ack"] != first.frame.headers["ack"]
        await client.nack(again, requeue=False)
        assert await bodies(mine, 1) == [b"2"]


async def test_acknowledgements_wait_for_the_commit(two: Cluster) -> None:
    async with at(two.instances[0]) as client:
        mine = await subscribed(client, "/queue/work", prefetch=1)
        replies = await client.subscribe("/queue/replies")
        await sent(client, "/queue/work", "1", "2")
        first = await mine.get(PATIENCE)
        with pytest.raises(KeyError):
            async with client.transaction() as transaction:
                await client.ack(first, transaction=transaction)
                await client.send("/queue/replies", "never", transaction=transaction)
                raise KeyError
        async with client.transaction() as transaction:
            await client.send("/queue/replies", "done", transaction=transaction)
            await client.ack(first, transaction=transaction, receipt=True)
            await client.send("/topic/fence", "", receipt=True)
            assert two.broker.exchange.depth("/queue/work") == 1
            assert replies.waiting == 0
        assert await bodies(replies, 1) == [b"done"]
        assert await bodies(mine, 1) == [b"2"]


@pytest.mark.parametrize("command", ["ACK", "NACK"])
@pytest.mark.parametrize("subscribes", [False, True])
async def test_an_unknown_id_is_refused_as_rabbitmq_words_it(command: str, subscribes: bool) -> None:
    async with one_instance() as instance, raw_stomp(instance.url) as client:
        await client.connect()
        if subscribes:
            await client.send("SUBSCRIBE", {"id": "1", "destination": "/queue/a", "ack": "client"})
        await client.send(command, {"id": "nope", "receipt": "r"})
        error = await client.expect("ERROR")
        assert error.headers["message"] == "Subscription not found"
        assert error.headers["receipt-id"] == "r"
        assert error.body == b'Message with id "nope" has no subscription'
        assert (await client.closed())[0] == 1002


async def test_a_bad_prefetch_count_is_refused() -> None:
    async with one_instance() as instance, raw_stomp(instance.url) as client:
        await client.connect()
        head = {"id": "1", "destination": "/queue/a", "ack": "client", "prefetch-count": "-1"}
        await client.send("SUBSCRIBE", head)
        assert (await client.expect("ERROR")).headers["message"] == "Invalid header"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_before_1_2_messages_are_named_by_their_message_id(version: str) -> None:
    async with one_instance() as instance, raw_stomp(instance.url) as client:
        await client.connect(**{"accept-version": version})
        head = {"id": "1", "destination": "/queue/a", "ack": "client", "prefetch-count": "2"}
        await client.send("SUBSCRIBE", head)
        for number in range(3):
            await client.send("SEND", {"destination": "/queue/a"}, str(number).encode())
        messages = [await client.expect("MESSAGE") for _ in range(2)]
        assert all("ack" not in message.headers for message in messages)
        await client.send("ACK", {"message-id": messages[1].headers["message-id"], "subscription": "1"})
        last = await client.expect("MESSAGE")
        assert last.body == b"2"


async def acknowledge(client: RawStomp, version: str) -> None:
    frame = await client.expect("MESSAGE")
    head = {"id": frame.headers["ack"]} if version == "1.2" else {"message-id": frame.headers["message-id"]}
    if version != "1.0":
        head["subscription"] = frame.headers["subscription"]
    await client.send("ACK", {**head, "receipt": "r"})
    await client.expect("RECEIPT")


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
async def test_acknowledgements_of_topics_are_taken_and_mean_nothing(version: str) -> None:
    async with (
        one_instance() as instance,
        raw_stomp(instance.url) as client,
        raw_stomp(instance.url) as beside,
    ):
        await client.connect(**{"accept-version": version})
        await beside.connect()
        head = {"id": "s0", "destination": "/topic/a", "ack": "client", "receipt": "sub"}
        await client.send("SUBSCRIBE", head)
        await client.expect("RECEIPT")
        await beside.subscribe("/topic/a", "s0")
        for _ in range(2):
            await beside.send("SEND", {"destination": "/topic/a"}, b"x")
            await acknowledge(client, version)
            assert "ack" not in (await beside.expect("MESSAGE")).headers
        await client.send("UNSUBSCRIBE", {"id": "s0", "receipt": "left"})
        await client.expect("RECEIPT")
        await beside.send("UNSUBSCRIBE", {"id": "s0", "receipt": "left"})
        await beside.expect("RECEIPT")
        assert not instance.hub.topics


async def test_a_users_messages_are_held_wherever_they_come_from(two: Cluster) -> None:
    async with at(two.instances[0]) as client:
        mine = await subscribed(client, "/user/queue/orders", prefetch=1)
        for number, instance in enumerate((*two.instances, *two.instances)):
            status, _ = await two.push(
                instance, user="joe", destination="/queue/orders", payload=str(number), confirm=True
            )
            assert status == 202
        seen: list[bytes] = []
        for _ in range(4):
            message = await mine.get(PATIENCE)
            assert message.destination == "/user/queue/orders"
            assert mine.waiting == 0
            seen.append(message.body)
            await client.ack(message)
        assert seen == [b"0", b"1", b"2", b"3"]


async def test_a_message_that_did_not_come_from_the_broker_comes_again_too() -> None:
    async with one_instance(strategy="broadcast") as instance, at(instance) as client:
        mine = await subscribed(client, "/user/queue/orders", "client")
        for body in ("1", "2", "3"):
            await client.send("/user/joe/queue/orders", body, receipt=True)
        first, second, _third = [await mine.get(PATIENCE) for _ in range(3)]
        await client.nack(second)  # cumulative: the first one too
        assert await bodies(mine, 2) == [b"1", b"2"]
        assert first.frame.headers["ack"]


async def test_what_is_unsettled_is_forgotten_with_the_subscription_and_the_session(two: Cluster) -> None:
    (instance, _), exchange = two.instances, two.broker.exchange
    async with at(instance) as client:
        mine = await subscribed(client, "/queue/work")
        await sent(client, "/queue/work", "1")
        message = await mine.get(PATIENCE)
        await mine.unsubscribe()
        await until(lambda: exchange.depth("/queue/work") == 1, "it waits again")
        with pytest.raises(ServerError, match="Subscription not found"):
            await client.ack(message, receipt=True)
    await until(lambda: exchange.status.unsettled == 0, "nobody holds anything")


async def test_http_pushes_to_a_queue_are_shared_by_who_has_room(two: Cluster) -> None:
    async with at(two.instances[0]) as one, at(two.instances[1], "ann") as other:
        mine = await subscribed(one, "/queue/work", prefetch=1)
        theirs = await subscribed(other, "/queue/work", prefetch=1)
        held = None
        for number in range(5):
            await push(two.http, two.instances[0].url, destination="/queue/work", payload=str(number))
        held = await mine.get(PATIENCE)  # never acknowledged: the rest goes to the other
        seen = [held.body]
        for _ in range(4):
            message = await theirs.get(PATIENCE)
            seen.append(message.body)
            await other.ack(message)
        assert sorted(seen) == [b"0", b"1", b"2", b"3", b"4"]


async def test_after_a_loss_of_the_broker_old_ids_are_taken_and_messages_come_again() -> None:
    shared = MemoryExchange()
    async with one_instance(broker=MemoryBroker(shared)) as instance, at(instance) as client:
        mine = await subscribed(client, "/queue/work", "client")
        await sent(client, "/queue/work", "1", "2")
        old = [await mine.get(PATIENCE) for _ in range(2)]
        shared.set_available(False, "a test says so")
        shared.set_available(True)
        again = [await mine.get(PATIENCE) for _ in range(2)]
        assert [message.body for message in again] == [b"1", b"2"]
        assert again[0].frame.headers["redelivered"] == "true"
        await client.ack(old[1], receipt=True)  # means nothing any more
        assert shared.exchange.status.unsettled == 2
        await client.ack(again[1], receipt=True)
        assert shared.exchange.status.unsettled == 0


async def test_on_rabbitmq_too(rabbitmq: VirtualHost) -> None:
    url = rabbitmq.stomp_url
    async with (
        one_instance(id="i1", broker_url=url) as one,
        one_instance(id="i2", broker_url=url) as other,
        at(other, "ann") as stays,
    ):
        async with at(one) as goes:
            mine = await subscribed(goes, "/queue/work", "client", prefetch=3)
            await sent(stays, "/queue/work", "1", "2", "3", "4", "5")
            messages = [await mine.get(PATIENCE) for _ in range(3)]
            await goes.ack(messages[0], receipt=True)
            messages.append(await mine.get(PATIENCE))
            await goes.nack(messages[1])
            again = await mine.get(PATIENCE)
            assert (again.body, again.frame.headers["redelivered"]) == (b"2", "true")
            await goes.nack(again, requeue=False, receipt=True)  # cumulative: the third and fourth too
            assert await bodies(mine, 1) == [b"5"]
        theirs = await subscribed(stays, "/queue/work")
        left = await theirs.get(PATIENCE)
        assert (left.body, left.frame.headers["redelivered"]) == (b"5", "true")

"""Where a destination leads at the embedded broker, as with RabbitMQ (docs/wire/brokers.md §1)."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator

import pytest

from server.brokers.embedded import EmbeddedBroker
from server.brokers.embedded_limits import BrokerLimits
from server.brokers.embedded_places import Place, place_of
from server.brokers.exchange import ExchangeLimits

from ...support.processes import until
from ...support.stomp_tcp import TcpStomp, tcp_stomp


@pytest.fixture
async def broker() -> AsyncGenerator[EmbeddedBroker]:
    async with EmbeddedBroker() as broker:
        yield broker


@pytest.mark.parametrize(
    ("destination", "place"),
    [
        ("/topic/a.b", Place("/topic/a.b")),
        ("/topic/a%2Fb", Place("/topic/a%2Fb")),
        ("/queue/a", Place("/queue/a")),
        ("a", Place("/queue/a")),
        ("/exchange/amq.topic/a.#", Place("/topic/a.#")),
        ("/exchange/amq.direct/a", Place("/exchange/amq.direct/a")),
        ("/exchange/amq.direct", Place("/exchange/amq.direct/")),
        ("/amq/queue/a", Place("/queue/a", declares=False)),
        ("/reply-queue/a/b", Place("/queue/a/b", declares=False)),
    ],
)
def test_places(destination: str, place: Place) -> None:
    assert place_of(destination, "SEND") == place


async def subscribed(client: TcpStomp, id: str, destination: str) -> None:
    client.send("SUBSCRIBE", {"id": id, "destination": destination, "receipt": id})
    await client.expect("RECEIPT")


async def test_the_topic_exchange_is_where_topics_are(broker: EmbeddedBroker) -> None:
    async with tcp_stomp(broker.url) as client:
        await subscribed(client, "1", "/exchange/amq.topic/k.*")
        client.send("SEND", {"destination": "/topic/k.1"}, b"x")
        client.send("SEND", {"destination": "/exchange/amq.topic/k.2"}, b"y")
        messages = [await client.expect("MESSAGE") for _ in range(2)]
        assert [message.headers["destination"] for message in messages] == ["/topic/k.1", "/topic/k.2"]


async def test_the_direct_exchange_gives_everybody_a_copy_and_keeps_nothing(broker: EmbeddedBroker) -> None:
    async with tcp_stomp(broker.url) as client:
        client.send("SEND", {"destination": "/exchange/amq.direct/pos"}, b"for nobody")
        for id in "12":
            await subscribed(client, id, "/exchange/amq.direct/pos")
        client.send("SEND", {"destination": "/exchange/amq.direct/other"}, b"other")
        client.send("SEND", {"destination": "/exchange/amq.direct/pos"}, b"x")
        messages = [await client.expect("MESSAGE") for _ in range(2)]
        assert {message.headers["subscription"] for message in messages} == {"1", "2"}
        assert {message.body for message in messages} == {b"x"}
        assert messages[0].headers["destination"] == "/exchange/amq.direct/pos"


async def test_a_queue_that_is_there_already(broker: EmbeddedBroker) -> None:
    async with tcp_stomp(broker.url) as client:
        client.send("SEND", {"destination": "/amq/queue/jobs", "receipt": "dropped"}, b"lost")
        await client.expect("RECEIPT")
        await subscribed(client, "1", "/queue/jobs")
        await subscribed(client, "2", "/amq/queue/jobs")
        for body in (b"x", b"y"):
            client.send("SEND", {"destination": "/amq/queue/jobs"}, body)
        messages = [await client.expect("MESSAGE") for _ in range(2)]
        assert {message.headers["subscription"] for message in messages} == {"1", "2"}
        assert messages[0].headers["destination"] == "/queue/jobs"


async def test_a_reply_comes_to_the_temporary_queue_of_who_asked(broker: EmbeddedBroker) -> None:
    async with tcp_stomp(broker.url) as asks, tcp_stomp(broker.url) as answers:
        await subscribed(answers, "1", "/queue/questions")
        for number in range(2):
            head = {"destination": "/queue/questions", "reply-to": "/temp-queue/mine"}
            asks.send("SEND", head, str(number).encode())
        replies_to: set[str] = set()
        for _ in range(2):
            question = await answers.expect("MESSAGE")
            reply_to = question.headers["reply-to"]
            assert reply_to.startswith("/reply-queue/amq.gen-")
            replies_to.add(reply_to)
            answers.send("SEND", {"destination": reply_to}, b"re: " + question.body)
        assert len(replies_to) == 1
        for number in range(2):
            reply = await asks.expect("MESSAGE")
            assert reply.headers["subscription"] == "/temp-queue/mine"
            assert reply.body == f"re: {number}".encode()
    await until(lambda: broker.exchange.queues == 0, "the temporary queue has gone with its owner")


async def test_a_subscription_without_an_id_has_messages_without_one(broker: EmbeddedBroker) -> None:
    async with tcp_stomp(broker.url) as client:
        client.send("SUBSCRIBE", {"destination": "/topic/a"})
        client.send("SEND", {"destination": "/topic/a"}, b"x")
        assert "subscription" not in (await client.expect("MESSAGE")).headers
        client.send("UNSUBSCRIBE", {"destination": "/topic/a", "receipt": "r"})
        await client.expect("RECEIPT")


DURABLE = {"id": "d", "destination": "/topic/news.*", "durable": "true", "auto-delete": "false"}


@pytest.mark.parametrize("how", ["disconnect", "unsubscribe"])
async def test_a_durable_subscription_collects_while_nobody_is_there(
    broker: EmbeddedBroker, how: str
) -> None:
    async with tcp_stomp(broker.url) as client:
        client.send("SUBSCRIBE", {**DURABLE, "receipt": "r"})
        await client.expect("RECEIPT")
        if how == "unsubscribe":
            client.send("UNSUBSCRIBE", {"id": "d", "receipt": "r"})
            await client.expect("RECEIPT")
    async with tcp_stomp(broker.url) as client:
        client.send("SEND", {"destination": "/topic/news.a"}, b"while away")
        client.send("SUBSCRIBE", DURABLE)
        message = await client.expect("MESSAGE")
        assert (message.headers["destination"], message.body) == ("/topic/news.a", b"while away")
        client.send("SEND", {"destination": "/topic/news.b"}, b"while there")
        assert (await client.expect("MESSAGE")).body == b"while there"
        client.send("UNSUBSCRIBE", {"id": "d", "durable": "true", "receipt": "r"})
        await client.expect("RECEIPT")
        assert (broker.exchange.queues, broker.exchange.bindings) == (0, 0)


async def test_a_durable_subscription_that_others_use_goes_on(broker: EmbeddedBroker) -> None:
    async with tcp_stomp(broker.url) as one, tcp_stomp(broker.url) as other:
        for client in (one, other):
            client.send("SUBSCRIBE", {**DURABLE, "receipt": "r"})
            await client.expect("RECEIPT")
        for number in range(2):
            one.send("SEND", {"destination": "/topic/news.a"}, str(number).encode())
        assert {(await client.expect("MESSAGE")).body for client in (one, other)} == {b"0", b"1"}


async def test_of_many_durable_subscriptions_those_used_last_stay() -> None:
    limits = BrokerLimits(exchange=ExchangeLimits(queues=2))
    async with EmbeddedBroker(limits=limits) as broker, tcp_stomp(broker.url) as client:
        for id in "123":
            client.send("SUBSCRIBE", {**DURABLE, "id": id})
            client.send("UNSUBSCRIBE", {"id": id, "receipt": id})
            await client.expect("RECEIPT")
        assert (broker.exchange.queues, broker.exchange.bindings) == (2, 2)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("10000,10000", "10000,10000"),
        ("5,5", "1000,1000"),
        ("1500,1500", "1000,1000"),
        ("0,1000", "1000,0"),
        ("500,60000", "60000,1000"),
        ("0,0", "0,0"),
    ],
)
async def test_heart_beats_are_answered_as_rabbitmq_does(
    broker: EmbeddedBroker, asked: str, answered: str
) -> None:
    async with tcp_stomp(broker.url, connect=False) as client:
        client.send("CONNECT", {"accept-version": "1.2", "heart-beat": asked})
        assert (await client.expect("CONNECTED")).headers["heart-beat"] == answered


async def test_what_is_dropped_and_expires_is_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pushscope.broker")
    limits = BrokerLimits(expires_s=0.3, sweep_s=0.3, exchange=ExchangeLimits(queue_messages=2))
    async with EmbeddedBroker(limits=limits) as broker, tcp_stomp(broker.url) as client:
        for name in ("/queue/orders-user0123456789abcdef", "/queue/jobs"):
            for number in range(3):
                client.send("SEND", {"destination": name}, str(number).encode())
        client.send("SEND", {"destination": "/topic/a", "receipt": "r"})
        await client.expect("RECEIPT")
        await until(lambda: broker.exchange.expired == 1, "the user queue has gone")
        await until(lambda: "1 unused queues removed" in caplog.text, "it was said")
        assert broker.exchange.depth("/queue/jobs") == 2
        status = broker.status
        assert (status.peers, status.messages) == (1, 7)
        assert (status.exchange.queues, status.exchange.waiting, status.exchange.dropped) == (1, 2, 4)
    assert "; 2 wait in '/queue/" in caplog.text
    assert "messages dropped from full or unused queues" in caplog.text
    assert "1 connections, 0 subscriptions, 1 queues with 2 messages waiting, 0 unsettled" in caplog.text

"""stomp.py, a client that nobody here wrote, against the embedded broker over TCP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.brokers.embedded import EmbeddedBroker
from tests.support.processes import until
from tests.support.stomp_py import StompPy

VERSIONS = ["1.0", "1.1", "1.2"]


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    async with EmbeddedBroker() as broker:
        yield broker


async def subscribed(client: StompPy, destination: str, id: str = "0") -> None:
    """Subscribe, and return when the receipt has come."""
    await client.call("subscribe", destination, id, receipt=f"subscribed-{id}")
    assert (await client.expect("receipt")).headers["receipt-id"] == f"subscribed-{id}"


@pytest.mark.parametrize("version", VERSIONS)
async def test_topic_with_a_wildcard(broker: EmbeddedBroker, version: str) -> None:
    async with StompPy(broker.port, version) as client:
        connected = await client.expect("connected")
        assert connected.headers["version"] == version
        await subscribed(client, "/topic/w.*.z")
        for destination in ("/topic/w.z", "/topic/w.a.b.z", "/queue/w.a.z", "/topic/w.a.z"):
            await client.call("send", destination, destination, content_type="text/plain")
        message = await client.expect("message")
        assert message.body == b"/topic/w.a.z"
        assert message.headers["destination"] == "/topic/w.a.z"
        assert message.headers["content-type"] == "text/plain"
        await client.call("send", "/topic/w.b.z", "last")
        assert (await client.expect("message")).body == b"last"


async def test_everybody_gets_a_topic_and_one_of_them_a_queue(broker: EmbeddedBroker) -> None:
    async with StompPy(broker.port) as first, StompPy(broker.port) as second:
        for client in (first, second):
            await subscribed(client, "/topic/news", "topic")
            await subscribed(client, "/queue/jobs", "queue")
        for number in range(4):
            await first.call("send", "/queue/jobs", str(number))
        await first.call("send", "/topic/news", "done")
        taken: list[bytes] = []
        for client in (first, second):
            bodies = [(await client.expect("message")).body for _ in range(3)]
            assert bodies[2] == b"done"
            taken += bodies[:2]
        assert sorted(taken) == [b"0", b"1", b"2", b"3"]


async def test_a_queue_waits_for_its_first_consumer(broker: EmbeddedBroker) -> None:
    async with StompPy(broker.port) as sender:
        for number in range(3):
            await sender.call("send", "/queue/later", str(number))
        await sender.call("disconnect", receipt="bye")
        assert (await sender.expect("receipt")).headers["receipt-id"] == "bye"
    async with StompPy(broker.port) as client:
        await client.call("subscribe", "/queue/later", "0")
        assert [(await client.expect("message")).body for _ in range(3)] == [b"0", b"1", b"2"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("body", [b"", b"a\0b\n\n\0", bytes(range(256)), "größe 🎈".encode(), b"x" * 300_000])
async def test_any_body_arrives_as_it_was_sent(broker: EmbeddedBroker, version: str, body: bytes) -> None:
    async with StompPy(broker.port, version) as client:
        await subscribed(client, "/topic/bodies")
        await client.call("send", "/topic/bodies", body, headers={"kind": "test"}, receipt="sent")
        message = await client.expect("message")
        assert message.body == body
        assert message.headers["kind"] == "test"
        assert "receipt" not in message.headers
        await client.expect("receipt")


@pytest.mark.parametrize("version", ["1.1", "1.2"])
async def test_headers_with_special_characters(broker: EmbeddedBroker, version: str) -> None:
    value = "a:b\\c\nd"
    async with StompPy(broker.port, version) as client:
        await subscribed(client, "/topic/headers")
        await client.call("send", "/topic/headers", "x", headers={"k:ü": value})
        headers = (await client.expect("message")).headers
        # stomp.py escapes values, not names: what follows the colon of the name is value for everybody
        assert headers["k"] == f"ü:{value}"


@pytest.mark.parametrize("version", VERSIONS)
async def test_receipts_and_unsubscribing(broker: EmbeddedBroker, version: str) -> None:
    async with StompPy(broker.port, version) as client:
        await subscribed(client, "/topic/a", "1")
        await subscribed(client, "/topic/a", "2")
        await client.call("unsubscribe", "1", receipt="left")
        assert (await client.expect("receipt")).headers["receipt-id"] == "left"
        await client.call("send", "/topic/a", "x", receipt="sent")
        await client.expect("receipt")
        assert (await client.expect("message")).headers["subscription"] == "2"
        await client.call("disconnect", receipt="bye")
        assert (await client.expect("receipt")).headers["receipt-id"] == "bye"
        await client.expect("disconnected")
        assert [name for name, _ in client.events if name in ("message", "error")] == []
    await until(lambda: not broker.peers, "the broker has forgotten the peer")


@pytest.mark.parametrize("version", VERSIONS)
async def test_transactions(broker: EmbeddedBroker, version: str) -> None:
    async with StompPy(broker.port, version) as client:
        await subscribed(client, "/topic/a")
        for end in ("abort", "commit"):
            await client.call("begin", end)
            await client.call("send", "/topic/a", f"held by {end}", transaction=end)
            await client.call("send", "/topic/a", f"beside {end}")
            assert (await client.expect("message")).body == f"beside {end}".encode()
            await client.call(end, end)
        assert (await client.expect("message")).body == b"held by commit"


async def test_heartbeats_in_both_directions(broker: EmbeddedBroker) -> None:
    async with StompPy(broker.port, heartbeats=(1000, 1000)) as client:
        await client.expect("connected")
        for _ in range(5):  # four seconds; a silent peer would be cut after three
            await client.expect("heartbeat")
        assert client.connection.is_connected()
        assert not [name for name, _ in client.events if name == "heartbeat-timeout"]


@pytest.mark.parametrize(
    ("destination", "message"),
    [("/topic/a/b", "Invalid destination"), ("/foo/bar", "Unknown destination")],
)
async def test_errors_in_the_words_of_rabbitmq(
    broker: EmbeddedBroker, destination: str, message: str
) -> None:
    async with StompPy(broker.port) as client, StompPy(broker.port) as other:
        await client.call("send", destination, "x")
        assert (await client.expect("error")).headers["message"] == message
        await subscribed(client, "/topic/a")  # the connection stays
        await subscribed(other, "/topic/a")
        await other.call("send", "/topic/a", "still here")
        for receiver in (client, other):
            assert (await receiver.expect("message")).body == b"still here"


class Acker:
    """Acknowledges with what each version of stomp.py wants."""

    def __init__(self, client: StompPy, version: str) -> None:
        self._client = client
        self._version = version

    async def __call__(self, command: str, message: Any, **settings: Any) -> None:
        headers = message.headers
        if self._version == "1.0":
            await self._client.call(command, headers["message-id"], **settings)
        elif self._version == "1.1":
            await self._client.call(command, headers["message-id"], headers["subscription"], **settings)
        else:
            await self._client.call(command, headers["ack"], **settings)


async def received(client: StompPy, count: int) -> list[Any]:
    """The next messages."""
    return [await client.expect("message") for _ in range(count)]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_cumulative_acknowledgement_settles_all_before_it(
    broker: EmbeddedBroker, version: str
) -> None:
    async with StompPy(broker.port) as other:
        async with StompPy(broker.port, version) as client:
            ack = Acker(client, version)
            await client.call("subscribe", "/queue/work", "0", ack="client")
            for number in range(4):
                await client.call("send", "/queue/work", str(number))
            messages = await received(client, 4)
            await ack("ack", messages[2], receipt="acked")
            await client.expect("receipt")
        await other.call("subscribe", "/queue/work", "0")
        (last,) = await received(other, 1)
        assert (last.body, last.headers["redelivered"]) == (b"3", "true")


@pytest.mark.parametrize("version", ["1.1", "1.2"])
async def test_individual_acknowledgements_and_refusals(broker: EmbeddedBroker, version: str) -> None:
    async with StompPy(broker.port, version) as client:
        ack = Acker(client, version)
        await client.call("subscribe", "/queue/work", "0", ack="client-individual")
        for number in range(3):
            await client.call("send", "/queue/work", str(number))
        messages = await received(client, 3)
        await ack("nack", messages[1])
        (again,) = await received(client, 1)
        assert (again.body, again.headers["redelivered"]) == (b"1", "true")
        await ack("ack", again)
        await ack("ack", messages[0])
        await ack("nack", messages[2], requeue="false")
        await client.call("unsubscribe", "0", receipt="left")
        await client.expect("receipt")
        assert broker.exchange.queues == 0


@pytest.mark.parametrize("version", ["1.1", "1.2"])
async def test_acknowledgements_in_transactions(broker: EmbeddedBroker, version: str) -> None:
    async with StompPy(broker.port, version) as client:
        ack = Acker(client, version)
        settings = {"ack": "client-individual", "headers": {"prefetch-count": "1"}}
        await client.call("subscribe", "/queue/work", "0", **settings)
        await client.call("send", "/queue/work", "first")
        await client.call("send", "/queue/work", "second")
        (first,) = await received(client, 1)
        for end in ("abort", "commit"):
            await client.call("begin", end)
            await ack("ack", first, transaction=end)
            assert broker.exchange.depth("/queue/work") == 1
            await client.call(end, end, receipt=end)
            await client.expect("receipt")
        (second,) = await received(client, 1)  # only the commit made room for it
        assert second.body == b"second"

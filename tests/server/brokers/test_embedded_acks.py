"""Acknowledgement at the embedded broker: what stays whose, and when it is given to somebody else."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from core.protocol import Frame
from server.brokers.embedded import EmbeddedBroker
from server.brokers.embedded_limits import BrokerLimits

from ...support.processes import until
from ...support.stomp_tcp import TcpStomp, tcp_stomp


@pytest.fixture
async def broker() -> AsyncGenerator[EmbeddedBroker]:
    async with EmbeddedBroker() as broker:
        yield broker


async def consuming(client: TcpStomp, mode: str, *bodies: str, id: str = "1", **headers: str) -> list[Frame]:
    """Subscribe to the queue, send it these, and receive them."""
    head = {"id": id, "destination": "/queue/work", "ack": mode, **headers}
    client.send("SUBSCRIBE", head)
    for body in bodies:
        client.send("SEND", {"destination": "/queue/work"}, body.encode())
    return [await client.expect("MESSAGE") for _ in bodies]


async def rest(broker: EmbeddedBroker, count: int) -> list[bytes]:
    """What is left in the queue, for somebody new."""
    async with tcp_stomp(broker.url) as client:
        client.send("SUBSCRIBE", {"id": "1", "destination": "/queue/work"})
        messages = [await client.expect("MESSAGE") for _ in range(count)]
        assert all(message.headers["redelivered"] == "true" for message in messages)
        assert broker.exchange.status.waiting == 0
        return [message.body for message in messages]


async def test_a_held_message_is_named_by_one_id(broker: EmbeddedBroker) -> None:
    async with tcp_stomp(broker.url) as client:
        (message,) = await consuming(client, "client", "x")
        assert message.headers["ack"] == message.headers["message-id"]


@pytest.mark.parametrize(
    ("mode", "left"), [("client", [b"2", b"3"]), ("client-individual", [b"0", b"2", b"3"])]
)
async def test_an_acknowledgement_settles_what_its_mode_says(
    broker: EmbeddedBroker, mode: str, left: list[bytes]
) -> None:
    async with tcp_stomp(broker.url) as client:
        messages = await consuming(client, mode, "0", "1", "2", "3")
        client.send("ACK", {"id": messages[1].headers["ack"], "receipt": "r"})
        await client.expect("RECEIPT")
    await until(lambda: broker.exchange.status.unsettled == 0, "what it held waits again")
    assert await rest(broker, len(left)) == left


async def test_a_cumulative_refusal_brings_all_of_them_again(broker: EmbeddedBroker) -> None:
    async with tcp_stomp(broker.url) as client:
        messages = await consuming(client, "client", "0", "1", "2")
        client.send("NACK", {"id": messages[1].headers["ack"]})
        again = [await client.expect("MESSAGE") for _ in range(2)]
        assert [message.body for message in again] == [b"0", b"1"]
        client.send("NACK", {"id": again[1].headers["ack"], "requeue": "false", "receipt": "r"})
        await client.expect("RECEIPT")
        assert broker.exchange.status.unsettled == 0  # the third was given out before the second one's return


async def test_a_second_settlement_ends_the_connection(broker: EmbeddedBroker) -> None:
    async with tcp_stomp(broker.url) as client:
        (message,) = await consuming(client, "client", "x")
        for _ in range(2):
            client.send("ACK", {"id": message.headers["ack"]})
        error = await client.expect("ERROR")
        assert error.headers["message"] == "precondition_failed"
        assert error.body == b"PRECONDITION_FAILED - unknown delivery tag 1"
        assert await client.frame() is None


async def test_others_cannot_settle_it_and_nobody_after_unsubscribing(broker: EmbeddedBroker) -> None:
    async with tcp_stomp(broker.url) as client, tcp_stomp(broker.url) as other:
        (message,) = await consuming(client, "client", "x")
        other.send("ACK", {"id": message.headers["ack"]})
        assert (await other.expect("ERROR")).headers["message"] == "Subscription not found"
        client.send("UNSUBSCRIBE", {"id": "1"})
        client.send("ACK", {"id": message.headers["ack"]})
        assert (await client.expect("ERROR")).headers["message"] == "Subscription not found"
    assert await rest(broker, 1) == [b"x"]


async def test_prefetch_and_turns(broker: EmbeddedBroker) -> None:
    async with tcp_stomp(broker.url) as busy, tcp_stomp(broker.url) as free:
        head = {"id": "1", "destination": "/queue/work", "receipt": "r"}
        busy.send("SUBSCRIBE", {**head, "ack": "client-individual", "prefetch-count": "1"})
        await busy.expect("RECEIPT")
        free.send("SUBSCRIBE", head)
        await free.expect("RECEIPT")
        for number in range(4):
            free.send("SEND", {"destination": "/queue/work"}, str(number).encode())
        assert (await busy.expect("MESSAGE")).body == b"0"
        assert [(await free.expect("MESSAGE")).body for _ in range(3)] == [b"1", b"2", b"3"]


async def test_transactions_hold_acknowledgements_back_in_order(broker: EmbeddedBroker) -> None:
    async with tcp_stomp(broker.url) as client:
        first, second = await consuming(client, "client-individual", "1", "2")
        for end in ("ABORT", "COMMIT"):
            client.send("BEGIN", {"transaction": "t"})
            client.send("ACK", {"id": first.headers["ack"], "transaction": "t"})
            client.send("SEND", {"destination": "/queue/work", "transaction": "t"}, b"3")
            client.send("NACK", {"id": second.headers["ack"], "transaction": "t", "receipt": end})
            assert (await client.expect("RECEIPT")).headers["receipt-id"] == end
            assert broker.exchange.status.unsettled == 2
            client.send(end, {"transaction": "t"})
        again = [await client.expect("MESSAGE") for _ in range(2)]
        assert [message.body for message in again] == [b"3", b"2"]


async def test_only_so_many_transactions(broker: EmbeddedBroker) -> None:
    limits = BrokerLimits(transactions=2)
    async with EmbeddedBroker(limits=limits) as small, tcp_stomp(small.url) as client:
        for name in "123":
            client.send("BEGIN", {"transaction": name})
        assert (await client.expect("ERROR")).headers["message"] == "Bad transaction"
        client.send("SEND", {"destination": "/topic/a", "transaction": "3"})
        assert (await client.expect("ERROR")).headers["message"] == "Bad transaction"
        client.send("COMMIT", {"transaction": "1", "receipt": "r"})
        await client.expect("RECEIPT")


async def test_a_topics_consumer_gets_refused_messages_again_alone(broker: EmbeddedBroker) -> None:
    async with tcp_stomp(broker.url) as refuses, tcp_stomp(broker.url) as listens:
        for client, mode in ((refuses, "client-individual"), (listens, "auto")):
            client.send("SUBSCRIBE", {"id": "1", "destination": "/topic/a.*", "ack": mode, "receipt": "r"})
            await client.expect("RECEIPT")
        listens.send("SEND", {"destination": "/topic/a.b"}, b"x")
        message = await refuses.expect("MESSAGE")
        refuses.send("NACK", {"id": message.headers["ack"]})
        again = await refuses.expect("MESSAGE")
        assert again.headers["redelivered"] == "true"
        assert (await listens.expect("MESSAGE")).body == b"x"
        listens.send("SEND", {"destination": "/topic/a.c"}, b"y")
        assert (await listens.expect("MESSAGE")).body == b"y"

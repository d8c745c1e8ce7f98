"""What the embedded broker refuses, in RabbitMQ's words (3.10.8 said them so), and what follows."""

from __future__ import annotations

import pytest

from server.brokers.embedded import EmbeddedBroker
from server.brokers.embedded_limits import BrokerLimits

from ...support.rabbitmq import VirtualHost
from ...support.stomp_tcp import tcp_stomp

KINDS = "Valid destination types are: /temp-queue, /exchange, /topic, /queue, /amq/queue, /reply-queue/.\n"

#: Frame, header ``message``, body, and whether the connection ends.
REFUSALS: list[tuple[str, str, str, bool]] = [
    ("FOO\n\n", "Bad command", 'Could not interpret command "FOO"\n', False),
    ("MESSAGE\n\n", "Bad command", 'Could not interpret command "MESSAGE"\n', False),
    ("SEND\n\nx", "Missing destination", "\"SEND\" must include a 'destination' header\n", False),
    (
        "SUBSCRIBE\nid:1\n\n",
        "Missing destination",
        "\"SUBSCRIBE\" must include a 'destination' header\n",
        False,
    ),
    (
        "SEND\ndestination:/foo/bar\n\nx",
        "Unknown destination",
        f"'/foo/bar' is not a valid destination.\n{KINDS}",
        False,
    ),
    (
        "SUBSCRIBE\nid:1\ndestination:/topicx/a\n\n",
        "Unknown destination",
        f"'/topicx/a' is not a valid destination.\n{KINDS}",
        False,
    ),
    (
        "SEND\ndestination:/topic/a/b\n\nx",
        "Invalid destination",
        "'/a/b' is not a valid topic destination\n",
        False,
    ),
    (
        "SUBSCRIBE\nid:1\ndestination:/queue/\n\n",
        "Invalid destination",
        "'/' is not a valid queue destination\n",
        False,
    ),
    (
        "SUBSCRIBE\nid:1\ndestination:/queue\n\n",
        "Invalid destination",
        "'' is not a valid queue destination\n",
        False,
    ),
    (
        "SEND\ndestination:/exchange/amq.topic/a/b\n\nx",
        "Invalid destination",
        "'/amq.topic/a/b' is not a valid exchange destination\n",
        False,
    ),
    (
        "SUBSCRIBE\nid:1\ndestination:/temp-queue/a\n\n",
        "Invalid destination",
        "'/temp-queue/a' is not a valid destination for 'SUBSCRIBE'\n",
        False,
    ),
    (
        "SEND\ndestination:/temp-queue/a\n\nx",
        "Invalid destination",
        "'/temp-queue/a' is not a valid destination for 'SEND'\n",
        False,
    ),
    (
        "SEND\ndestination:/topic/a\nmessage-id:1\n\nx",
        "Invalid header",
        "'message-id' is not allowed on 'SEND'.\n",
        False,
    ),
    (
        "UNSUBSCRIBE\nid:nope\n\n",
        "No subscription found",
        "UNSUBSCRIBE must refer to an existing subscription.\nSubscription to \"id='nope'\" not found.\n",
        False,
    ),
    (
        "UNSUBSCRIBE\ndestination:/topic/a\n\n",
        "No subscription found",
        "UNSUBSCRIBE must refer to an existing subscription.\n"
        "Subscription to \"destination='/topic/a'\" not found.\n",
        False,
    ),
    (
        "UNSUBSCRIBE\n\n",
        "Missing destination or id",
        "UNSUBSCRIBE must include a 'destination' or 'id' header",
        False,
    ),
    ("ACK\n\n", "Missing header", '"ACK" must include the "id" header\n', False),
    ("NACK\n\n", "Missing header", '"NACK" must include the "id" header\n', False),
    ("ACK\nid:nope\n\n", "Invalid header", '"ACK" must include a valid "id" header\n', False),
    ("NACK\nid:nope\n\n", "Invalid header", '"NACK" must include a valid "id" header\n', False),
    ("BEGIN\n\n", "Missing transaction", "\"BEGIN\" must include a 'transaction' header\n", False),
    ("COMMIT\ntransaction:t\n\n", "Bad transaction", 'Invalid transaction identifier: "t"\n', False),
    ("ABORT\ntransaction:t\n\n", "Bad transaction", 'Invalid transaction identifier: "t"\n', False),
    (
        "SEND\ntransaction:t\ndestination:/topic/a\n\nx",
        "Bad transaction",
        'Invalid transaction identifier: "t"\n',
        False,
    ),
    (
        "SUBSCRIBE\ndestination:/topic/a\ndurable:true\n\n",
        "Missing Header",
        "Header 'id' is required for durable subscriptions",
        False,
    ),
    (
        "SUBSCRIBE\nid:taken\ndestination:/topic/a\n\n",
        "Duplicated subscription identifier",
        "A subscription identified by 'T_taken' already exists.",
        True,
    ),
    (
        "SUBSCRIBE\nid:1\ndestination:/amq/queue/none\n\n",
        "not_found",
        "NOT_FOUND - no queue 'none' in vhost '/'",
        True,
    ),
    (
        "SUBSCRIBE\nid:1\ndestination:/exchange/none/k\n\n",
        "not_found",
        "NOT_FOUND - no exchange 'none' in vhost '/'",
        True,
    ),
    (
        "SEND\ndestination:/exchange/none/k\n\nx",
        "not_found",
        "NOT_FOUND - no exchange 'none' in vhost '/'",
        True,
    ),
    (
        "SEND\ndestination:/exchange/\n\nx",
        "Invalid destination",
        "'/' is not a valid exchange destination\n",
        False,
    ),
]

#: What RabbitMQ cannot be asked in the same words, or says less about ("Processing error").
OURS: list[tuple[str, str, str, bool]] = [
    (
        f"SEND\ndestination:/topic/{'x' * 1024}\n\nx",
        "Invalid destination",
        "It is longer than 1024 characters.\n",
        False,
    ),
    (
        f"SUBSCRIBE\nid:{'x' * 1025}\ndestination:/topic/a\n\n",
        "Invalid id",
        "SUBSCRIBE 'id' is longer than 1024 characters.\n",
        False,
    ),
    ("ACK\nid:9.1\n\n", "Subscription not found", 'Message with id "9.1" has no subscription', False),
    (
        "SUBSCRIBE\nid:1\ndestination:/topic/a\nack:client\nprefetch-count:x\n\n",
        "Invalid header",
        "'prefetch-count' has the value 'x' on 'SUBSCRIBE'.\n",
        False,
    ),
    (
        "SUBSCRIBE\nid:1\ndestination:/topic/a\nack:maybe\n\n",
        "Invalid header",
        "'ack' has the value 'maybe' on 'SUBSCRIBE'.\n",
        False,
    ),
]


class Closed(EmbeddedBroker):
    """Admits nobody."""

    def admits(self, passcode: str | None) -> bool:
        return False


async def check_refusal(
    url: str, frame: str, message: str, detail: str, closes: bool, *, followed: bool = True
) -> None:
    """Send the frame between two that are right (or behind one), and see what becomes of all."""
    async with tcp_stomp(url) as client:
        client.send("SUBSCRIBE", {"id": "taken", "destination": "/topic/b", "receipt": "first"})
        await client.expect("RECEIPT")
        client.writer.write(frame.encode() + b"\0")
        if followed:
            client.send("SEND", {"destination": "/topic/b", "receipt": "next"}, b"x")
        error = await client.expect("ERROR")
        assert error.headers["message"] == message
        assert error.body.decode() == detail
        assert error.headers["version"] == "1.0,1.1,1.2"
        assert error.headers["content-type"] == "text/plain"
        if closes:
            assert await client.frame() is None
        else:
            answers = [await client.frame() for _ in range(2)]
            assert {frame.command for frame in answers if frame is not None} == {"MESSAGE", "RECEIPT"}


@pytest.mark.parametrize(("frame", "message", "detail", "closes"), REFUSALS + OURS)
async def test_errors_use_rabbitmqs_words_and_most_leave_the_connection(
    frame: str, message: str, detail: str, closes: bool
) -> None:
    async with EmbeddedBroker() as broker:
        await check_refusal(broker.url, frame, message, detail, closes)
        assert broker.messages == (0 if closes else 1)


async def test_these_are_rabbitmqs_words(rabbitmq: VirtualHost) -> None:
    for frame, message, detail, closes in REFUSALS:
        told = detail.replace("vhost '/'", f"vhost '{rabbitmq.name}'")
        # A frame that finds the channel closed before RabbitMQ has told why makes it say "Processing error".
        await check_refusal(rabbitmq.stomp_url, frame, message, told, closes, followed=not closes)


@pytest.mark.parametrize(
    "frame", [b"SEND\nno colon\n\nx\0", b"CONNECT\naccept-version:1.2\n\n\0", b"no\n\n\0"]
)
async def test_what_nothing_can_follow_ends_the_connection(frame: bytes) -> None:
    async with EmbeddedBroker() as broker, tcp_stomp(broker.url) as client:
        client.writer.write(frame)
        await client.expect("ERROR")
        assert await client.frame() is None


async def test_before_connect_nothing_is_allowed() -> None:
    async with EmbeddedBroker() as broker, tcp_stomp(broker.url, connect=False) as client:
        client.send("SEND", {"destination": "/topic/a"})
        error = await client.expect("ERROR")
        assert error.headers["message"] == "Illegal command"
        assert error.body == b"You must log in using CONNECT first"
        client.send("CONNECT", {"accept-version": "1.2"})
        await client.expect("CONNECTED")


async def test_what_is_pipelined_behind_a_refused_connect_is_refused_too() -> None:
    async with Closed() as broker, tcp_stomp(broker.url, connect=False) as client:
        client.send("CONNECT", {"accept-version": "1.2", "login": "joe"})
        client.send("SEND", {"destination": "/queue/a", "receipt": "r"}, b"x")
        client.send("SUBSCRIBE", {"id": "1", "destination": "/queue/a"})
        errors = [await client.expect("ERROR") for _ in range(3)]
        assert [error.headers["message"] for error in errors] == [
            "Bad CONNECT",
            "Illegal command",
            "Illegal command",
        ]
        assert errors[0].body == b"Access refused for user 'joe'\n"
        assert errors[1].headers["receipt-id"] == "r"
        assert (broker.messages, broker.exchange.bindings) == (0, 0)


async def test_only_the_refused_one_of_several_frames_fails() -> None:
    async with EmbeddedBroker() as broker, tcp_stomp(broker.url) as client:
        for name in ("/topic/a", "/x", "/topic/b"):
            client.send("SEND", {"destination": name, "receipt": name})
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "/topic/a"
        assert (await client.expect("ERROR")).headers["receipt-id"] == "/x"
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "/topic/b"
        assert broker.messages == 2


async def test_a_refused_subscription_id_is_free() -> None:
    async with EmbeddedBroker() as broker, tcp_stomp(broker.url) as client:
        client.send("SUBSCRIBE", {"id": "1", "destination": "/x"})
        await client.expect("ERROR")
        client.send("SUBSCRIBE", {"id": "1", "destination": "/topic/a", "receipt": "r"})
        await client.expect("RECEIPT")


async def test_who_does_nothing_but_err_is_cut() -> None:
    async with EmbeddedBroker(limits=BrokerLimits(errors=3)) as broker, tcp_stomp(broker.url) as client:
        for _ in range(5):
            client.send("ACK", {"id": "1.1"})
        for _ in range(3):
            await client.expect("ERROR")
        assert await client.frame() is None


async def test_too_many_connections_and_subscriptions_are_turned_away() -> None:
    limits = BrokerLimits(peers=1, subscriptions=2)
    async with EmbeddedBroker(limits=limits) as broker, tcp_stomp(broker.url) as client:
        async with tcp_stomp(broker.url, connect=False) as second:
            assert await second.frame() is None
        for id in "123":
            client.send("SUBSCRIBE", {"id": id, "destination": "/queue/a"})
        assert (await client.expect("ERROR")).headers["message"] == "Too many subscriptions"
        assert broker.exchange.bindings == 2

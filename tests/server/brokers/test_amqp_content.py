"""Headers of STOMP as AMQP's and back, byte for byte as pamqp and RabbitMQ's plugin understand them."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from core.errors import BrokerUnavailable
from core.protocol import Frame, StompParser
from server.brokers.amqp_content import decode_content, encode_content
from server.brokers.amqp_delivery import AmqpDelivery
from server.brokers.amqp_destinations import Address, address_of, destination_of


def as_amqp(
    headers: dict[str, str], size: int = 0, login: str = "guest"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a foreign AMQP client reads: properties that are set, and the headers table."""
    header = ContentHeader()
    header.unmarshal(encode_content(headers, size, login))
    assert header.body_size == size
    properties: dict[str, Any] = dict(header.properties)
    table = properties.pop("headers")
    return {name: value for name, value in properties.items() if value not in (None, "")}, table


def as_stomp(**properties: Any) -> dict[str, str]:
    """What a MESSAGE of a foreign AMQP client's message carries, in order."""
    payload = ContentHeader(properties=Basic.Properties(**properties)).marshal()
    return {name.decode(): value.decode() for name, value in decode_content(payload)}


def test_a_plain_send_sets_nothing_but_an_empty_table() -> None:
    assert as_amqp({}, 7) == ({}, {})


@pytest.mark.parametrize(
    ("header", "value", "name", "expected"),
    [
        ("content-type", "application/json;charset=UTF-8", "content_type", "application/json;charset=UTF-8"),
        ("content-encoding", "gzip", "content_encoding", "gzip"),
        ("persistent", "true", "delivery_mode", 2),
        ("priority", "5", "priority", 5),
        ("correlation-id", "c1", "correlation_id", "c1"),
        ("reply-to", "/queue/answers", "reply_to", "/queue/answers"),
        ("expiration", "30000", "expiration", "30000"),
        ("amqp-message-id", "m1", "message_id", "m1"),
        ("type", "greeting", "message_type", "greeting"),
        ("user-id", "guest", "user_id", "guest"),
        ("app-id", "demo", "app_id", "demo"),
    ],
)
def test_headers_with_a_property_of_their_own(header: str, value: str, name: str, expected: object) -> None:
    assert as_amqp({header: value, "mine": "1"}) == ({name: expected}, {"mine": "1"})


def test_a_timestamp_is_seconds() -> None:
    properties, _ = as_amqp({"timestamp": "86400"})
    assert properties["timestamp"] == datetime.datetime(1970, 1, 2, tzinfo=datetime.UTC)


def test_all_properties_at_once_stay_in_the_order_of_the_wire() -> None:
    headers = {
        "app-id": "a",
        "user-id": "joe",
        "type": "t",
        "timestamp": "1",
        "amqp-message-id": "m",
        "expiration": "9",
        "reply-to": "/topic/r",
        "correlation-id": "c",
        "priority": "0",
        "persistent": "true",
        "content-encoding": "e",
        "content-type": "text/plain",
    }
    properties, table = as_amqp({**headers, "x": "y"}, login="joe")
    assert len(properties) == 12 and table == {"x": "y"}
    back = decode_content(encode_content({"x": "y", **headers}, 3, "joe"))
    assert {name.decode(): value.decode() for name, value in back} == {"x": "y", **headers}
    assert [name.decode() for name, _ in back] == ["x", *headers]  # the plugin's order


@pytest.mark.parametrize(
    "name", ["content-length", "receipt", "transaction", "destination", "message-id", "ack"]
)
def test_what_concerns_the_senders_connection_stays_behind(name: str) -> None:
    assert as_amqp({name: "1", "keep": "2"}) == ({}, {"keep": "2"})


def test_not_persistent_is_not_said() -> None:
    assert as_amqp({"persistent": "false"}) == ({}, {})


def test_expires_is_a_header_like_any_other() -> None:
    assert as_amqp({"expires": "1"}) == ({}, {"expires": "1"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("priority", "high"),
        ("priority", "256"),
        ("timestamp", "-1"),
        ("timestamp", "٣"),
        ("expiration", "soon"),
        ("expiration", "4294967296"),
        ("user-id", "somebody"),
        ("content-type", "x" * 256),
        ("n" * 256, "x"),
    ],
)
def test_what_rabbitmq_would_close_the_channel_over_is_refused_here(name: str, value: str) -> None:
    with pytest.raises(BrokerUnavailable):
        encode_content({name: value}, 0, "guest")


def test_the_way_back_of_a_publication_by_aio_pika() -> None:
    found = as_stomp(
        content_type="application/json", delivery_mode=2, priority=0, message_id="d0fe", headers={"mine": "1"}
    )
    assert list(found.items()) == [
        ("mine", "1"),
        ("amqp-message-id", "d0fe"),
        ("priority", "0"),
        ("persistent", "true"),
        ("content-type", "application/json"),
    ]


def test_delivery_mode_1_is_not_worth_a_header() -> None:
    assert as_stomp(delivery_mode=1) == {}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [("amq.gen-1", "/reply-queue/amq.gen-1"), ("/queue/a", "/queue/a"), ("/temp-queue/a", "/temp-queue/a")],
)
def test_reply_to_is_a_destination(reply: str, expected: str) -> None:
    assert as_stomp(reply_to=reply) == {"reply-to": expected}


def test_values_of_a_foreign_table_that_can_be_text() -> None:
    table = {
        "text": "ü",
        "small": 5,
        "negative": -5,
        "short": 3000,
        "long": 100_000,
        "huge": 1 << 40,
        "yes": True,
        "no": False,
        "float": 1.5,
        "nothing": None,
        "list": ["a", 1],
        "dict": {"a": "b"},
        "bytes": bytearray(b"\0"),
        "when": datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
        "last": "there",
    }
    assert as_stomp(headers=table) == {
        "text": "ü",
        "small": "5",
        "negative": "-5",
        "short": "3000",
        "long": "100000",
        "huge": str(1 << 40),
        "yes": "true",
        "no": "false",
        "last": "there",
    }


def test_a_table_cannot_hide_what_a_message_carries_itself() -> None:
    table = {"destination": "/topic/forged", "subscription": "1", "content-type": "x/y", "message-id": "1"}
    assert as_stomp(content_type="application/json", headers=table) == {"content-type": "application/json"}
    assert as_stomp(content_type="a/b", priority=1, headers=table) == {"priority": "1", "content-type": "a/b"}


TEXT = st.text(st.characters(blacklist_categories=("Cs",)), max_size=40)
NAME = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=20)


@given(st.dictionaries(NAME.map(lambda name: f"h-{name}"), TEXT, max_size=8), TEXT)
def test_there_and_back_is_the_identity(headers: dict[str, str], kind: str) -> None:
    given_headers = {**headers, "content-type": kind}
    back = {name.decode(): value.decode() for name, value in decode_content(encode_content(given_headers, 1))}
    assert back == given_headers


@given(st.binary(max_size=80))
def test_nonsense_from_the_broker_is_no_accident(noise: bytes) -> None:
    decode_content(noise)
    decode_content(encode_content({}, 0)[:12] + noise)


@given(st.binary(min_size=14, max_size=60), st.binary(max_size=20))
def test_a_message_for_clients_is_always_a_frame(content: bytes, body: bytes) -> None:
    delivery = AmqpDelivery(b"amq.topic", b"a", content, body, b"m-1", False, "")
    frame = client_frame(delivery)
    assert frame.body == body


def client_frame(delivery: AmqpDelivery) -> Frame:
    """The MESSAGE that a client gets."""
    (item,) = StompParser().feed(b"MESSAGE\nsubscription:s\n" + delivery.outgoing().tail)
    assert isinstance(item, Frame)
    return item


SAYABLE = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=20)


@given(
    st.dictionaries(SAYABLE.map(lambda name: f"h-{name}"), SAYABLE, max_size=4),
    st.binary(max_size=20),
    SAYABLE,
)
def test_the_short_way_and_the_long_way_give_clients_the_same(
    headers: dict[str, str], body: bytes, original: str
) -> None:
    sent = {
        **headers,
        "content-type": "text/plain",
        "ps-id": "1.2",
        "simpOrigDestination": f"/user/{original}",
    }
    delivery = AmqpDelivery(b"amq.topic", b"a", encode_content(sent, len(body)), body, b"m-1", False, "")
    frame = client_frame(delivery)
    assert frame.body == body
    assert {name: frame.headers[name] for name in headers} == headers
    assert frame.headers["destination"] == f"/user/{original}"
    assert frame.headers["message-id"] == "m-1"
    assert "simpOrigDestination" not in frame.headers
    assert delivery.outgoing().id == "1.2"


def test_headers_that_stomp_cannot_carry_are_left_out() -> None:
    content = ContentHeader(
        properties=Basic.Properties(headers={"": "1", "a\0": "2", "b": "\0", "c": "3"})
    ).marshal()
    delivery = AmqpDelivery(b"amq.topic", b"a", content, b"", b"m-1", False, "")
    headers = client_frame(delivery).headers
    assert {name: value for name, value in headers.items() if len(name) < 3} == {"c": "3"}


def test_a_redelivered_message_says_so() -> None:
    delivery = AmqpDelivery(b"", b"q", encode_content({}, 1), b"x", b"m-1", True, "t")
    assert delivery.headers["redelivered"] == "true"
    assert client_frame(delivery).headers["redelivered"] == "true"


@pytest.mark.parametrize(
    ("destination", "address"),
    [
        ("/topic/a.b", Address("amq.topic", "a.b")),
        ("/topic/a%2Fb", Address("amq.topic", "a/b")),
        ("/topic/50%", Address("amq.topic", "50%")),
        ("/queue/work", Address("", "work", declare=True)),
        ("work", Address("", "work", declare=True)),
        ("/amq/queue/work", Address("", "work")),
        ("/exchange/logs", Address("logs", "")),
        ("/exchange/logs/a%2Fb", Address("logs", "a/b")),
        ("/exchange/amq.topic/a", Address("amq.topic", "a")),
        ("/reply-queue/a/b", Address("", "a/b", consumable=False)),
    ],
)
def test_destinations(destination: str, address: Address) -> None:
    assert address_of(destination) == address


@pytest.mark.parametrize(
    ("destination", "words"),
    [
        ("/topic/a/b", "'/a/b' is not a valid topic destination"),
        ("/topic/", "'/' is not a valid topic destination"),
        ("/queue/a/b", "'/a/b' is not a valid queue destination"),
        ("/exchange/a/b/c", "'/a/b/c' is not a valid exchange destination"),
        ("/foo/bar", "'/foo/bar' is not a valid destination. Valid destination types are: "),
        ("/topicx", "is not a valid destination"),
        ("", "is not a valid destination"),
        ("/topic/" + "x" * 256, "longer than the 255 bytes"),
    ],
)
def test_what_is_no_destination(destination: str, words: str) -> None:
    with pytest.raises(BrokerUnavailable) as refused:
        address_of(destination)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("exchange", "key", "destination"),
    [
        ("amq.topic", "a.b", "/topic/a.b"),
        ("amq.topic", "a/b", "/topic/a%2Fb"),
        ("amq.topic", "50%", "/topic/50%25"),
        ("amq.topic", "ü\n", "/topic/%C3%BC%0A"),
        ("", "work", "/queue/work"),
        ("logs", "", "/exchange/logs"),
        ("logs", "a", "/exchange/logs/a"),
    ],
)
def test_the_destination_of_a_message_is_rebuilt(exchange: str, key: str, destination: str) -> None:
    assert destination_of(exchange.encode(), key.encode()) == destination.encode()

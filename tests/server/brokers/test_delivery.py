"""Passing frames on as bytes must be the same as taking them apart and putting them together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.protocol import Frame, StompParser, encode, message_opening
from server.brokers.delivery import Delivery, ParsedDelivery, RawDelivery, pass_messages, pass_sends
from server.messages.message import Message, RawMessage

_names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
_values = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
_known = st.sampled_from(
    ["ps-id", "content-type", "simpOrigDestination", "redelivered", "mine", "destination"]
)
_headers = st.dictionaries(_names | _known, _values | st.just("application/octet-stream"), max_size=5)
_bodies = st.binary(max_size=40)


def parsed(data: bytes) -> list[Frame]:
    """What the parser makes of bytes, which must be well-formed."""
    frames = StompParser().feed(data)
    assert all(isinstance(frame, Frame) for frame in frames), frames
    return [frame for frame in frames if isinstance(frame, Frame)]


def client_frame(delivery: Delivery) -> tuple[Frame, bool, str | None]:
    message = delivery.outgoing()
    (frame,) = parsed(message_opening("0") + message.tail)
    return frame, message.binary, message.id


@given(headers=_headers, body=_bodies)
def test_a_raw_message_is_for_the_client_what_the_parsed_one_is(headers: dict[str, str], body: bytes) -> None:
    base = {"subscription": "7", "destination": "/topic/a-user1", "message-id": "m-1"}
    data = encode("MESSAGE", {**base, **headers, **base}, body)
    found: list[tuple[str, RawDelivery]] = []
    rest = pass_messages(data, lambda id, delivery: found.append((id, delivery)))
    if not found:
        assert rest == 0
        return
    assert rest == len(data)
    ((id, raw),) = found
    (frame,) = parsed(data)
    assert id == "7"
    assert raw.body == body
    through_parser = ParsedDelivery.of(frame)
    got, expected = client_frame(raw), client_frame(through_parser)
    assert (got[0].body, got[1:]) == (expected[0].body, expected[1:])
    ignored = {"redelivered"}  # the parsed way drops it wherever it stands
    assert {name: value for name, value in got[0].headers.items() if name not in ignored} == expected[
        0
    ].headers
    wanted = {name: value for name, value in raw.headers.items() if name not in ignored | {"content-length"}}
    assert wanted == {
        name: value
        for name, value in frame.headers.items()
        if name not in ignored | {"subscription", "content-length"}
    }


@given(headers=_headers, body=_bodies)
def test_a_raw_send_is_for_the_receiver_what_the_parsed_one_is(headers: dict[str, str], body: bytes) -> None:
    data = encode("SEND", {**headers, "destination": "/topic/a"}, body)
    found: list[tuple[str, bytes]] = []
    rest = pass_sends(data, lambda destination, rest: found.append((destination, rest)))
    if not found:
        assert rest == 0
        return
    ((destination, after),) = found
    (frame,) = parsed(data)
    opening = message_opening("3")
    (got,) = parsed(opening + RawMessage(destination, after, 1).tail)
    (expected,) = parsed(opening + Message("/topic/a", frame.headers, frame.body, "m-1").tail)
    assert (got.headers, got.body) == (expected.headers, expected.body)


def test_what_our_encoders_write_for_a_push_takes_the_short_way() -> None:
    headers = {
        "destination": "/topic/greetings-user0123456789abcdef",
        "simpOrigDestination": "/user/topic/greetings",
        "ps-id": "run.i1.joe.1",
        "content-type": "application/json",
    }
    send = encode("SEND", headers, b"{}")
    found: list[tuple[str, bytes]] = []
    assert pass_sends(send * 3, lambda destination, rest: found.append((destination, rest))) == 3 * len(send)
    message = message_opening("5") + RawMessage(*found[0], 1).tail
    got: list[RawDelivery] = []
    assert pass_messages(message * 2 + message[:-5], lambda id, delivery: got.append(delivery)) == 2 * len(
        message
    )
    outgoing = got[0].outgoing()
    assert outgoing.id == "run.i1.joe.1"
    assert b"destination:/user/topic/greetings\n" in outgoing.tail
    assert b"simpOrigDestination" not in outgoing.tail


def test_what_is_unusual_is_left_to_the_parser() -> None:
    def passed(data: bytes) -> int:
        return pass_sends(data, lambda destination, rest: None)

    good = b"SEND\ndestination:/topic/a\na:b\ncontent-length:1\n\nx\0"
    assert passed(good) == len(good)
    for bad in (
        good[:-1],
        good.replace(b"a:b", b"a:\\n"),
        good.replace(b"a:b", b"broken"),
        good.replace(b"a:b", b"receipt:1"),
        good.replace(b"a:b", b"transaction:1"),
        good.replace(b"a:b", b"message-id:1"),
        good.replace(b"a:b", b"content-length:0"),
        good.replace(b"a:b", b":b"),
        good.replace(b"a:b", b"a:b\r"),
        good.replace(b"a:b", "ü:b".encode()),
        good.replace(b"/topic/a", b"/topic/a/b"),
        good.replace(b"/topic/a", b"/queue/a"),
        good.replace(b"content-length:1", b"content-length:2"),
        good.replace(b"content-length:1", b"content-length:0"),
        b"\n" + good,
    ):
        assert passed(bad) == 0, bad


def test_a_message_that_is_not_utf8_goes_out_as_binary() -> None:
    headers = {"subscription": "1", "destination": "/topic/a", "message-id": "m"}
    data = encode("MESSAGE", headers, b"\xff\xfe")
    assert pass_messages(data, lambda id, delivery: None) == 0
    (frame,) = parsed(data)
    outgoing = ParsedDelivery.of(frame).outgoing()
    assert outgoing.binary
    assert outgoing.tail.endswith(b"\xff\xfe\0")

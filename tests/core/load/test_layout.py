"""The short way for usual MESSAGE frames never says anything but what the parser says."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.load.layout import MessageLayout
from core.protocol import BROKER_LIMITS, Frame, StompParser, encode

USUAL = {"subscription": "0", "destination": "/user/topic/g", "message-id": "i1-7", "ps-id": "r.i1.u.7"}


def learned(headers: dict[str, str], body: bytes = b"body") -> MessageLayout:
    layout = MessageLayout()
    layout.learn(parsed(encode("MESSAGE", headers, body)))
    return layout


def parsed(data: bytes) -> Frame:
    (frame,) = StompParser(BROKER_LIMITS).feed(data)
    assert isinstance(frame, Frame)
    return frame


def test_before_it_has_learned_it_reads_nothing() -> None:
    assert MessageLayout().read(encode("MESSAGE", USUAL, b"x")) is None


@pytest.mark.parametrize("body", [b"", b"x", b"\0", b"a\0b\n\n\0", b"y" * 100_000])
def test_it_reads_id_and_body_of_the_like(body: bytes) -> None:
    layout = learned(USUAL)
    assert layout.read(encode("MESSAGE", {**USUAL, "ps-id": "r.i2.u.8"}, body)) == ("r.i2.u.8", body)


def test_without_an_id() -> None:
    headers = {"subscription": "0", "destination": "/d", "message-id": "1"}
    assert learned(headers).read(encode("MESSAGE", headers, b"x")) == (None, b"x")


def test_the_length_may_come_first() -> None:
    data = b"MESSAGE\ncontent-length:1\nps-id:a\n\nx\0"
    layout = MessageLayout()
    layout.learn(parsed(data))
    assert layout.read(data) == ("a", b"x")


def test_other_headers_are_learned_anew() -> None:
    layout = learned(USUAL)
    other = encode("MESSAGE", {**USUAL, "content-type": "text/plain"}, b"x")
    assert layout.read(other) is None
    layout.learn(parsed(other))
    assert layout.read(other) == ("r.i1.u.7", b"x")


@pytest.mark.parametrize(
    "data",
    [
        encode("MESSAGE", USUAL, b"x") * 2,
        encode("MESSAGE", USUAL, b"x") + b"\n",
        encode("MESSAGE", USUAL, b"x")[:-1],
        encode("MESSAGE", USUAL, b"x")[:20],
        encode("MESSAGE", {**USUAL, "ps-id": "with:colon"}, b"x"),
        encode("MESSAGE", {**USUAL, "message-id": "zwölf"}, b"x"),
        encode("ERROR", USUAL, b"x"),
        b"\n" + encode("MESSAGE", USUAL, b"x"),
        encode("MESSAGE", USUAL, b"xy").replace(b"length:2", b"length:1"),
        encode("MESSAGE", USUAL, b"xy").replace(b"length:2", b"length:02"),
        encode("MESSAGE", USUAL, b"x").replace(b"\n", b"\r\n"),
        encode("MESSAGE", {**USUAL, "message-id": "x" * 20_000}, b"x"),
        b"",
    ],
)
def test_what_is_unusual_is_left_to_the_parser(data: bytes) -> None:
    assert learned(USUAL).read(data) is None


values = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
names = st.sampled_from(["subscription", "destination", "message-id", "ps-id", "content-type", "x y", "é"])
headers = st.dictionaries(names, values)


@given(headers, headers, st.binary(max_size=60), st.data())
@example({"ps-id": "a"}, {"ps-id": "b"}, b"body", None)
def test_what_it_reads_is_what_the_parser_reads(
    first: dict[str, str], second: dict[str, str], body: bytes, data: st.DataObject | None
) -> None:
    layout = learned(first, body)
    stream = bytearray(encode("MESSAGE", second, body))
    if data is not None and data.draw(st.booleans()):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    read = layout.read(bytes(stream))
    if read is not None:
        (frame,) = StompParser(BROKER_LIMITS).feed(bytes(stream))
        assert isinstance(frame, Frame)
        assert (frame.command, frame.get("ps-id"), frame.body) == ("MESSAGE", *read)
    elif data is None:
        raise AssertionError("the usual was not read")

"""The message reader against websockets' own protocol, and by the rules of RFC 6455."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

from core.transport import MessageReader


def frame(opcode: int, data: bytes, *, fin: bool = True, rsv1: bool = False) -> bytes:
    """A server's frame, also a wrong one."""
    first = (0x80 if fin else 0) | (0x40 if rsv1 else 0) | opcode
    if len(data) < 126:
        return bytes([first, len(data)]) + data
    if len(data) < 65536:
        return bytes([first, 126]) + struct.pack("!H", len(data)) + data
    return bytes([first, 127]) + struct.pack("!Q", len(data)) + data


def fragmented(opcode: int, pieces: list[bytes], between: bytes = b"") -> bytes:
    """One message in fragments, with a control frame between them."""
    frames = [
        frame(opcode if index == 0 else 0, piece, fin=index == len(pieces) - 1)
        for index, piece in enumerate(pieces)
    ]
    return between.join(frames)


texts = st.text(max_size=300).map(str.encode)
binaries = st.binary(max_size=300) | st.sampled_from([126, 65535, 65536]).map(lambda n: b"\xfe" * n)
pings = st.binary(max_size=125).map(lambda data: frame(9, data))
whole = st.one_of(
    texts.map(lambda data: (frame(1, data), [data])),
    binaries.map(lambda data: (frame(2, data), [data])),
    pings.map(lambda data: (data, list[bytes]())),
    st.tuples(st.lists(st.binary(max_size=40), min_size=2, max_size=4), pings).map(
        lambda both: (fragmented(2, both[0], both[1]), [b"".join(both[0])])
    ),
)


@given(st.lists(whole, max_size=12), st.data())
def test_any_split_gives_the_same_messages(
    parts: list[tuple[bytes, list[bytes]]], data: st.DataObject
) -> None:
    stream = b"".join(part for part, _ in parts) + frame(8, struct.pack("!H", 4000) + b"bye") + b"ignored"
    expected = [message for _, messages in parts for message in messages]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    reader = MessageReader()
    got: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += reader.feed(stream[start:end])
    assert got == expected
    assert (reader.close_code, reader.close_reason, reader.failure) == (4000, "bye", "")
    whole_reader = MessageReader()
    assert whole_reader.feed(stream) == expected
    assert len(whole_reader.output) == len(reader.output)


def test_byte_by_byte() -> None:
    twelve = "zwölf".encode()
    stream = frame(1, b"a" * 200) + fragmented(1, [twelve[:3], twelve[3:]]) + frame(2, b"")
    reader = MessageReader()
    got = [message for index in range(len(stream)) for message in reader.feed(stream[index : index + 1])]
    assert got == [b"a" * 200, twelve, b""]


def test_a_ping_is_answered_and_the_protocol_let_go_of() -> None:
    reader = MessageReader()
    assert reader.feed(frame(9, b"are you there") + frame(1, b"data")) == [b"data"]
    server = Protocol(Side.SERVER)
    server.receive_data(reader.output)
    (pong,) = server.events_received()
    assert isinstance(pong, Frame)
    assert (pong.opcode, bytes(pong.data)) == (Opcode.PONG, b"are you there")
    assert reader._protocol is None  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("bad", "code", "words"),
    [
        (bytes([0x81, 0x85]) + b"maskhello", 1002, "masking"),
        (frame(3, b"x"), 1002, "opcode"),
        (frame(1, b"x", rsv1=True), 1002, "reserved"),
        (frame(0, b"x"), 1002, "unexpected continuation"),
        (frame(1, b"x", fin=False) + frame(1, b"y"), 1002, "expected a continuation"),
        (frame(9, b"x" * 126), 1002, "control frame too long"),
        (frame(9, b"x", fin=False), 1002, "fragmented control"),
        (frame(8, b"x"), 1002, "close frame too short"),
        (frame(8, struct.pack("!H", 999)), 1002, "invalid status code"),
        (frame(1, b"\xff\xfe"), 1007, "UTF-8"),
        (fragmented(1, [b"\xc3", b"("]), 1007, "UTF-8"),
        (frame(2, b"x" * 1001), 1009, "1001 bytes"),
        (fragmented(2, [b"x" * 600, b"x" * 600]), 1009, "600 bytes"),
        (bytes([0x82, 127]) + struct.pack("!Q", 1 << 62), 1009, "bytes"),
    ],
)
def test_what_breaks_the_rules_ends_it_with_a_code(bad: bytes, code: int, words: str) -> None:
    for step in (1, 3, 10_000):
        reader = MessageReader(max_message=1000)
        stream = frame(1, b"before") + bad + frame(1, b"after")
        got: list[bytes] = []
        for start in range(0, len(stream), step):
            got += reader.feed(stream[start : start + step])
        assert got == [b"before"]
        assert reader.closing
        assert reader.failure_code == code
        assert words in reader.failure
        server = Protocol(Side.SERVER)
        server.receive_data(reader.output)
        assert server.close_rcvd is not None
        assert server.close_rcvd.code == code


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_garbage_never_raises(chunks: list[bytes]) -> None:
    reader = MessageReader(max_message=1000)
    for chunk in chunks:
        reader.feed(chunk)


def test_after_our_close_messages_still_come_until_the_peers_close_frame() -> None:
    reader = MessageReader()
    reader.start_close(1000, "done")
    first = reader.output
    assert reader.closing
    assert reader.feed(frame(1, b"under way")) == [b"under way"]
    assert reader.feed(frame(8, struct.pack("!H", 1000)) + frame(1, b"no")) == []
    assert reader.feed(frame(1, b"no")) == []
    reader.start_close(1000, "again")
    assert reader.output == first
    assert reader.close_code == 1000


def test_a_close_frame_without_a_code_is_1005() -> None:
    reader = MessageReader()
    reader.feed(frame(8, b""))
    assert reader.close_code == 1005


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_what_is_encoded_is_what_a_server_reads(data: bytes) -> None:
    server = Protocol(Side.SERVER)
    server.receive_data(MessageReader().encode(data))
    (event,) = server.events_received()
    assert isinstance(event, Frame)
    assert bytes(event.data) == data
    if event.opcode is Opcode.TEXT:
        data.decode()

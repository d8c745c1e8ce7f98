"""Whatever bytes come: no exception leaves the parser or a session, and cost stays bounded.

Time is bounded by the timeout of a test: what is read here byte by byte would take hours if bytes
were looked at again and again.
"""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import RemoteProtocolError
from core.protocol import (
    CLIENT_LIMITS,
    ClientSession,
    Limits,
    Malformed,
    ServerSession,
    StompParser,
    encode,
    sockjs,
    sockjs_client,
)

from ..properties.strategies import broken_streams

CONNECT = encode("CONNECT", {"accept-version": "1.2,1.1,1.0", "host": "x", "heart-beat": "1000,1000"})
FRAMES = [
    CONNECT,
    encode("SUBSCRIBE", {"id": "sub-0", "destination": "/user/topic/greetings", "receipt": "r:1"}),
    encode("SEND", {"destination": "/app/hello", "transaction": "t"}, b'{"a":\0"b"}'),
    encode("BEGIN", {"transaction": "t"}),
    encode("COMMIT", {"transaction": "t"}),
    encode("ACK", {"id": "1", "transaction": "t"}),
    encode("UNSUBSCRIBE", {"id": "sub-0"}),
    encode("CONNECTED", {"version": "1.2", "heart-beat": "0,0"}),
    encode("MESSAGE", {"subscription": "sub-0", "destination": "/topic/a", "message-id": "1"}, b"x" * 50),
    encode("RECEIPT", {"receipt-id": "r"}),
    encode("ERROR", {"message": "no"}, b"body"),
    encode("DISCONNECT", {"receipt": "close-1"}),
    b"\n",
    b"\r\n",
]
SYNTAX = [b"\0", b"\n", b"\r\n", b"\r", b":", b"\\", b"\\c", b"\\x", b"content-length:7\n", b"\xff", b"\xc3"]


def mutated(dice: random.Random) -> bytes:
    """Some frames with some damage."""
    wire = bytearray(b"".join(dice.choices(FRAMES, k=dice.randint(1, 5))))
    for _ in range(dice.randint(0, 6)):
        at = dice.randrange(len(wire) + 1)
        match dice.randrange(4):
            case 0:
                wire[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                del wire[at : at + dice.randint(1, 20)]
            case 2:
                wire[at:at] = dice.choice(SYNTAX)
            case _:
                wire[at:at] = wire[: dice.randint(1, 30)]
    return bytes(wire)


def chunks(wire: bytes, dice: random.Random) -> list[bytes]:
    size = dice.choice([1, 3, 16, 100_000])
    return [wire[i : i + size] for i in range(0, len(wire), size)]


@pytest.mark.parametrize("seed", range(10))
def test_damaged_frames(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(400):
        wire = mutated(dice)
        server = ServerSession(session_id="s", server_name="Pushscope")
        client = ClientSession()
        client.connect("x")
        for connected, session in ((server.receive, server), (client.receive, client)):
            if dice.random() < 0.7:
                connected(CONNECT if session is server else FRAMES[7], 0.0)
            dead = False
            for chunk in chunks(wire, dice):
                events = connected(chunk, 1.0)
                assert not (dead and events)
                broken = [event for event in events if isinstance(event, Malformed)]
                assert broken in ([], events[-1:])
                dead = dead or bool(broken)


@given(st.binary(max_size=400) | broken_streams())
def test_random_bytes(wire: bytes) -> None:
    parser = StompParser(Limits(max_frame=200, max_body=100, max_header_line=50, max_headers=5))
    events = parser.feed(wire)
    for event in events[:-1]:
        assert not isinstance(event, Malformed)
    if events and isinstance(events[-1], Malformed):
        assert str(events[-1].error)
        assert parser.feed(b"SEND\n\n\0") == []
    assert parser.buffered <= 201


@given(st.binary(max_size=200) | broken_streams())
def test_a_violation_always_has_an_answer_that_is_one_error_frame(wire: bytes) -> None:
    session = ServerSession(session_id="s", server_name="Pushscope")
    for event in session.receive(CONNECT + wire, 0.0):
        if isinstance(event, Malformed):
            client = ClientSession()
            [answer] = StompParser().feed(event.error.answer)
            assert getattr(answer, "command", None) == "ERROR"
            assert client.receive(event.error.answer, 0.0)


@pytest.mark.parametrize(
    "wire",
    [
        b"SEND\n" + b"a" * 3_000_000,
        b"SEND\n" + b"a:b\n" * 500_000,
        b"\n" * 1_000_000,
        b"\0" * 1_000_000,
        b"\r\n" * 500_000,
        b"SEND\r\n\r\n\0" * 60_000,
        b"SEND\ncontent-length:3\n\n\0\0\0\0" * 40_000,
        b"SEND\ncontent-length:60000\n\n" + b"\0" * 60_000,
        b"SEND\n\n" + b"\n" * 60_000,
        b"SEND\na:" + b"\\\\" * 8000 + b"\n\n\0",
    ],
    ids=[
        "long line", "headers", "heart-beats", "nul", "crlf", "crlf frames", "nul bodies", "nul body",
        "lf body", "escapes",
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [7, 65_536, 10_000_000])
def test_cost_is_linear(wire: bytes, size: int) -> None:
    parser = StompParser()
    for i in range(0, len(wire), size):
        parser.feed(wire[i : i + size])
        assert parser.buffered <= CLIENT_LIMITS.max_frame + size
        if parser.dead:
            break


def test_a_head_at_its_limits_does_not_multiply_in_memory() -> None:
    """The dearest frame that the limits allow, kept as events are kept: a few times its bytes."""
    head = b"".join(b"%d:%b\n" % (i, b"x" * 600) for i in range(100))
    wire = b"SEND\n" + head + b"\n\0"
    tracemalloc.start()
    try:
        parser = StompParser()
        kept = [parser.feed(wire) for _ in range(20)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(kept) == 20
    assert peak < 20 * len(wire) * 3


@given(st.text(max_size=60) | st.text(st.sampled_from('a[]",\\u0d8{}c:1h'), max_size=30))
def test_sockjs_texts(text: str) -> None:
    try:
        messages = sockjs.decode_messages(text)
    except RemoteProtocolError as error:
        assert error.close_code == 1007
    else:
        assert all(type(message) is str for message in messages)
    try:
        sockjs_client.decode_frame(text)
    except RemoteProtocolError as error:
        assert "not a SockJS frame" in str(error)


def test_deeply_nested_json_is_refused() -> None:
    for text in ("[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000, "1" * 100_000):
        with pytest.raises(RemoteProtocolError):
            sockjs.decode_messages(text)

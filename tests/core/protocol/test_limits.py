"""Limits: each is enforced early, exactly, and the same however the bytes are split."""

from __future__ import annotations

import pytest

from core.protocol import BROKER_LIMITS, CLIENT_LIMITS, Frame, Limits, Malformed, StompParser

SMALL = Limits(max_frame=100, max_body=50, max_header_line=30, max_headers=3)

# what is allowed to the byte, and what is one too many
CASES = {
    "frame": (b"SEND\na:%b\nb:%b\n\n%b\0" % (b"x" * 25, b"x" * 25, b"y" * 38), b"y", "100 bytes a frame"),
    "body": (b"SEND\n\n%b\0" % (b"y" * 50), b"y", "50 bytes a body"),
    "announced body": (b"SEND\ncontent-length:50\n\n%b\0" % (b"\0" * 50), b"51", "50 bytes a body"),
    "header line": (b"SEND\na:%b\n\n\0" % (b"x" * 28), b"x", "longer than 30 bytes"),
    "header line, CRLF": (b"SEND\r\na:%b\r\n\r\n\0" % (b"x" * 27), b"x", "longer than 30 bytes"),
    "headers": (b"SEND\na:1\nb:1\na:1\n\n\0", b"c:1\n", "more than 3 headers"),
}


def beyond(name: str) -> bytes:
    allowed, more, _ = CASES[name]
    if name == "announced body":
        return allowed.replace(b":50\n", b":" + more + b"\n")
    if name == "headers":
        return allowed.replace(b"\n\n\0", b"\n" + more + b"\n\0")
    at = allowed.rindex(more)
    return allowed[:at] + more + allowed[at:]


def feed(chunks: list[bytes]) -> list[object]:
    parser = StompParser(SMALL)
    events: list[object] = []
    for chunk in chunks:
        events += parser.feed(chunk)
        assert parser.buffered <= SMALL.max_frame + len(chunk)
    return events


@pytest.mark.parametrize("name", CASES)
def test_allowed_to_the_byte(name: str) -> None:
    wire = CASES[name][0]
    for chunks in ([wire], [wire[i : i + 1] for i in range(len(wire))]):
        [frame] = feed(chunks)
        assert isinstance(frame, Frame)


@pytest.mark.parametrize("name", CASES)
def test_one_more_is_a_fault(name: str) -> None:
    wire = beyond(name)
    texts: set[str] = set()
    for chunks in ([wire], [wire[i : i + 1] for i in range(len(wire))]):
        [event] = feed(chunks)
        assert isinstance(event, Malformed)
        texts.add(str(event.error))
    assert len(texts) == 1
    assert CASES[name][2] in texts.pop()


def test_an_announced_oversize_is_refused_before_its_body_comes() -> None:
    parser = StompParser()
    [event] = parser.feed(b"SEND\ndestination:/queue/a\ncontent-length:99999999999999999999999\n\n")
    assert isinstance(event, Malformed)
    assert "exceeds the limit of 65536 bytes a body" in str(event.error)


def test_a_frame_too_big_with_its_head_is_refused_when_the_head_ends() -> None:
    parser = StompParser(SMALL)
    [event] = parser.feed(b"SEND\na:%b\nb:%b\ncontent-length:50\n\n" % (b"x" * 20, b"x" * 20))
    assert isinstance(event, Malformed)
    assert "100 bytes a frame" in str(event.error)


def test_endless_input_is_never_buffered_beyond_the_limit() -> None:
    parser = StompParser()
    parser.feed(b"SEND\n\n")
    events: list[object] = []
    for _ in range(100):
        events += parser.feed(b"x" * 1000)
        assert parser.buffered <= CLIENT_LIMITS.max_frame
    assert [type(event) for event in events] == [Malformed]


def test_a_body_as_big_as_the_limit_in_small_pieces() -> None:
    body = bytes(range(256)) * 200
    wire = b"SEND\ncontent-length:%d\n\n%b\0" % (len(body), body)
    parser = StompParser()
    events = [event for i in range(0, len(wire), 7) for event in parser.feed(wire[i : i + 7])]
    assert events == [Frame("SEND", {"content-length": str(len(body))}, body)]


def test_brokers_may_send_a_registry_snapshot() -> None:
    body = b"x" * 8_000_000
    wire = b"MESSAGE\n\n%b\0" % body
    parser = StompParser(BROKER_LIMITS)
    events = [event for i in range(0, len(wire), 262_144) for event in parser.feed(wire[i : i + 262_144])]
    assert events == [Frame("MESSAGE", {}, body)]

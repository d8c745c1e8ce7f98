"""The codec: cases 1 to 10, with our deviations (docs/wire/stomp.md §2)."""

from __future__ import annotations

import pytest

from core.protocol import HEARTBEAT, Frame, Limits, Malformed, StompParser, encode, encode_frame
from tests.support.codec import fault, parse, parse_one


def test_case_01_crlf_ends_lines() -> None:
    """Line feeds may have a carriage return before them; a frame may have neither headers nor body."""
    assert parse(b"DISCONNECT\r\n\r\n\0") == [Frame("DISCONNECT", {})]


def test_case_02_content_length_counts_nul_bytes() -> None:
    """Exactly as many bytes as announced are the body, NUL bytes among them."""
    body = b"The b\0dy \0f the message"
    [frame] = parse(b"SEND\ncontent-length:23\n\n" + body + b"\0")
    assert frame == Frame("SEND", {"content-length": "23"}, body)


@pytest.mark.parametrize("value", [b"-1", b" 5", b"+5", b"5x", b"", b"1_0", "٥".encode()])
def test_case_02_an_invalid_content_length_is_ignored(value: bytes) -> None:
    """A length that is not a plain number is as none: the body goes up to the NUL."""
    frame = parse_one(b"SEND\ncontent-length:" + value + b"\n\nThe body\0")
    assert frame.body == b"The body"


def test_case_03_escapes_there_and_back() -> None:
    """The four escapes are undone in names and values, and written again as the same bytes."""
    wire = b"DISCONNECT\n" + rb"a\c\r\n\\b:alpha\cbravo\r\n" + b"\\\\\n\n\0"
    frame = parse_one(wire)
    assert frame == Frame("DISCONNECT", {"a:\r\n\\b": "alpha:bravo\r\n\\"})
    assert encode_frame(frame) == wire


@pytest.mark.parametrize("command", ["CONNECT", "STOMP", "CONNECTED"])
def test_case_04_connect_is_not_unescaped(command: str) -> None:
    """In the frames that open a session a backslash is a backslash."""
    wire = f"{command}\nkey:\\value\n\n\0".encode()
    frame = parse_one(wire)
    assert frame == Frame(command, {"key": "\\value"})
    assert encode_frame(frame) == wire


@pytest.mark.parametrize(
    "command", ["CONNECT", "SUBSCRIBE", "ACK", "BEGIN", "DISCONNECT", "CONNECTED", "RECEIPT"]
)
def test_case_05_a_body_where_none_may_be(command: str) -> None:
    """Only SEND, MESSAGE and ERROR have a body."""
    assert fault(f"{command}\n\nbody\0".encode()) == f"{command} must not have a body; this one has 4 bytes"


def test_case_06_line_ends_after_a_frame_are_no_heartbeat() -> None:
    """What trails a frame in its chunk belongs to it."""
    assert parse(b"SEND\na:alpha\n\nMessage body\0\n\n\n") == [Frame("SEND", {"a": "alpha"}, b"Message body")]


@pytest.mark.parametrize("chunk", [b"\n", b"\n\n", b"\r\n", b"\r\n\n\r\n"])
def test_case_06_line_ends_alone_are_one_heartbeat(chunk: bytes) -> None:
    """A chunk of line ends is one heart-beat, however many there are."""
    assert parse(chunk) == [HEARTBEAT]


def test_case_06_line_ends_before_a_frame_are_no_heartbeat() -> None:
    """What comes before a frame in its chunk is no heart-beat either."""
    assert parse(b"\r\n\nSEND\n\n\0") == [Frame("SEND", {})]


def test_case_07_content_length_must_be_followed_by_nul() -> None:
    """A body that is longer than announced is a fault."""
    assert "must be terminated with a null octet" in fault(b"SEND\ncontent-length:5\n\nabcdef\0")


@pytest.mark.parametrize("line", [rb"a:alpha\x", rb"a:alpha\t", rb"\x:alpha", b"a:alpha\\"])
def test_case_07_undefined_escapes(line: bytes) -> None:
    """Any other escape, and a lone backslash at the end, is a fault."""
    assert "undefined escape" in fault(b"SEND\n" + line + b"\n\nMessage body\0")


def test_case_08_oversize_is_an_error_when_more_comes() -> None:
    """A length over the limit is a fault once more than its announcement comes; frames before it count."""
    parser = StompParser(Limits(max_frame=128))
    assert parser.feed(b"SEND\na:alpha\n\nMessage body\0SEND\ncontent-length:129\n") == [
        Frame("SEND", {"a": "alpha"}, b"Message body")
    ]
    [event] = parser.feed(b"\n")
    assert isinstance(event, Malformed)
    assert str(event.error) == "SEND exceeds the limit of 128 bytes a frame (this one announces 129)"
    assert parser.dead
    assert parser.buffered == 0
    assert parser.feed(b"SEND\n\n\0") == []


def test_case_08_many_small_frames_in_one_chunk_are_not_oversize() -> None:
    """Deviation: Spring counts the chunk; we count frames, so that a burst of small ones is no fault."""
    assert len(parse(b"SEND\n\nabc\0" * 100, limits=Limits(max_frame=128))) == 100


def test_case_09_a_frame_in_three_chunks() -> None:
    """Pieces are kept until the frame is whole, and nothing of it afterwards."""
    parser = StompParser(Limits(max_frame=128))
    assert parser.feed(b"SEND\na:alpha\n") == []
    assert parser.feed(b"content-length:12\n\nMessage") == []
    assert parser.buffered == 39
    assert parser.feed(b" body\0") == [Frame("SEND", {"a": "alpha", "content-length": "12"}, b"Message body")]
    assert parser.buffered == 0


@pytest.mark.parametrize("given", [{}, {"content-length": "99"}])
def test_case_10_content_length_is_written_last_and_once(given: dict[str, str]) -> None:
    """The length is computed and written last; one that was given is replaced."""
    wire = b"SEND\na:alpha\ncontent-length:12\n\nMessage body\0"
    assert encode("SEND", {**given, "a": "alpha"}, b"Message body") == wire

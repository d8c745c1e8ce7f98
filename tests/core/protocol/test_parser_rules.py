"""Rules of decoding and our deviations, besides the conformance cases (docs/wire/stomp.md §2)."""

from __future__ import annotations

import pytest

from core.protocol import HEARTBEAT, Frame, Limits, Malformed, StompParser, encode, encode_frame
from tests.support.codec import fault, parse, parse_one


def test_content_length_is_written_for_an_empty_body_too() -> None:
    assert encode("MESSAGE", {"a": "1"}) == b"MESSAGE\na:1\ncontent-length:0\n\n\0"


def test_content_length_of_other_commands_is_kept_where_it_is() -> None:
    assert encode("ACK", {"content-length": "0", "id": "1"}) == b"ACK\ncontent-length:0\nid:1\n\n\0"


# ---- deviations -----------------------------------------------------------------------------------


def test_a_crlf_split_over_two_chunks_waits() -> None:
    frame = Frame("DISCONNECT", {"receipt": "1"})
    assert parse(b"DISCONNECT\r", b"\nreceipt:1\r", b"\n\r", b"\n\0") == [frame]
    assert parse(b"DISCONNECT\n\n\0\r", b"\nSEND\n\n\0") == [Frame("DISCONNECT", {}), Frame("SEND", {})]
    assert parse(b"\r", b"\n") == [HEARTBEAT]


@pytest.mark.parametrize("wire", [b"\rSEND\n\n\0", b"SEND\n\n\0\r\0", b"SE\rND\n\n\0", b"SEND\na:b\rc\n\n\0"])
def test_a_cr_without_lf_is_a_fault(wire: bytes) -> None:
    event = parse(wire)[-1]
    assert isinstance(event, Malformed)
    assert "carriage return without line feed" in str(event.error)


def test_further_nul_after_a_frame_is_tolerated() -> None:
    assert parse(b"SEND\n\n\0\0", b"\0\n\0SEND\n\nx\0") == [Frame("SEND", {}), Frame("SEND", {}, b"x")]


@pytest.mark.parametrize("value", ["not a mime type", "", "text/plain;;charset", "a/b/c"])
def test_any_content_type_is_kept(value: str) -> None:
    frame = parse_one(f"SEND\ncontent-type:{value}\n\nx\0".encode())
    assert frame.headers["content-type"] == value


def test_frames_before_a_fault_are_delivered() -> None:
    first, second, event = parse(b"SEND\n\na\0SEND\n\nb\0NONSENSE\n\n\0SEND\n\nc\0")
    assert (first, second) == (Frame("SEND", {}, b"a"), Frame("SEND", {}, b"b"))
    assert isinstance(event, Malformed)


# ---- further rules --------------------------------------------------------------------------------


def test_the_first_of_repeated_headers_counts_and_all_are_kept() -> None:
    wire = b"SEND\na:1\nb:2\na:3\na:1\ncontent-length:0\n\n\0"
    frame = parse_one(wire)
    assert frame == Frame("SEND", {"a": "1", "b": "2", "content-length": "0"}, b"", (("a", "3"), ("a", "1")))
    assert parse(encode_frame(frame)) == [frame]


def test_the_first_of_repeated_content_lengths_counts() -> None:
    frame = parse_one(b"SEND\ncontent-length:3\ncontent-length:1\n\na\0b\0")
    assert frame.body == b"a\0b"


def test_spaces_belong_to_names_and_values_and_values_may_be_empty() -> None:
    [frame] = parse(b"SEND\n a : b \nempty:\nurl:http://x:1/\n\n\0")
    assert frame == Frame("SEND", {" a ": " b ", "empty": "", "url": "http://x:1/"})


@pytest.mark.parametrize("line", [b"no colon", b":no name", b" "])
def test_lines_that_are_no_headers(line: bytes) -> None:
    assert fault(b"SEND\n" + line + b"\n\n\0") == "header line 1 of SEND is not of the form name:value"


@pytest.mark.parametrize(
    "command", [b"FOO", b"send", b" SEND", b"SEND ", b"\xef\xbb\xbfSEND", b"\xff\xfe", b"GET / HTTP/1"]
)
def test_unknown_commands(command: bytes) -> None:
    assert "unknown command" in fault(command + b"\n\n\0")


def test_garbage_without_a_line_end_is_refused_after_a_few_bytes() -> None:
    assert fault(b"\x16\x03\x01\x02 a TLS hello, say") == "unknown command '\\x16\\x03\\x01\\x02 a TLS h'…"


def test_headers_must_be_utf_8() -> None:
    assert parse("SEND\nschlüssel:größe 🎈\n\n\0".encode()) == [Frame("SEND", {"schlüssel": "größe 🎈"})]
    assert fault(b"SEND\nok:1\na:\xff\n\n\0") == "header line 2 of SEND is not UTF-8"


def test_a_missing_blank_line_is_a_fault_at_once() -> None:
    assert "blank line" in fault(b"CONNECT\naccept-version:1.2\0")
    assert "blank line" in fault(b"CONNECT\0")


# ---- what is held, and the words of faults --------------------------------------------------------


def test_what_is_held_is_counted_until_the_frame_is_whole() -> None:
    parser = StompParser()
    assert parser.buffered == 0
    for number, piece in enumerate((b"S", b"E", b"ND\n")):
        assert parser.feed(piece) == []
        assert parser.buffered == (1, 2, 5)[number]
    assert parser.feed(b"\nx\0") == [Frame("SEND", {}, b"x")]
    assert parser.buffered == 0
    assert parser.feed(b"\r") == []
    assert parser.buffered == 1


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (b"NONSENSE\n\n\0", "unknown command 'NONSENSE'"),
        (b"\n\nsend\n\n\0", "unknown command 'send'"),
        (b"NONSENSE_WITHOUT_END", "unknown command 'NONSENSE_WIT'…"),
    ],
)
def test_an_unknown_command_is_shown_and_marked_where_it_was_cut(wire: bytes, words: str) -> None:
    event = parse(wire)[-1]
    assert isinstance(event, Malformed)
    assert str(event.error) == words


@pytest.mark.parametrize(
    ("limits", "wire", "words"),
    [
        (
            Limits(max_frame=100, max_body=100),
            b"SEND\ncontent-length:95\n\n",
            "SEND exceeds the limit of 100 bytes a frame (this one announces 119)",
        ),
        (
            Limits(max_frame=100, max_body=100),
            b"SEND\n\n" + b"y" * 100,
            "SEND exceeds the limit of 100 bytes a frame",
        ),
        (
            Limits(max_frame=100, max_body=20),
            b"SEND\ncontent-length:21\n\n",
            "SEND exceeds the limit of 20 bytes a body (this one announces 21)",
        ),
        (
            Limits(max_frame=100, max_body=20),
            b"SEND\n\n" + b"y" * 40,
            "SEND exceeds the limit of 20 bytes a body",
        ),
    ],
)
def test_a_frame_that_is_too_big_is_named_with_the_limit_and_what_it_announces(
    limits: Limits, wire: bytes, words: str
) -> None:
    [event] = StompParser(limits).feed(wire)
    assert isinstance(event, Malformed)
    assert str(event.error) == words


def test_escapes_are_strict_until_the_peer_is_known_to_speak_1_0() -> None:
    wire = b"SEND\na:x\\y\n\n\0"
    [refused] = StompParser().feed(wire)
    assert isinstance(refused, Malformed)
    parser = StompParser()
    parser.lenient = True
    assert parser.feed(wire) == [Frame("SEND", {"a": "x\\y"})]


def test_a_head_of_exactly_the_longest_line_is_read() -> None:
    limits = Limits(max_frame=64, max_body=64, max_header_line=10, max_headers=2)
    frame = Frame("SEND", {"a": "12345678", "b": "12345678"})
    wire = b"SEND\na:12345678\nb:12345678\n\n\0"
    assert StompParser(limits).feed(wire) == [frame]
    assert isinstance(StompParser(limits).feed(wire.replace(b"8\nb", b"89\nb"))[0], Malformed)
    assert isinstance(StompParser(limits).feed(wire.replace(b"8\n\n", b"8\nc:1\n\n"))[0], Malformed)

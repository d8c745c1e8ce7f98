"""Rules of decoding and our deviations, besides the conformance cases (docs/wire/stomp.md §2)."""

from __future__ import annotations

import pytest

from core.protocol import HEARTBEAT, Frame, Malformed, encode, encode_frame
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

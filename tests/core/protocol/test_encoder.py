"""The encoder: what it refuses, and that nothing can be smuggled into a frame."""

from __future__ import annotations

import pytest

from core.errors import LocalProtocolError
from core.protocol import Frame, MessageTemplate, encode, encode_frame, message_opening
from core.protocol.encoder import Headers


@pytest.mark.parametrize(
    ("command", "headers", "body", "text"),
    [
        ("FOO", {}, b"", "'FOO' is not a STOMP command"),
        ("send", {}, b"", "'send' is not a STOMP command"),
        ("SUBSCRIBE", {}, b"x", "SUBSCRIBE must not have a body"),
        ("SEND", {"": "x"}, b"", "has the name ''"),
        ("SEND", {"a\0": "x"}, b"", "has the name 'a\\x00'"),
        ("SEND", {"a": "x\0"}, b"", "contains NUL"),
        ("CONNECT", {"login": "joe\npasscode:x"}, b"", "contains a line end"),
        ("CONNECTED", {"user-name": "joe\r"}, b"", "contains a line end"),
        ("CONNECT", {"a:b": "x"}, b"", "header 'a:b' of CONNECT cannot be written"),
        ("SEND", {"a": "\ud800"}, b"", "not valid Unicode"),
        ("SEND", {"\ud800": "a"}, b"", "not valid Unicode"),
    ],
)
def test_what_cannot_be_written(command: str, headers: dict[str, str], body: bytes, text: str) -> None:
    for _ in range(2):  # the second time the names are known
        with pytest.raises(LocalProtocolError, match=text.replace("\\", r"\\")):
            encode(command, headers, body)


def test_order_is_kept_and_percent_signs_are_text() -> None:
    headers = {"z": "%s", "%d": "100%", "a": ""}
    assert encode("ACK", headers) == b"ACK\nz:%s\n%d:100%\na:\n\n\0"


@pytest.mark.parametrize("given", [[("a", "1"), ("a", "2")], iter([("a", "1"), ("a", "2")])])
def test_pairs_may_repeat_a_name(given: Headers) -> None:
    assert encode("BEGIN", given) == b"BEGIN\na:1\na:2\n\n\0"


def test_connected_takes_colons_and_backslashes_as_they_are() -> None:
    assert encode("CONNECTED", {"user-name": "a:b\\c"}) == b"CONNECTED\nuser-name:a:b\\c\n\n\0"


def test_many_kinds_of_frames_do_not_fill_memory() -> None:
    """Names of forwarded frames are the peer's: the memo of layouts starts anew when it is full."""
    for number in range(2000):
        assert encode("ACK", {f"name-{number}": "1"}) == f"ACK\nname-{number}:1\n\n\0".encode()
    long = "n" * 5000
    assert encode("ACK", {long: "1"}) == f"ACK\n{long}:1\n\n\0".encode()


def test_repeated_headers_follow_the_others() -> None:
    frame = Frame("SEND", {"a": "1", "b": "2"}, b"x", (("a", "3"), ("content-length", "9")))
    assert encode_frame(frame) == b"SEND\na:1\nb:2\na:3\ncontent-length:1\n\nx\0"


def test_a_template_serves_every_subscription() -> None:
    template = MessageTemplate({"subscription": "other", "destination": "/topic/a:b"}, b"\0body")
    assert template.frame(message_opening("sub:0")) == (
        b"MESSAGE\nsubscription:sub\\c0\ndestination:/topic/a\\cb\ncontent-length:5\n\n\0body\0"
    )
    assert template.frame(message_opening("1")).startswith(b"MESSAGE\nsubscription:1\ndestination:")


@pytest.mark.parametrize("size", [0, 60, 200, 70_000])
def test_a_template_as_a_websocket_message(size: int) -> None:
    template = MessageTemplate({"destination": "/topic/a"}, b"x" * size)
    opening = message_opening("sub-0")
    message = template.websocket(opening)
    frame = template.frame(opening)
    assert message.endswith(frame)
    assert len(message) - len(frame) == (2 if len(frame) < 126 else 4 if len(frame) < 65536 else 10)


def test_an_opening_needs_an_id_that_can_be_written() -> None:
    with pytest.raises(LocalProtocolError):
        message_opening("\0")

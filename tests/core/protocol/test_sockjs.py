"""SockJS frames (docs/wire/sockjs.md §3 to §5)."""

from __future__ import annotations

import json

import pytest

from core.errors import RemoteProtocolError
from core.protocol import sockjs, sockjs_client


def test_frames_of_a_server() -> None:
    assert sockjs.OPEN == "o"
    assert sockjs.HEARTBEAT == "h"
    assert sockjs.messages_frame(["a", 'b"\n']) == r'a["a","b\"\n"]'
    assert sockjs.close_frame(*sockjs.GO_AWAY) == 'c[3000,"Go away!"]'


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("\x01\x1f", r'"\u0001\u001f"'),
        ("\u200c\u2028\u2060\ufff0\uffff", r'"\u200c\u2028\u2060\ufff0\uffff"'),
        ("\ud800", r'"\ud800"'),  # a lone surrogate, as a browser may send it
        ("🎈", r'"\ud83c\udf88"'),
        ("größe \u2070", '"größe \u2070"'),
    ],
)
def test_fragile_characters_are_escaped(text: str, quoted: str) -> None:
    assert sockjs.quote(text) == quoted
    assert json.loads(quoted) == text


def test_wrapping_of_transports() -> None:
    frame = sockjs.messages_frame(["100%", "</script>"]).encode()
    assert sockjs.xhr_chunk(frame) == b'a["100%","</script>"]\n'
    event = sockjs.eventsource_chunk(frame)
    assert event == b'data: a["100%25","</script>"]\r\n\r\n'
    assert sockjs_client.eventsource_data(event[6:-4]) == frame
    assert sockjs.htmlfile_chunk(frame) == b'<script>\np("a[\\"100%\\",\\"<\\/script>\\"]");\n</script>\r\n'
    assert sockjs.jsonp_body("cb", b"o") == b'/**/cb("o");\r\n'
    assert len(sockjs.XHR_STREAMING_PRELUDE) == 2049


def test_quoted_messages_wait_as_lines_and_become_one_frame() -> None:
    messages = ["a", "line\nend", '"quoted"\\', "100% é \u2028 🎈", "\0"]
    lines = b"".join(sockjs.quote_bytes(message.encode()) + sockjs.SEPARATOR for message in messages)
    assert sockjs.array_frame(lines).decode() == sockjs.messages_frame(messages)
    assert sockjs.quote_bytes(b"\xff") == '"\N{REPLACEMENT CHARACTER}"'.encode("ascii", "backslashreplace")


@pytest.mark.parametrize(
    ("text", "messages"),
    [("", []), ("[]", []), ('["a","b"]', ["a", "b"]), ('"a"', ["a"]), (r'["\ud800"]', ["\ud800"])],
)
def test_what_clients_send(text: str, messages: list[str]) -> None:
    assert sockjs.decode_messages(text) == messages


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[", "Broken JSON encoding."),
        ("x", "Broken JSON encoding."),
        ('["a"] x', "Broken JSON encoding."),
        ("{}", "Payload expected."),
        ("[1]", "Payload expected."),
        ("null", "Payload expected."),
    ],
)
def test_what_clients_should_not_send(text: str, sentence: str) -> None:
    with pytest.raises(RemoteProtocolError, match=sentence) as raised:
        sockjs.decode_messages(text)
    assert raised.value.close_code == 1007


def test_a_single_string_is_no_array() -> None:
    assert sockjs.decode_messages('["a"]', array=True) == ["a"]
    with pytest.raises(RemoteProtocolError, match=r"Payload expected\."):
        sockjs.decode_messages('"a"', array=True)


def test_too_many_messages_in_one_array() -> None:
    with pytest.raises(RemoteProtocolError):
        sockjs.decode_messages(json.dumps(["a"] * 11), max_messages=10)


def test_a_client_reads_what_a_server_writes() -> None:
    assert sockjs_client.decode_frame("o") == sockjs_client.SockJsOpen()
    assert sockjs_client.decode_frame("h") == sockjs_client.SockJsHeartbeat()
    assert sockjs_client.decode_frame("h" * 2048) == sockjs_client.SockJsHeartbeat()
    messages = ("a", "\u2028🎈\0")
    assert sockjs_client.decode_frame(sockjs.messages_frame(messages)) == sockjs_client.SockJsMessages(
        messages
    )
    assert sockjs_client.decode_frame('m"one"') == sockjs_client.SockJsMessages(("one",))
    assert sockjs_client.decode_frame(sockjs.close_frame(2010, "x")) == sockjs_client.SockJsClose(2010, "x")
    assert sockjs.decode_messages(sockjs.messages_frame(messages)[1:]) == list(messages)


@pytest.mark.parametrize(
    "text", ["", "x", "ox", "a", 'a"x"', "a[1]", "c[]", 'c["1","x"]', "m1", "c[true]", "a" + "[" * 100_000]
)
def test_what_is_no_frame(text: str) -> None:
    with pytest.raises(RemoteProtocolError, match="not a SockJS frame"):
        sockjs_client.decode_frame(text)


def test_a_frame_nested_without_end_is_none_in_a_session_either() -> None:
    session = sockjs_client.SockJsSession()
    assert session.receive(b"o") == []
    with pytest.raises(RemoteProtocolError, match="not a SockJS frame"):
        session.receive(b"a" + b"[" * 100_000)

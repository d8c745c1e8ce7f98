"""Payloads by content type, both ways (docs/wire/spring-relay.md §7.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from core.errors import UsageError
from server.handlers.conversion import (
    BINARY,
    JSON,
    TEXT,
    MessageConversionError,
    PayloadConverter,
    encode_payload,
)


@dataclass
class Point:
    x: int
    y: int = 0


ERROR = object()


@pytest.mark.parametrize(
    ("content_type", "hint", "body", "value"),
    [
        (None, str, "grüß".encode(), "grüß"),
        (None, bytes, b"\xff", b"\xff"),
        (None, Point, b'{"x":1}', Point(1)),
        (None, str, b"\xff", ERROR),
        (None, Point, b"{", ERROR),
        (None, Point, b'{"x":"1"}', ERROR),
        ("text/plain", str, b"a", "a"),
        ("text/plain;charset=ISO-8859-1", str, b"\xe4", "ä"),
        ("TEXT/PLAIN; Charset='GBK'", str, "你好".encode("gbk"), "你好"),
        ("text/plain;charset=hex", str, b"61", ERROR),
        ("text/plain;charset=idna", str, b"a", ERROR),
        ("text/plain", bytes, b"\xff", b"\xff"),
        ("text/plain", Point, b'{"x":1}', ERROR),
        ("text/html", str, b"<b>", "<b>"),
        ("application/json", str, b'"a\\n"', "a\n"),
        ("application/json", str, b" 12 ", "12"),
        ("application/json", str, b"true", "true"),
        ("application/json", str, b'{"a":1}', ERROR),
        ("application/json", str, b"null", ERROR),
        ("application/json", str | None, b"null", None),
        ("application/json", bytes, b"{}", b"{}"),
        ("application/vnd.x+json;v=1", Point, b'{"x":1,"y":2}', Point(1, 2)),
        ("application/json", dict[str, int], b'{"a":1}', {"a": 1}),
        ("application/json", Literal["on", "off"], b'"on"', "on"),
        ("application/json", Point | None, b"null", None),
        ("application/json", Point, b"[" * 60_000, ERROR),
        ("application/octet-stream", str, b"a", ERROR),
        ("application/octet-stream", bytes, b"a", b"a"),
        ("application/octet-stream", Point, b'{"x":1}', ERROR),
        ("application/xml", str, b"<a/>", ERROR),
        ("", bytes, b"a", b"a"),
        ("", str, b"a", "a"),
        ("", Point, b'{"x":1}', Point(1)),
    ],
)
def test_incoming(content_type: str | None, hint: Any, body: bytes, value: object) -> None:
    convert = PayloadConverter(hint, "the parameter 'x' of f")
    if value is ERROR:
        with pytest.raises(MessageConversionError, match="parameter 'x' of f"):
            convert(body, content_type)
    else:
        assert convert(body, content_type) == value


@pytest.mark.parametrize(
    ("value", "content_type", "body", "sent_as"),
    [
        ("grüß", None, "grüß".encode(), TEXT),
        (b"\xff", None, b"\xff", BINARY),
        (bytearray(b"a"), None, b"a", BINARY),
        ({"a": 1}, None, b'{"a":1}', JSON),
        (Point(1), None, b'{"x":1,"y":0}', JSON),
        (12, None, b"12", JSON),
        ("a", "application/json", b'"a"', "application/json"),
        (b'{"a":1}', "application/json", b'{"a":1}', "application/json"),
        ([1], "application/x+json", b"[1]", "application/x+json"),
        ("ä", "text/plain;charset=ISO-8859-1", b"\xe4", "text/plain;charset=ISO-8859-1"),
        ("<a/>", "application/xml", b"<a/>", "application/xml"),
    ],
)
def test_outgoing(value: object, content_type: str | None, body: bytes, sent_as: str) -> None:
    assert encode_payload(value, content_type) == (body, sent_as)


@pytest.mark.parametrize(
    ("value", "content_type"),
    [
        (object(), None),
        ({"a": 1}, "text/plain"),
        ("你", "text/plain;charset=us-ascii"),
        ("a", "text/plain;charset=hex"),
        ("\ud800", None),
    ],
)
def test_what_cannot_be_sent_is_told(value: object, content_type: str | None) -> None:
    with pytest.raises(MessageConversionError):
        encode_payload(value, content_type)


def test_types_that_are_never_decoded_are_told_at_start() -> None:
    class Opaque:
        def __init__(self, *things: object) -> None: ...

    with pytest.raises(UsageError, match="cannot be decoded"):
        PayloadConverter(dict[Opaque, int] | list[Opaque] | Opaque | Point, "x")

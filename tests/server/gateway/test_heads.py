"""Header rules of the proxy, as pure functions."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.gateway.heads import (
    Header,
    accept_key,
    end_to_end,
    error_response,
    parse_answer,
    redact,
    request_head,
    tokens,
)


def test_the_rfcs_own_key() -> None:
    assert accept_key(b"dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_hop_by_hop_headers_and_what_connection_names() -> None:
    headers: list[Header] = [
        (b"connection", b"Keep-Alive, X-Mine"),
        (b"connection", b"Content-Length"),
        (b"keep-alive", b"5"),
        (b"x-mine", b"1"),
        (b"te", b"trailers"),
        (b"content-length", b"3"),  # nobody may take the length away
        (b"host", b"h"),
        (b"accept", b"a"),
    ]
    assert end_to_end(headers) == [(b"content-length", b"3"), (b"host", b"h"), (b"accept", b"a")]
    assert end_to_end(headers, drop=frozenset((b"host",)))[-1] == (b"accept", b"a")
    assert tokens(headers, b"connection") == {b"keep-alive", b"x-mine", b"content-length"}


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 20 OK",
        b"HTTP/2 200 OK",
        b"ICY 200 OK",
        b"HTTP/1.1 200 OK\r\nno colon",
        b"HTTP/1.1 200 OK\r\n folded: x",
        b"HTTP/1.1 200 OK\r\nname : x",
        b"HTTP/1.1 200 OK\r\na: b\nc: d",
    ],
)
def test_heads_that_are_none(head: bytes) -> None:
    with pytest.raises(ValueError, match="not an HTTP"):
        parse_answer(head)


def test_an_answers_head() -> None:
    answer = parse_answer(
        b"HTTP/1.1 101\r\nUpgrade: WebSocket\r\nConnection: x, Upgrade\r\nSec-WebSocket-Accept: k"
    )
    assert answer.status == 101
    assert answer.is_websocket(b"k")
    assert not answer.is_websocket(b"K")


def test_an_error_says_what_it_is_about() -> None:
    head, _, body = error_response(503, "nobody", service="s").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"content-length: %d" % len(body) in head
    assert json.loads(body) == {
        "status": 503,
        "error": "Service Unavailable",
        "message": "nobody",
        "service": "s",
    }


@pytest.mark.parametrize(
    ("target", "logged"),
    [
        ("/ws?access_token=abc", "/ws?access_token=***"),
        ("/ws?a=1&ACCESS_TOKEN=a%20b&b=2", "/ws?a=1&ACCESS_TOKEN=***&b=2"),
        ("/ws?my_access_token=abc", "/ws?my_access_token=abc"),
        ("/a\x1b[31m", "/a\\x1b[31m"),
    ],
)
def test_what_is_logged(target: str, logged: str) -> None:
    assert redact(target) == logged


@given(st.lists(st.tuples(st.sampled_from([b"a", b"x-b", b"accept"]), st.binary(max_size=20)), max_size=8))
def test_a_head_reads_back(headers: list[Header]) -> None:
    clean = [(name, re.sub(rb"[^!-~]", b"", value)) for name, value in headers]
    head = request_head(b"GET", b"/x", clean).removesuffix(b"\r\n\r\n")
    answer = parse_answer(head.replace(b"GET /x HTTP/1.1", b"HTTP/1.1 200 OK", 1))
    assert list(answer.headers) == clean


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/ws/000/s3cret/xhr_streaming?t=1", "/ws/000/***/xhr_streaming?t=1"),
        ("/web-socket/ws/000/s3cret/xhr_send", "/web-socket/ws/000/***/xhr_send"),
        ("/ws/a/s3cret/websocket?access_token=x", "/ws/a/***/websocket?access_token=***"),
        ("/ws/a/s3%63ret/eventsource/", "/ws/a/***/eventsource/"),
        ("/ws/a/s3cret/jsonp;jsessionid=abc?c=x", "/ws/a/***/jsonp;jsessionid=***?c=x"),
        ("/ws;JSESSIONID=abc/info", "/ws;JSESSIONID=***/info"),
        ("/ws/info?t=/000/a/xhr", "/ws/info?t=/000/a/xhr"),
        ("/ws/iframe.html", "/ws/iframe.html"),
        ("/xhr", "/xhr"),
    ],
)
def test_names_of_sessions_get_into_no_log(target: str, shown: str) -> None:
    assert redact(target) == shown

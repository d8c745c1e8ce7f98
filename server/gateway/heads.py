"""Header rules of a proxy, and the few bytes of HTTP/1.1 that the gateway writes itself (pure)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from core.redaction import without_tokens

Header = tuple[bytes, bytes]

#: RFC 9110 §5.6.2: what names of headers and cookies are.
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: RFC 9110 §7.6.1 and docs/wire/gateway.md §4: meant for one connection only.
HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"transfer-encoding",
        b"te",
        b"trailer",
        b"proxy-authorization",
        b"proxy-authenticate",
        b"x-application-context",
        b"upgrade",
    )
)

#: What is possible here; CONNECT and TRACE are not.
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
#: Of a response; requests have less (:data:`server.sockets.http.MAX_HEADERS`).
_MOST_ANSWER_HEADERS = 200
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
_HEADER_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")
#: ``…/{server}/{session}/{transport}`` (SockJS protocol 0.3), whoever serves it.
_SOCKJS_SESSION = re.compile(
    r"(/[^/]+/)[^/]+(/(?:xhr|xhr_send|xhr_streaming|eventsource|htmlfile|jsonp|jsonp_send|websocket)/?(?:;[^/]*)?)$"
)
_JSESSIONID = re.compile(r"(?i)(;jsessionid=)[^;/]*")
_WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def tokens(headers: Iterable[Header], name: bytes) -> set[bytes]:
    """The comma-separated tokens of all headers of that name, in lower case."""
    return {
        token.strip().lower() for key, value in headers if key == name for token in value.split(b",") if token
    }


def values(headers: Iterable[Header], name: bytes) -> list[bytes]:
    """The values of all headers of that (lower-case) name."""
    return [value for key, value in headers if key == name]


def end_to_end(headers: Iterable[Header], *, drop: frozenset[bytes] = frozenset()) -> list[Header]:
    """Without hop-by-hop headers, without what ``Connection`` names, without ``drop``.

    Names are expected in lower case.
    """
    listed = list(headers)
    unwanted = HOP_BY_HOP | drop
    named = tokens(listed, b"connection")
    if named:
        # Content-Length and Host named there would change what the message is: they stay.
        unwanted = unwanted | (named - {b"content-length", b"host", b"close", b"keep-alive"})
    return [item for item in listed if item[0] not in unwanted]


def request_head(method: bytes, target: bytes, headers: Iterable[Header]) -> bytes:
    """A request head as bytes."""
    lines = [b"%b %b HTTP/1.1" % (method, target)]
    lines += [b"%b: %b" % item for item in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def response_head(status: int, reason: bytes, headers: Iterable[Header]) -> bytes:
    """A response head as bytes."""
    lines = [b"HTTP/1.1 %d %b" % (status, reason or phrase(status))]
    lines += [b"%b: %b" % item for item in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def phrase(status: int) -> bytes:
    """The standard reason phrase."""
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b"Unknown"


def error_body(status: int, message: str, **details: str) -> bytes:
    """The JSON that says what went wrong: status, error, message, and what it is about."""
    body = {"status": status, "error": phrase(status).decode(), "message": message, **details}
    return json.dumps(body, ensure_ascii=False).encode() + b"\n"


def error_response(status: int, message: str, *, allow: str = METHODS, **details: str) -> bytes:
    """A whole error response that ends the connection; 405 says what is allowed (RFC 9110 §15.5.6)."""
    body = error_body(status, message, **details)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    if status == 405:
        headers.append((b"allow", allow.encode()))
    return response_head(status, b"", headers) + body


def accept_key(key: bytes) -> bytes:
    """The Sec-WebSocket-Accept that belongs to a Sec-WebSocket-Key (RFC 6455 §4.2.2)."""
    return base64.b64encode(hashlib.sha1(key + _WEBSOCKET_GUID, usedforsecurity=False).digest())


@dataclass(frozen=True, slots=True)
class UpgradeAnswer:
    """The head of what upstream answered to an upgrade; names in lower case."""

    status: int
    headers: tuple[Header, ...]

    def is_websocket(self, accept: bytes) -> bool:
        """Whether this makes the connection a WebSocket: 101, and proof that the key was read."""
        return (
            self.status == 101
            and values(self.headers, b"sec-websocket-accept") == [accept]
            and tokens(self.headers, b"upgrade") == {b"websocket"}
            and b"upgrade" in tokens(self.headers, b"connection")
        )


def parse_answer(head: bytes) -> UpgradeAnswer:
    """Read a response head (without the empty line).

    Raises:
        ValueError: it is not one, or it is not clear where its body ends.
    """
    first, *lines = head.split(b"\r\n")
    match = _STATUS_LINE.fullmatch(first)
    if match is None:
        raise ValueError(f"not an HTTP status line: {first[:80]!r}")
    if len(lines) > _MOST_ANSWER_HEADERS:
        raise ValueError(f"more than {_MOST_ANSWER_HEADERS} headers")
    headers: list[Header] = []
    for line in lines:
        found = _HEADER_LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"not an HTTP header: {line[:80]!r}")
        headers.append((found[1].lower(), found[2]))
    lengths, codings = values(headers, b"content-length"), values(headers, b"transfer-encoding")
    if len(lengths) > 1 or (lengths and codings) or not all(length.isdigit() for length in lengths):
        raise ValueError("more than one word about the body's length, or none that is a number")
    if codings and [coding.lower() for coding in codings] != [b"chunked"]:
        raise ValueError(f"transfer coding {codings[0][:80]!r}")
    return UpgradeAnswer(int(match[1]), tuple(headers))


def redact(target: str) -> str:
    """A request target fit for a log: no tokens, no sessions of SockJS, no control characters.

    Who knows the name of a session can send as its client.
    """
    path, mark, query = without_tokens(target).partition("?")
    path = _JSESSIONID.sub(r"\1***", path)
    path = _SOCKJS_SESSION.sub(r"\1***\2", path)
    return f"{path}{mark}{query}".encode("unicode_escape").decode()

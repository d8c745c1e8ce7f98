"""Answers as values, and the few ASGI messages that they become."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from email.utils import formatdate
from time import time
from typing import Any, Final, NamedTuple

from .dialect import Header

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

PLAIN: Final = (b"content-type", b"text/plain; charset=UTF-8")
JSON: Final = (b"content-type", b"application/json; charset=UTF-8")
HTML: Final = (b"content-type", b"text/html; charset=UTF-8")
_YEAR_S: Final = 31_536_000


class Answer(NamedTuple):
    """A whole response."""

    status: int
    body: bytes = b""
    headers: tuple[Header, ...] = ()


#: What sockjs-node says (docs/wire/sockjs.md §1).
NOT_FOUND: Final = Answer(404, b"404 Error: Page not found\n", (PLAIN,))


def failed(status: int, sentence: bytes, *headers: Header) -> Answer:
    """An error; its body is the bare sentence (docs/wire/sockjs.md §4)."""
    return Answer(status, sentence, (PLAIN, *headers))


def not_allowed(methods: tuple[str, ...]) -> Answer:
    """405 with an empty body and without a content type (docs/wire/sockjs.md §1)."""
    return Answer(405, b"", ((b"allow", ", ".join(methods).encode()),))


def cached_for_a_year() -> tuple[Header, ...]:
    """Headers of what never changes."""
    expires = formatdate(time() + _YEAR_S, usegmt=True).encode()
    return ((b"cache-control", b"public, max-age=%d" % _YEAR_S), (b"expires", expires))


class BodyTooLarge(Exception):
    """A client posts more than it may."""


class ClientGone(Exception):
    """The client went away before its request was whole."""


async def read_body(receive: Receive, limit: int) -> bytes:
    """The body of a request.

    Raises:
        BodyTooLarge: It has more than ``limit`` bytes; the rest was not read.
        ClientGone: The connection ended.
    """
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise BodyTooLarge
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


async def send_answer(send: Send, answer: Answer, *more: Header) -> None:
    """Send a whole response."""
    headers = [*answer.headers, *more]
    if answer.status not in (204, 304):
        headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def deny(scope: Scope, send: Send, answer: Answer) -> None:
    """Refuse a WebSocket handshake; servers without the extension can only say 403."""
    if "websocket.http.response" in scope.get("extensions", {}):
        headers = [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
        await send({"type": "websocket.http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": answer.body})
    else:
        await send({"type": "websocket.close", "code": 1002})

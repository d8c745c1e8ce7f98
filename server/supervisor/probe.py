"""Asks a role of ours on this machine over HTTP; small, because the supervisor starts with it."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import msgspec

from core.push_token import push_headers

_LONGEST = 4 * 1024 * 1024


async def get_json(url: str, *, within: float) -> dict[str, object] | None:
    """The JSON object at ``url``, or None if it did not come within so many seconds.

    A paused process accepts a connection and never answers: hence the limit, and one connection
    for each question.
    """
    try:
        async with asyncio.timeout(within):
            status, body = await _exchange("GET", url)
            return msgspec.json.decode(body, type=dict[str, object]) if status == 200 else None
    except (TimeoutError, OSError, ValueError, EOFError):
        return None


async def send(method: str, url: str, *, within: float) -> int:
    """The status of a request without a body, or 0 if no answer came within so many seconds."""
    try:
        async with asyncio.timeout(within):
            return (await _exchange(method, url))[0]
    except (TimeoutError, OSError, ValueError, EOFError):
        return 0


async def _exchange(method: str, url: str) -> tuple[int, bytes]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        more = "".join(f"{name}: {value}\r\n" for name, value in push_headers().items())
        head = f"{method} {target} HTTP/1.0\r\nHost: {parts.netloc}\r\n{more}Connection: close\r\n\r\n"
        writer.write(head.encode())
        answer = await reader.read(_LONGEST)
        while chunk := await reader.read(_LONGEST):
            answer += chunk
    finally:
        writer.transport.abort()
    first, _, rest = answer.partition(b"\r\n")
    return int(first.split(b" ", 2)[1]) if b" " in first else 0, rest.partition(b"\r\n\r\n")[2]

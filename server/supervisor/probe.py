"""Asks a role on this machine for a JSON document; small, because the supervisor starts with it."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import msgspec

_LONGEST = 4 * 1024 * 1024


async def get_json(url: str, *, within: float) -> dict[str, object] | None:
    """The JSON object at ``url``, or None if it did not come within so many seconds.

    A paused process accepts a connection and never answers: hence the limit, and one connection
    for each question.
    """
    try:
        async with asyncio.timeout(within):
            return await _get(url)
    except (TimeoutError, OSError, ValueError, EOFError):
        return None


async def _get(url: str) -> dict[str, object] | None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        head = f"GET {parts.path or '/'} HTTP/1.0\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        answer = await reader.read(_LONGEST)
        while chunk := await reader.read(_LONGEST):
            answer += chunk
    finally:
        writer.transport.abort()
    status, _, rest = answer.partition(b"\r\n")
    if b" 200 " not in status + b" ":
        return None
    return msgspec.json.decode(rest.partition(b"\r\n\r\n")[2], type=dict[str, object])

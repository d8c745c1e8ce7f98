"""HTTP as it is on the wire: paths that are not tidied, heads, and bodies chunk by chunk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Response:
    """A response's head, with its body where it was read."""

    status: int
    headers: dict[str, str]
    body: bytes = b""

    def __getitem__(self, name: str) -> str | None:
        return self.headers.get(name)


class RawHttp:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        version: str = "1.1",
    ) -> Response:
        """Send a request and read the answer's head."""
        lines = [f"{method} {path} HTTP/{version}", "Host: 127.0.0.1"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body is not None or method == "POST":
            lines.append(f"Content-Length: {len(body or b'')}")
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + (body or b""))
        return await self.head()

    async def head(self) -> Response:
        """Read the head of an answer."""
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *rest = text.strip().split("\r\n")
        pairs = [line.partition(":") for line in rest]
        return Response(int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs})

    async def chunk(self) -> bytes:
        """Read one chunk; b"" is the end of the body."""
        size = int(await self.reader.readline(), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def whole(self, response: Response) -> Response:
        """Read the body that belongs to a head."""
        if response["transfer-encoding"] == "chunked":
            while chunk := await self.chunk():
                response.body += chunk
        elif length := response["content-length"]:
            response.body = await self.reader.readexactly(int(length))
        elif response["connection"] == "close" and response.status not in (204, 304):
            response.body = await self.reader.read()
        return response

    async def closed(self) -> bool:
        """Return when the other side has closed; whether nothing came before."""
        return await self.reader.read(1) == b""


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[RawHttp]:
    """A connection to the server of a URL."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=4 * 1024 * 1024)
    try:
        yield RawHttp(reader, writer)
    finally:
        writer.close()


async def request(
    url: str,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    *,
    version: str = "1.1",
) -> Response:
    """One whole exchange on a connection of its own."""
    async with connected(url) as http:
        return await http.whole(await http.ask(method, path, headers, body, version=version))

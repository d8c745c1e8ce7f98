"""A small HTTP server that answers as a test says, byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import NamedTuple, Self

INFO = b'{"websocket":true,"origins":["*:*"],"cookie_needed":false,"entropy":1}'


class Asked(NamedTuple):
    """A request."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def session(self) -> str:
        """The part before."""
        return self.path.split("/")[-2]


def whole(body: bytes, status: str = "200 OK", *more: str) -> bytes:
    """A complete answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def streaming(*pieces: bytes) -> bytes:
    """The beginning of a chunked answer."""
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(map(chunk, pieces))


def chunk(data: bytes) -> bytes:
    """One chunk; the last one for no data."""
    return b"%x\r\n%b\r\n" % (len(data), data)


Script = Callable[["ScriptedHttp", Asked, asyncio.StreamWriter], Awaitable[None]]


class ScriptedHttp:
    """Serves between ``__aenter__`` and ``__aexit__``.

    ``script`` is awaited for every request; what it writes is the answer. ``/info`` is answered without
    it, unless ``info`` is None.

    Attributes:
        asked: All requests.
        connections: How many connections there have been; ``open`` of them there are.
    """

    def __init__(self, script: Script, info: bytes | None = INFO) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self.open = 0
        self.url = ""
        self._script = script
        self._info = info
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/x"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await self.until(lambda: not self.open)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when something holds that requests and connections change."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    def kinds(self) -> list[str]:
        """What was asked for, ``/info`` left out."""
        return [each.kind for each in self.asked if each.kind != "info"]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self._writers.add(writer)
        self._changed.set()
        try:
            while (asked := await _read(reader)) is not None:
                self.asked.append(asked)
                self._changed.set()
                if asked.kind == "info" and self._info is not None:
                    writer.write(whole(self._info))
                else:
                    await self._script(self, asked, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            self._writers.discard(writer)
            self._changed.set()
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    path, _, query = target.partition("?")
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, path, query, headers, body)

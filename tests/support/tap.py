"""A tap at the users' sockets: records what the gateway sent them, without any code of ours.

A plain TCP proxy between users and gateway. Its reading of WebSocket and STOMP is its own and
minimal on purpose, so that it can disagree with the program's.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import msgspec

from core.environment import EnvironmentInfo
from server.supervisor import LocalCluster

_USER = re.compile(rb"[?&]user=([^& ]+)")
_ID = re.compile(rb"\nps-id:([^\r\n]+)")


class Line:
    """One connection of one user: what came from the gateway, with the time of each chunk."""

    def __init__(self) -> None:
        self.request = b""
        self.chunks: list[tuple[int, bytes]] = []

    @property
    def user(self) -> str:
        """The user named in the request line."""
        match = _USER.search(self.request.split(b"\r\n", 1)[0])
        return match[1].decode() if match else ""

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Payloads of data frames (RFC 6455 §5.2, unmasked, unfragmented), with their times."""
        data = b"".join(chunk for _, chunk in self.chunks)
        at = data.find(b"\r\n\r\n") + 4
        while at >= 4 and at + 2 <= len(data):
            opcode, size, start = data[at] & 15, data[at + 1] & 127, at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if start + size > len(data):
                return  # cut off by a death: nobody received it
            if opcode in (1, 2):
                yield self._time_of(start + size), data[start : start + size]
            at = start + size

    def _time_of(self, end: int) -> int:
        seen = 0
        for stamp, chunk in self.chunks:
            seen += len(chunk)
            if seen >= end:
                return stamp
        raise AssertionError("a frame ends after its bytes")

    def received(self) -> list[tuple[int, str]]:
        """Time and push id of every MESSAGE, in order."""
        return [
            (stamp, match[1].decode())
            for stamp, payload in self.frames()
            for frame in payload.split(b"\0")
            if frame.lstrip(b"\n").startswith(b"MESSAGE\n") and (match := _ID.search(frame))
        ]

    def subscribed_ns(self) -> int | None:
        """When the RECEIPT of the subscription came; None if it never did."""
        return next((stamp for stamp, payload in self.frames() if payload.startswith(b"RECEIPT\n")), None)


class Tap:
    """An async context manager: listens, and passes everything on to ``target`` both ways."""

    def __init__(self, target: str, on_message: Callable[[], None] = lambda: None) -> None:
        parts = urlsplit(target)
        self._address = (parts.hostname, parts.port)
        self._path = f"{parts.path}?{parts.query}"
        self._on_message = on_message
        self._server: asyncio.Server | None = None
        self.lines: list[Line] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """Where users connect instead."""
        assert self._server is not None
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}{self._path}"

    async def _serve(self, user: asyncio.StreamReader, to_user: asyncio.StreamWriter) -> None:
        line = Line()
        self.lines.append(line)
        gateway, to_gateway = await asyncio.open_connection(*self._address)
        up = asyncio.create_task(self._up(user, to_gateway, line))
        try:
            while chunk := await gateway.read(65536):
                line.chunks.append((time.perf_counter_ns(), chunk))
                to_user.write(chunk)
                self._on_message()
        except ConnectionError:
            pass  # cut off: what came before counts
        finally:
            to_user.close()
            await up

    async def _up(self, user: asyncio.StreamReader, to_gateway: asyncio.StreamWriter, line: Line) -> None:
        try:
            while chunk := await user.read(65536):
                if not line.chunks:
                    line.request += chunk
                to_gateway.write(chunk)
        except ConnectionError:
            pass
        finally:
            to_gateway.close()


class TappedCluster(LocalCluster):
    """A cluster whose users connect through a tap; everything else is as it was."""

    tap_url = ""

    @property
    def gateway_websocket_url(self) -> str:
        """Where users would connect without a tap."""
        return super().describe().websocket_url

    def describe(self) -> EnvironmentInfo:
        """The same, but for where users connect."""
        return msgspec.structs.replace(super().describe(), websocket_url=self.tap_url)

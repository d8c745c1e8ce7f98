"""The other side of the fan-out measurement, in a process of its own: publisher and receivers.

Reads one command a line from standard input and answers with one line when it is done::

    open ws URL COUNT          open COUNT STOMP sessions and subscribe each to /topic/bench and its user's
    open raw HOST PORT COUNT   open COUNT plain TCP connections
    fan ws MESSAGES BURST      publish, BURST at a time, waiting until everybody has everything
    fan raw MESSAGES BURST     ask the floor to write, in the same way
    push MESSAGES BURST        POST /push for one user after the other
    quit

Receivers count the byte that ends every body, so they cost the machine as little as they can.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from typing import cast
from urllib.parse import urlsplit

#: Ends every body; occurs nowhere else in a frame.
MARK = b"\x03"
BODY = b"x" * 63 + MARK
TOPIC = "/topic/bench"


def masked(payload: bytes) -> bytes:
    """A client's text message with the mask 0, which changes nothing."""
    size = len(payload)
    head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    return head + b"\0\0\0\0" + payload


class Crowd:
    """Counts what all receivers got together."""

    def __init__(self) -> None:
        self.got = 0
        self._wanted = 0
        self._event = asyncio.Event()

    def count(self, number: int) -> None:
        self.got += number
        if self.got >= self._wanted:
            self._event.set()

    async def reach(self, wanted: int) -> None:
        self._wanted = wanted
        self._event.clear()
        if self.got < wanted:
            await self._event.wait()


class Receiver(asyncio.Protocol):
    """One connection that counts marks, or waits for some bytes."""

    def __init__(self, crowd: Crowd) -> None:
        self.transport: asyncio.Transport
        self._crowd = crowd
        self._awaited = b""
        self._seen = b""
        self._found: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._found is not None:
            self._seen += data
            if self._awaited in self._seen:
                self._found.set_result(None)
                self._found = None
            return
        marks = data.count(MARK)
        if marks:
            self._crowd.count(marks)

    async def ask(self, request: bytes, awaited: bytes) -> None:
        self._awaited, self._seen = awaited, b""
        self._found = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        await self._found


class Pusher(asyncio.Protocol):
    """A keep-alive connection for pushes; counts answers."""

    def __init__(self, crowd: Crowd) -> None:
        self.transport: asyncio.Transport
        self._crowd = crowd

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._crowd.count(data.count(b"HTTP/1.1 202"))


class Driver:
    """Carries out the commands."""

    def __init__(self) -> None:
        self.crowd = Crowd()
        self.answers = Crowd()
        self.sockets: list[Receiver] = []
        self.raw: list[Receiver] = []
        self.pusher: Pusher | None = None
        self.host = ""

    async def open_ws(self, url: str, count: int) -> None:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 0
        self.host = f"{host}:{port}"
        for first in range(0, count, 50):
            await asyncio.gather(
                *(self._session(host, port, first + i) for i in range(min(50, count - first)))
            )
        loop = asyncio.get_running_loop()
        _, self.pusher = await loop.create_connection(lambda: Pusher(self.answers), host, port)

    async def _session(self, host: str, port: int, number: int) -> None:
        loop = asyncio.get_running_loop()
        _, receiver = await loop.create_connection(lambda: Receiver(self.crowd), host, port)
        key = base64.b64encode(os.urandom(16)).decode()
        handshake = (
            f"GET /ws?user=u{number} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await receiver.ask(handshake.encode(), b"\r\n\r\n")
        await receiver.ask(masked(b"CONNECT\naccept-version:1.2\nhost:x\n\n\0"), b"CONNECTED")
        for id, destination in (("t", TOPIC), ("u", "/user/topic/greetings")):
            frame = f"SUBSCRIBE\nid:{id}\ndestination:{destination}\nreceipt:{id}\n\n\0".encode()
            await receiver.ask(masked(frame), f"receipt-id:{id}\n".encode())
        self.sockets.append(receiver)

    async def open_raw(self, host: str, port: int, count: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(count):
            _, receiver = await loop.create_connection(lambda: Receiver(self.crowd), host, port)
            await receiver.ask(b"?", b"!")  # then the other side has it too
            self.raw.append(receiver)

    async def fan(self, messages: int, burst: int, receivers: list[Receiver], request: bytes) -> None:
        wanted = self.crowd.got
        for _ in range(messages // burst):
            wanted += burst * len(receivers)
            receivers[0].transport.write(request * burst)
            await self.crowd.reach(wanted)

    async def push(self, messages: int, burst: int) -> None:
        assert self.pusher is not None
        users = len(self.sockets)
        wanted, answered = self.crowd.got, self.answers.got
        for turn in range(messages // burst):
            requests = [self._push_request(f"u{(turn * burst + i) % users}") for i in range(burst)]
            wanted += burst
            answered += burst
            self.pusher.transport.write(b"".join(requests))
            await self.crowd.reach(wanted)
            await self.answers.reach(answered)

    def _push_request(self, user: str) -> bytes:
        push = {"user": user, "destination": "/topic/greetings", "payload": "x" * 63 + "\x03"}
        body = json.dumps(push).encode()
        head = (
            f"POST /push HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def run(self, words: list[str]) -> None:
        match words:
            case ["open", "ws", url, count]:
                await self.open_ws(url, int(count))
            case ["open", "raw", host, port, count]:
                await self.open_raw(host, int(port), int(count))
            case ["fan", "ws", messages, burst]:
                frame = masked(f"SEND\ndestination:{TOPIC}\n\n".encode() + BODY + b"\0")
                await self.fan(int(messages), int(burst), self.sockets, frame)
            case ["fan", "raw", messages, burst]:
                await self.fan(int(messages), int(burst), self.raw, b"+")
            case ["push", messages, burst]:
                await self.push(int(messages), int(burst))
            case _:
                raise ValueError(f"no such command: {words}")


async def main() -> None:
    """Carry out commands until there are no more."""
    driver = Driver()
    loop = asyncio.get_running_loop()
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line or line.strip() == "quit":
            return
        await driver.run(line.split())
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())

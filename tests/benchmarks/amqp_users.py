"""Idle users of the AMQP measurement, in a process of their own.

Reads one command a line from standard input and answers each with a line of JSON::

    connect URL COUNT     open COUNT STOMP sessions, each of its own user
    subscribe             subscribe all to their user's topic; answers when every RECEIPT has come
    unsubscribe           unsubscribe all; answers when every RECEIPT has come
    quit

Answers hold the seconds that it took, and for receipts the slowest one's.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from urllib.parse import urlsplit

from core.files_limit import raise_files_limit

from .fanout_receivers import Crowd, Receiver, masked
from .loops import best_loop

#: Sessions that are opened at a time, and commands under way: what a busy gateway would bring.
_AT_ONCE = 100


class Users:
    """All sessions."""

    def __init__(self) -> None:
        self._receivers: list[Receiver] = []
        self._crowd = Crowd()

    async def connect(self, url: str, count: int) -> dict[str, float]:
        """Open sessions."""
        place = urlsplit(url)
        host, port = place.hostname or "", place.port or 0
        begun = time.perf_counter()
        for first in range(0, count, _AT_ONCE):
            numbers = range(first, min(first + _AT_ONCE, count))
            await asyncio.gather(*(self._session(host, port, number) for number in numbers))
        return {"seconds": time.perf_counter() - begun}

    async def _session(self, host: str, port: int, number: int) -> None:
        loop = asyncio.get_running_loop()
        _, receiver = await loop.create_connection(lambda: Receiver(self._crowd), host, port)
        key = base64.b64encode(os.urandom(16)).decode()
        handshake = (
            f"GET /ws?user=u{number} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await receiver.ask(handshake.encode(), b"\r\n\r\n")
        await receiver.ask(masked(b"CONNECT\naccept-version:1.2\nhost:x\n\n\0"), b"CONNECTED")
        self._receivers.append(receiver)

    async def everybody(self, frame: bytes, receipt: bytes) -> dict[str, float]:
        """Have all sessions send a frame and wait for its receipt."""
        begun = time.perf_counter()
        slowest = 0.0
        waiting = list(self._receivers)

        async def one_after_the_other() -> None:
            nonlocal slowest
            while waiting:
                asked = time.perf_counter()
                await waiting.pop().ask(masked(frame), receipt)
                slowest = max(slowest, time.perf_counter() - asked)

        await asyncio.gather(*(one_after_the_other() for _ in range(_AT_ONCE)))
        return {"seconds": time.perf_counter() - begun, "slowest": slowest}


async def _serve() -> None:
    raise_files_limit()
    users, loop = Users(), asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        match line.split():
            case ["connect", url, count]:
                answer = await users.connect(url, int(count))
            case ["subscribe"]:
                frame = b"SUBSCRIBE\nid:u\ndestination:/user/topic/greetings\nreceipt:s\n\n\0"
                answer = await users.everybody(frame, b"receipt-id:s\n")
            case ["unsubscribe"]:
                answer = await users.everybody(b"UNSUBSCRIBE\nid:u\nreceipt:n\n\n\0", b"receipt-id:n\n")
            case _:
                return
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=best_loop()) as runner:
        runner.run(_serve())

"""The client side of the user measurement, in a process of its own so that its memory is its own.

``users_client KIND LOOP URL COUNT FIRST`` connects COUNT clients, users numbered from FIRST, and prints
a line of JSON with the time, CPU and memory it took. Then it reads commands from standard input, a line
each: ``expect N`` prints the CPU seconds spent until N more messages have come; ``push N RATE`` prints
those of N pushes to URL; ``quit`` disconnects everybody and prints the seconds that took.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import psutil
from websockets.asyncio.client import connect

from core.files_limit import raise_files_limit
from core.load.crowd import Crowd
from core.load.lane import PushAnswer
from core.load.pusher import Pusher
from core.load.user import SimulatedUser, UserState

from .aiohttp_clients import AiohttpClients
from .canned_server import message_frame

#: Handshakes under way at once, for every kind of client.
DIALERS = 96


#: What the bare client counts: the measured message, and the answer before it.
FRAME_BYTES = len(message_frame())
HANDSHAKE_BYTES = 129


class Clients:
    """Counts messages of all clients of a kind.

    Attributes:
        got: How many came.
        first: Number of the first user.
    """

    def __init__(self) -> None:
        self.got = 0
        self.first = 0

    async def open(self, stack: AsyncExitStack, url: str, count: int) -> None:
        """Connect so many; they leave with the stack."""
        raise AssertionError("a kind of its own connects")

    async def reach(self, wanted: int) -> None:
        """Return when so many messages came. Looked at rarely, to cost nothing."""
        while self.count() < wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    def count(self) -> int:
        """How many messages came so far."""
        return self.got


class Users(Clients):
    """Simulated users, all with one transport."""

    def __init__(self, transport: str = "websocket") -> None:
        super().__init__()
        self._shares = {transport: 1}

    async def open(self, stack: AsyncExitStack, url: str, count: int) -> None:
        crowd = await stack.enter_async_context(
            Crowd(url, "/topic/greetings", self, dialers=DIALERS, sockjs_url=url, transports=self._shares)
        )
        crowd.add(f"user-{self.first + number}" for number in range(count))
        await crowd.settled()
        if crowd.counts["connected"] != count:
            raise RuntimeError(f"not all users got in: {crowd.counts}")

    def on_state(self, user: SimulatedUser, state: UserState, detail: str) -> None:
        """Nothing may fail in a measurement."""
        if state in ("failed", "reconnecting"):
            raise RuntimeError(f"{user.name} is {state}: {detail}")

    def on_attempt_failed(self, user: SimulatedUser) -> None:
        pass

    def on_message(self, user: SimulatedUser, ps_id: str | None, body: bytes, received_ns: int) -> None:
        """Count."""
        self.got += 1


class Plain(Clients):
    """The asyncio client of ``websockets``, as it is; it does not even parse STOMP."""

    async def open(self, stack: AsyncExitStack, url: str, count: int) -> None:
        dialers = asyncio.Semaphore(DIALERS)
        opened = asyncio.Semaphore(0)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())

        async def one() -> None:
            async with dialers:
                client = await connect(url, compression=None, ping_interval=None)
            opened.release()
            async for _ in client:
                self.got += 1

        running = [tasks.create_task(one()) for _ in range(count)]
        stack.callback(lambda: [task.cancel() for task in running])
        for _ in range(count):
            await opened.acquire()


class Bare(Clients):
    """No WebSocket at all: counts bytes. What the loop and the system calls cost."""

    def count(self) -> int:
        """Whole messages: one that is late may share a chunk with the next."""
        return self.got // FRAME_BYTES

    async def open(self, stack: AsyncExitStack, url: str, count: int) -> None:
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        clients = self

        class Counter(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                stack.callback(transport.close)

            def data_received(self, data: bytes) -> None:
                clients.got += len(data)

        request = b"GET / HTTP/1.1\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        for _ in range(count):
            transport, _counter = await loop.create_connection(Counter, parts.hostname or "", parts.port or 0)
            transport.write(request)
        while self.got < count * HANDSHAKE_BYTES:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        self.got = 0


def clients_of(kind: str) -> Clients | AiohttpClients:
    """Clients of a kind: one of those above, a transport of users, or aiohttp with one."""
    library, _, transport = kind.partition(" ")
    if library == "aiohttp":
        return AiohttpClients(transport)
    kinds: dict[str, Callable[[], Clients]] = {"users": Users, "websockets": Plain, "bare": Bare}
    return kinds[kind]() if kind in kinds else Users(kind)


def say(**figures: float) -> None:
    """One line of figures."""
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


async def push(url: str, count: int, rate: float) -> None:
    """Push at a steady rate and print what each push cost this process."""
    answered: list[PushAnswer] = []
    async with Pusher({"i1": url.replace("ws:", "http:").removesuffix("/ws")}) as pusher:

        def step(number: int) -> None:
            headers = {"ps-id": f"run1.i1.user-{number % 100}.{number}"}
            pusher.push("i1", f"user-{number % 100}", "/topic/greetings", "x" * 64, headers, answered.append)

        # Every 5 ms what is due: waiting for each moment by itself is the pace-maker's cost, not ours.
        begun, spent, sent = time.perf_counter(), time.process_time(), 0
        while sent < count:
            due = min(count, int((time.perf_counter() - begun) * rate))
            while sent < due:
                step(sent)
                sent += 1
            await asyncio.sleep(0.005)
        while len(answered) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        say(cpu=time.process_time() - spent, count=len(answered))
    bad = [answer for answer in answered if answer.verdict != "accepted"]
    if bad:
        raise RuntimeError(f"{len(bad)} pushes were not accepted, such as {bad[0]}")


async def main(kind: str, url: str, count: int, first: int) -> None:
    """Connect, then carry out commands."""
    raise_files_limit()
    clients = clients_of(kind)
    clients.first = first
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, time.monotonic)  # the thread that will read commands exists
    process = psutil.Process()
    async with AsyncExitStack() as stack:
        gc.collect()
        memory, begun, spent = process.memory_info().rss, time.perf_counter(), time.process_time()
        await clients.open(stack, url, count)
        seconds, cpu = time.perf_counter() - begun, time.process_time() - spent
        gc.collect()
        say(seconds=seconds, cpu=cpu, kib=(process.memory_info().rss - memory) / 1024)
        while (words := (await loop.run_in_executor(None, sys.stdin.readline)).split()) not in ([], ["quit"]):
            if words[0] == "push":
                await push(url, int(words[1]), float(words[2]))
                continue
            wanted = clients.count() + int(words[1])
            spent = time.process_time()
            say(ready=1)
            await clients.reach(wanted)
            say(cpu=time.process_time() - spent)
        begun = time.perf_counter()
    say(seconds=time.perf_counter() - begun)


if __name__ == "__main__":
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    if sys.argv[2] == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main(sys.argv[1], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))

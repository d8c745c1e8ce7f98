"""A push by HTTP on instance A to a user on instance B through the embedded broker.

Beside it, in interleaved rounds, a raw chain of the same four loopback hops (client → A → broker
→ B → client), each hop a process that reads bytes and writes the same bytes on: nobody who has
these processes can be faster. Open loop; latency counts from the intended time of sending.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import psutil

from .fanout_receivers import Crowd, Pusher, Receiver, masked
from .loops import best_loop
from .measuring import Figures, cpu_seconds, interleave_async, paced, percentile
from .push_hops import MARK
from .report import Row, at_most_times

RATES = (200, 1_000, 3_000)
USER = "u1"


class Arrivals(Crowd):
    """Notes when each message came; they come in the order in which they were sent."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def count(self, number: int) -> None:
        self.times += [time.perf_counter()] * number
        super().count(number)


class Path:
    """One way from a request to its delivery."""

    def __init__(
        self, pids: list[int], sender: asyncio.Transport, answers: Crowd, arrivals: Arrivals, request: bytes
    ) -> None:
        self._pids = pids
        self._sender = sender
        self._answers = answers
        self._arrivals = arrivals
        self._request = request

    async def run(self, rate: int, count: int) -> Figures:
        """Push ``count`` times at an even rate."""
        arrivals, answers = self._arrivals, self._answers
        arrivals.times.clear()
        intended: list[float] = []
        wanted = arrivals.got + count
        answered = answers.got + count
        begun = cpu_seconds(*self._pids)

        def step(index: int, due: float) -> None:
            intended.append(due)
            self._sender.write(self._request)

        await paced(rate, count, step)
        async with asyncio.timeout(30):
            await arrivals.reach(wanted)
            await answers.reach(answered)
        spent = cpu_seconds(*self._pids) - begun
        latency = [(at - due) * 1e3 for at, due in zip(arrivals.times, intended, strict=True)]
        return {
            "p50": percentile(latency, 50),
            "p99": percentile(latency, 99),
            "cpu": spent / count * 1e6,
        }


async def _start(stack: AsyncExitStack, *words: str) -> tuple[int, str]:
    """Start a role; returns its pid and what it listens on."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.benchmarks.push_hops",
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )

    async def stop() -> None:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()

    stack.push_async_callback(stop)
    assert process.stdout is not None
    ready = (await process.stdout.readline()).decode().strip()
    return process.pid, ready


async def _chain(stack: AsyncExitStack) -> Path:
    last_pid, last = await _start(stack, "hop-last")
    middle_pid, middle = await _start(stack, "hop", last)
    first_pid, first = await _start(stack, "hop-http", middle)
    loop = asyncio.get_running_loop()
    arrivals = Arrivals()
    transport, _ = await loop.create_connection(lambda: Receiver(arrivals), "127.0.0.1", int(last))
    transport.write(b"?")
    answers = Crowd()
    sender, _ = await loop.create_connection(lambda: Pusher(answers), "127.0.0.1", int(first))
    # The same bytes; the mark itself at the end, because the hops look for nothing else.
    request = _request(f"127.0.0.1:{first}")[:-1] + MARK
    return Path([first_pid, middle_pid, last_pid], sender, answers, arrivals, request)


async def _cluster(stack: AsyncExitStack) -> Path:
    broker_pid, broker = await _start(stack, "broker")
    a_pid, a = await _start(stack, "instance", "a", broker)
    b_pid, b = await _start(stack, "instance", "b", broker)
    loop = asyncio.get_running_loop()
    arrivals = Arrivals()
    place = urlsplit(b)
    _, receiver = await loop.create_connection(
        lambda: Receiver(arrivals), place.hostname or "", place.port or 0
    )
    handshake = (
        f"GET /ws?user={USER} HTTP/1.1\r\nHost: {place.netloc}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await receiver.ask(handshake.encode(), b"\r\n\r\n")
    await receiver.ask(masked(b"CONNECT\naccept-version:1.2\nhost:x\n\n\0"), b"CONNECTED")
    subscribe = b"SUBSCRIBE\nid:0\ndestination:/user/topic/greetings\nreceipt:r\n\n\0"
    await receiver.ask(masked(subscribe), b"RECEIPT")
    place = urlsplit(a)
    answers = Crowd()
    sender, _ = await loop.create_connection(lambda: Pusher(answers), place.hostname or "", place.port or 0)
    request = _request(place.netloc)
    return Path([a_pid, broker_pid, b_pid], sender, answers, arrivals, request)


def _request(host: str) -> bytes:
    push = {
        "user": USER,
        "destination": "/topic/greetings",
        "payload": "x" * 40 + MARK.decode(),
        "headers": {"ps-id": "run1.a.u1.12345"},
    }
    body = json.dumps(push).encode()
    head = (
        f"POST /push HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _measure(rounds: int, quick: bool) -> dict[int, dict[str, dict[str, float]]]:
    found: dict[int, dict[str, dict[str, float]]] = {}
    async with AsyncExitStack() as stack:
        paths = {"chain": await _chain(stack), "pushscope": await _cluster(stack)}
        for rate in RATES:
            count = min(rate, 1000) if quick else rate * 3
            candidates: dict[str, Callable[[], Awaitable[Figures]]] = {
                name: lambda path=path, count=count, rate=rate: path.run(rate, count)
                for name, path in paths.items()
            }
            found[rate] = await interleave_async(rounds, candidates)
    return found


def main(rounds: int, quick: bool) -> list[Row]:
    """Measure at each rate."""
    with asyncio.Runner(loop_factory=best_loop()) as runner:
        found = runner.run(_measure(rounds, quick))
    rows: list[Row] = []
    for rate, figures in found.items():
        section = f"Push on A to a user on B, {rate:,}/s"
        chain, ours = figures["chain"], figures["pushscope"]
        rows += [
            Row(
                section,
                "raw chain of the same hops, p50",
                chain["p50"],
                "ms",
                note=f"p99 {chain['p99']:.2f} ms",
            ),
            at_most_times(
                section,
                "push, p50",
                ours["p50"],
                "ms",
                chain["p50"],
                2.0,
                # Client, A, broker and B want the machine for themselves: who waits for a core shows here.
                note=f"p99 {ours['p99']:.2f} ms; machine load {psutil.getloadavg()[0]:.1f}",
            ),
            at_most_times(
                section, "server CPU per push, three processes", ours["cpu"], "µs CPU", chain["cpu"]
            ),
        ]
    return rows

"""What the registry costs while 5,000 users come to two instances: pauses of the loop, and time.

Three ways: without any registry (the strategy ``broadcast``), with the registry of our own instances,
and with a Spring instance on the broker that publishes 5,000 users of its own and gets full snapshots
of both instances. Instances and broker are processes, and the probe is in them.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from core.files_limit import raise_files_limit
from server.brokers.stomp import StompBroker
from server.users.spring_registry import PUBLISH_EVERY_S

from ..support.spring_peer import REGISTRY, snapshot_7
from .bench_users import LOOPS, client
from .measuring import Figures, medians
from .report import Row, at_most, at_most_times

#: Each way by name: settings, and whether a Spring instance is there.
WAYS: dict[str, tuple[dict[str, str], bool]] = {
    "without a registry": ({"strategy": "broadcast"}, False),
    "our own instances": ({"strategy": "relay"}, False),
    "and a Spring instance": ({"strategy": "relay", "registry_broadcast": "always"}, True),
}


class Role:
    """A process with an instance or a broker."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.url = ""

    async def hear(self) -> dict[str, Any]:
        """Its next line."""
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("an instance or the broker ended")
        return json.loads(line)

    def tell(self, command: str) -> None:
        """Send a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(command.encode() + b"\n")


@asynccontextmanager
async def role(*words: str) -> AsyncGenerator[Role]:
    """An instance or a broker until the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.benchmarks.registry_roles",
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    made = Role(process)
    try:
        made.url = (await made.hear())["url"]
        yield made
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def spring(url: str, count: int) -> AsyncGenerator[None]:
    """A Spring instance with so many users; it hears snapshots and does nothing with them."""
    broker = StompBroker(url)
    up = asyncio.Event()
    await broker.start(lambda available, reason: up.set())
    await up.wait()
    users = {f"spring-{number}": {f"s-{number}": ("/user/topic/greetings",)} for number in range(count)}
    body = json.dumps(snapshot_7("10.0.0.5-6f0c2f2e", users)).encode()
    broker.subscribe(REGISTRY, lambda delivery: None)
    told: list[int] = []

    async def publish() -> None:
        while True:  # as often as Spring does, the second one in the midst of the ramp
            broker.publish(REGISTRY, {"content-type": "application/json"}, body)
            await asyncio.sleep(1 if not told else PUBLISH_EVERY_S)
            told.append(1)

    task = asyncio.create_task(publish())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await broker.stop()


async def _ramp(way: str, users: int) -> Figures:
    settings, with_spring = WAYS[way]
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(role("broker"))
        instances: list[Role] = []
        for id in ("i1", "i2"):
            words = json.dumps({"id": id, "broker_url": broker.url, **settings})
            instances.append(await stack.enter_async_context(role("instance", words)))
        if with_spring:
            await stack.enter_async_context(spring(broker.url, users))
        for each in (*instances, broker):
            each.tell("reset")
        half = users // 2
        urls = [f"{each.url.replace('http', 'ws', 1)}/ws?user={{user}}" for each in instances]
        clients = [client("users", LOOPS[0], url, half, number * half) for number, url in enumerate(urls)]
        made = await asyncio.gather(*(stack.enter_async_context(each) for each in clients))
        seconds = max(each.opened["seconds"] for each in made)
        reports: list[dict[str, Any]] = []
        for each in instances:
            each.tell("report")
            reports.append(await each.hear())
        broker.tell("report")
        broker_cpu = (await broker.hear())["cpu"]
    worst = {name: max(report[name] for report in reports) for name in ("pause", "busy", "gc", "slice")}
    sums = {name: sum(report[name] for report in reports) for name in ("snapshots", "work", "heard", "cpu")}
    size = max(report["bytes"] for report in reports)
    return {"seconds": seconds, "bytes": size, "broker": broker_cpu, **worst, **sums}


async def _measure(rounds: int, quick: bool) -> list[Row]:
    raise_files_limit()
    users = 1_000 if quick else 5_000
    seen: dict[str, list[Figures]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            seen[way].append(await _ramp(way, users))
    found = {way: medians(figures) for way, figures in seen.items()}
    rows: list[Row] = []
    floor = found["without a registry"]["seconds"]
    for way, figures in found.items():
        note = f"CPU per user: instances {figures['cpu'] / users * 1e6:.0f} µs, "
        note += f"broker {figures['broker'] / users * 1e6:.0f} µs; {figures['heard']:.0f} messages of peers; "
        note += f"{figures['snapshots']:.0f} snapshots of {figures['bytes'] / 1024:.0f} KiB"
        section = f"Ramp to {users:,} users on two instances"
        rows.append(at_most_times(section, way, figures["seconds"], "s", floor, 1.2, note))
    for way, figures in found.items():
        section = "Longest work on the registry at once, in an instance"
        note = f"{figures['work'] * 1000:.0f} ms in all"
        rows.append(at_most(section, way, figures["slice"] * 1000, "ms", 20, note))
    for way, figures in found.items():
        section = "Longest work of an instance's loop without a break"
        note = f"{figures['gc'] * 1000:.1f} ms the longest garbage collection; "
        note += f"waiting for a core included, {figures['pause'] * 1000:.1f} ms"
        rows.append(at_most(section, way, figures["busy"] * 1000, "ms", 20, note))
    return rows


def main(rounds: int, quick: bool) -> list[Row]:
    """Measure."""
    return asyncio.run(_measure(min(rounds, 3), quick))

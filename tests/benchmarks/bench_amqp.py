"""RabbitMQ over AMQP: CPU of one publish + consume, and what 10,000 idle users cost.

In one process that publishes and consumes: ours, aio-pika's own way, aiormq's, and STOMP to the same
RabbitMQ, in interleaved rounds, one message at a time and 32 in flight. Then an instance whose users
are in another process (:mod:`.amqp_users`). Needs RabbitMQ (``dev.py test --system`` installs it).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aio_pika
import aiormq
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from core.errors import BrokerUnavailable
from core.files_limit import raise_files_limit
from server.brokers.base import Broker
from server.brokers.delivery import Delivery
from server.brokers.urls import broker_for
from server.instance import Instance
from server.settings.instance import InstanceSettings
from tests.support.rabbitmq import VirtualHost, running_node

from .loops import best_loop
from .measuring import CpuMeter, Figures, interleave_async
from .report import Row, at_most

KEY = "greetings-user5f0c1b"
HEADERS = {
    "content-type": "application/json",
    "ps-id": "run1.i1.user12.345",
    "simpOrigDestination": "/user/topic/greetings",
}
BODY = b"x" * 100
USERS = 10_000

#: Publishes one message.
Publish = Callable[[], None]
#: Starts to consume; whatever comes is to be told to what it is given. Returns how to publish.
Candidate = Callable[[AsyncExitStack, VirtualHost, Callable[[], None]], Awaitable[Publish]]


async def _of_ours(stack: AsyncExitStack, url: str, came: Callable[[], None]) -> Publish:
    broker: Broker = broker_for(url)
    up, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    await broker.start(lambda available, reason: up.set() if available else None)
    stack.push_async_callback(broker.stop)
    await up.wait()

    def deliver(delivery: Delivery) -> None:
        delivery.outgoing()  # as an instance does
        came()

    def told(error: BrokerUnavailable | None) -> None:
        ready.set_result(None)

    broker.subscribe(f"/topic/{KEY}", deliver, told)
    await ready
    return lambda: broker.publish(f"/topic/{KEY}", HEADERS, BODY)


async def _amqp(stack: AsyncExitStack, host: VirtualHost, came: Callable[[], None]) -> Publish:
    return await _of_ours(stack, host.amqp_url, came)


async def _stomp(stack: AsyncExitStack, host: VirtualHost, came: Callable[[], None]) -> Publish:
    return await _of_ours(stack, host.stomp_url, came)


async def _aio_pika(stack: AsyncExitStack, host: VirtualHost, came: Callable[[], None]) -> Publish:
    connection = await stack.enter_async_context(await aio_pika.connect(host.amqp_url))
    channel = await connection.channel()
    exchange = await channel.get_exchange("amq.topic")
    queue = await channel.declare_queue(exclusive=True)
    await queue.bind(exchange, KEY)

    async def consumed(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        came()

    await queue.consume(consumed, no_ack=True)
    headers: dict[str, Any] = {name: value for name, value in HEADERS.items() if name != "content-type"}

    async def publish() -> None:
        message = aio_pika.Message(BODY, headers=headers, content_type=HEADERS["content-type"])
        await exchange.publish(message, KEY, mandatory=False)

    return _spawning(stack, publish)


async def _aiormq(stack: AsyncExitStack, host: VirtualHost, came: Callable[[], None]) -> Publish:
    connection = await aiormq.connect(host.amqp_url)
    stack.push_async_callback(connection.close)
    channel = await connection.channel()
    queue = (await channel.queue_declare(exclusive=True)).queue or ""
    await channel.queue_bind(queue, "amq.topic", KEY)

    async def consumed(message: DeliveredMessage) -> None:
        came()

    await channel.basic_consume(queue, consumed, no_ack=True)
    headers: dict[str, Any] = {name: value for name, value in HEADERS.items() if name != "content-type"}

    async def publish() -> None:
        properties = Basic.Properties(content_type=HEADERS["content-type"], headers=headers)
        await channel.basic_publish(BODY, exchange="amq.topic", routing_key=KEY, properties=properties)

    return _spawning(stack, publish)


def _spawning(stack: AsyncExitStack, publish: Callable[[], Awaitable[None]]) -> Publish:
    tasks: set[asyncio.Future[None]] = set()

    def spawn() -> None:
        task = asyncio.ensure_future(publish())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def finish() -> None:
        await asyncio.gather(*tasks, return_exceptions=True)

    stack.push_async_callback(finish)
    return spawn


CANDIDATES: dict[str, Candidate] = {
    "ours": _amqp,
    "aio-pika's own way": _aio_pika,
    "aiormq": _aiormq,
    "ours, STOMP": _stomp,
}


async def _round(make: Candidate, host: VirtualHost, count: int, in_flight: int) -> Figures:
    """Microseconds of CPU for one publish + consume; each message that comes sends the next."""
    all_came = asyncio.Event()
    sent = arrived = 0
    publish: Publish = all_came.clear

    def came() -> None:
        nonlocal arrived
        arrived += 1
        if arrived == count:
            all_came.set()
        send()

    def send() -> None:
        nonlocal sent
        if sent < count:
            sent += 1
            publish()

    async with AsyncExitStack() as stack:
        publish = await make(stack, host, came)
        with CpuMeter() as meter:
            begun = time.perf_counter()
            for _ in range(in_flight):
                send()
            async with asyncio.timeout(60):
                await all_came.wait()
            elapsed = time.perf_counter() - begun
    return {"cpu": meter.seconds / count * 1e6, "rate": count / elapsed}


async def _hot(host: VirtualHost, rounds: int, quick: bool) -> list[Row]:
    rows: list[Row] = []
    for in_flight, count in ((1, 1_000 if quick else 4_000), (32, 5_000 if quick else 20_000)):
        found = await interleave_async(
            rounds,
            {
                name: lambda make=make, count=count, in_flight=in_flight: _round(make, host, count, in_flight)
                for name, make in CANDIDATES.items()
            },
        )
        section = f"Publish + consume through RabbitMQ, {in_flight} in flight"
        for name, figures in found.items():
            note = f"{figures['rate']:,.0f}/s"
            if name == "ours":
                rows.append(at_most(section, name, figures["cpu"], "µs CPU", 80, note))
            else:
                ratio = figures["cpu"] / found["ours"]["cpu"]
                rows.append(
                    Row(section, name, figures["cpu"], "µs CPU", found["ours"]["cpu"], ratio, note=note)
                )
    return rows


class Users:
    """The process with the users."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def tell(self, command: str) -> Figures:
        """Have a command carried out."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(command.encode() + b"\n")
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{command}: the users' process ended")
        return json.loads(line)

    async def quit(self) -> None:
        """Have it end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


async def _until(condition: Callable[[], Awaitable[bool]]) -> float:
    """Seconds until something holds at RabbitMQ."""
    begun = time.perf_counter()
    while not await condition():
        if time.perf_counter() - begun > 120:
            raise TimeoutError("RabbitMQ did not come to it within two minutes")
        await asyncio.sleep(0.1)
    return time.perf_counter() - begun


async def _idle_users(host: VirtualHost, count: int) -> list[Row]:
    raise_files_limit()
    section = f"{count:,} idle users of one instance, amqp:"

    async def bound() -> int:
        path = f"exchanges/{host.name}/amq.topic/bindings/source"
        return len(await host.node.ask("GET", path))

    async with Instance(InstanceSettings(broker_url=host.amqp_url)) as instance:
        before = await bound()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.benchmarks.amqp_users",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        users = Users(process)
        await users.tell(f"connect {instance.url} {count}")
        with CpuMeter() as meter:
            subscribed = await users.tell("subscribe")
        rate = count / subscribed["seconds"]
        bindings = await bound() - before
        connections, queues = len(await host.connections()), len(await host.queues())
        with CpuMeter() as leaving:
            left = await users.tell("unsubscribe")
        unbound = left["seconds"] + await _until(lambda: _equals(bound, before))
        await users.quit()

    async def nothing() -> bool:
        return not await host.connections() and not await host.queues()

    gone = await _until(nothing)
    note = f"{bindings:,} bindings"
    return [
        at_most(section, "connections at RabbitMQ", connections, "", 1),
        at_most(section, "queues at RabbitMQ", queues, "", 1, note),
        Row(section, "subscriptions", rate, "/s", bar="≥ 300 /s", ok=rate >= 300, note=_slowest(subscribed)),
        Row(section, "CPU of a subscription", meter.seconds / count * 1e6, "µs CPU"),
        Row(section, "CPU of an unsubscription", leaving.seconds / count * 1e6, "µs CPU"),
        Row(section, "until all are unbound", unbound, "s", note=f"{count / unbound:,.0f}/s"),
        Row(section, "until RabbitMQ knows of nothing after the end", gone, "s"),
    ]


def _slowest(figures: Figures) -> str:
    return f"slowest RECEIPT {figures['slowest'] * 1e3:,.0f} ms, 100 under way"


async def _equals(count: Callable[[], Awaitable[int]], wanted: int) -> bool:
    return await count() == wanted


async def _measure(rounds: int, quick: bool) -> list[Row]:
    async with running_node() as node:
        async with node.virtual_host() as host:
            rows = await _hot(host, rounds, quick)
        async with node.virtual_host() as host:
            rows += await _idle_users(host, USERS // 10 if quick else USERS)
    return rows


def main(rounds: int, quick: bool) -> list[Row]:
    """Measure on the loop that roles run on."""
    with asyncio.Runner(loop_factory=best_loop()) as runner:
        return runner.run(_measure(rounds, quick))

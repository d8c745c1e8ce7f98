"""A broker object under test, what it says of itself, and what it delivers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from core.errors import BrokerUnavailable
from server.brokers.amqp import AmqpBroker
from server.brokers.base import AUTO, Broker, Consume
from server.brokers.delivery import Delivery
from server.brokers.reconnecting import RelayTimes
from tests.support.processes import until

PATIENCE = 20.0
QUICK = RelayTimes(first_pause_s=0.01, longest_pause_s=0.1)
HELD = Consume(ack="client-individual")


class Watched:
    """A broker object and what it said about its availability."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.changes: list[tuple[bool, str]] = []

    def note(self, available: bool, reason: str) -> None:
        """Called by the broker."""
        self.changes.append((available, reason))

    async def up(self) -> None:
        """Return when it can be used."""
        await until(lambda: self.broker.available, "the broker is there")

    async def subscribe(
        self, destination: str, deliver: Callable[[Delivery], None], consume: Consume = AUTO
    ) -> int:
        """Subscribe, and return when that is in place; raises what the broker refused."""
        ready: asyncio.Future[BrokerUnavailable | None] = asyncio.get_running_loop().create_future()
        handle = self.broker.subscribe(destination, deliver, ready.set_result, consume)
        async with asyncio.timeout(PATIENCE):
            error = await ready
        if error is not None:
            raise error
        return handle

    async def publish(self, destination: str, body: bytes = b"x", **headers: str) -> None:
        """Publish, and return when the broker has it; raises what it refused."""
        done: asyncio.Future[BrokerUnavailable | None] = asyncio.get_running_loop().create_future()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.broker.publish(destination, named, body, done.set_result)
        async with asyncio.timeout(PATIENCE):
            error = await done
        if error is not None:
            raise error


class Inbox(asyncio.Queue[Delivery]):
    """Collects what is delivered."""

    async def next(self) -> Delivery:
        """The next delivery."""
        async with asyncio.timeout(PATIENCE):
            return await self.get()

    async def bodies(self, count: int) -> list[bytes]:
        """The next bodies."""
        return [(await self.next()).body for _ in range(count)]


@asynccontextmanager
async def watched(broker: Broker) -> AsyncGenerator[Watched]:
    """Started and stopped with the block."""
    found = Watched(broker)
    await broker.start(found.note)
    try:
        yield found
    finally:
        await broker.stop()


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[Watched]:
    """Over AMQP, usable within the block."""
    async with watched(AmqpBroker(url, times=QUICK)) as relay:
        await relay.up()
        yield relay


async def eventually(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until what has to be asked for holds."""
    deadline = time.monotonic() + PATIENCE
    while not await condition():
        assert time.monotonic() < deadline, f"still not: {what}"
        await asyncio.sleep(0.1)

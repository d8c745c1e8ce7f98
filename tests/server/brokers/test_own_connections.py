"""Consumers with a connection each: what one holds comes back when it goes, whatever its broker is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from core.errors import BrokerUnavailable
from server.brokers.base import Consume
from server.brokers.delivery import Delivery
from server.brokers.memory import MemoryBroker, MemoryExchange
from server.brokers.own_connections import OwnConnections

from ...support.processes import until

HELD = Consume("client-individual", prefetch=1)


class Bench:
    """Two of several consumers of a queue, and who publishes to it."""

    def __init__(self) -> None:
        self.shared = MemoryExchange()
        self.publisher = MemoryBroker(self.shared)
        self.own = OwnConnections(lambda: MemoryBroker(self.shared))
        self.ready: list[BrokerUnavailable | None] = []
        self.got: dict[int, list[Delivery]] = {}

    def open(self, handle: int) -> None:
        self.got[handle] = []
        self.own.open(handle, "/queue/a", self.got[handle].append, self.ready.append, HELD)

    async def wait_for(self, handle: int, count: int) -> None:
        await until(lambda: len(self.got[handle]) == count, f"{count} messages for {handle}")


@pytest.fixture
async def bench() -> AsyncGenerator[Bench]:
    bench = Bench()
    await bench.publisher.start(lambda available, reason: None)
    yield bench
    await bench.own.stop()
    await bench.publisher.stop()
    assert bench.shared.exchange.bindings == 0


async def test_each_has_its_own_tokens_and_gives_back_what_it_held(bench: Bench) -> None:
    for handle in (1, 2):
        bench.open(handle)
    await until(lambda: bench.shared.exchange.bindings == 2, "both consume")
    assert bench.ready == [None, None]
    for number in range(3):
        bench.publisher.publish("/queue/a", {}, str(number).encode())
    await bench.wait_for(1, 1)
    await bench.wait_for(2, 1)
    assert bench.own.nack(2, bench.got[2][0].ack, requeue=False)
    await bench.wait_for(2, 2)
    assert bench.own.ack(2, bench.got[2][1].ack)
    held = bench.got[1][0].body
    assert bench.own.close(1)
    await bench.wait_for(2, 3)
    assert (bench.got[2][2].body, bench.got[2][2].headers["redelivered"]) == (held, "true")


async def test_handles_of_others_are_not_its_own(bench: Bench) -> None:
    assert not bench.own.close(7)
    assert not bench.own.ack(7, "1.1")
    assert not bench.own.nack(7, "1.1", requeue=True)


async def test_one_that_is_closed_at_once_leaves_nothing(bench: Bench) -> None:
    bench.open(1)
    assert bench.own.close(1)
    assert not bench.own.close(1)
    await asyncio.sleep(0)
    bench.publisher.publish("/queue/a", {}, b"x")
    assert bench.got[1] == []

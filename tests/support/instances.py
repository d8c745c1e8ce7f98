"""Instances in the loop of a test, on free ports, with an HTTP client beside them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp

from server.brokers.base import Broker
from server.brokers.embedded import EmbeddedBroker
from server.handlers.demo import DEMO_HANDLERS
from server.handlers.interceptors import Interceptor
from server.instance import Instance
from server.settings.instance import InstanceSettings


@asynccontextmanager
async def one_instance(
    *,
    broker: Broker | None = None,
    handlers: Iterable[object] = DEMO_HANDLERS,
    interceptors: Sequence[Interceptor] = (),
    **settings: Any,
) -> AsyncGenerator[Instance]:
    """An instance on the memory broker."""
    options = InstanceSettings(**settings)
    async with Instance(options, broker=broker, handlers=handlers, interceptors=interceptors) as instance:
        yield instance


class Cluster:
    """Instances on one embedded broker."""

    def __init__(self, broker: EmbeddedBroker, stack: AsyncExitStack, http: aiohttp.ClientSession) -> None:
        self.broker = broker
        self.http = http
        self.instances: list[Instance] = []
        self._stack = stack

    async def add(self, **settings: Any) -> Instance:
        """Start one more."""
        id = f"i{len(self.instances) + 1}"
        # A machine that stands still for half a second must not send receipts too early here.
        patient: dict[str, Any] = {"id": id, "broker_url": self.broker.url, "receipt_wait_s": 10.0}
        options = {**patient, **settings}
        instance = Instance(InstanceSettings(**options))
        await self._stack.enter_async_context(instance)
        self.instances.append(instance)
        return instance

    async def push(self, instance: Instance, **request: Any) -> tuple[int, dict[str, Any]]:
        """POST /push; status and answer."""
        return await push(self.http, instance.url, **request)


@asynccontextmanager
async def cluster(count: int = 2, **settings: Any) -> AsyncGenerator[Cluster]:
    """``count`` instances on one embedded broker."""
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(EmbeddedBroker())
        http = await stack.enter_async_context(aiohttp.ClientSession())
        found = Cluster(broker, stack, http)
        for _ in range(count):
            await found.add(**settings)
        yield found


async def push(http: aiohttp.ClientSession, url: str, **request: Any) -> tuple[int, dict[str, Any]]:
    """POST /push; status and answer."""
    body = {"destination": "/topic/greetings", **request}
    async with http.post(f"{url}/push", json=body) as response:
        return response.status, await response.json()

"""A client that comes back: it wraps one StompClient after another."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self

from ..errors import ConnectionClosed, LocalProtocolError, PushscopeError
from .reconnect import ReconnectPolicy
from .stomp_client import StompClient
from .subscription import Subscription, WhenFull

log = logging.getLogger("pushscope.client")

_NO_HEADERS: Final[Mapping[str, str]] = {}


class ReconnectingClient:
    """Keeps a connection by policy and renews its subscriptions; an async context manager.

    The first connection is made, or fails, on entering. A connection that is lost later is replaced
    by a new :class:`StompClient` from ``make``; subscriptions are the same objects before and after,
    iteration goes on, and ``renewals`` of a subscription counts the gaps: what was sent meanwhile is
    missing. When the policy gives up, subscriptions raise the last error.

    Args:
        make: Makes a client that is not connected yet.
        policy: When to try again.
    """

    def __init__(self, make: Callable[[], StompClient], policy: ReconnectPolicy | None = None) -> None:
        self._make = make
        self._policy = policy or ReconnectPolicy()
        self._client: StompClient | None = None
        self._subscriptions: list[Subscription] = []
        self._count = 0
        self._connected = asyncio.Event()
        self._over: PushscopeError | None = None
        self._group = asyncio.TaskGroup()
        self._keeper: asyncio.Task[None] | None = None
        self.reconnects = 0

    async def __aenter__(self) -> Self:
        await self._connect()
        await self._group.__aenter__()
        self._keeper = self._group.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
        self._over = ConnectionClosed("the client was closed", code=1000)
        for subscription in self._subscriptions:
            subscription.end()
        try:
            if self._client is not None:
                await self._client.close()
        finally:
            await self._group.__aexit__(kind, error, trace)

    async def client(self) -> StompClient:
        """The present client, connected and with all subscriptions; waits for it.

        Raises:
            PushscopeError: The policy gave up, or this was closed.
        """
        while True:
            if self._over is not None:
                raise self._over
            if self._client is not None and self._client.alive and self._connected.is_set():
                return self._client
            self._connected.clear()
            await self._connected.wait()

    async def subscribe(
        self,
        destination: str,
        *,
        ack: str = "auto",
        headers: Mapping[str, str] = _NO_HEADERS,
        capacity: int = 1000,
        when_full: WhenFull = "drop-oldest",
    ) -> Subscription:
        """Subscribe now and in every later connection; returns when the server has confirmed."""
        client = await self.client()
        self._count += 1
        subscription = Subscription(
            f"lasting-{self._count}",
            destination,
            ack=ack,
            headers=headers,
            capacity=capacity,
            when_full=when_full,
            lasting=True,
        )
        self._subscriptions.append(subscription)
        try:
            await client.adopt(subscription)
        except ConnectionClosed:
            await self.client()  # the next connection takes it along
        except BaseException:
            self._subscriptions.remove(subscription)
            raise
        return subscription

    async def send(
        self,
        destination: str,
        body: bytes | str = b"",
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        receipt: bool = False,
    ) -> None:
        """Send through the present connection, waiting for one; never sent twice.

        Raises:
            ConnectionClosed: The connection ended while sending: with ``receipt`` it is unknown
                whether the server took it.
        """
        client = await self.client()
        await client.send(destination, body, headers=headers, receipt=receipt)

    # ---- inside -----------------------------------------------------------------------------

    async def _connect(self) -> None:
        client = self._make()
        if client.opened:
            raise LocalProtocolError("`make` must return a new StompClient each time")
        await client.__aenter__()
        self._client = client
        self._subscriptions = [each for each in self._subscriptions if not each.ended]
        try:
            for subscription in self._subscriptions:
                await client.adopt(subscription)
                subscription.renewals += 1
        except BaseException:
            await client.close()
            raise
        self._connected.set()

    async def _keep(self) -> None:
        """Wait for the end of a connection, make the next, for ever."""
        while self._client is not None:
            info = await self._client.wait_closed()
            self._connected.clear()
            log.info("connection ended (%s); connecting again", info)
            try:
                await self._again()
            except PushscopeError as error:
                self._over = error
                for subscription in self._subscriptions:
                    subscription.end(error)
                self._connected.set()
                return
            self.reconnects += 1

    async def _again(self) -> None:
        attempt = 0
        last: PushscopeError = ConnectionClosed("the connection was lost and is not to be renewed")
        while True:
            delay = self._policy.delay(attempt, random.random())
            if delay is None:
                raise last
            await asyncio.sleep(delay)
            try:
                await self._connect()
                return
            except PushscopeError as error:
                last = error
                attempt += 1

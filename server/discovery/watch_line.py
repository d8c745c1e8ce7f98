"""The way to our own discovery: one WebSocket to ``/watch``, changes at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from core.reasons import reason_of

from . import wire
from .lines import Heard, LineDown
from .registry import Registered

logger = logging.getLogger("pushscope.discovery.client")

_MAX_LISTING = 16 * 1024 * 1024


class WatchLine:
    """Registration and renewals out, the registry in; see :class:`.lines.Line`.

    Args:
        url: Of ``/watch``, with ws or wss.
        registration: Ourselves, or None to watch only.
        hear: Takes every registry.
        authorization: The Authorization header, or "".
        lease_s: How long discovery waits for a renewal before it drops us.
        renew_s: How often we renew.
        grace_s: How long those are kept whom a restarted discovery does not know yet.
    """

    def __init__(
        self,
        url: str,
        registration: Registered | None,
        hear: Callable[[Heard], None],
        *,
        authorization: str,
        lease_s: float,
        renew_s: float,
        grace_s: float,
    ) -> None:
        self.grace_s = grace_s
        self._url = url
        self._registration = registration
        self._hear = hear
        self._headers = {"Authorization": authorization} if authorization else None
        self._lease_s = lease_s
        self._renew_s = renew_s
        self._connection: ClientConnection | None = None

    @property
    def connected(self) -> bool:
        """Whether the connection stands now."""
        return self._connection is not None

    async def run(self) -> None:
        """One connection, until it ends."""
        try:
            await self._one_connection()
        except InvalidStatus as error:
            status = error.response.status_code
            raise LineDown(f"HTTP {status}", status=status) from error
        except (OSError, TimeoutError, InvalidHandshake) as error:
            raise LineDown(reason_of(error)) from error

    async def say(self, registration: Registered) -> None:
        """Say it if connected."""
        self._registration = registration
        if self._connection is not None:
            try:
                await self._register(self._connection)
            except ConnectionClosed:
                return  # the next connection says it

    async def leave(self) -> None:
        """Say goodbye if connected."""
        connection = self._connection
        if connection is None or self._registration is None:
            return
        try:
            async with asyncio.timeout(1):
                await connection.send(wire.encode(wire.Deregister()))
                await connection.close()
        except (TimeoutError, ConnectionClosed):
            pass

    def abort(self) -> None:
        """Cut the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.transport.abort()

    async def _one_connection(self) -> None:
        trouble = ""
        async with connect(
            self._url,
            additional_headers=self._headers,
            compression=None,
            proxy=None,
            open_timeout=3,
            ping_interval=5,
            ping_timeout=5,
            close_timeout=1,
            max_size=_MAX_LISTING,
        ) as connection:
            self._connection = connection
            try:
                # A failing renewal ends the group, a closed connection ends the reading.
                async with asyncio.TaskGroup() as group:
                    renewals = group.create_task(self._renew(connection))
                    trouble = await self._read(connection)
                    renewals.cancel()
            except* ConnectionClosed:
                pass
            except* (msgspec.DecodeError, RecursionError) as group:
                trouble = f"something else answers there: {group.exceptions[0]}"
            finally:
                self._connection = None
        if trouble:
            raise LineDown(trouble)

    async def _read(self, connection: ClientConnection) -> str:
        """Until the connection ends; why it was refused, or ""."""
        trouble = ""
        async for text in connection:
            match wire.decode_server(text):
                case wire.Listing() as listing:
                    self._take(listing)
                case wire.Unknown():
                    await self._register(connection)
                case wire.Refused(reason):
                    trouble = f"refused us: {reason}"
        return trouble

    def _take(self, listing: wire.Listing) -> None:
        ours = self._registration
        listed = ours is None or any(item.key == ours.key for item in listing.instances)
        self._hear(Heard(listing.epoch, listing.age_s, listing.instances, listed))

    async def _renew(self, connection: ClientConnection) -> None:
        if self._registration is None:
            return
        await self._register(connection)
        message = wire.encode(wire.Renew())
        while True:
            await asyncio.sleep(self._renew_s)
            await connection.send(message)

    async def _register(self, connection: ClientConnection) -> None:
        if self._registration is not None:
            await connection.send(wire.encode(wire.Register(self._registration, self._lease_s)))

"""The client of discovery: registers itself if asked, and always knows who is there.

One WebSocket to ``/watch``: registration and renewals out, the registry in, at once after every
change. When discovery goes away the last known registry stays valid; when it comes back empty
(a restart), instances that have not registered again are kept for a moment, because a restarted
registry says nothing about who has died.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from types import TracebackType
from typing import Self

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from core.errors import TargetUnreachable, UsageError

from . import wire
from .registry import Registered, Snapshot

logger = logging.getLogger("pushscope.discovery.client")

#: What an instance says about itself.
Registration = Registered

_FIRST_DELAY_S = 0.05
_LONGEST_DELAY_S = 1.0
_MAX_LISTING = 16 * 1024 * 1024


class DiscoveryClient:
    """Watches a registry, and keeps ``registration`` in it, between enter and exit.

    Entering returns when the registry is known (and contains us), or after ``ready_s`` with a
    warning; it goes on trying for as long as it is entered.

    Args:
        url: Base URL of discovery, as ``http://127.0.0.1:8761``.
        registration: Ourselves, or None to watch only.
        on_change: Called in the event loop with every new registry, the first one included.
        lease_s: How long discovery waits for a renewal before it drops us.
        renew_s: How often we renew.
        grace_s: How long those are kept whom a restarted discovery does not know yet.
        token: For a discovery that does not listen on loopback.
        required: Raise TargetUnreachable when ``ready_s`` pass without an answer.
    """

    def __init__(
        self,
        url: str,
        registration: Registration | None = None,
        on_change: Callable[[Snapshot], None] | None = None,
        *,
        lease_s: float = 2.0,
        renew_s: float = 0.5,
        grace_s: float = 3.0,
        token: str = "",
        ready_s: float = 3.0,
        required: bool = False,
    ) -> None:
        self.url = url.rstrip("/")
        self._watch_url = _watch_url(self.url)
        self._registration = registration
        self._on_change = on_change
        self._lease_s = lease_s
        self._renew_s = renew_s
        self._grace_s = grace_s
        self._token = token
        self._ready_s = ready_s
        self._required = required
        self._snapshot = Snapshot()
        self._epoch: str | None = None
        self._ghosts: tuple[Registered, ...] = ()
        self._ghost_timer: asyncio.TimerHandle | None = None
        self._listing: tuple[Registered, ...] = ()
        self._ready = asyncio.Event()
        self._connection: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._trouble = ""

    @property
    def connected(self) -> bool:
        """Whether the connection stands now."""
        return self._connection is not None

    @property
    def snapshot(self) -> Snapshot:
        """The registry as last heard."""
        return self._snapshot

    def instances(self, service: str) -> tuple[Registered, ...]:
        """The instances of ``service`` that are UP, in the order of registration."""
        return self._snapshot.of(service)

    async def update(self, *, status: str | None = None, metadata: dict[str, str] | None = None) -> None:
        """Change what we say about ourselves: a status (``OUT_OF_SERVICE`` to drain), metadata."""
        ours = self._registration
        if ours is None:
            raise UsageError("this client has registered nothing")
        self._registration = msgspec.structs.replace(
            ours,
            status=status if status is not None else ours.status,
            metadata=metadata if metadata is not None else ours.metadata,
        )
        if self._connection is not None:
            try:
                await self._register(self._connection)
            except ConnectionClosed:
                return  # the next connection says it

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name=f"discovery-client:{self.url}")
        try:
            async with asyncio.timeout(self._ready_s):
                await self._ready.wait()
        except TimeoutError:
            trouble = f"discovery at {self.url} does not answer: {self._trouble or 'no answer yet'}"
            if self._required:
                await self._stop()
                raise TargetUnreachable(
                    trouble, tried=self._watch_url, hint="start discovery first, or correct its address"
                ) from None
            logger.warning("%s; going on without it, trying again", trouble)
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection = self._connection
        if connection is not None and self._registration is not None:
            try:
                async with asyncio.timeout(1):
                    await connection.send(wire.encode(wire.Deregister()))
                    await connection.close()
            except (TimeoutError, ConnectionClosed):
                pass
        await self._stop()

    def abort(self) -> None:
        """Cut the connection without a goodbye and stay away, as if the process had been killed."""
        if self._task is not None:
            self._task.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.transport.abort()

    async def _stop(self) -> None:
        if self._ghost_timer is not None:
            self._ghost_timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        delay = _FIRST_DELAY_S
        while True:
            try:
                await self._one_connection()
                delay = _FIRST_DELAY_S
            except (OSError, TimeoutError, InvalidHandshake) as error:
                self._note_trouble(_describe(error))
            # Jitter, so that all the clients of a restarted discovery do not come at once.
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, _LONGEST_DELAY_S)

    def _note_trouble(self, trouble: str) -> None:
        if trouble != self._trouble:
            logger.warning("discovery at %s: %s; trying again", self.url, trouble)
        self._trouble = trouble

    async def _one_connection(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else None
        async with connect(
            self._watch_url,
            additional_headers=headers,
            compression=None,
            proxy=None,
            open_timeout=3,
            ping_interval=5,
            ping_timeout=5,
            close_timeout=1,
            max_size=_MAX_LISTING,
        ) as connection:
            self._connection = connection
            self._trouble = ""
            try:
                # A failing renewal ends the group, a closed connection ends the reading.
                async with asyncio.TaskGroup() as group:
                    renewals = group.create_task(self._renew(connection))
                    await self._read(connection)
                    renewals.cancel()
            except* ConnectionClosed:
                pass
            except* msgspec.MsgspecError as group:
                self._note_trouble(f"something else answers there: {group.exceptions[0]}")
            finally:
                self._connection = None
        logger.info("discovery at %s: connection ended", self.url)

    async def _read(self, connection: ClientConnection) -> None:
        async for text in connection:
            match wire.decode_server(text):
                case wire.Listing() as listing:
                    self._take(listing)
                case wire.Unknown():
                    await self._register(connection)
                case wire.Refused(reason):
                    self._note_trouble(f"refused us: {reason}")

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

    def _take(self, listing: wire.Listing) -> None:
        if self._epoch is not None and listing.epoch != self._epoch:
            grace = self._grace_s - listing.age_s
            if grace > 0:
                self._ghosts = self._snapshot.instances
                if self._ghost_timer is not None:
                    self._ghost_timer.cancel()
                self._ghost_timer = asyncio.get_running_loop().call_later(grace, self._bury)
        self._epoch = listing.epoch
        self._listing = listing.instances
        self._publish()
        ours = self._registration
        if ours is None or any(item.key == ours.key for item in listing.instances):
            self._ready.set()

    def _bury(self) -> None:
        self._ghosts = ()
        self._ghost_timer = None
        self._publish()

    def _publish(self) -> None:
        present = {item.key for item in self._listing}
        self._ghosts = tuple(item for item in self._ghosts if item.key not in present)
        instances = self._listing + self._ghosts
        if instances == self._snapshot.instances and self._ready.is_set():
            return
        self._snapshot = Snapshot(self._snapshot.version + 1, instances)
        if self._on_change is not None:
            try:
                self._on_change(self._snapshot)
            except Exception:  # theirs, and no reason for us to stop watching
                logger.exception("on_change failed")


def _watch_url(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("http", "https") or not rest:
        raise UsageError(f"discovery URL {url!r} is not understood", hint="give it as http://127.0.0.1:8761")
    for path in ("/eureka/v2", "/eureka"):  # people paste the URL that Spring wants
        rest = rest.removesuffix(path)
    return f"{'wss' if scheme == 'https' else 'ws'}://{rest}/watch"


def _describe(error: Exception) -> str:
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        return f"HTTP {status}" + (" (is PUSHSCOPE_TOKEN right?)" if status == 403 else "")
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__

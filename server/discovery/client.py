"""The client of discovery: registers itself if asked, and always knows who is there.

Our own discovery pushes every change (:mod:`.watch_line`), a real Eureka is polled
(:mod:`.eureka_line`); which one it is is asked once. When discovery goes away the last known
registry stays valid; when it comes back empty (a restart), instances that have not registered
again are kept for a moment, because a restarted registry says nothing about who has died.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from types import TracebackType
from typing import Self

import msgspec

from core.errors import TargetUnreachable, UsageError

from .address import DiscoveryAddress, EurekaServer, reachable
from .eureka_line import EurekaLine
from .lines import Heard, Line, LineDown
from .recognition import eureka_at, ours_at
from .registry import Registered, Snapshot
from .watch_line import WatchLine

logger = logging.getLogger("pushscope.discovery.client")

#: What an instance says about itself.
Registration = Registered

_FIRST_DELAY_S = 0.05
_LONGEST_DELAY_S = 1.0
#: A wrong token for our own discovery, or a server that has no WebSocket there.
_FORBIDDEN = 403


class DiscoveryClient:
    """Watches a registry, and keeps ``registration`` in it, between enter and exit.

    Entering returns when the registry is known (and, with our own discovery, contains us), or
    after ``ready_s`` with a warning; it goes on trying for as long as it is entered.

    Args:
        url: Of our discovery, as ``http://127.0.0.1:8761``, or of a real Eureka, as
            ``http://127.0.0.1:8761/eureka``; see :mod:`.address`.
        registration: Ourselves, or None to watch only.
        on_change: Called in the event loop with every new registry, the first one included.
        lease_s: How long our discovery waits for a renewal before it drops us.
        renew_s: How often we renew there.
        grace_s: How long those are kept whom a restarted discovery does not know yet.
        token: For a discovery of ours that does not listen on loopback.
        required: Raise TargetUnreachable when ``ready_s`` pass without an answer.

    Raises (constructing):
        UsageError: ``url`` is not understood.
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
        self._address = DiscoveryAddress.parse(url)
        if registration is not None:
            host = reachable(registration.host, self._address)
            registration = msgspec.structs.replace(registration, host=host)
        self._registration = registration
        self._on_change = on_change
        self._ready_s = ready_s
        self._required = required
        self._line: Line = WatchLine(
            self._address.watch,
            registration,
            self._take,
            authorization=f"Bearer {token}" if token else self._address.authorization,
            lease_s=lease_s,
            renew_s=renew_s,
            grace_s=grace_s,
        )
        self._kind_known = False
        if not self._address.watch:
            self._use_eureka(self._address.servers)
        self._snapshot = Snapshot()
        self._epoch: str | None = None
        self._ghosts: tuple[Registered, ...] = ()
        self._ghost_timer: asyncio.TimerHandle | None = None
        self._listing: tuple[Registered, ...] = ()
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._leaving = False
        self._trouble = ""

    @property
    def url(self) -> str:
        """Where discovery is, without a password."""
        return self._address.shown

    @property
    def connected(self) -> bool:
        """Whether discovery answers now."""
        return self._line.connected

    @property
    def snapshot(self) -> Snapshot:
        """The registry as last heard."""
        return self._snapshot

    def instances(self, service: str) -> tuple[Registered, ...]:
        """The instances of ``service`` that are UP, in the registry's order."""
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
        await self._line.say(self._registration)

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
                    trouble,
                    tried=self._address.watch or self.url,
                    hint="start discovery first, or correct its address",
                ) from None
            logger.warning("%s; going on without it, trying again", trouble)
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A task group may swallow our cancelling when the connection ends at the same moment.
        self._leaving = True
        await self._line.leave()
        await self._stop()

    def abort(self) -> None:
        """Cut the connection without a goodbye and stay away, as if the process had been killed."""
        if self._task is not None:
            self._task.cancel()
        self._line.abort()

    async def _stop(self) -> None:
        if self._ghost_timer is not None:
            self._ghost_timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        delay = _FIRST_DELAY_S
        while not self._leaving:
            try:
                await self._line.run()
                logger.info("discovery at %s: connection ended", self.url)
                delay = _FIRST_DELAY_S
            except LineDown as down:
                trouble = await self._recognise(down)
                if not trouble:
                    continue
                self._note_trouble(trouble)
            # Jitter, so that all the clients of a restarted discovery do not come at once.
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, _LONGEST_DELAY_S)

    async def _recognise(self, down: LineDown) -> str:
        """See whether Eureka answers where ours does not; why not, or "" if it does."""
        if down.status == _FORBIDDEN and (self._kind_known or await ours_at(self._address)):
            return f"{down} (is PUSHSCOPE_TOKEN right?)"
        if self._kind_known or down.status is None:
            return str(down)
        found = await eureka_at(self._address)
        if isinstance(found, str):
            return f"neither Pushscope's discovery ({down} at {self._address.watch}) nor Eureka: {found}"
        logger.info("discovery at %s is a Eureka: its delays are those of its clients and cache", self.url)
        self._use_eureka((found,))
        return ""

    def _use_eureka(self, servers: tuple[EurekaServer, ...]) -> None:
        self._kind_known = True
        self._line = EurekaLine(servers, self._address.times, self._registration, self._take)

    def _note_trouble(self, trouble: str) -> None:
        if trouble != self._trouble:
            logger.warning("discovery at %s: %s; trying again", self.url, trouble)
        self._trouble = trouble

    def _take(self, heard: Heard) -> None:
        self._kind_known = True
        self._trouble = ""
        if self._epoch is not None and heard.epoch != self._epoch:
            grace = self._line.grace_s - heard.age_s
            if grace > 0:
                self._ghosts = self._snapshot.instances
                if self._ghost_timer is not None:
                    self._ghost_timer.cancel()
                self._ghost_timer = asyncio.get_running_loop().call_later(grace, self._bury)
        self._epoch = heard.epoch
        self._listing = heard.instances
        self._publish()
        if heard.settled:
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

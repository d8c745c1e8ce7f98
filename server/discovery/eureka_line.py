"""The way to a real Eureka: registered and renewed as its clients do, its registry fetched in turn.

Delays are Eureka's: a change is seen after the server's cache (up to 30 s) and our next fetch (up
to 30 s), a death after its lease.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from .address import EurekaServer, EurekaTimes
from .eureka_api import EurekaApi
from .eureka_view import EurekaView
from .lines import Heard, LineDown
from .registry import Registered

logger = logging.getLogger("pushscope.discovery.client")

_GOODBYE_S = 2.0
_OUT = "OUT_OF_SERVICE"


class EurekaLine:
    """See :class:`.lines.Line`.

    Args:
        servers: Of one Eureka; the next one is tried when one fails.
        times: How often we renew and fetch.
        registration: Ourselves, or None to watch only.
        hear: Takes every registry.
    """

    def __init__(
        self,
        servers: tuple[EurekaServer, ...],
        times: EurekaTimes,
        registration: Registered | None,
        hear: Callable[[Heard], None],
    ) -> None:
        self._servers = servers
        self._times = times
        self._registration = registration
        self._hear = hear
        self._turn = 0
        self._api: EurekaApi | None = None
        self._connected = False
        self._view = EurekaView()
        self._deltas = True
        self._dirty_ms = _now_ms()
        self._overridden = False
        self._restarts = 0
        self._seen = False

    @property
    def connected(self) -> bool:
        """Whether the last request was answered."""
        return self._connected

    @property
    def grace_s(self) -> float:
        """Until everybody has renewed, been told to register again, and been fetched."""
        return self._times.renew_s + self._times.fetch_s

    async def run(self) -> None:
        """Register, then renew and fetch until something fails."""
        server = self._servers[self._turn % len(self._servers)]
        try:
            async with EurekaApi(server) as api:
                self._api = api
                await self._register(api)
                await self._fetch_all(api)
                self._connected = True
                await self._keep(api)
        except LineDown:
            self._turn += 1
            raise
        finally:
            self._api = None
            self._connected = False

    async def say(self, registration: Registered) -> None:
        """Register anew, with a newer timestamp."""
        self._registration = registration
        self._dirty_ms = max(_now_ms(), self._dirty_ms + 1)
        if self._api is None:
            return
        try:
            await self._register(self._api)
        except LineDown as error:
            logger.warning("%s; trying again", error)  # the next heartbeat finds us outdated

    async def leave(self) -> None:
        """Cancel our registration."""
        ours, self._registration = self._registration, None
        if self._api is None or ours is None:
            return
        try:
            async with asyncio.timeout(_GOODBYE_S):
                await self._api.cancel(ours)
        except (LineDown, TimeoutError) as error:
            logger.warning("no goodbye: %s", error or "no answer in time")

    def abort(self) -> None:
        """Nothing stands that would have to be cut."""
        self._registration = None

    async def _keep(self, api: EurekaApi) -> None:
        loop = asyncio.get_running_loop()
        renew_at = loop.time() + self._times.renew_s
        fetch_at = loop.time() + self._times.fetch_s
        while True:
            await asyncio.sleep(max(min(renew_at, fetch_at) - loop.time(), 0))
            if loop.time() >= renew_at:
                await self._renew(api)
                renew_at = loop.time() + self._times.renew_s
            if loop.time() >= fetch_at:
                await self._fetch(api)
                fetch_at = loop.time() + self._times.fetch_s

    async def _register(self, api: EurekaApi) -> None:
        ours = self._registration
        if ours is None:
            return
        # To Eureka, UP and OUT_OF_SERVICE of a registration count less than what it has already
        # (docs/wire/discovery.md §4), so these two go the way of operators.
        if self._overridden and ours.status != _OUT:
            await api.remove_override(ours, ours.status, self._dirty_ms)
            self._overridden = False
        await api.register(ours, self._dirty_ms, self._times)
        if ours.status == _OUT:
            self._overridden = await api.override(ours, _OUT, self._dirty_ms)

    async def _renew(self, api: EurekaApi) -> None:
        ours = self._registration
        if ours is None or await api.renew(ours, self._dirty_ms):
            return
        logger.info("%s/%s is not known to Eureka: registering again", ours.service, ours.id)
        self._restarts += 1
        self._dirty_ms = max(_now_ms(), self._dirty_ms + 1)
        await self._register(api)

    async def _fetch_all(self, api: EurekaApi) -> None:
        self._view.replace(await api.fetch())
        await self._tell(api)

    async def _fetch(self, api: EurekaApi) -> None:
        delta = await api.fetch_delta() if self._deltas else None
        if delta is None:
            self._deltas = False
            await self._fetch_all(api)
        elif self._view.merge(delta):
            await self._tell(api)
        else:
            logger.info("the hash of Eureka's registry differs from ours: fetching all of it")
            await self._fetch_all(api)

    async def _tell(self, api: EurekaApi) -> None:
        ours, instances = self._registration, self._view.listing()
        listed = ours is not None and any(item.key == ours.key for item in instances)
        if self._seen and not listed and ours is not None:
            # It has lost us, so it was started anew, and knows nothing of the others either.
            self._restarts += 1
            await self._register(api)
        self._seen = listed
        self._hear(Heard(str(self._restarts), 0.0, instances, settled=True))


def _now_ms() -> int:
    return int(time.time() * 1000)

"""The registry with a clock, an eviction timer and people who watch it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping, Sequence

from .changes import Change
from .preservation import Preservation
from .registry import Lease, Registered, Registry, Snapshot

logger = logging.getLogger("pushscope.discovery")

_LONGEST_WAIT_S = 0.25


class Watcher:
    """Somebody who wants every change: an event that says there is a newer snapshot."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.changed.set()


class DiscoveryService:
    """One run of discovery. Used from one event loop; nothing here waits.

    Args:
        preservation: Holds evictions back when too few renew; None: whose lease has run out goes.
            Instances on ``/watch`` are not its business, their connection tells how they are.
    """

    def __init__(self, preservation: Preservation | None = None) -> None:
        self.registry = Registry()
        self._preservation = preservation
        self.epoch = secrets.token_hex(8)
        self.started_at = self.now()
        self._wall_offset = time.time() - self.now()
        self._watchers: set[Watcher] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    @staticmethod
    def now() -> float:
        """Seconds of the clock that leases are measured with."""
        return time.monotonic()

    def wall_ms(self, moment: float) -> int:
        """A moment of :meth:`now` as milliseconds since 1970, for documents."""
        return int((moment + self._wall_offset) * 1000)

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watchers)

    def snapshot(self) -> Snapshot:
        """The registry now."""
        return self.registry.snapshot()

    def watch(self) -> Watcher:
        """Begin to watch; the first snapshot counts as a change."""
        watcher = Watcher()
        self._watchers.add(watcher)
        return watcher

    def unwatch(self, watcher: Watcher) -> None:
        """Stop watching."""
        self._watchers.discard(watcher)

    def register(
        self,
        instance: Registered,
        *,
        lease_s: float,
        owner: object | None = None,
        dirty_ms: int = 0,
        document: Mapping[str, object] | None = None,
        override: str | None = None,
    ) -> None:
        """Take an instance in, or take what it says now."""
        fresh = self.registry.find(instance.service, instance.id) is None
        changed = self.registry.register(
            instance,
            lease_s=lease_s,
            now=self.now(),
            owner=owner,
            dirty_ms=dirty_ms,
            document=document,
            override=override,
        )
        if fresh:
            if self._preservation is not None and owner is None:
                self._preservation.joined()
            logger.info(
                "%s/%s registered at %s:%d", instance.service, instance.id, instance.host, instance.port
            )
        self._after(changed)

    def renew(
        self, service: str, instance_id: str, *, status: str | None = None, dirty_ms: int = 0
    ) -> Lease | None:
        """Renew a lease; None: unknown here, register again."""
        changed = self.registry.renew(service, instance_id, now=self.now(), status=status, dirty_ms=dirty_ms)
        if changed is None:
            return None
        self._after(changed)
        lease = self.registry.find(service, instance_id)
        if self._preservation is not None and lease is not None and lease.owner is None:
            self._preservation.renewed(self.now())
        return lease

    def delta(self) -> tuple[tuple[Change[Lease], ...], int]:
        """What has changed in the last three minutes, and ``versions__delta``."""
        changes = self.registry.delta(self.now())
        return changes, self.registry.delta_version

    def cancel(self, service: str, instance_id: str) -> bool:
        """An instance said goodbye; False if it was not there."""
        lease = self.registry.find(service, instance_id)
        renews = lease is not None and lease.owner is None
        found = self.registry.cancel(service, instance_id, now=self.now())
        if lease is not None:
            logger.info("%s/%s left", service, instance_id)
            if self._preservation is not None and renews:
                self._preservation.left()
        self._after(found)
        return found

    def release(self, owner: object, *, goodbye: bool = False) -> None:
        """A connection ended (or said goodbye): its instances are gone, now."""
        gone = self.registry.release(owner, now=self.now())
        for instance in gone:
            if goodbye:
                logger.info("%s/%s left", instance.service, instance.id)
            else:
                logger.warning("%s/%s dropped: its connection ended", instance.service, instance.id)
        self._after(bool(gone))

    def override(self, service: str, instance_id: str, status: str, *, dirty_ms: int = 0) -> bool:
        """Set an operator's status; False: no such instance."""
        changed = self.registry.override(service, instance_id, status, now=self.now(), dirty_ms=dirty_ms)
        self._after(bool(changed))
        return changed is not None

    def remove_override(self, service: str, instance_id: str, status: str, *, dirty_ms: int = 0) -> bool:
        """Take an operator's status back; False: no such instance."""
        changed = self.registry.remove_override(
            service, instance_id, now=self.now(), status=status, dirty_ms=dirty_ms
        )
        self._after(bool(changed))
        return changed is not None

    def add_metadata(self, service: str, instance_id: str, pairs: Mapping[str, str]) -> bool:
        """Merge metadata; False: no such instance."""
        changed = self.registry.add_metadata(service, instance_id, pairs, now=self.now())
        self._after(bool(changed))
        return changed is not None

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _after(self, changed: bool) -> None:
        if changed:
            for watcher in self._watchers:
                watcher.changed.set()
        if self._timer is None:
            self._arm()

    def _arm(self) -> None:
        # One timer for the next expiry. Renewals only move expiries later, so it is never too
        # late; a registration with a shorter lease is why the wait is bounded.
        expiry = self.registry.next_expiry()
        if expiry is None:
            self._timer = None
            return
        # Those who are preserved have run out already; they are asked about again, not at once.
        soonest = 0.0 if self._preservation is None else _LONGEST_WAIT_S
        delay = min(max(expiry - self.now(), soonest), _LONGEST_WAIT_S)
        self._due = self.now() + delay
        self._timer = asyncio.get_running_loop().call_later(delay, self._evict)

    def _evict(self) -> None:
        self._timer = None
        late = self.now() - self._due
        if late > _LONGEST_WAIT_S:
            # This process stood still (paused, or a starved machine): renewals lie unread in the
            # sockets, so silence means nothing yet. Netflix calls it compensation time.
            self.registry.extend(late)
        gone = self.registry.evict(self.now(), None if self._preservation is None else self._evictable)
        for instance in gone:
            logger.warning("%s/%s dropped: it did not renew its lease", instance.service, instance.id)
        self._after(bool(gone))

    def _evictable(self, expired: Sequence[Lease]) -> Sequence[Lease]:
        assert self._preservation is not None
        size = sum(lease.owner is None for lease in self.registry.leases())
        picked = self._preservation.evictable(expired, size, self.now())
        self._preservation.left(len(picked))
        return picked

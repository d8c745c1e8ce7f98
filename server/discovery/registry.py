"""The registry: who is there, until when. Pure: time comes in as an argument.

A lease lives ``lease_s`` seconds after its last renewal. (Netflix's server adds the duration
twice, so that its leases live for double the time; we use the plain duration.) There is no
self-preservation: in a cluster of two it would never let go of a dead instance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

#: Statuses of Eureka; only ``UP`` gets new connections.
STATUSES = ("UP", "DOWN", "STARTING", "OUT_OF_SERVICE", "UNKNOWN")


class Registered(msgspec.Struct, frozen=True):
    """One instance as the registry knows it.

    Attributes:
        id: Unique within the service.
        service: Name of the service; compared without regard to case, as Eureka does.
        host: Where it listens.
        port: Where it listens.
        status: One of :data:`STATUSES`.
        metadata: Free pairs of strings.
    """

    id: str
    service: str
    host: str
    port: int
    status: str = "UP"
    metadata: dict[str, str] = {}

    @property
    def key(self) -> tuple[str, str]:
        """What makes the instance the same one: service (upper case) and id."""
        return self.service.upper(), self.id


class Snapshot(msgspec.Struct, frozen=True):
    """The whole registry at one moment.

    Attributes:
        version: Grows by one with every change.
        instances: Everybody, whatever the status, in the order of registration.
    """

    version: int = 0
    instances: tuple[Registered, ...] = ()

    def of(self, service: str, *, status: str | None = "UP") -> tuple[Registered, ...]:
        """The instances of ``service`` that have ``status`` (None: any)."""
        name = service.upper()
        return tuple(
            item
            for item in self.instances
            if item.service.upper() == name and (status is None or item.status == status)
        )


@dataclass(slots=True)
class Lease:
    """One registration and its life.

    ``owner`` is the connection that the lease is bound to, if any; ``override`` the status that
    an operator set; ``document`` what the client said beyond :class:`Registered` (Eureka's
    fields); ``dirty_ms`` the client's ``lastDirtyTimestamp``.
    """

    instance: Registered
    lease_s: float
    registered_at: float
    renewed_at: float
    updated_at: float
    owner: object | None = None
    override: str | None = None
    reported: str = "UP"
    dirty_ms: int = 0
    document: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def expires_at(self) -> float:
        """When the lease ends unless it is renewed."""
        return self.renewed_at + self.lease_s


class Registry:
    """Leases by service and id. Every method that changes what others see returns whether it did."""

    def __init__(self) -> None:
        self._leases: dict[tuple[str, str], Lease] = {}
        self._snapshot = Snapshot()
        self._version = 0

    def __len__(self) -> int:
        return len(self._leases)

    def leases(self) -> Iterable[Lease]:
        """All leases in the order of registration."""
        return self._leases.values()

    def find(self, service: str, instance_id: str) -> Lease | None:
        """The lease of one instance, or None."""
        return self._leases.get((service.upper(), instance_id))

    def snapshot(self) -> Snapshot:
        """The registry now; the same object until something changes."""
        if self._snapshot.version != self._version:
            self._snapshot = Snapshot(self._version, tuple(x.instance for x in self._leases.values()))
        return self._snapshot

    def register(
        self,
        instance: Registered,
        *,
        lease_s: float,
        now: float,
        owner: object | None = None,
        dirty_ms: int = 0,
        document: Mapping[str, object] | None = None,
    ) -> bool:
        """Take ``instance`` in, or renew it with what it says now.

        A status that an operator set survives (spec B4); a stored record with a newer
        ``lastDirtyTimestamp`` survives an older one, but its lease is renewed.
        """
        old = self._leases.get(instance.key)
        if old is not None and dirty_ms and old.dirty_ms > dirty_ms:
            old.renewed_at, old.owner = now, owner
            return False
        reported = instance.status
        override = old.override if old is not None else None
        lease = Lease(
            replace_status(instance, _effective(reported, override)),
            lease_s,
            old.registered_at if old is not None else now,
            renewed_at=now,
            updated_at=now,
            owner=owner,
            override=override,
            reported=reported,
            dirty_ms=dirty_ms,
            document=document if document is not None else {},
        )
        self._leases[instance.key] = lease
        if old is not None and old.instance == lease.instance:
            lease.updated_at = old.updated_at
            return False
        return self._changed()

    def renew(
        self, service: str, instance_id: str, *, now: float, status: str | None = None, dirty_ms: int = 0
    ) -> bool | None:
        """Renew a lease; None means unknown: the client must register again.

        Unknown is also what a client hears whose record is newer than ours (spec B2).
        """
        lease = self.find(service, instance_id)
        if lease is None or (dirty_ms and lease.dirty_ms and dirty_ms > lease.dirty_ms):
            return None
        if lease.instance.status == "UNKNOWN":
            return None
        lease.renewed_at = now
        if status is None or status == lease.reported:
            return False
        lease.reported = status
        return self._set_status(lease, _effective(status, lease.override), now)

    def cancel(self, service: str, instance_id: str) -> bool:
        """End a lease; False if there was none."""
        if self._leases.pop((service.upper(), instance_id), None) is None:
            return False
        return self._changed()

    def release(self, owner: object) -> tuple[Registered, ...]:
        """End the leases that are bound to ``owner``; one taken over by somebody else stays."""
        gone = [key for key, lease in self._leases.items() if lease.owner is owner]
        return self._drop(gone)

    def evict(self, now: float) -> tuple[Registered, ...]:
        """End the leases that have run out at ``now`` and return their instances."""
        gone = [key for key, lease in self._leases.items() if lease.expires_at <= now]
        return self._drop(gone)

    def extend(self, seconds: float) -> None:
        """Give every lease ``seconds`` more: we were late ourselves and could not hear renewals."""
        for lease in self._leases.values():
            lease.renewed_at += seconds

    def next_expiry(self) -> float | None:
        """When the next lease runs out, or None without leases."""
        return min((lease.expires_at for lease in self._leases.values()), default=None)

    def override(self, service: str, instance_id: str, status: str, *, now: float) -> bool | None:
        """Set a status that wins over what the instance reports; None: no such instance."""
        lease = self.find(service, instance_id)
        if lease is None:
            return None
        lease.override = status
        lease.renewed_at = now
        return self._set_status(lease, status, now)

    def remove_override(
        self, service: str, instance_id: str, *, now: float, status: str = "UNKNOWN"
    ) -> bool | None:
        """Take the operator's status back; ``status`` holds until the instance registers again."""
        lease = self.find(service, instance_id)
        if lease is None:
            return None
        lease.override = None
        return self._set_status(lease, status, now)

    def add_metadata(
        self, service: str, instance_id: str, pairs: Mapping[str, str], *, now: float
    ) -> bool | None:
        """Merge ``pairs`` into the metadata; None: no such instance."""
        lease = self.find(service, instance_id)
        if lease is None:
            return None
        merged = {**lease.instance.metadata, **pairs}
        if merged == lease.instance.metadata:
            return False
        lease.instance = msgspec.structs.replace(lease.instance, metadata=merged)
        lease.updated_at = now
        return self._changed()

    def _set_status(self, lease: Lease, status: str, now: float) -> bool:
        if lease.instance.status == status:
            return False
        lease.instance = replace_status(lease.instance, status)
        lease.updated_at = now
        return self._changed()

    def _drop(self, keys: list[tuple[str, str]]) -> tuple[Registered, ...]:
        gone = tuple(self._leases.pop(key).instance for key in keys)
        if gone:
            self._changed()
        return gone

    def _changed(self) -> bool:
        self._version += 1
        return True


def replace_status(instance: Registered, status: str) -> Registered:
    """``instance`` with another status (itself if it has it already)."""
    if instance.status == status:
        return instance
    return msgspec.structs.replace(instance, status=status)


def _effective(reported: str, override: str | None) -> str:
    """Spec B4: anything but UP and OUT_OF_SERVICE is believed, else the operator's word wins."""
    if reported not in ("UP", "OUT_OF_SERVICE") or override is None:
        return reported
    return override

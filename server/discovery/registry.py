"""The registry: who is there, until when. Pure: time comes in as an argument.

A lease lives ``lease_s`` seconds after its last renewal. (Netflix's server adds the duration
twice, so that its leases live for double the time; we use the plain duration.) Whether those
that have run out are evicted is asked of the caller (:mod:`.preservation`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from .changes import Action, Change, RecentChanges

#: Statuses of Eureka; only ``UP`` gets new connections.
STATUSES = ("UP", "DOWN", "STARTING", "OUT_OF_SERVICE", "UNKNOWN")

#: More than this are not taken from Eureka's clients: nothing else bounds how many come.
MOST_INSTANCES = 20_000


_LONGEST_NAME: Final = 255
_PORTS: Final = 65536
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+")


class Registered(msgspec.Struct, frozen=True):
    """One instance as the registry knows it.

    Attributes:
        id: Unique within the service.
        service: Name of the service; compared without regard to case, as Eureka does.
        host: Where it listens.
        port: Where it listens.
        status: One of :data:`STATUSES`.
        metadata: Free pairs of strings.
        secure: Whether it speaks TLS at ``port``.
    """

    id: str
    service: str
    host: str
    port: int
    status: str = "UP"
    metadata: dict[str, str] = {}
    secure: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What makes the instance the same one: service (upper case) and id."""
        return self.service.upper(), self.id


def unfit(instance: Registered) -> str:
    """Why an instance cannot be listed, or "": others would dial, log and show what it says of itself."""
    for name, value in (("id", instance.id), ("service", instance.service), ("host", instance.host)):
        if not value or len(value) > _LONGEST_NAME or not value.isprintable() or _has_blank(value):
            return f"{name} {value[:80]!r} is no {name}: printable, without blanks, at most {_LONGEST_NAME}"
    if not is_host(instance.host):
        return f"host {instance.host[:80]!r} is neither a host name nor an address"
    if not 0 < instance.port < _PORTS:
        return f"port {instance.port} is not between 1 and {_PORTS - 1}"
    if instance.status not in STATUSES:
        return f"status {instance.status[:80]!r} is none of {', '.join(STATUSES)}"
    for key, value in instance.metadata.items():
        if not (key.isprintable() and value.isprintable()):
            return f"metadata {key[:80]!r} has characters that cannot be printed"
    return ""


def is_host(text: str) -> bool:
    """Whether it is a host name or an address, IPv6 with or without brackets."""
    if ":" not in text:
        return _HOST.fullmatch(text) is not None
    try:
        ipaddress.IPv6Address(text[1:-1] if text[0] == "[" and text[-1] == "]" else text)
    except ValueError:
        return False
    return True


def _has_blank(text: str) -> bool:
    return any(sign.isspace() for sign in text)


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
    fields); ``dirty_ms`` the client's ``lastDirtyTimestamp``; ``up_at`` when it was UP first.
    """

    instance: Registered
    lease_s: float
    registered_at: float
    renewed_at: float
    updated_at: float
    up_at: float | None = None
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
        self._changes: RecentChanges[Lease] = RecentChanges()
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

    @property
    def delta_version(self) -> int:
        """``versions__delta`` of the delta that was told last."""
        return self._changes.version

    def delta(self, now: float) -> tuple[Change[Lease], ...]:
        """The changes of the last three minutes, each instance once."""
        return self._changes.tell(now)

    def register(
        self,
        instance: Registered,
        *,
        lease_s: float,
        now: float,
        owner: object | None = None,
        dirty_ms: int = 0,
        document: Mapping[str, object] | None = None,
        override: str | None = None,
    ) -> bool:
        """Take ``instance`` in, or renew it with what it says now.

        A status that an operator set survives (docs/wire/discovery.md §4); a stored record with a newer
        ``lastDirtyTimestamp`` survives an older one, but its lease is renewed. ``override`` is one
        that the client brings along from another server; ours wins.
        """
        old = self._leases.get(instance.key)
        if old is not None and dirty_ms and old.dirty_ms > dirty_ms:
            old.renewed_at, old.owner = now, owner
            return False
        reported = instance.status
        if old is not None and old.override is not None:
            override = old.override
        # Who keeps a connection speaks for itself; Eureka's clients are held to what they were.
        held = old.instance.status if old is not None and owner is None else None
        lease = Lease(
            replace_status(instance, _effective(reported, override, held)),
            lease_s,
            now if old is None else old.registered_at,
            renewed_at=now,
            updated_at=now,
            up_at=None if old is None else old.up_at,
            owner=owner,
            override=override,
            reported=reported,
            dirty_ms=dirty_ms,
            document=document if document is not None else {},
        )
        self._leases[instance.key] = lease
        if old is not None and _same(old, lease):
            lease.updated_at = old.updated_at
            return False
        return self._changed(lease, "ADDED", now)

    def renew(
        self, service: str, instance_id: str, *, now: float, status: str | None = None, dirty_ms: int = 0
    ) -> bool | None:
        """Renew a lease; None means unknown: the client must register again.

        Unknown is also what a client hears whose record is newer than ours (docs/wire/discovery.md §2), and
        one whose operator's status was taken back.
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
        return self._set_status(lease, _effective(status, lease.override, lease.instance.status), now)

    def cancel(self, service: str, instance_id: str, *, now: float) -> bool:
        """End a lease; False if there was none."""
        lease = self.find(service, instance_id)
        return bool(self._drop([] if lease is None else [lease], now))

    def release(self, owner: object, *, now: float) -> tuple[Registered, ...]:
        """End the leases that are bound to ``owner``; one taken over by somebody else stays."""
        return self._drop([lease for lease in self._leases.values() if lease.owner is owner], now)

    def evict(
        self, now: float, allowed: Callable[[Sequence[Lease]], Sequence[Lease]] | None = None
    ) -> tuple[Registered, ...]:
        """End the leases that have run out at ``now`` and return their instances.

        ``allowed`` picks among those that no connection stands for; without it all of them go.
        """
        expired = [lease for lease in self._leases.values() if lease.expires_at <= now]
        if allowed is not None and expired:
            picked = allowed([lease for lease in expired if lease.owner is None])
            expired = [lease for lease in expired if lease.owner is not None] + list(picked)
        return self._drop(expired, now)

    def extend(self, seconds: float) -> None:
        """Give every lease ``seconds`` more: we were late ourselves and could not hear renewals."""
        for lease in self._leases.values():
            lease.renewed_at += seconds

    def next_expiry(self) -> float | None:
        """When the next lease runs out, or None without leases."""
        return min((lease.expires_at for lease in self._leases.values()), default=None)

    def override(
        self, service: str, instance_id: str, status: str, *, now: float, dirty_ms: int = 0
    ) -> bool | None:
        """Set a status that wins over what the instance reports; None: no such instance."""
        lease = self.find(service, instance_id)
        if lease is None:
            return None
        changed = lease.override != status
        lease.override = status
        lease.renewed_at = now
        lease.dirty_ms = max(lease.dirty_ms, dirty_ms)
        return self._set_status(lease, status, now) or (changed and self._changed(lease, "MODIFIED", now))

    def remove_override(
        self, service: str, instance_id: str, *, now: float, status: str = "UNKNOWN", dirty_ms: int = 0
    ) -> bool | None:
        """Take the operator's status back; ``status`` holds until the instance registers again."""
        lease = self.find(service, instance_id)
        if lease is None:
            return None
        changed = lease.override is not None
        lease.override = None
        lease.dirty_ms = max(lease.dirty_ms, dirty_ms)
        return self._set_status(lease, status, now) or (changed and self._changed(lease, "MODIFIED", now))

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
        return self._changed(lease, "MODIFIED", now)

    def _set_status(self, lease: Lease, status: str, now: float) -> bool:
        if lease.instance.status == status:
            return False
        lease.instance = replace_status(lease.instance, status)
        return self._changed(lease, "MODIFIED", now)

    def _drop(self, leases: Sequence[Lease], now: float) -> tuple[Registered, ...]:
        for lease in leases:
            del self._leases[lease.instance.key]
            lease.owner = None  # the change is told for minutes, and a connection is many KiB
            self._changed(lease, "DELETED", now)
        return tuple(lease.instance for lease in leases)

    def _changed(self, lease: Lease, action: Action, now: float) -> bool:
        lease.updated_at = now
        if lease.instance.status == "UP" and lease.up_at is None:
            lease.up_at = now
        self._changes.note(lease.instance.key, lease, action, now)
        self._version += 1
        return True


def replace_status(instance: Registered, status: str) -> Registered:
    """``instance`` with another status (itself if it has it already)."""
    if instance.status == status:
        return instance
    return msgspec.structs.replace(instance, status=status)


def _same(old: Lease, new: Lease) -> bool:
    """Whether a registration says nothing new, to us or to Eureka's clients."""
    return (old.instance, old.override, old.document) == (new.instance, new.override, new.document)


def _effective(reported: str, override: str | None, held: str | None) -> str:
    """docs/wire/discovery.md §4: anything but UP and OUT_OF_SERVICE is believed, else the operator's word
    wins.

    ``held`` is the status that the lease has: UP or OUT_OF_SERVICE is kept then.
    """
    if reported not in ("UP", "OUT_OF_SERVICE"):
        return reported
    if override is not None:
        return override
    return held if held in ("UP", "OUT_OF_SERVICE") else reported

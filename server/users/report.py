"""What ``/info`` says about users: who is where, how old that is, and what found no receiver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from .lookup import UserLookup
from .registry import RemotePeer, UserRegistry
from .slices import Slicer
from .spring_registry import SpringRegistry
from .undeliverable import Undeliverable

#: Bounds of what is listed.
MOST_PEERS: Final = 100
MOST_USERS: Final = 1_000
DEFAULT_USERS: Final = 50
_MOST_SESSIONS: Final = 20


class UsersReport:
    """The users' part of ``/info``.

    Args:
        instance: Our id.
        registry: Who is where.
        peers: Our own instances that are known, those without a session included.
        spring: The foreign ones, if there can be any.
        slicer: Did the registry's work.
        undeliverable: What found no receiver.
        clock: The loop's clock.
    """

    def __init__(
        self,
        instance: str,
        registry: UserRegistry,
        peers: Callable[[], list[RemotePeer]],
        spring: SpringRegistry | None,
        slicer: Slicer,
        undeliverable: Undeliverable,
        clock: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._lookup = UserLookup(registry, instance)
        self._peers = peers
        self._spring = spring
        self._slicer = slicer
        self._undeliverable = undeliverable
        self._clock = clock

    def as_dict(self) -> dict[str, Any]:
        """``registry`` and ``undeliverable``, bounded however many users there are."""
        peers = self._all_peers()
        return {
            "registry": {
                "users": len(self._registry),
                "sessions": len(self._registry.local_sessions()) + sum(len(peer.sessions) for peer in peers),
                "peers": [self._peer(peer) for peer in peers[:MOST_PEERS]],
                "snapshots": self._snapshots(),
                "longest_slice_ms": round(self._slicer.longest_s * 1000, 3),
                "work_ms": round(self._slicer.spent_s * 1000, 3),
            },
            "undeliverable": self._undeliverable.as_dict(),
        }

    def where(self, user: str | None = None, most: int = DEFAULT_USERS) -> dict[str, Any]:
        """Which instance holds which user's sessions.

        Args:
            user: This one only, or the session with this id.
            most: So many users at most, up to :data:`MOST_USERS`.
        """
        if user is not None:
            places = self._registry.resolve(user)
            found = {user: self._lookup.where_is(places, MOST_USERS)} if places else {}
            return {"where": found, "where_left_out": 0}
        found = self._lookup.where(max(0, min(most, MOST_USERS)), _MOST_SESSIONS)
        return {"where": found, "where_left_out": len(self._registry) - len(found)}

    def _all_peers(self) -> list[RemotePeer]:
        strangers = [] if self._spring is None else list(self._spring.strangers)
        return [*self._peers(), *strangers]

    def _peer(self, peer: RemotePeer) -> dict[str, Any]:
        now = self._clock()
        return {
            "id": peer.id,
            "epoch": peer.epoch,
            "kind": peer.kind,
            "sessions": len(peer.sessions),
            "suspect": peer.suspect,
            "version": peer.seq,
            "age_s": round(now - peer.heard_at, 3),
            "changed_s": round(now - peer.told_at, 3),
        }

    def _snapshots(self) -> dict[str, Any]:
        spring = self._spring
        if spring is None:
            return {"active": False, "published": 0, "bytes": 0, "cost_ms": 0.0}
        return {
            "active": spring.active,
            "published": spring.published,
            "bytes": spring.size,
            "cost_ms": round(spring.cost_s * 1000, 3),
        }

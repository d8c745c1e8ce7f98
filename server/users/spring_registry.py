"""Spring's registry broadcast: full snapshots of local users in exactly its JSON (spec 5.3).

Our own instances keep in step by :mod:`.peers`; this is for Spring instances on the same broker.
They say everything every ten seconds and never say goodbye, so what they said is believed for
twenty. We answer in kind as soon as one of them has been heard, not before: a snapshot of
thousands of users is large, and without strangers nobody reads it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from core.errors import BrokerUnavailable

from ..settings import InstanceSettings
from .registry import RemotePeer, UserRegistry

logger = logging.getLogger("pushscope.server.peers")

#: How long a snapshot is believed after it was received.
EXPIRES_AFTER_S: Final = 20.0
#: How often ours is published while strangers are there.
PUBLISH_EVERY_S: Final = 10.0
#: How long after the last snapshot of a stranger we go on publishing.
_STRANGERS_S: Final = 60.0
#: Shortest time between snapshots that changes cause.
_DEBOUNCE_S: Final = 0.1
#: Marks snapshots of our own kind, which are not read: :mod:`.peers` knows more, sooner.
EPOCH_HEADER: Final = "ps-epoch"


class SnapshotSubscription(msgspec.Struct, frozen=True):
    """A subscription with the destination that the client asked for."""

    id: str
    destination: str


class SnapshotSession(msgspec.Struct, frozen=True):
    """A session on the sending instance."""

    id: str
    subscriptions: list[SnapshotSubscription] = []


class SnapshotUser(msgspec.Struct, frozen=True):
    """A user with at least one session on the sending instance."""

    name: str
    sessions: list[SnapshotSession]


class RegistrySnapshot(msgspec.Struct, frozen=True):
    """All users of one instance; unknown fields and null placeholders of other versions are ignored."""

    id: str
    userMap: dict[str, SnapshotUser]


class SpringRegistry:
    """One instance's side of Spring's registry broadcast.

    Args:
        settings: Destination and mode.
        registry: Filled with what strangers say.
        epoch: Names this run of the instance; part of the snapshot's id.
        publish: ``publish(destination, headers, body)``; raises BrokerUnavailable.
        clock: The loop's clock.
    """

    def __init__(
        self,
        settings: InstanceSettings,
        registry: UserRegistry,
        epoch: str,
        publish: Callable[[str, Mapping[str, str], bytes], None],
        clock: Callable[[], float],
    ) -> None:
        self.id = f"{settings.id}-{epoch}"
        self.strangers: dict[str, RemotePeer] = {}
        self._settings = settings
        self._registry = registry
        self._epoch = epoch
        self._publish = publish
        self._clock = clock
        self._heard_at = float("-inf")
        self._due = float("inf")
        self._told_at = float("-inf")

    @property
    def active(self) -> bool:
        """Whether snapshots are published regularly."""
        mode = self._settings.registry_broadcast
        return mode == "always" or (mode == "auto" and self._clock() - self._heard_at < _STRANGERS_S)

    def available(self) -> None:
        """The broker is there (again): whoever listens should know us at once."""
        if self._settings.registry_broadcast != "off":
            self._due = self._clock()
            self.tick()

    def changed(self) -> None:
        """A user, session or subscription of ours has come or gone."""
        if self.active:
            self._due = min(self._due, max(self._clock(), self._told_at) + _DEBOUNCE_S)

    def tick(self) -> None:
        """To be called several times a second: publish what is due, forget what has expired."""
        now = self._clock()
        for peer in list(self.strangers.values()):
            if now - peer.heard_at > EXPIRES_AFTER_S:
                logger.info("the snapshot of %s has expired; it had %d sessions", peer.id, len(peer.sessions))
                self._forget(peer)
        if now >= self._due:
            self._tell(self.snapshot())

    def goodbye(self) -> None:
        """We are leaving: an empty snapshot, or strangers would believe in our users for twenty seconds."""
        if self.active:
            self._tell(RegistrySnapshot(self.id, {}))

    def receive(self, headers: Mapping[str, str], body: bytes) -> None:
        """A message on the destination; what is not a stranger's snapshot is ignored."""
        if EPOCH_HEADER in headers or "simpOrigDestination" in headers:
            return
        content_type = headers.get("content-type", "application/json").partition(";")[0].strip()
        if content_type != "application/json":
            return
        try:
            snapshot = msgspec.json.decode(body, type=RegistrySnapshot)
        except msgspec.MsgspecError as error:
            logger.warning(
                "a message on %s is no registry snapshot as Spring writes it: %s",
                self._settings.registry_destination,
                error,
            )
            return
        if snapshot.id != self.id:
            self._apply(snapshot)

    def snapshot(self) -> RegistrySnapshot:
        """Our local users now."""
        users: dict[str, SnapshotUser] = {}
        for name, sessions in self._registry.local_by_user().items():
            said = [
                SnapshotSession(
                    session.id,
                    [
                        SnapshotSubscription(item.id, item.destination)
                        for item in session.subscriptions.values()
                    ],
                )
                for session in sessions.values()
            ]
            users[name] = SnapshotUser(name, said)
        return RegistrySnapshot(self.id, users)

    def _apply(self, snapshot: RegistrySnapshot) -> None:
        now = self._clock()
        fresh = snapshot.id not in self.strangers
        if fresh:
            logger.info("%s, not of our kind, shares the broker", snapshot.id)
            self.strangers[snapshot.id] = RemotePeer(snapshot.id, snapshot.id, now=now)
        peer = self.strangers[snapshot.id]
        peer.heard_at = self._heard_at = now
        self._registry.clear_remote(peer)
        for user in snapshot.userMap.values():
            for session in user.sessions:
                self._registry.add_remote(peer, session.id, user.name)
        if fresh:
            self.changed()

    def _forget(self, peer: RemotePeer) -> None:
        self._registry.clear_remote(peer)
        self.strangers.pop(peer.id, None)

    def _tell(self, snapshot: RegistrySnapshot) -> None:
        now = self._clock()
        self._told_at = now
        headers = {"content-type": "application/json", EPOCH_HEADER: self._epoch}
        try:
            self._publish(self._settings.registry_destination, headers, msgspec.json.encode(snapshot))
        except BrokerUnavailable:
            self._due = float("inf")  # the broker's return makes it due again
            return
        self._due = now + PUBLISH_EVERY_S if self.active else float("inf")

"""Instances that are not of our kind and what their snapshots say about their users.

See docs/wire/spring-relay.md §5.3.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from .registry import RemotePeer, Subscriptions, UserRegistry
from .slices import STEP, Slicer, Work
from .spring_json import RegistrySnapshot, decode_user

logger = logging.getLogger("pushscope.server.peers")

#: How long a snapshot is believed after it was received.
EXPIRES_AFTER_S: Final = 20.0
#: Instances whose snapshots are believed; more are a mistake or an attack.
MOST_STRANGERS: Final = 256

Users = dict[str, msgspec.Raw]


class Stranger(RemotePeer):
    """A foreign instance.

    Attributes:
        said: What it said last about each user, and the sessions in it.
        waiting: Its newest snapshot that is still to be applied.
        busy: Whether a snapshot is being applied.
        gone: Whether it has been forgotten.
    """

    __slots__ = ("busy", "gone", "said", "waiting")

    def __init__(self, id: str, *, now: float) -> None:
        super().__init__(id, id, now=now, kind="spring")
        self.said: dict[str, tuple[msgspec.Raw, tuple[str, ...]]] = {}
        self.waiting: Users | None = None
        self.busy = False
        self.gone = False


class Strangers:
    """The foreign instances that one instance knows.

    Args:
        registry: Filled with what they say.
        slicer: Applies large snapshots in slices.
        clock: The loop's clock.
        on_odd: Called with an instance's id and what is wrong with its snapshot.
    """

    def __init__(
        self,
        registry: UserRegistry,
        slicer: Slicer,
        clock: Callable[[], float],
        on_odd: Callable[[str, str], None],
    ) -> None:
        self._registry = registry
        self._slicer = slicer
        self._clock = clock
        self._on_odd = on_odd
        self._known: dict[str, Stranger] = {}
        self._first_expiry = float("inf")

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[Stranger]:
        return iter(self._known.values())

    def hear(self, snapshot: RegistrySnapshot) -> bool:
        """A snapshot of a stranger has come; True if it is the first of this one."""
        now = self._clock()
        stranger = self._known.get(snapshot.id)
        fresh = stranger is None
        if stranger is None:
            if len(self._known) >= MOST_STRANGERS:
                self._on_odd(snapshot.id, f"there are {MOST_STRANGERS} other foreign instances already")
                return False
            logger.info("%s, not of our kind, shares the broker", snapshot.id)
            stranger = self._known[snapshot.id] = Stranger(snapshot.id, now=now)
            self._registry.before_lookup = self.expire
        stranger.heard_at = now
        self._first_expiry = min(self._first_expiry, now + EXPIRES_AFTER_S)
        stranger.waiting = snapshot.userMap
        if not stranger.busy:
            stranger.busy = True
            self._slicer.add(self._apply_waiting(stranger))
        return fresh

    def expire(self) -> None:
        """Forget whoever has not been heard for too long; cheap when there is nobody."""
        now = self._clock()
        if now <= self._first_expiry:
            return
        for stranger in list(self._known.values()):
            if now - stranger.heard_at > EXPIRES_AFTER_S:
                count = len(stranger.sessions)
                logger.info("the snapshot of %s has expired; it had %d sessions", stranger.id, count)
                self._forget(stranger)
        heard = [stranger.heard_at for stranger in self._known.values()]
        self._first_expiry = min(heard) + EXPIRES_AFTER_S if heard else float("inf")

    def _forget(self, stranger: Stranger) -> None:
        stranger.gone = True
        self._registry.clear_remote(stranger, lapsed=True)
        self._known.pop(stranger.id, None)
        if not self._known:
            self._registry.before_lookup = None

    def _apply_waiting(self, stranger: Stranger) -> Work:
        while stranger.waiting is not None and not stranger.gone:
            users, stranger.waiting = stranger.waiting, None
            yield from self._apply(stranger, users)
            stranger.told_at = self._clock()
        stranger.busy = False

    def _apply(self, stranger: Stranger, users: Users) -> Work:
        before = stranger.said
        said: dict[str, tuple[msgspec.Raw, tuple[str, ...]]] = {}
        for count, (name, raw) in enumerate(users.items(), 1):
            known = before.pop(name, None)
            if known is not None and known[0] == raw:
                said[name] = (raw, known[1])  # the new view: the old one keeps its whole snapshot
            else:
                said[name] = (raw, self._change(stranger, name, raw, known[1] if known else ()))
            if count % STEP == 0:
                yield
                if stranger.gone:
                    return
        for count, (name, (_, sessions)) in enumerate(before.items(), 1):
            self._remove(stranger, name, sessions)
            if count % STEP == 0:
                yield
                if stranger.gone:
                    return
        stranger.said = said

    def _change(
        self, stranger: Stranger, name: str, raw: msgspec.Raw, before: tuple[str, ...]
    ) -> tuple[str, ...]:
        """A user is new, or its sessions or subscriptions have changed."""
        sessions: Mapping[str, Subscriptions] = {}
        try:
            sessions = decode_user(raw)
        except (ValueError, RecursionError) as error:
            self._on_odd(stranger.id, f"user {name!r}: {error}")
        for session_id, subscriptions in sessions.items():
            self._registry.add_remote(stranger, session_id, name, subscriptions)
        self._remove(stranger, name, tuple(id for id in before if id not in sessions))
        return tuple(sessions)

    def _remove(self, stranger: Stranger, name: str, sessions: tuple[str, ...]) -> None:
        for session_id in sessions:
            if stranger.sessions.get(session_id) == name:  # and not another user's by now
                self._registry.remove_remote(stranger, session_id)

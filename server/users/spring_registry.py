"""Spring's registry broadcast: full snapshots of local users in exactly its JSON.

See docs/wire/spring-relay.md §5.3.

Our own instances keep in step by :mod:`.peers`; this is for Spring instances on the same broker.
They say everything every ten seconds and never say goodbye, so what they said is believed for
twenty. We answer in kind as soon as one of them has been heard, not before: a snapshot of
thousands of users is large, and without strangers nobody reads it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from core.errors import BrokerRefused, BrokerUnavailable

from ..settings.instance import InstanceSettings
from .registry import UserRegistry
from .slices import Slicer, Work
from .spring_json import decode_snapshot, join_snapshot, resembles_snapshot
from .spring_snapshot import LocalSnapshot
from .strangers import EXPIRES_AFTER_S, Strangers

logger = logging.getLogger("pushscope.server.peers")

__all__ = ["DEBOUNCE_S", "EPOCH_HEADER", "EXPIRES_AFTER_S", "PUBLISH_EVERY_S", "SpringRegistry"]

#: How often ours is published while strangers are there.
PUBLISH_EVERY_S: Final = 10.0
#: How long after the last snapshot of a stranger we go on publishing.
_STRANGERS_S: Final = 60.0
#: How soon a change is published, and the shortest time between snapshots that changes cause.
DEBOUNCE_S: Final = 0.1
#: The same as a multiple of what the last snapshot cost: all of them cost 2 % of a core at most.
_TIMES_COST: Final = 50
#: What a byte of a snapshot costs on its way: our socket, the broker, every instance that reads it.
_COST_OF_BYTE_S: Final = 30e-9
_SHORTEST_SLEEP_S: Final = 0.01
#: Complaints that are remembered, so that each is said once.
_MOST_COMPLAINTS: Final = 64
#: Marks snapshots of our own kind, which are not read: :mod:`.peers` knows more, sooner.
EPOCH_HEADER: Final = "ps-epoch"


class SpringRegistry:
    """One instance's side of Spring's registry broadcast.

    Args:
        settings: Destination and mode.
        registry: Filled with what strangers say.
        epoch: Names this run of the instance; part of the snapshot's id.
        publish: ``publish(destination, headers, body)``; raises BrokerUnavailable.
        later: ``later(seconds, callback)``, the loop's ``call_later``.
        clock: The loop's clock.
        slicer: Writes and reads large snapshots in slices.
    """

    def __init__(
        self,
        settings: InstanceSettings,
        registry: UserRegistry,
        epoch: str,
        publish: Callable[[str, Mapping[str, str], bytes], None],
        later: Callable[[float, Callable[[], None]], object],
        clock: Callable[[], float],
        slicer: Slicer,
    ) -> None:
        self.id = f"{settings.id}-{epoch}"
        self.strangers = Strangers(registry, slicer, clock, self._complain)
        #: Snapshots published, bytes of the last one, and seconds that it cost all concerned.
        self.published = 0
        self.size = 0
        self.cost_s = 0.0
        self._settings = settings
        self._registry = registry
        self._epoch = epoch
        self._publish = publish
        self._later = later
        self._clock = clock
        self._slicer = slicer
        self._local: LocalSnapshot | None = None
        self._heard_at = float("-inf")
        self._due = float("inf")
        self._told_at = float("-inf")
        self._waking = False
        self._telling = False
        self._away = False
        self._left = False
        self._complaints: set[str] = set()

    @property
    def active(self) -> bool:
        """Whether snapshots are published regularly."""
        mode = self._settings.registry_broadcast
        return mode == "always" or (mode == "auto" and self._clock() - self._heard_at < _STRANGERS_S)

    def available(self) -> None:
        """The broker is there (again): whoever listens should know us at once."""
        if self._settings.registry_broadcast != "off":
            self._away = False
            self._due = self._clock()
            self.tick()

    def changed(self, user: str) -> None:
        """A session or a subscription of a local user has come or gone."""
        if self._local is not None:
            self._local.changed(user)
            self._soon()

    def tick(self) -> None:
        """To be called several times a second: publish what is due, forget what has expired."""
        self.strangers.expire()
        if self._local is not None and not self.active:
            self._local = None  # nobody reads it: do not keep it up to date
        if self._clock() >= self._due and not self._telling:
            self._due = float("inf")
            self._telling = True
            self._slicer.add(self._tell())

    def goodbye(self) -> None:
        """We are leaving: an empty snapshot, or strangers would believe in our users for twenty seconds."""
        self._left = True
        if self.active or self.published:
            self._send(join_snapshot(self.id, ()))

    def receive(self, headers: Mapping[str, str], body: bytes) -> None:
        """A message on the destination; what is not a stranger's snapshot is ignored."""
        if EPOCH_HEADER in headers or "simpOrigDestination" in headers or "ps-id" in headers:
            return
        content_type = headers.get("content-type", "application/json").partition(";")[0].strip()
        if content_type != "application/json":
            return
        try:
            snapshot = decode_snapshot(body)
        except (ValueError, RecursionError) as error:
            # On a destination that others use too, only what looks like one is worth a word.
            if not self._settings.one_broadcast_destination or resembles_snapshot(body):
                self._complain(_sender(body), str(error))
            return
        if snapshot.id == self.id:
            return
        self._heard_at = self._clock()
        if self.strangers.hear(snapshot):
            self._soon()

    # ours -----------------------------------------------------------------------------------

    def _soon(self) -> None:
        """Have a snapshot published shortly, together with what else changes until then."""
        if self._away or not self.active:
            return
        now = self._clock()
        wait = max(DEBOUNCE_S, _TIMES_COST * self.cost_s)
        self._due = min(self._due, max(now + DEBOUNCE_S, self._told_at + wait))
        self._arm(self._due - now)

    def _arm(self, delay: float) -> None:
        if not self._waking:
            self._waking = True
            self._later(max(delay, _SHORTEST_SLEEP_S), self._wake)

    def _wake(self) -> None:
        self._waking = False
        self.tick()
        delay = self._due - self._clock()
        if delay < 1.0:  # what is due later is left to the ticks
            self._arm(delay)

    def _tell(self) -> Work:
        clock = time.perf_counter
        local = self._local
        if local is None:
            local = LocalSnapshot(self.id, self._registry)
            self._local = local if self.active else None
        begun, cost = clock(), 0.0
        for _ in local.refresh():
            cost += clock() - begun
            yield
            begun = clock()
        self._telling = False
        if self._left:
            return
        sent = self._send(local.body())
        now = self._clock()
        self._told_at = now
        self.cost_s = cost + clock() - begun + self.size * _COST_OF_BYTE_S
        if not sent:
            self._away = True  # the broker's return makes it due again
            self._due = float("inf")
        elif self.active:
            self._due = min(self._due, now + PUBLISH_EVERY_S)

    def _send(self, body: bytes) -> bool:
        headers = {"content-type": "application/json", EPOCH_HEADER: self._epoch}
        try:
            self._publish(self._settings.registry_destination, headers, body)
        except BrokerRefused as error:
            if self.id not in self._complaints:
                self._complaints.add(self.id)
                logger.error("Spring instances do not hear of our users, the snapshot is refused: %s", error)
            return True
        except BrokerUnavailable:
            return False
        self.published += 1
        self.size = len(body)
        return True

    # strangers ------------------------------------------------------------------------------

    def _complain(self, sender: str, what: str) -> None:
        """Say once what is wrong with an instance's snapshots: its users cannot be reached."""
        if sender in self._complaints or len(self._complaints) >= _MOST_COMPLAINTS:
            return
        self._complaints.add(sender)
        logger.error(
            "the registry snapshots of %s on %s are not as Spring writes them, its users are unknown here: "
            "%s (look for a naming strategy or another JSON library in that instance)",
            sender or "an instance without an id",
            self._settings.registry_destination,
            what,
        )


def _sender(body: bytes) -> str:
    """Who sent something that is no snapshot, as far as it can be told."""
    try:
        content = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        for name in ("id", "Id", "ID", "_id"):
            if name in content:
                return msgspec.json.decode(content[name], type=str)[:100]
    except (ValueError, RecursionError):
        pass  # no JSON, or nothing that has a name
    return ""

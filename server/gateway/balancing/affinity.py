"""SockJS sessions and the instances that hold them (docs/wire/sockjs.md §1, §5).

All requests of a session of a polling or streaming transport must reach the instance on which it
began. The gateway remembers that for the sessions that came through it; of others it knows only
their name, and several gateways that compute with the same names come to the same instance.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from ...sockets.path_parameters import without_parameters
from .targets import Target

#: The transports whose sessions outlive a request. That of a WebSocket is its connection.
_TRANSPORTS: Final = frozenset(
    ("xhr", "xhr_send", "xhr_streaming", "eventsource", "htmlfile", "jsonp", "jsonp_send")
)
#: Longest name that a session has at our instances, every character percent-encoded.
_LONGEST_NAME: Final = 3 * 256
_MOST_SESSIONS: Final = 100_000
_FORGET_AFTER_S: Final = 3600.0
_DIGEST: Final = 8


def session_of(path: str) -> str:
    """The session that a path ``…/{server}/{session}/{transport}`` belongs to; "" for other paths.

    Args:
        path: Still percent-encoded. Names are compared as they are spelled: a client spells its own
            always in the same way.
    """
    rest, _, transport = without_parameters(path).removesuffix("/").rpartition("/")
    if transport not in _TRANSPORTS:
        return ""
    rest, _, session = rest.rpartition("/")
    _, slash, server = rest.rpartition("/")
    if not (slash and server and session) or "." in session or "." in server or len(session) > _LONGEST_NAME:
        return ""
    return session


class Holders:
    """Which instance holds which session: the sessions used last, and none that was idle for long.

    Args:
        most: Sessions remembered; of more those that were used longest ago are forgotten.
        idle_s: Seconds without a request after which a session is forgotten. More than any poll
            takes; a streaming response that takes longer without a request from its client is found
            by its name.
        clock: Seconds.
    """

    def __init__(
        self,
        most: int = _MOST_SESSIONS,
        idle_s: float = _FORGET_AFTER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._idle_s = idle_s
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def find(self, service: str, session: str) -> str | None:
        """The id of the instance that holds a session, None if that is not known."""
        found = self._known.get((service, session))
        return found[0] if found is not None and self._clock() < found[1] else None

    def learn(self, service: str, session: str, instance: str) -> None:
        """An instance has answered a request of a session."""
        known, now = self._known, self._clock()
        key = (service, session)
        known[key] = (instance, now + self._idle_s)
        known.move_to_end(key)
        oldest = next(iter(known))
        if len(known) > self._most or known[oldest][1] <= now:
            del known[oldest]


def by_name(session: str, targets: Sequence[Target]) -> tuple[Target, ...]:
    """All targets in the order in which a session of that name would choose them (rendezvous hashing).

    The same on every gateway, whatever the order of ``targets``; when one leaves, only its sessions
    choose anew. Weights hold.
    """
    if len(targets) < 2:
        return tuple(targets)
    name = session.encode("utf-8", "replace")

    def score(target: Target) -> tuple[float, str]:
        digest = hashlib.blake2b(name, digest_size=_DIGEST, key=target.id.encode()[:64]).digest()
        fraction = (int.from_bytes(digest) + 0.5) / 2 ** (8 * _DIGEST)
        return math.log(fraction) / target.weight, target.id

    return tuple(sorted(targets, key=score, reverse=True))

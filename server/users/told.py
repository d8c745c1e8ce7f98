"""What other instances are told about the subscriptions of a session here."""

from __future__ import annotations

from typing import Final

import msgspec

from ..sessions.session import Session
from .registry import Subscriptions

#: Of one session; a client may not fill the broker's largest message with its wishes.
MOST_SUBSCRIPTIONS: Final = 100
MOST_BYTES: Final = 8 * 1024


def told_subscriptions(session: Session) -> Subscriptions:
    """The session's subscriptions with the destinations that the client asked for.

    At most :data:`MOST_SUBSCRIPTIONS` with :data:`MOST_BYTES` of JSON: they are for lookups, and to
    send at once what was held for a user (:mod:`.handover`), who gets it a little later without.
    """
    told: list[tuple[str, str]] = []
    room = MOST_BYTES
    for subscription in session.subscriptions.values():
        entry = (subscription.id, subscription.destination)
        room -= len(msgspec.json.encode(entry))  # control characters are six times as long there
        if room < 0 or len(told) == MOST_SUBSCRIPTIONS:
            break
        told.append(entry)
    return tuple(told)

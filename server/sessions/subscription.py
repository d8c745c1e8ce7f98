"""One subscription of a client, as the instance keeps it."""

from __future__ import annotations

from enum import Enum

import msgspec


class Kind(Enum):
    """Who serves a subscription."""

    TOPIC = 1
    QUEUE = 2
    APPLICATION = 3


class Subscription(msgspec.Struct, frozen=True, gc=False):
    """One subscription of a session.

    Attributes:
        id: The client's subscription id.
        destination: The destination that the client asked for.
        target: The destination at the broker; differs for user destinations.
        kind: Who serves it.
        token: The broker's handle of a queue consumer; topics are shared and have none here.
        acked: Whether a topic's MESSAGE frames have an ``ack``, because the client wants to acknowledge.
    """

    id: str
    destination: str
    target: str
    kind: Kind
    token: int = -1
    acked: bool = False

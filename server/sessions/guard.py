"""What clients may not do: listen to or write on what belongs to instances or to other sessions.

Spring lets any client read the registry and forge snapshots (spec 5.3, "Security"); we do not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ..brokers.delivery import Delivery
from ..settings import InstanceSettings

#: Headers that only we set: a client could forge where a message seems to come from (spec 4.3).
_OURS: Final = frozenset({"simpOrigDestination", "user-name", "ps-id"})
#: Headers that concern the client's own connection.
_CONNECTION: Final = frozenset({"destination", "content-length", "receipt", "transaction", "message-id"})
#: Headers that declare queues at RabbitMQ; one client could break another's (spec 6.7, "Warning").
_DECLARING: Final = frozenset(
    {
        "durable",
        "auto-delete",
        "exclusive",
        "persistent",
        "x-queue-name",
        "x-queue-type",
        "x-message-ttl",
        "x-expires",
        "x-max-length",
        "x-max-length-bytes",
        "x-max-priority",
        "x-overflow",
        "x-dead-letter-exchange",
        "x-dead-letter-routing-key",
        "x-single-active-consumer",
    }
)
_DROPPED: Final = _OURS | _CONNECTION | _DECLARING
#: Destinations that end in a session's id as we or Spring make them.
_OF_SESSION: Final = re.compile(r"-user([0-9a-f]{16}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$")


class Guard:
    """The rules of one instance."""

    def __init__(self, settings: InstanceSettings) -> None:
        self._internal = frozenset(
            {
                settings.peers_destination,
                settings.broadcast_destination,
                settings.unresolved_destination,
                settings.registry_destination,
            }
        )
        self._peer_prefix = settings.peer_destination("")

    def refuse(self, destination: str, session_id: str) -> str:
        """Why a client may not use a broker destination, or "" if it may."""
        if self._is_internal(destination):
            return "it belongs to the instances"
        match = _OF_SESSION.search(destination)
        if match is not None and match.group(1) != session_id:
            return "it belongs to another session"
        return ""

    def hides(self, delivery: Delivery) -> bool:
        """Whether a message that came through a client's wildcard is not meant for it."""
        headers = delivery.headers
        return "simpOrigDestination" in headers or self._is_internal(headers["destination"])

    def _is_internal(self, destination: str) -> bool:
        return destination in self._internal or destination.startswith(self._peer_prefix)


def clean(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a client's SEND that are passed on."""
    return {name: value for name, value in headers.items() if name not in _DROPPED}

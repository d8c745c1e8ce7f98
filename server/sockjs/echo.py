"""An echo service: the smallest application, and the subject of the protocol's tests."""

from __future__ import annotations

from .application import Connection, Message


class Echo:
    """Sends back what comes; an ``Application`` (the class) and its ``Listener`` (an instance)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def received(self, message: Message) -> None:
        """Send it back."""
        self._connection.send(message)

    def full(self) -> None:
        """An echo cannot hold back; what waits is bounded by the service."""

    def ready(self) -> None:
        """See :meth:`full`."""

    def closed(self, code: int, reason: str) -> None:
        """Nothing is kept."""


class CloseAtOnce(Echo):
    """Ends every session as soon as it is open."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        connection.close(3000, "Go away!")

"""An echo service: the smallest application, and the subject of the protocol's tests."""

from __future__ import annotations

from core.errors import CloseCode

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


class BoundedEcho(Echo):
    """Ends a session that sends a longer message than ``most`` bytes."""

    def __init__(self, connection: Connection, most: int) -> None:
        super().__init__(connection)
        self._most = most

    def received(self, message: Message) -> None:
        """Send it back, if it is not too long."""
        size = len(message if isinstance(message, bytes) else message.encode("utf-8", "replace"))
        if size > self._most:
            self._connection.close(CloseCode.TOO_BIG, f"a message may have {self._most} bytes")
        else:
            super().received(message)


class CloseAtOnce(Echo):
    """Ends every session as soon as it is open."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        connection.close(3000, "Go away!")

"""What serves destinations with the application prefix; :mod:`server.handlers` is the implementation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from core.protocol import Send, Subscribe

from ..sessions.session import Session


class Application(Protocol):
    """Takes what clients send to the application prefix, in order for each client."""

    def handle(self, session: Session, event: Send | Subscribe, done: Callable[[], None]) -> bool:
        """Serve a message or a subscription.

        Args:
            session: Whose it is.
            event: The frame; its destination has the application prefix.
            done: Called when it was served, unless with an exception that no handler takes.

        Returns:
            False if the client has sent far more than the application keeps up with.
        """
        ...

"""The seam by which a session asks whether a client has proven in CONNECT who it is."""

from __future__ import annotations

from typing import Protocol

from core.protocol import Connect

from ..access.admission import Principal
from ..messages.refusal import Refusal


class Proof(Protocol):
    """Asked about every CONNECT before interceptors and the broker see it."""

    @property
    def within_s(self) -> float:
        """How long a client whose principal is ``to_prove`` has for it, from the handshake on."""
        ...

    def prove(self, principal: Principal, event: Connect) -> tuple[Principal, Connect]:
        """Who the client is, and the frame without what proved it.

        Raises:
            Refusal: It has not proven it.
        """
        ...

    def too_late(self) -> Refusal:
        """Called when the time is up: what the client is told."""
        ...

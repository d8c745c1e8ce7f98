"""A STOMP frame as a value.

Source: STOMP 1.2, "STOMP Frames". Headers are a dict whose value is the *first* one given
for a name, which is the effective one (STOMP 1.2, "Repeated Header Entries"); further values
of a repeated name are kept in ``repeated``, so that a forwarded frame loses nothing.
"""

from __future__ import annotations

from typing import Final

import msgspec


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One STOMP frame; treat ``headers`` as read-only.

    Attributes:
        command: Upper-case command, such as ``SEND``.
        headers: First value of each header, unescaped, in wire order.
        body: Raw bytes.
        repeated: Further ``(name, value)`` pairs of repeated headers, in wire order.
    """

    command: str
    headers: dict[str, str]
    body: bytes = b""
    repeated: tuple[tuple[str, str], ...] = ()

    def get(self, name: str, default: str | None = None) -> str | None:
        """The effective value of a header, or ``default``."""
        return self.headers.get(name, default)


class Heartbeat(msgspec.Struct, frozen=True, gc=False):
    """A bare end-of-line between frames: the peer is alive."""


#: The only heart-beat value needed.
HEARTBEAT: Final = Heartbeat()

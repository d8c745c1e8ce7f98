"""A STOMP frame as a value.

Source: STOMP 1.2, "STOMP Frames". Headers are a dict whose value is the *first* one given
for a name, which is the effective one (STOMP 1.2, "Repeated Header Entries"); further values
of a repeated name are kept in ``repeated``, so that a forwarded frame loses nothing.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

#: Headers whose values never appear in a ``repr``: they end up in logs and reports.
SECRET_HEADERS: Final = frozenset(
    {"passcode", "password", "authorization", "token", "access-token", "access_token", "x-auth-token"}
)
_HIDDEN: Final = "…"
_SHOWN_BODY: Final = 96


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

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Fields for rich and for ``repr``: secrets hidden, a long body cut."""
        fields: list[tuple[str, Any]] = [
            ("command", self.command),
            ("headers", {name: _shown(name, value) for name, value in self.headers.items()}),
            ("body", self.body if len(self.body) <= _SHOWN_BODY else self.body[:_SHOWN_BODY] + b"..."),
        ]
        if self.repeated:
            fields.append(("repeated", tuple((name, _shown(name, value)) for name, value in self.repeated)))
        return fields

    def __repr__(self) -> str:
        return f"Frame({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"


class Heartbeat(msgspec.Struct, frozen=True, gc=False):
    """A bare end-of-line between frames: the peer is alive."""


#: The only heart-beat value needed.
HEARTBEAT: Final = Heartbeat()


def _shown(name: str, value: str) -> str:
    return _HIDDEN if name.lower() in SECRET_HEADERS else value

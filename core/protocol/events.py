"""What the parser and the sessions report: frozen values, consumed with ``match``.

Every event of a session that stems from a frame has it as ``frame``, and as ``receipt`` the receipt
that the peer asked for. The union types :data:`ServerEvent` and :data:`ClientEvent` name all of them.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ..errors import RemoteProtocolError
from .frames import Frame


class Malformed(msgspec.Struct, frozen=True):  # seen by the collector, as an exception refers to frames
    """The peer broke the protocol.

    ``error.answer`` is what to send (filled by sessions, empty from a bare parser). If it is
    ``fatal``, as nearly always, it is the last event, the parser or session is dead after it, and the
    connection is to be closed, with ``error.close_code`` on a WebSocket.
    """

    error: RemoteProtocolError
    fatal: bool = True


class HeartbeatReceived(msgspec.Struct, frozen=True, gc=False):
    """The peer sent a heart-beat and nothing else."""


#: The only value of it that is needed.
HEARTBEAT_RECEIVED: Final = HeartbeatReceived()


class FrameEvent(msgspec.Struct, frozen=True, gc=False):
    """What all events that stem from a frame have in common."""

    frame: Frame

    @property
    def receipt(self) -> str | None:
        """Id of the receipt that the peer asked for with this frame."""
        return self.frame.headers.get("receipt")


# ---- a server sees ---------------------------------------------------------------------------


class Connect(FrameEvent, frozen=True, gc=False):
    """The client wants to connect; answer with ``connected()`` or ``error()``.

    ``version`` is the one negotiated, ``heartbeat`` the client's (can send, wants) in milliseconds.
    """

    login: str | None
    passcode: str | None
    host: str | None
    version: str
    heartbeat: tuple[int, int]

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Fields for rich and for ``repr``, without the passcode."""
        return [
            ("frame", self.frame),
            ("login", self.login),
            ("passcode", None if self.passcode is None else "…"),
            ("host", self.host),
            ("version", self.version),
            ("heartbeat", self.heartbeat),
        ]

    def __repr__(self) -> str:
        return f"Connect({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"


class Send(FrameEvent, frozen=True, gc=False):
    """The client sends a message to ``destination``."""

    destination: str

    @property
    def transaction(self) -> str | None:
        """The open transaction that the message belongs to."""
        return self.frame.headers.get("transaction")


class Subscribe(FrameEvent, frozen=True, gc=False):
    """The client subscribes; in STOMP 1.0, where ids are optional, ``id`` may be the destination."""

    id: str
    destination: str
    ack: str


class Unsubscribe(FrameEvent, frozen=True, gc=False):
    """The client gives up a subscription; ``destination`` is None if there was none of that id."""

    id: str
    destination: str | None


class Ack(FrameEvent, frozen=True, gc=False):
    """The client acknowledges; ``id`` is the header ``id`` of 1.2 or ``message-id`` before."""

    id: str
    transaction: str | None


class Nack(FrameEvent, frozen=True, gc=False):
    """The client refuses a message; ``id`` as in :class:`Ack`."""

    id: str
    transaction: str | None


class Begin(FrameEvent, frozen=True, gc=False):
    """The client begins a transaction."""

    transaction: str


class Commit(FrameEvent, frozen=True, gc=False):
    """The client commits an open transaction."""

    transaction: str


class Abort(FrameEvent, frozen=True, gc=False):
    """The client rolls an open transaction back."""

    transaction: str


class Disconnect(FrameEvent, frozen=True, gc=False):
    """The client says goodbye; with a ``receipt`` it waits for it before it closes."""


ServerEvent = (
    Send | HeartbeatReceived | Subscribe | Unsubscribe | Ack | Nack | Begin | Commit | Abort
    | Connect | Disconnect | Malformed
)  # fmt: skip

# ---- a client sees ---------------------------------------------------------------------------


class Connected(FrameEvent, frozen=True, gc=False):
    """The server accepted; ``heartbeat`` is the server's (can send, wants) in milliseconds."""

    version: str
    session: str | None
    server: str | None
    user_name: str | None
    heartbeat: tuple[int, int]

    @property
    def headers(self) -> dict[str, str]:
        """All headers of CONNECTED."""
        return self.frame.headers


class Message(FrameEvent, frozen=True, gc=False):
    """A message for ``subscription``, which is "" where the server did not say (STOMP 1.0)."""

    subscription: str
    destination: str

    @property
    def body(self) -> bytes:
        """The message's body."""
        return self.frame.body


class ReceiptReceived(FrameEvent, frozen=True, gc=False):
    """The server did what the frame with this receipt id asked for, and everything before it."""

    receipt_id: str


class ErrorReceived(FrameEvent, frozen=True, gc=False):
    """The server refused something and is going to close the connection."""

    message: str
    body: bytes

    @property
    def receipt_id(self) -> str | None:
        """The receipt asked for by the frame that failed, if the server says so."""
        return self.frame.headers.get("receipt-id")


ClientEvent = Message | ReceiptReceived | HeartbeatReceived | Connected | ErrorReceived | Malformed

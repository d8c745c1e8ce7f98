"""One client's session: its side of the STOMP protocol and its outgoing queue.

Frames for a client are appended to ``pending`` and written together once per turn of the event
loop (:class:`~server.outbox.Outbox`). While the connection does not take more, they wait in
``held``, which is bounded in bytes; a client over the bound is cut (docs/wire/spring-relay.md §8).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from core.protocol import Send, ServerSession, Subscribe

from ..access.admission import PRINCIPAL, Principal
from ..messages.framing import Framing, websocket_frame
from .held import Held
from .subscription import Subscription
from .transactions import Transactions
from .unsettled import Unsettled


class Carrier(Protocol):
    """What carries a session's bytes to its client.

    The carrier calls the endpoint's gate with what it receives, and :meth:`Session.pause` and
    :meth:`Session.resume` when the connection is full and when it is not any more. It reports
    the end of the connection exactly once, whoever ended it.
    """

    def write(self, data: bytes) -> None:
        """Send framed bytes; never waits, never raises; ignored once the connection ended."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close after what was written; cut the connection if the client does not take it."""
        ...


class Session:
    """One client, from its handshake to the end of its connection.

    Attributes:
        id: Opaque id; names the session in user destinations (``-user<id>``).
        user: Name of the user; known from CONNECT on.
        principal: Whom the handshake named, or CONNECT proved; None if CONNECT may name the user.
        ends_at: When the session is closed whatever happens (loop time); infinite for most.
        protocol: The STOMP server role of the connection.
        framing: How payloads become bytes of the carrier.
        pending: Framed bytes that go out at the end of this turn of the loop.
        pending_ids: Pushes among ``pending``, for the stages.
        dirty: Whether the outbox has the session on its list.
        full: Whether the connection takes nothing now.
        paused: Whether what comes has to wait: the connection is full, or something waits already.
        held: What waits, while ``paused``.
        paused_at: Since when the connection has taken nothing (loop time).
        flushed_at: When bytes were written last (loop time).
        opened_at: When the connection was opened (loop time).
        heard: Whether the client has sent anything.
        connected: Whether CONNECTED was sent.
        closed: Whether the session has ended; nothing is sent any more.
        direct: Whether a push may go straight to this session without the broker (order!).
        slot: Where the session is in the timers' wheel; 0 for nowhere.
        backlog: Messages that wait for an asynchronous handler to end; None if none runs.
        backlog_bytes: Bytes of their bodies.
        joined_seq: Version of the local users that contains this session, for the peers.
        subscriptions: By subscription id.
        transactions: Open transactions with what they hold back; None if there never was one.
        unsettled: What the client has to acknowledge; None if it never subscribed so.
    """

    __slots__ = (
        "_attributes",
        "backlog",
        "backlog_bytes",
        "carrier",
        "closed",
        "connected",
        "direct",
        "dirty",
        "ends_at",
        "flushed_at",
        "framing",
        "full",
        "heard",
        "held",
        "id",
        "joined_seq",
        "opened_at",
        "paused",
        "paused_at",
        "pending",
        "pending_ids",
        "principal",
        "protocol",
        "slot",
        "subscriptions",
        "transactions",
        "unsettled",
        "user",
        "write",
    )

    def __init__(
        self,
        id: str,
        carrier: Carrier,
        protocol: ServerSession,
        *,
        now: float,
        principal: Principal | None = None,
        framing: Framing = websocket_frame,
    ) -> None:
        self.id = id
        self.user = ""
        self.principal = principal
        self.ends_at = math.inf
        self.protocol = protocol
        self.carrier: Carrier = carrier
        self.write = carrier.write
        self.framing = framing
        self.pending: list[bytes] = []
        self.pending_ids: list[str] = []
        self.held: Held | None = None
        self.full = False
        self.dirty = False
        self.paused = False
        self.paused_at = 0.0
        self.flushed_at = now
        self.opened_at = now
        self.heard = False
        self.connected = False
        self.closed = False
        self.direct = True
        self.joined_seq = 0
        self.subscriptions: dict[str, Subscription] = {}
        self.transactions: Transactions | None = None
        self.unsettled: Unsettled | None = None
        self.slot = 0
        self.backlog: deque[tuple[Send | Subscribe, Callable[[], None]]] | None = None
        self.backlog_bytes = 0
        self._attributes: dict[str, Any] | None = None

    def become(self, principal: Principal, ends_at: float) -> None:
        """Be of this principal, and end at that loop time: CONNECT has proven it."""
        self.principal, self.ends_at = principal, ends_at
        if self._attributes is not None and principal.claims:
            self._attributes[PRINCIPAL] = principal

    @property
    def attributes(self) -> dict[str, Any]:
        """What the application keeps about the session."""
        if self._attributes is None:
            self._attributes = {}
            if self.principal is not None and self.principal.claims:
                self._attributes[PRINCIPAL] = self.principal
        return self._attributes

    @property
    def held_bytes(self) -> int:
        """Bytes that wait because the connection is full."""
        return 0 if self.held is None else self.held.size

    @property
    def held_ids(self) -> list[str]:
        """The pushes among them."""
        return [] if self.held is None else self.held.pushes

    def end(self) -> None:
        """Nothing goes out any more; what waits is dropped."""
        self.closed = True
        # The carrier refers to us: freed at once, not when the collector comes.
        self.write, self.carrier = _drop, _GONE
        self.pending.clear()
        self.pending_ids.clear()
        self.held = None


class _Gone:
    """Takes the place of the carrier when the session has ended."""

    def write(self, data: bytes) -> None:
        """Nobody is there."""

    def close(self, code: int, reason: str) -> None:
        """It is closed."""


_GONE: Final = _Gone()
_drop: Final = _GONE.write

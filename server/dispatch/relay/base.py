"""The seam between a client's session and the broker: what becomes of frames that were let through.

Whoever calls has checked that the client may do what it asks for, and has served what is the
application's. Two implementations: :mod:`.multiplexed` (the default) shares the instance's broker
connection, :mod:`.per_client` gives each client one of its own, as Spring does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from core.protocol import (
    Abort,
    Ack,
    Begin,
    Commit,
    Connect,
    Disconnect,
    HeartbeatReceived,
    Nack,
    Send,
    Subscribe,
    Unsubscribe,
)

from ...sessions.session import Session
from ...sessions.subscription import Subscription
from ...users.local_delivery import UserMessage

#: Takes the CONNECTED frame that the client gets; it is part of the instance from then on.
Welcome = Callable[[bytes], None]

#: Frames that name no destination.
Plain = Begin | Commit | Abort | Ack | Nack | Disconnect | HeartbeatReceived


class Relay(Protocol):
    """Carries clients' frames to the broker, and what it answers to the clients.

    Order: what one client sends reaches the broker in that order. A frame that asked for a receipt
    gets it when the broker has done what the frame asks for.
    """

    def connect(self, session: Session, event: Connect, extra: Mapping[str, str], welcome: Welcome) -> None:
        """A client was let in; ``welcome`` is called with its CONNECTED, at once or later.

        Args:
            session: The client.
            event: Its CONNECT.
            extra: What we add to CONNECTED.
            welcome: Not called if the client has gone meanwhile, or was ended.
        """
        ...

    def publish(self, session: Session, event: Send, headers: Mapping[str, str]) -> None:
        """A message to a destination of the broker, with those of its headers that are passed on.

        Raises:
            BrokerUnavailable: The broker is away.
        """
        ...

    def to_user(self, session: Session, event: Send, message: UserMessage) -> None:
        """A message to a user.

        Raises:
            BrokerUnavailable: The broker is needed and away.
        """
        ...

    def subscribe(self, session: Session, event: Subscribe, target: str, *, is_user: bool) -> None:
        """Subscribe to ``target`` at the broker and enter it in ``session.subscriptions``.

        ``is_user`` says that the client named a destination of its user.
        """
        ...

    def unsubscribe(self, session: Session, subscription: Subscription, event: Unsubscribe) -> bool:
        """The client gave up a subscription of the broker's; True if the broker answers the receipt."""
        ...

    def forward(self, session: Session, event: Plain) -> bool:
        """Hand a frame to the broker if it is for the broker to answer; False if it is for us."""
        ...

    def closed(self, session: Session) -> None:
        """A client has gone: give up its subscriptions at the broker."""
        ...

"""Who is connected here, and to what. No network, no broker, no clock.

Local subscriptions are kept per destination and, within it, per (subscription id, framing),
because that is what the bytes of a MESSAGE depend on: they are built once per group.
"""

from __future__ import annotations

from typing import Final

from core.protocol import message_opening

from ..messages.framing import ClientMessage, Framing, destination_in
from .outbox import Outbox
from .session import Session

#: Where the ``ack`` of a topic's MESSAGE begins; the subscription's id follows.
TOPIC_ACK: Final = "topic@"


class Group:
    """Subscribers whose MESSAGE frames are the same bytes.

    Attributes:
        opening: Where their frames begin: command and subscription line.
        framing: How payloads become bytes of their carrier.
        sessions: Who they are.
    """

    __slots__ = ("framing", "opening", "sessions")

    def __init__(self, subscription: str, framing: Framing, *, acked: bool = False) -> None:
        self.opening = message_opening(subscription, TOPIC_ACK + subscription if acked else "")
        self.framing = framing
        self.sessions: dict[Session, None] = {}


class Topic:
    """The local subscribers of one destination.

    Attributes:
        destination: As the broker knows it (a pattern is a destination of its own).
        groups: Sessions by (subscription id, framing, whether frames have an ``ack``).
    """

    __slots__ = ("destination", "groups")

    def __init__(self, destination: str) -> None:
        self.destination = destination
        self.groups: dict[tuple[str, Framing, bool], Group] = {}

    @property
    def size(self) -> int:
        """How many subscriptions."""
        return sum(len(group.sessions) for group in self.groups.values())


class Hub:
    """The sessions of this instance and their topics."""

    def __init__(self, outbox: Outbox) -> None:
        self.sessions: dict[str, Session] = {}
        self.topics: dict[str, Topic] = {}
        self._outbox = outbox

    def add(self, session: Session) -> None:
        """A client has come."""
        self.sessions[session.id] = session

    def remove(self, session: Session) -> bool:
        """A client has gone; False if that was known already."""
        return self.sessions.pop(session.id, None) is not None

    def join(self, destination: str, session: Session, subscription: str, *, acked: bool = False) -> Topic:
        """Subscribe a session to a topic, which is created if need be.

        ``acked`` says that the client means to acknowledge: its frames have an ``ack``, always the same.
        """
        topic = self.topics.get(destination)
        if topic is None:
            topic = self.topics[destination] = Topic(destination)
        key = (subscription, session.framing, acked)
        group = topic.groups.get(key)
        if group is None:
            group = topic.groups[key] = Group(subscription, session.framing, acked=acked)
        group.sessions[session] = None
        return topic

    def leave(self, destination: str, session: Session, subscription: str, *, acked: bool = False) -> bool:
        """Unsubscribe; True if that was the topic's last subscriber."""
        topic = self.topics.get(destination)
        if topic is None:
            return False
        key = (subscription, session.framing, acked)
        group = topic.groups.get(key)
        if group is not None:
            group.sessions.pop(session, None)
            if not group.sessions:
                del topic.groups[key]
        if topic.groups:
            return False
        del self.topics[destination]
        return True

    def deliver(self, topic: Topic, message: ClientMessage) -> int:
        """Queue a message for all subscribers of a topic; returns how many."""
        outbox = self._outbox
        dirty = outbox.dirty
        count = 0
        session: Session | None = None
        tail, binary = message.tail, message.binary
        somebody_is_slow = outbox.notes is not None
        for group in topic.groups.values():
            wire = group.framing(group.opening + tail, binary)
            if somebody_is_slow:
                outbox.note(wire, (group.opening, destination_in(tail)), message.id)
            sessions = group.sessions
            for session in sessions:  # the hot loop: one append per receiver
                session.pending.append(wire)
                if not session.dirty:
                    session.dirty = True
                    dirty.append(session)
            count += len(sessions)
        if count == 1 and session is not None and message.id is not None:
            session.pending_ids.append(message.id)
        outbox.wake()
        return count

    def deliver_one(
        self,
        session: Session,
        subscription: str,
        message: ClientMessage,
        *,
        ack: str = "",
        droppable: bool = True,
    ) -> None:
        """Queue a message for one subscription of one session.

        What the client has to acknowledge, since STOMP 1.2 with ``ack``, is not ``droppable``: it would
        never be settled.
        """
        if message.id is not None:
            session.pending_ids.append(message.id)
        opening, outbox = message_opening(subscription, ack), self._outbox
        wire = outbox.put(session, opening + message.tail, binary=message.binary)
        if droppable and outbox.notes is not None:
            outbox.note(wire, (opening, destination_in(message.tail)), message.id)

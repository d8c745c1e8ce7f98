"""What one instance counts; shown by ``/info`` and ``/metrics``."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Counters:
    """Plain numbers since the start of the instance.

    Attributes:
        pushes: Pushes accepted by HTTP.
        refused: Pushes refused because the broker was down or the instance was not in step.
        resolved: Pushes whose user has at least one session somewhere.
        unresolved: Pushes whose user is known nowhere (broadcast, if that is on).
        direct: Deliveries to a session of this instance without the broker.
        to_broker: Messages handed to the broker for pushes.
        from_broker: Messages that the broker delivered for clients here.
        delivered: Messages put into clients' queues.
        wasted: Messages received from the broker for nobody here.
        undeliverable: Messages for users that ended here without a receiver, whoever sent them.
        sends: SEND frames of clients.
        handled: SEND frames that an application handler took.
        unroutable: Frames whose destination nobody takes.
        connects: Clients that were CONNECTED.
        disconnects: Clients that left.
        protocol_errors: Clients that were closed because they broke the protocol.
        refused_frames: SEND and SUBSCRIBE frames to destinations that clients may not use.
        slow_consumers: Clients that were cut because they did not read.
        dropped_oldest: Messages that were dropped for a client that did not read, the oldest first.
        dropped_newest: The same, the newest first.
        conflated: Messages that a newer one of the same destination replaced while they waited.
        silent: Clients that were cut because they sent nothing in time.
        turned_away: Clients that were not let in because there were too many (``max_sessions``).
        unauthorized: Handshakes that were refused because of their access token, or for want of one.
        foreign_pages: Requests of pages that may not connect because of their origin.
        internal_errors: Clients that were closed with 1011 because a frame of theirs failed here.
        registry_messages: Messages of the registry received from peers.
        broker_losses: How often the broker connection was lost.
    """

    pushes: int = 0
    refused: int = 0
    resolved: int = 0
    unresolved: int = 0
    direct: int = 0
    to_broker: int = 0
    from_broker: int = 0
    delivered: int = 0
    wasted: int = 0
    undeliverable: int = 0
    sends: int = 0
    handled: int = 0
    unroutable: int = 0
    connects: int = 0
    disconnects: int = 0
    protocol_errors: int = 0
    refused_frames: int = 0
    slow_consumers: int = 0
    dropped_oldest: int = 0
    dropped_newest: int = 0
    conflated: int = 0
    silent: int = 0
    turned_away: int = 0
    unauthorized: int = 0
    foreign_pages: int = 0
    internal_errors: int = 0
    registry_messages: int = 0
    broker_losses: int = 0

    def as_dict(self) -> dict[str, int]:
        """Name and number."""
        return asdict(self)

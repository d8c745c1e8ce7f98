"""What the embedded broker holds for its peers."""

from __future__ import annotations

import msgspec

from .exchange import ExchangeLimits


class BrokerLimits(msgspec.Struct, frozen=True):
    """What the broker holds for its peers.

    Attributes:
        peer_backlog: Bytes that wait for one peer that does not read.
        transaction: Bytes that one open transaction holds back.
        transactions: Open transactions of one peer.
        subscriptions: Subscriptions of one peer.
        errors: ERROR frames after which a connection is closed.
        peers: Connections at a time; more are closed at once.
        connect_s: How long a connection may take to CONNECT.
        expires_s: After that long without a consumer a queue that expires vanishes.
        sweep_s: How often that is looked at, and what was dropped is logged.
        report_s: How often what there is is logged, if anything was published.
        exchange: What is kept for whom.
    """

    peer_backlog: int = 64 * 1024 * 1024
    transaction: int = 16 * 1024 * 1024
    transactions: int = 16
    subscriptions: int = 100_000
    errors: int = 100
    peers: int = 10_000
    connect_s: float = 10.0
    expires_s: float = 60.0
    sweep_s: float = 5.0
    report_s: float = 60.0
    exchange: ExchangeLimits = ExchangeLimits()

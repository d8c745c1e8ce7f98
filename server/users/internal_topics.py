"""What an instance says to and hears from other instances over the broker."""

from __future__ import annotations

import logging
from collections.abc import Callable

from core.errors import BrokerRefused, BrokerUnavailable

from ..brokers.base import Broker
from ..brokers.delivery import Delivery
from ..messages.counters import Counters
from ..settings.instance import InstanceSettings
from .local_delivery import LocalDelivery
from .peers import PeerSync
from .spring_registry import SpringRegistry
from .strategies import RelayStrategy, Strategy

logger = logging.getLogger("pushscope.server")


class InternalTopics:
    """The instance's own subscriptions at the broker, and what follows when it comes and goes.

    Args:
        settings: Destinations and strategy.
        broker: The broker.
        strategy: How messages reach users.
        local: Delivers to sessions of this instance.
        sync: Our own instances; the strategy ``relay`` only.
        spring: Spring's instances; the strategy ``relay`` only.
        counters: Counts losses of the broker.
        on_ready: Called when everything is subscribed for the first time.
    """

    def __init__(
        self,
        settings: InstanceSettings,
        broker: Broker,
        strategy: Strategy,
        local: LocalDelivery,
        sync: PeerSync | None,
        spring: SpringRegistry | None,
        counters: Counters,
        on_ready: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._broker = broker
        self._relay = strategy if isinstance(strategy, RelayStrategy) else None
        self._local = local
        self._sync = sync
        self._spring = spring
        self._counters = counters
        self._on_ready = on_ready
        self._subscribed = False

    def subscribe(self) -> None:
        """Subscribe to what the strategy needs; the broker need not be there yet."""
        settings, subscribe = self._settings, self._broker.subscribe
        sync = self._sync
        if sync is not None:
            subscribe(settings.peers_destination, lambda delivery: sync.receive(delivery.body))
            subscribe(settings.peer_destination(sync.epoch), lambda delivery: sync.receive(delivery.body))
        match settings.strategy:
            case "relay":
                # Both broadcasts may share a destination (the article has it so): one subscription then.
                if settings.registry_broadcast != "off" and not settings.one_broadcast_destination:
                    subscribe(settings.registry_destination, self._on_snapshot)
                subscribe(settings.unresolved_destination, self._on_unresolved, self._on_subscribed)
            case "broadcast":
                subscribe(settings.broadcast_destination, self._on_broadcast, self._on_subscribed)
            case "none":
                self._on_subscribed(None)

    def on_availability(self, available: bool, reason: str) -> None:
        """The broker has come or gone."""
        if not available:
            self._counters.broker_losses += 1
            if self._relay is not None:
                self._relay.broker_lost()
        elif self._subscribed:
            self._announce()

    def goodbye(self) -> None:
        """We are leaving; everybody should know at once."""
        if self._sync is not None:
            self._sync.goodbye()
        if self._spring is not None:
            self._spring.goodbye()

    def tick(self) -> None:
        """To be called several times a second."""
        if self._sync is not None:
            self._sync.tick()
        if self._spring is not None:
            self._spring.tick()

    def _on_subscribed(self, error: BrokerUnavailable | None) -> None:
        """The last subscription is in place, and with it those before."""
        if error is not None:
            if isinstance(error, BrokerRefused):  # else it went, or we stop; that is said elsewhere
                logger.error("the broker refuses what instances need: %s", error)
            return
        self._subscribed = True
        self._announce()
        self._on_ready()

    def _announce(self) -> None:
        if self._sync is not None:
            self._sync.announce()
        if self._spring is not None:
            self._spring.available()

    def _on_unresolved(self, delivery: Delivery) -> None:
        headers = delivery.headers
        original = headers.get("simpOrigDestination")
        if original is None:
            # A snapshot, if both broadcasts share the destination, or a push to it
            # (docs/decisions/05-spring-on-the-wire.md).
            if self._settings.one_broadcast_destination:
                self._on_snapshot(delivery)
            return
        delivered = self._local.from_broadcast(original, headers, delivery.body)
        if self._relay is not None:
            self._relay.came_back(headers, original, delivered)

    def _on_broadcast(self, delivery: Delivery) -> None:
        headers = delivery.headers
        original = headers.get("simpOrigDestination")
        if original is not None:
            self._local.from_broadcast(original, headers, delivery.body)

    def _on_snapshot(self, delivery: Delivery) -> None:
        if self._spring is not None:
            self._spring.receive(delivery.headers, delivery.body)

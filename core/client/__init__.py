"""A STOMP client: connection, subscriptions as bounded iterators, reconnection by policy."""

from .reconnect import EAGER, ReconnectPolicy
from .reconnecting import ReconnectingClient
from .stomp_client import StompClient
from .subscription import Subscription, WhenFull

__all__ = ["EAGER", "ReconnectPolicy", "ReconnectingClient", "StompClient", "Subscription", "WhenFull"]

"""From a broker's URL to a broker object."""

from __future__ import annotations

from .base import Broker
from .memory import MemoryBroker
from .stomp import StompBroker


def broker_for(url: str) -> Broker:
    """A broker object for ``memory:`` (this object alone), ``amqp://…``, ``amqps://…`` or ``stomp://…``.

    ``embedded:`` is no URL of a broker: whoever starts a cluster starts an embedded broker and
    hands on its ``stomp://`` URL.

    Raises:
        UsageError: No such kind of broker.
    """
    if url in ("memory:", "memory://"):
        return MemoryBroker()
    if url.startswith(("amqp://", "amqps://")):
        from .amqp import AmqpBroker  # 240 modules that nobody else needs

        return AmqpBroker(url)
    return StompBroker(url)

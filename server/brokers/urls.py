"""From a broker's URL to a broker object."""

from __future__ import annotations

from .base import Broker
from .memory import MemoryBroker
from .reconnecting import RelayTimes
from .stomp import StompBroker


def broker_for(url: str, *, times: RelayTimes | None = None) -> Broker:
    """A broker object for ``memory:`` (this object alone), ``amqp://…``, ``amqps://…`` or ``stomp://…``.

    ``embedded:`` is no URL of a broker: whoever starts a cluster starts an embedded broker and
    hands on its ``stomp://`` URL.

    Args:
        url: Which.
        times: How patient to be with it.

    Raises:
        UsageError: No such kind of broker.
    """
    if url in ("memory:", "memory://"):
        return MemoryBroker()
    if url.startswith(("amqp://", "amqps://")):
        from .amqp import AmqpBroker  # 240 modules that nobody else needs

        return AmqpBroker(url, times=times)
    return StompBroker(url, times=times)

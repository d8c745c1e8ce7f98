"""STOMP destinations as RabbitMQ's STOMP plugin understands them, and the way back.

See docs/wire/brokers.md §1.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from core.errors import BrokerRefused

#: Where ``/topic`` publishes to.
TOPIC_EXCHANGE: Final = "amq.topic"

#: Longest routing key and longest name of a queue or exchange, in bytes.
_LONGEST: Final = 255
_UNSAFE: Final = re.compile(rb"[/%\x00-\x1f\x80-\xff]")
_KINDS: Final = "/temp-queue, /exchange, /topic, /queue, /amq/queue, /reply-queue/"


class Address(msgspec.Struct, frozen=True):
    """What a destination means to AMQP.

    Attributes:
        exchange: Where to publish to; ``""`` is the default exchange, ``amq.topic`` that of topics.
        key: Routing key; the queue's name with the default exchange.
        declare: Whether the queue is declared before it is used.
        consumable: Whether one can subscribe to it.
    """

    exchange: str
    key: str
    declare: bool = False
    consumable: bool = True

    @property
    def is_topic(self) -> bool:
        """Whether it is multiplexed over the one queue of the instance."""
        return self.exchange == TOPIC_EXCHANGE


def address_of(destination: str) -> Address:
    """Understand a destination.

    Raises:
        BrokerRefused: It is none; the text is the plugin's.
    """
    address = _parse(destination)
    if len(address.key.encode()) > _LONGEST or len(address.exchange.encode()) > _LONGEST:
        raise _refused(f"'{destination[:60]}…' is longer than the 255 bytes that AMQP carries")
    return address


def _parse(destination: str) -> Address:
    for prefix in ("/topic/", "/queue/", "/amq/queue/"):
        if destination.startswith(prefix):
            name = destination[len(prefix) :]
            if not name or "/" in name:
                kind = "topic" if prefix == "/topic/" else "queue"
                raise _refused(f"'/{name}' is not a valid {kind} destination")
            name = name.replace("%2F", "/")
            if prefix == "/topic/":
                return Address(TOPIC_EXCHANGE, name)
            return Address("", name, declare=prefix == "/queue/")
    if destination.startswith("/exchange/"):
        exchange, _, key = destination[10:].partition("/")
        if not exchange or "/" in key:
            raise _refused(f"'{destination[9:]}' is not a valid exchange destination")
        return Address(exchange.replace("%2F", "/"), key.replace("%2F", "/"))
    if destination.startswith("/reply-queue/"):
        return Address("", destination[13:], consumable=False)
    if destination and "/" not in destination:
        return Address("", destination, declare=True)
    raise _refused(f"'{destination}' is not a valid destination. Valid destination types are: {_KINDS}.")


def _refused(why: str) -> BrokerRefused:
    return BrokerRefused(why, title="Invalid destination", field="destination")


def destination_of(exchange: bytes, key: bytes) -> bytes:
    """The destination of a MESSAGE, rebuilt from exchange and routing key of the delivery."""
    if _UNSAFE.search(key) is not None:
        key = _escape(key)
    if exchange == b"amq.topic":
        return b"/topic/" + key
    if not exchange:
        return b"/queue/" + key
    return b"/exchange/%b%b%b" % (_escape(exchange), b"/" if key else b"", key)


def _escape(name: bytes) -> bytes:
    return _UNSAFE.sub(lambda match: b"%%%02X" % match[0][0], name)

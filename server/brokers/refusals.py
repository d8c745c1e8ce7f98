"""What a broker refuses: told before it is asked where that is known, read out of its ERROR otherwise.

An instance has one connection for all of its clients. RabbitMQ closes it over some mistakes (a queue
that was declared otherwise, an exchange that is not there), answers others with an ERROR that names no
receipt, and sends the RECEIPT of a frame that failed all the same (docs/wire/brokers.md §5).
"""

from __future__ import annotations

import re
from typing import Final

from core.errors import BrokerRefused

from .embedded_places import Refused, place_of

#: Brokers with RabbitMQ's destinations, by what they call themselves.
_LIKE_RABBITMQ: Final = ("RabbitMQ/", "Pushscope/")
_EXCHANGE: Final = re.compile(r"\A(/exchange/)([^/]+)")
#: Words of RabbitMQ that quote something else than what is refused.
_AROUND: Final = re.compile(r"(?:in vhost|for user|arg|received|current is|property set to) '[^']*'")
#: What its channel errors are about.
_SUBJECT: Final = re.compile(r"(?:queue|exchange|topic)(?: name)? '([^']*)'")


def refusal_of(server: str, destination: str, command: str) -> BrokerRefused | None:
    """Why a broker would refuse a destination, in its words; None if it would not, as far as is known.

    Args:
        server: What the broker calls itself; others than RabbitMQ and ours have their own rules.
        destination: Of a SEND or SUBSCRIBE.
        command: Which of them.
    """
    if not server.startswith(_LIKE_RABBITMQ):
        return None
    # Which exchanges there are the broker knows best; the rules are the same for all.
    match = _EXCHANGE.match(destination)
    stand_in = _EXCHANGE.sub(r"\1amq.direct", destination, count=1)
    try:
        place_of(stand_in, command)
    except Refused as refused:
        words = refused.detail.strip()
        if match is not None:
            words = words.replace("/amq.direct", f"/{match[2]}", 1)
        tried = f"{command} to {destination}"
        return BrokerRefused(words, title=refused.message, field="destination", tried=tried)
    return None


def names_of(destination: str) -> frozenset[str]:
    """How RabbitMQ may call a destination in an ERROR."""
    if not destination.startswith("/"):
        return frozenset({destination})
    kind, _, rest = destination[1:].partition("/")
    rest = rest.removeprefix("queue/") if kind == "amq" else rest
    decoded = rest.replace("%2F", "/")
    names = {destination, rest, f"/{rest}", decoded}
    if kind == "exchange":
        exchange, _, key = decoded.partition("/")
        names |= {exchange, key}
    return frozenset(names - {"", "/"})


def is_about(detail: str, destination: str) -> bool:
    """Whether the text of an ERROR names a destination."""
    text = _AROUND.sub("", detail)
    return any(f"'{name}'" in text for name in names_of(destination))


def subject_of(detail: str) -> str:
    """The queue, exchange or topic that a channel error of RabbitMQ is about; "" if it names none."""
    found = _SUBJECT.search(_AROUND.sub("", detail))
    return found[1] if found is not None else ""

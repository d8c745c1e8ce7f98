"""Which headers of a client's frames go to the broker and to other clients.

Three kinds do not: what only we may say (a client could forge where a message comes from,
docs/wire/spring-relay.md §4.3), what concerns one connection, and what a broker takes for an order. The last
kind is dangerous because everybody here shares one broker connection: a queue that was declared with an
argument too many, a ``user-id`` that is not the login, a ``CC`` that is no list, make RabbitMQ close it
(docs/wire/spring-relay.md §6.7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ..brokers.limits import LONGEST_SHORT, NUMBER, NUMBERS, SHORT
from ..messages.refusal import Refusal

#: Said by instances only.
_OURS: Final = frozenset({"simporigdestination", "user-name"})
_OUR_PREFIX: Final = "ps-"
#: About the client's own connection, or set anew by every hop.
_CONNECTION: Final = frozenset(
    {
        "destination",
        "content-length",
        "receipt",
        "receipt-id",
        "transaction",
        "message-id",
        "subscription",
        "ack",
        "redelivered",
        "heart-beat",
        "login",
        "passcode",
        "host",
        "accept-version",
        "session",
    }
)
#: Orders to RabbitMQ, ActiveMQ or Artemis.
_ORDERS: Final = frozenset(
    {
        "durable",
        "auto-delete",
        "exclusive",
        "persistent",
        "prefetch-count",
        "selector",
        "browser",
        "no-local",
        "client-id",
        "user-id",
        "cc",
        "bcc",
        "transformation",
        "amq-msg-type",
        "destination-type",
        "subscription-type",
        "routing-type",
        "durable-subscription-name",
        "durable-subscriber-name",
        "x-message-ttl",
        "x-expires",
        "x-overflow",
        "x-single-active-consumer",
        "x-delivery-limit",
        "x-priority",
        "x-death",
        "x-match",
        "x-initial-cluster-size",
    }
)
_ORDER_PREFIXES: Final = (
    "x-queue-",
    "x-max-",
    "x-dead-letter-",
    "x-stream-",
    "x-quorum-",
    "x-consumer-",
    "x-cancel-",
    "x-first-death-",
    "x-last-death-",
    "activemq.",
    "amq_",
    "_amq",
    "jms",
)
_MOST_KNOWN: Final = 4096


class HeaderRule:
    """The rule of one instance.

    Args:
        allowed: Headers of :data:`_ORDERS` that clients may use after all, as ``x-message-ttl`` or
            ``x-max-*``; the operator knows the broker and the clients.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        names = {name.lower() for name in allowed}
        self._allowed = frozenset(name for name in names if not name.endswith("*"))
        self._allowed_prefixes = tuple(name[:-1] for name in names if name.endswith("*"))
        self._verdicts: dict[str, bool] = {}

    def of_send(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of a client's SEND that are passed on.

        Raises:
            Refusal: One cannot be carried: too long for a broker, or no number where one is needed.
        """
        passes = self._passes
        return {name: value for name, value in headers.items() if passes(name) and _checked(name, value)}

    def of_subscribe(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of a client's SUBSCRIBE that are passed on besides ``id``, ``destination``, ``ack``.

        Nothing but what is allowed by name: whatever a broker reads there changes its queue.
        """
        return {name: value for name, value in headers.items() if self._is_allowed(name.lower())}

    def _passes(self, name: str) -> bool:
        known = self._verdicts
        verdict = known.get(name)
        if verdict is None:
            if len(known) >= _MOST_KNOWN:
                known.clear()
            verdict = known[name] = self._judge(name.lower())
        return verdict

    def _judge(self, name: str) -> bool:
        if name in _OURS or name in _CONNECTION or name.startswith(_OUR_PREFIX):
            return False
        return not is_order(name) or self._is_allowed(name)

    def _is_allowed(self, name: str) -> bool:
        return is_order(name) and (
            name in self._allowed
            or (bool(self._allowed_prefixes) and name.startswith(self._allowed_prefixes))
        )


def is_order(name: str) -> bool:
    """Whether brokers take a header (in lower case) for an order, such as how to declare a queue."""
    return name in _ORDERS or name.startswith(_ORDER_PREFIXES)


def _checked(name: str, value: str) -> bool:
    """Whether a header that may pass is passed on.

    Raises:
        Refusal: It cannot be carried.
    """
    if len(name) > LONGEST_SHORT // 4 and len(name.encode()) > LONGEST_SHORT:
        raise Refusal("Invalid header", f"The name of a header is longer than {LONGEST_SHORT} bytes.")
    if name in SHORT:
        if len(value) > LONGEST_SHORT // 4 and len(value.encode()) > LONGEST_SHORT:
            raise Refusal("Invalid header", f"'{name}' is longer than {LONGEST_SHORT} bytes.")
        # A temporary queue would be consumed by the instance's connection, not by the client's.
        return name != "reply-to" or "temp-" not in value
    if name in NUMBERS and NUMBER.fullmatch(value) is None:
        raise Refusal("Invalid header", f"'{name}' must be a number.")
    return True

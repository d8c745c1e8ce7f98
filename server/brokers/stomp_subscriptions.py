"""The subscriptions of a STOMP broker object, over all of its connections.

A subscription that was open when a connection ended may be what ended it. Such ones are made again
after all others and few at a time, so that one that the broker does not stand is found out and not
asked for again; else it would cut everybody's connection for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final

import msgspec

from core.errors import BrokerRefused, BrokerUnavailable

from .base import Consume, Deliver, Settled
from .delivery import Delivery, ParsedDelivery
from .refusals import refusal_of
from .stomp_answers import Answers, Ended
from .stomp_link import StompLink

logger = logging.getLogger("pushscope.server.broker")

#: Which header bounds what a consumer holds, by what the broker calls itself; else RabbitMQ's.
_PREFETCH: Final = {"ActiveMQ": "activemq.prefetchSize"}
#: A subscription that was alone when so many connections ended without a word is given up.
_MOST_ENDS: Final = 3


class Subscription(msgspec.Struct):
    """A subscription as it is to be; ``ready`` is None once it has been told.

    ``held`` are the tokens of messages that this connection delivered and that are not settled.
    """

    destination: str
    deliver: Deliver
    ready: Settled | None
    consume: Consume
    held: set[str] = msgspec.field(default_factory=set[str])

    def settle(self, error: BrokerUnavailable | None) -> None:
        """Tell whoever waits for it."""
        ready, self.ready = self.ready, None
        if ready is not None:
            ready(error)


class Subscriptions:
    """All subscriptions by their id on the wire."""

    def __init__(self) -> None:
        self._all: dict[str, Subscription] = {}
        #: Open when a connection ended: how often alone.
        self._suspects: dict[str, int] = {}
        self._probes: set[str] = set()
        self._window = 1
        self._link: StompLink | None = None
        self._answers: Answers | None = None
        self._server = ""

    def __len__(self) -> int:
        return len(self._all)

    def get(self, id: str) -> Subscription | None:
        """One of them."""
        return self._all.get(id)

    def add(self, id: str, subscription: Subscription) -> None:
        """Subscribe, at once if there is a connection."""
        self._all[id] = subscription
        if self._link is not None:
            self._make(id)

    def remove(self, id: str) -> None:
        """Unsubscribe; unknown ids are ignored."""
        if self._all.pop(id, None) is None:
            return
        waited = id in self._suspects and id not in self._probes
        self._suspects.pop(id, None)
        self._probes.discard(id)
        if self._link is None or self._answers is None:
            return
        self._answers.forget(id)
        if not waited:
            self._link.write(self._link.session.unsubscribe(id))
        self._probe()

    def deliver(self, id: str, delivery: Delivery) -> None:
        """A message came."""
        subscription = self._all.get(id)
        if subscription is None:
            return
        if subscription.consume.ack != "auto":
            headers = delivery.headers
            token = headers.get("ack") or headers["message-id"]
            subscription.held.add(token)
            delivery = ParsedDelivery(headers, delivery.body, token)
        subscription.deliver(delivery)

    def connected(self, link: StompLink, answers: Answers, server: str) -> None:
        """Make all subscriptions on a new connection."""
        self._link, self._answers, self._server = link, answers, server
        self._window = 1
        for id in [id for id in self._all if id not in self._suspects]:
            self._make(id)
        self._probe()

    def confirmed(self, id: str) -> None:
        """The broker has made one."""
        self._answered(id)
        subscription = self._all.get(id)
        if subscription is not None:
            subscription.settle(None)

    def refused(self, id: str, error: BrokerRefused) -> None:
        """The broker does not make one; it is not asked again."""
        subscription = self._all.pop(id, None)
        self._answered(id)
        if subscription is None:
            return
        if subscription.ready is None:  # it was there before; nobody waits for this
            logger.error(
                "the broker does not renew the subscription to %s: %s", subscription.destination, error
            )
        subscription.settle(error)

    def lost(self, ended: Ended, why: str) -> None:
        """The connection has ended; what it left open is under suspicion from now on."""
        self._link = self._answers = None
        alone = ended.subscribing if len(ended.subscribing) == 1 else ()
        probes, self._probes = self._probes, set()
        for id in ended.subscribing:
            self._suspects.setdefault(id, 0)
        for id in alone:
            if id not in probes:
                continue
            self._suspects[id] += 1
            if ended.error is not None:
                self.refused(id, ended.error)
            elif self._suspects[id] >= _MOST_ENDS:
                text = f"the broker ended the connection whenever it was asked for this: {why}"
                self.refused(id, BrokerRefused(text, title="Subscription refused"))

    def give_up(self, error: BrokerUnavailable) -> None:
        """The broker object was stopped."""
        for subscription in self._all.values():
            subscription.settle(error)
        self._all.clear()
        self._suspects.clear()

    # ----------------------------------------------------------------------------------------

    def _make(self, id: str) -> None:
        subscription, link, answers = self._all[id], self._link, self._answers
        if link is None or answers is None:
            return
        subscription.held.clear()  # what another connection delivered cannot be settled on this one
        refusal = refusal_of(self._server, subscription.destination, "SUBSCRIBE")
        if refusal is not None:
            link.soon(self.refused, id, refusal)
            return
        consume, headers = subscription.consume, dict(subscription.consume.headers)
        if consume.prefetch:
            family = self._server.partition("/")[0]
            headers[_PREFETCH.get(family, "prefetch-count")] = str(consume.prefetch)
        receipt = answers.subscribe(id, subscription.destination)
        link.write(
            link.session.subscribe(id, subscription.destination, consume.ack, headers, receipt=receipt)
        )

    def _answered(self, id: str) -> None:
        self._suspects.pop(id, None)
        if id in self._probes:
            self._probes.discard(id)
            self._probe()

    def _probe(self) -> None:
        """Make the next suspects again; twice as many whenever all of the last ones did no harm."""
        if self._probes or not self._suspects or self._link is None:
            return
        self._probes.update(_first(iter(self._suspects), self._window))
        self._window *= 2
        for id in tuple(self._probes):
            self._make(id)


def _first(ids: Iterator[str], count: int) -> list[str]:
    return [id for id, _ in zip(ids, range(count), strict=False)]

"""The relay to a STOMP broker: one TCP connection for everything (topics are multiplexed).

The same code talks to the embedded broker and to any other STOMP broker. After a loss it
reconnects with growing, jittered pauses and makes all subscriptions again.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import random
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from core.errors import BrokerUnavailable, PushscopeError
from core.protocol import (
    ClientEvent,
    Connected,
    ErrorReceived,
    Malformed,
    Message,
    ReceiptReceived,
    encode,
)

from .addresses import parse_stomp_url
from .base import AUTO, Availability, Consume, Deliver, Settled
from .delivery import Delivery, ParsedDelivery
from .message import NOT_FORWARDED
from .own_connections import OwnConnections
from .stomp_link import DEFAULT_BACKLOG_LIMIT, StompLink

logger = logging.getLogger("pushscope.server.broker")

#: Which header bounds what a consumer holds, by what the broker calls itself; else RabbitMQ's.
_PREFETCH: Final = {"ActiveMQ": "activemq.prefetchSize"}


class RelayTimes(msgspec.Struct, frozen=True):
    """How patient the relay is.

    Attributes:
        heartbeat_ms: (we can send, we want), as STOMP's ``heart-beat``.
        connect_s: For TCP and CONNECTED together.
        first_pause_s: Before the first reconnection; doubles from then on.
        longest_pause_s: At most that long.
    """

    heartbeat_ms: tuple[int, int] = (10_000, 10_000)
    connect_s: float = 5.0
    first_pause_s: float = 0.05
    longest_pause_s: float = 1.0


class _Subscription(msgspec.Struct):
    """A subscription as it is to be; ``ready`` is None once it has been told.

    ``held`` are the tokens of messages that this connection delivered and that are not settled.
    """

    destination: str
    deliver: Deliver
    ready: Settled | None
    consume: Consume
    held: set[str]


class StompBroker:
    """Implements ``Broker`` with any STOMP 1.2, 1.1 or 1.0 broker."""

    def __init__(
        self,
        url: str,
        *,
        times: RelayTimes | None = None,
        backlog_limit: int = DEFAULT_BACKLOG_LIMIT,
        own_connections: bool = True,
    ) -> None:
        make = functools.partial(
            StompBroker, url, times=times, backlog_limit=backlog_limit, own_connections=False
        )
        self._own = OwnConnections(make) if own_connections else None
        self._address = parse_stomp_url(url)
        self.url = self._address.public_url
        self.available = False
        self.reason = "not connected yet"
        #: What the broker calls itself.
        self.server = ""
        self._times = times or RelayTimes()
        self._backlog_limit = backlog_limit
        self._on_availability: Availability | None = None
        self._link: StompLink | None = None
        self._task: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._subscriptions: dict[str, _Subscription] = {}
        self._receipts: dict[str, Settled] = {}
        self._count = 0

    async def start(self, on_availability: Availability) -> None:
        """Begin to connect."""
        self._on_availability = on_availability
        self._task = asyncio.create_task(self._run(), name=f"broker:{self.url}")

    async def stop(self) -> None:
        """Say goodbye and close."""
        if self._own is not None:
            await self._own.stop()
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if self._link is not None:
            if self.available:
                self._link.write(self._link.session.disconnect())
            self._link.close("stopped")
            try:
                async with asyncio.timeout(1):
                    await self._ended.wait()
            except TimeoutError:
                self._link.abort("stopped")
        self._lost("stopped")
        gone = BrokerUnavailable("the broker connection was stopped")
        for subscription in self._subscriptions.values():
            _settle(subscription, gone)
        self._subscriptions.clear()

    def publish(
        self, destination: str, headers: Mapping[str, str], body: bytes, done: Settled | None = None
    ) -> None:
        """SEND; ``done`` comes with the broker's RECEIPT."""
        link = self._link
        if link is None or not self.available:
            raise BrokerUnavailable(
                f"the broker at {self.url} is not available: {self.reason}", tried=f"SEND to {destination}"
            )
        if link.backlog > self._backlog_limit:
            raise BrokerUnavailable(
                f"the broker at {self.url} does not read: {link.backlog} bytes wait for it",
                tried=f"SEND to {destination}",
            )
        if not NOT_FORWARDED.isdisjoint(headers):
            headers = {name: value for name, value in headers.items() if name not in NOT_FORWARDED}
        if done is None:
            link.write(encode("SEND", {"destination": destination, **headers}, body))
        else:
            link.write(link.session.send(destination, body, headers, receipt=self._ask_receipt(done)))

    def subscribe(
        self, destination: str, deliver: Deliver, ready: Settled | None = None, consume: Consume = AUTO
    ) -> int:
        """SUBSCRIBE now, or when connected."""
        self._count += 1
        handle = self._count
        # Our own broker gives back at UNSUBSCRIBE what was held.
        if self._own is not None and consume.ack != "auto" and not self.server.startswith("Pushscope/"):
            self._own.open(handle, destination, deliver, ready, consume)
            return handle
        subscription = _Subscription(destination, deliver, ready, consume, set())
        self._subscriptions[str(handle)] = subscription
        if self.available and self._link is not None:
            self._subscribe(self._link, str(handle), subscription)
        return handle

    def unsubscribe(self, handle: int) -> None:
        """UNSUBSCRIBE if we are subscribed."""
        if self._own is not None and self._own.close(handle):
            return
        if self._subscriptions.pop(str(handle), None) is None:
            return
        self._receipts.pop(f"s{handle}", None)
        if self.available and self._link is not None:
            self._link.write(self._link.session.unsubscribe(str(handle)))

    def ack(self, handle: int, token: str) -> None:
        """ACK, if the message came over this connection."""
        if self._own is None or not self._own.ack(handle, token):
            self._settle("ACK", handle, token, {})

    def nack(self, handle: int, token: str, *, requeue: bool = True) -> None:
        """NACK, with RabbitMQ's ``requeue:false`` if the message is to be dropped."""
        if self._own is None or not self._own.nack(handle, token, requeue=requeue):
            self._settle("NACK", handle, token, {} if requeue else {"requeue": "false"})

    def _settle(self, command: str, handle: int, token: str, headers: dict[str, str]) -> None:
        subscription = self._subscriptions.get(str(handle))
        if subscription is None or token not in subscription.held or self._link is None:
            return
        subscription.held.discard(token)
        if self._link.session.version == "1.2":
            headers = {"id": token, **headers}
        else:
            headers = {"message-id": token, "subscription": str(handle), **headers}
        self._link.write(encode(command, headers))

    # connection -----------------------------------------------------------------------------

    async def _run(self) -> None:
        pause = self._times.first_pause_s
        while True:
            if await self._connect():
                pause = self._times.first_pause_s
                await self._ended.wait()
            # Jitter, so that the instances of a cluster do not all come at once.
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, self._times.longest_pause_s)

    async def _connect(self) -> bool:
        self._ended.clear()
        address = self._address
        connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._times.connect_s):
                _, link = await asyncio.get_running_loop().create_connection(
                    lambda: StompLink(
                        self._deliver, lambda events: self._take(events, connected), self._lost
                    ),
                    address.host,
                    address.port,
                )
                self._link = link
                link.write(
                    link.session.connect(
                        address.virtual_host,
                        login=address.login,
                        passcode=address.passcode,
                        heartbeat=self._times.heartbeat_ms,
                    )
                )
                ended = asyncio.ensure_future(self._ended.wait())
                try:
                    await asyncio.wait((connected, ended), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    ended.cancel()
                return connected.done()
        except TimeoutError:
            self._trouble(f"no answer within {self._times.connect_s:g} s")
        except OSError as error:
            self._trouble(error.strerror or str(error))
        if self._link is not None:
            self._link.abort(self.reason)
        return False

    def _lost(self, why: str) -> None:
        self._link = None
        self._ended.set()
        self._trouble(why)
        receipts, self._receipts = self._receipts, {}
        error = BrokerUnavailable(f"the broker connection ended before the broker confirmed: {why}")
        for done in receipts.values():
            done(error)

    def _trouble(self, why: str) -> None:
        was = self.available
        if why != self.reason or was:
            logger.warning("broker %s is not available: %s", self.url, why)
        self.available, self.reason = False, why
        if was and self._on_availability is not None:
            self._on_availability(False, why)

    # what the broker says -------------------------------------------------------------------

    def _deliver(self, id: str, delivery: Delivery) -> None:
        subscription = self._subscriptions.get(id)
        if subscription is None:
            return
        if subscription.consume.ack != "auto":
            headers = delivery.headers
            token = headers.get("ack") or headers["message-id"]
            subscription.held.add(token)
            delivery = ParsedDelivery(headers, delivery.body, token)
        subscription.deliver(delivery)

    def _take(self, events: list[ClientEvent], connected: asyncio.Future[None]) -> None:
        for event in events:
            match event:
                case Message():
                    self._deliver(event.subscription, ParsedDelivery.of(event.frame))
                case Connected():
                    self._connected(event)
                    if not connected.done():
                        connected.set_result(None)
                case _:
                    self._take_answer(event)

    def _take_answer(self, event: ClientEvent) -> None:
        match event:
            case ReceiptReceived():
                done = self._receipts.pop(event.receipt_id, None)
                if done is not None:
                    done(None)
            case ErrorReceived():
                self._refused(event)
            case Malformed():
                if self._link is not None:
                    self._link.abort(f"the broker broke the protocol: {event.error}")
            case _:
                pass

    def _connected(self, event: Connected) -> None:
        link = self._link
        if link is None:
            return
        self.server = event.server or ""
        link.beat()
        self.available, self.reason = True, ""
        for id, subscription in self._subscriptions.items():
            self._subscribe(link, id, subscription)
        logger.info(
            "broker %s connected: %s, %d subscriptions", self.url, self.server, len(self._subscriptions)
        )
        if self._on_availability is not None:
            self._on_availability(True, "")

    def _refused(self, event: ErrorReceived) -> None:
        detail = event.body.decode("utf-8", "replace").strip()
        text = f"{event.message}: {detail}" if detail else event.message
        logger.error("broker %s answered ERROR: %s", self.url, text)
        self.reason = text
        # Never ask again for what the broker refuses, or every reconnection would fail the same way.
        for id, subscription in list(self._subscriptions.items()):
            if subscription.ready is None:
                continue
            _, _, name = subscription.destination.rpartition("/topic")
            if event.receipt_id == f"s{id}" or (name and name in detail):
                del self._subscriptions[id]
                self._receipts.pop(f"s{id}", None)
                _settle(subscription, BrokerUnavailable(text))

    def _subscribe(self, link: StompLink, id: str, subscription: _Subscription) -> None:
        receipt = None
        if subscription.ready is not None:
            receipt = f"s{id}"
            self._receipts[receipt] = _subscribed(subscription)
        consume, headers = subscription.consume, dict(subscription.consume.headers)
        if consume.prefetch:
            headers[_PREFETCH.get(self.server.partition("/")[0], "prefetch-count")] = str(consume.prefetch)
        subscription.held.clear()  # what another connection delivered cannot be settled on this one
        link.write(
            link.session.subscribe(id, subscription.destination, consume.ack, headers, receipt=receipt)
        )

    def _ask_receipt(self, done: Settled) -> str:
        self._count += 1
        receipt = f"p{self._count}"
        self._receipts[receipt] = done
        return receipt


def _subscribed(subscription: _Subscription) -> Callable[[PushscopeError | None], None]:
    def done(error: PushscopeError | None) -> None:
        if error is None:  # a loss postpones it: the subscription is made again
            _settle(subscription, None)

    return done


def _settle(subscription: _Subscription, error: BrokerUnavailable | None) -> None:
    ready, subscription.ready = subscription.ready, None
    if ready is not None:
        ready(error)

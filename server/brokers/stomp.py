"""The relay to a STOMP broker: one TCP connection for everything (topics are multiplexed).

The same code talks to the embedded broker and to any other STOMP broker. After a loss it
reconnects with growing, jittered pauses, to the broker's next node if it has several, and makes all
subscriptions again.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Mapping
from typing import Final

from core.errors import BrokerRefused, BrokerUnavailable
from core.protocol import (
    ClientEvent,
    Connected,
    ErrorReceived,
    Malformed,
    Message,
    ReceiptReceived,
    encode,
)

from ..messages.message import NOT_FORWARDED
from .addresses import parse_stomp_url
from .base import AUTO, Availability, Consume, Deliver, Settled
from .delivery import ParsedDelivery
from .dialing import dial, tls_context, trouble_of
from .limits import LINK_LIMITS, limits_of
from .own_connections import OwnConnections
from .reconnecting import DEFAULT_BACKLOG_LIMIT, Reconnecting, RelayTimes
from .refusals import names_of, refusal_of, subject_of
from .stomp_answers import Answers
from .stomp_link import StompLink
from .stomp_subscriptions import Subscription, Subscriptions

logger = logging.getLogger("pushscope.server.broker")

#: How long nobody may send to what made the broker close everybody's connection.
_BANNED_S: Final = 30.0
_MOST_KNOWN: Final = 4096
#: Who RabbitMQ takes us for without a login.
_GUEST: Final = "guest"


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
        address = parse_stomp_url(url)
        self._context = tls_context(address.tls)
        #: What the broker calls itself.
        self.server = ""
        #: What it takes in a message, by what it calls itself.
        self.limits = LINK_LIMITS
        self._times = times or RelayTimes()
        self._state = Reconnecting(address.nodes, self._times, backlog_limit)
        self._link: StompLink | None = None
        self._answers: Answers | None = None
        self._ended = asyncio.Event()
        self._subscriptions = Subscriptions()
        self._known: set[str] = set()
        self._banned: dict[str, BrokerRefused] = {}
        self._count = 0

    @property
    def available(self) -> bool:
        """Whether it can be used now."""
        return self._state.available

    @property
    def reason(self) -> str:
        """Why not, or ""."""
        return self._state.reason

    @property
    def url(self) -> str:
        """Without its password; of several nodes the one in use, or tried last."""
        return self._state.url

    async def start(self, on_availability: Availability) -> None:
        """Begin to connect."""
        self._state.start(self._connect, on_availability)

    async def trouble(self) -> str:
        """Connect to each node once, instead of :meth:`start`; what they answered, "" if one can be used."""
        return await self._state.try_each(self._connect, self._leave)

    def _leave(self) -> None:
        if self._link is not None:
            if self.available:
                self._link.write(self._link.session.disconnect())
            self._link.close("stopped")

    async def stop(self) -> None:
        """Say goodbye and close."""
        if self._own is not None:
            await self._own.stop()
        if not await self._state.stop():
            return
        if self._link is not None:
            self._leave()
            try:
                async with asyncio.timeout(1):
                    await self._ended.wait()
            except TimeoutError:
                self._link.abort("stopped")
        self._lost("stopped")
        self._subscriptions.give_up(BrokerUnavailable("the broker connection was stopped"))

    def publish(
        self, destination: str, headers: Mapping[str, str], body: bytes, done: Settled | None = None
    ) -> None:
        """SEND; ``done`` comes with the broker's RECEIPT."""
        link = self._link
        if link is None or not self.available or self._answers is None:
            raise self._state.away(destination)
        self._state.require_reading(link.backlog, destination)
        self.limits.check(destination, headers, len(body))
        if destination not in self._known:
            self._check(destination)
        if not NOT_FORWARDED.isdisjoint(headers):
            headers = {name: value for name, value in headers.items() if name not in NOT_FORWARDED}
        if done is None:
            link.write(encode("SEND", {"destination": destination, **headers}, body))
        else:
            receipt = self._answers.publish(destination, done)
            link.write(link.session.send(destination, body, headers, receipt=receipt))

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
        subscription = Subscription(destination, deliver, ready, consume)
        if (banned := self._banned_by(destination)) is not None:
            asyncio.get_running_loop().call_soon(subscription.settle, banned)
        else:
            self._subscriptions.add(str(handle), subscription)
        return handle

    def unsubscribe(self, handle: int) -> None:
        """UNSUBSCRIBE if we are subscribed."""
        if self._own is None or not self._own.close(handle):
            self._subscriptions.remove(str(handle))

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

    def _check(self, destination: str) -> None:
        """Refuse what the broker would refuse, and remember what it would not.

        Raises:
            BrokerRefused: Nothing was sent.
        """
        refused = self._banned_by(destination) or refusal_of(self.server, destination, "SEND")
        if refused is not None:
            raise refused
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        if not self._banned:
            self._known.add(destination)

    def _banned_by(self, destination: str) -> BrokerRefused | None:
        if not self._banned:
            return None
        return next((self._banned[name] for name in names_of(destination) if name in self._banned), None)

    # connection -----------------------------------------------------------------------------

    async def _connect(self) -> bool:
        self._ended.clear()
        node = self._state.node
        connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._times.connect_s):
                link = await dial(node, self._context, functools.partial(self._new_link, connected))
                self._link = link
                link.write(
                    link.session.connect(
                        node.virtual_host,
                        login=node.login,
                        passcode=node.passcode,
                        heartbeat=self._times.heartbeat_ms,
                    )
                )
                ended = asyncio.ensure_future(self._ended.wait())
                try:
                    await asyncio.wait((connected, ended), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    ended.cancel()
            if connected.done():
                await self._ended.wait()
                return True
        except TimeoutError:
            self._state.lost(f"no answer within {self._times.connect_s:g} s")
        except OSError as error:
            where = f"{node.host}:{node.port}: " if self._state.several else ""
            self._state.lost(f"{where}{trouble_of(error, node)}")
        if self._link is not None:
            self._link.abort(self.reason)
        return False

    def _new_link(self, connected: asyncio.Future[None]) -> StompLink:
        return StompLink(
            self._subscriptions.deliver, lambda events: self._take(events, connected), self._lost
        )

    def _lost(self, why: str) -> None:
        link, self._link = self._link, None
        self._ended.set()
        if self._answers is None and link is not None and not link.ended_by_us:
            why = f"{why}, instead of an answer to CONNECT{self._advice()}"
        answers, self._answers = self._answers, None
        if answers is not None and answers.trouble is not None:
            why = str(answers.trouble)
        self._state.lost(why)
        if answers is not None:
            gone = f"the broker connection ended before the broker confirmed: {why}"
            ended = answers.end(BrokerUnavailable(gone))
            if ended.error is not None:
                self._ban(ended.error)
            self._subscriptions.lost(ended, why)

    def _advice(self) -> str:
        tls = self._state.node.tls
        if tls is None or tls.certfile is not None:
            return ""
        return "; if it wants a certificate of ours, name it with ?certfile=…&keyfile=…"

    def _ban(self, error: BrokerRefused) -> None:
        """Remember what the broker closed the connection over, or a client could do it again and again."""
        subject = subject_of(str(error))
        if not subject:
            return
        self._known.clear()
        self._banned[subject] = error
        asyncio.get_running_loop().call_later(_BANNED_S, self._banned.pop, subject, None)

    # what the broker says -------------------------------------------------------------------

    def _take(self, events: list[ClientEvent], connected: asyncio.Future[None]) -> None:
        for event in events:
            match event:
                case Message():
                    self._subscriptions.deliver(event.subscription, ParsedDelivery.of(event.frame))
                case Connected():
                    self._connected(event)
                    if not connected.done():
                        connected.set_result(None)
                case _:
                    self._take_answer(event)

    def _take_answer(self, event: ClientEvent) -> None:
        match event:
            case ReceiptReceived() if self._answers is not None:
                self._answers.receipt(event.receipt_id)
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
        self.limits = limits_of(self.server, self._state.node.login or _GUEST)
        self._known.clear()
        link.beat()
        self._answers = Answers(
            self._subscriptions.confirmed, self._subscriptions.refused, functools.partial(_fence, link)
        )
        link.watch(self._answers, self._times.answer_s)
        # First our subscriptions: who hears that the broker is there publishes at once.
        self._subscriptions.connected(link, self._answers, self.server)
        self._state.came(f"{self.server}, {len(self._subscriptions)} subscriptions")

    def _refused(self, event: ErrorReceived) -> None:
        if self._answers is None:  # instead of CONNECTED; RabbitMQ waits for another CONNECT then
            detail = event.body.decode("utf-8", "replace").strip()
            if self._link is not None:
                self._link.abort(f"{event.message}: {detail}"[:2000] if detail else event.message)
            return
        cancelled = self._subscriptions.get(event.frame.headers.get("subscription", ""))
        if cancelled is not None and self._link is not None:
            # RabbitMQ makes a deleted queue again for a new connection only.
            self._link.abort(f"the broker ended the subscription to {cancelled.destination}")
            return
        logger.error("broker %s answered ERROR: %s", self.url, self._answers.error(event))


def _fence(link: StompLink, receipt: str) -> None:
    """Ask for a receipt that always comes, with a transaction that does nothing."""
    link.write(link.session.begin(receipt, receipt=receipt))
    link.write(link.session.abort(receipt))

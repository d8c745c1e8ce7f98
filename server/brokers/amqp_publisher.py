"""Publishing over AMQP: one write for all that a turn of the loop brings, confirms in passing."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile
from typing import Final

import msgspec
from pamqp import commands

from core.errors import BrokerRefused, BrokerUnavailable

from .amqp_channel import AmqpChannel
from .amqp_connection import AmqpConnection
from .amqp_content import encode_content
from .amqp_destinations import Address, address_of
from .amqp_frames import publication, publish_method
from .amqp_link import AmqpLink
from .amqp_topology import Topology
from .base import Settled

logger = logging.getLogger("pushscope.server.broker")

#: Destinations and declared queues that are remembered; user topics are one for each session.
_REMEMBERED: Final = 20_000
#: Messages that may wait until their queue is declared.
_MOST_HELD: Final = 10_000
#: Seconds for which a queue that cannot be declared is not tried again.
_REFUSED_S: Final = 10.0
#: A content header has to fit into one frame of 128 KiB.
_LARGEST_HEAD: Final = 128 * 1024 - 8


class Outlet(AmqpChannel):
    """A channel that publishes.

    It goes into confirm mode before the first publication whose outcome somebody wants to know, and
    stays there; publications are numbered from 1 from then on. Without it RabbitMQ sends nothing back,
    which saves a wake-up for each message when there are few.
    """

    def __init__(self, link: AmqpLink, number: int, on_end: Callable[[Outlet, str], None]) -> None:
        super().__init__(link, number)
        self._on_end = on_end
        self._confirming = False
        self._published = 0
        self._waiting: dict[int, Settled] = {}

    def send(self, method: bytes, content: bytes, body: bytes, done: Settled | None) -> None:
        """Publish; ``done`` when the broker has it."""
        if done is not None and not self._confirming:
            self._confirming = True
            self.ask(commands.Confirm.Select(), _nothing)
        if self._confirming:
            self._published += 1
            if done is not None:
                self._waiting[self._published] = done
        self.wire.write(publication(self.number, method, content, body))

    def confirmed(self, tag: int, *, multiple: bool, accepted: bool) -> None:
        """The broker has it, or does not want it."""
        waiting = self._waiting
        if not waiting:
            return
        error = None if accepted else BrokerUnavailable("the broker did not take the message")
        tags = list(takewhile(lambda each: each <= tag, waiting)) if multiple else (tag,)
        for each in tags:
            done = waiting.pop(each, None)
            if done is not None:
                done(error)

    def ended(self, why: str) -> None:
        """What was not confirmed will never be."""
        waiting, self._waiting = self._waiting, {}
        error = BrokerUnavailable(f"the broker connection ended before the broker confirmed: {why}")
        for done in waiting.values():
            done(error)
        self._on_end(self, why)


class _Target(msgspec.Struct):
    """What is known of a destination on this connection."""

    address: Address
    #: The Basic.Publish frame, for the outlet that it is published through.
    method: bytes
    shared: bool
    #: Whether its queue is there; always, if it needs none.
    ready: bool
    asked: bool = False
    refusal: str = ""
    refused_until: float = 0.0


class _Held(msgspec.Struct):
    """A message that waits for its queue, or behind one that does."""

    target: _Target
    content: bytes
    body: bytes
    done: Settled | None


class Publisher:
    """Publishes on one connection.

    What is published to a queue that does not exist is lost, so a queue is declared before its first
    message; all that is published until it is there waits in line, in order.

    Named exchanges have a channel of their own: RabbitMQ closes the channel over one that does not
    exist, and everybody else's messages go through the other.

    Args:
        connection: Where.
        login: Who is connected.
    """

    def __init__(self, connection: AmqpConnection, login: str) -> None:
        self._connection = connection
        # Of its own: hundreds of bindings may wait on the other.
        self._declarations = Topology(connection)
        self._login = login
        self._loop = asyncio.get_running_loop()
        self._main: Outlet | None = None
        self._named: Outlet | None = None
        self._why = "not connected yet"
        self._targets: dict[str, _Target] = {}
        self._held: deque[_Held] = deque()

    async def open(self) -> None:
        """Open the channels.

        Raises:
            BrokerUnavailable: The connection has ended.
        """
        await self._declarations.open()
        self._main = await self._outlet()
        self._named = await self._outlet()

    def publish(
        self, destination: str, headers: Mapping[str, str], body: bytes, done: Settled | None
    ) -> None:
        """Publish.

        Raises:
            BrokerUnavailable: It makes no sense to AMQP, or its channel is being opened again.
        """
        target = self._targets.get(destination)
        if target is None:
            target = self._resolve(destination)
        content = encode_content(headers, len(body), self._login)
        if len(content) > _LARGEST_HEAD:
            raise BrokerRefused(
                f"headers: {len(content)} bytes are more than the {_LARGEST_HEAD} bytes of a frame of AMQP",
                title="Headers too long",
                field="headers",
            )
        outlet = self._main if target.shared else self._named
        if outlet is None:
            raise BrokerUnavailable(f"the broker closed the channel: {self._why}")
        if target.ready and not self._held:
            outlet.send(target.method, content, body, done)
        else:
            self._hold(_Held(target, content, body, done))

    def end(self, error: BrokerUnavailable) -> None:
        """The connection has ended: nothing that waits will be sent."""
        held, self._held = self._held, deque()
        for message in held:
            if message.done is not None:
                message.done(error)

    def _resolve(self, destination: str) -> _Target:
        address = address_of(destination)
        shared = address.is_topic or not address.exchange
        if len(self._targets) >= _REMEMBERED:
            for name in list(self._targets)[: _REMEMBERED // 2]:
                del self._targets[name]
        outlet = self._main if shared else self._named
        if outlet is None:
            raise BrokerUnavailable(f"the broker closed the channel: {self._why}")
        method = publish_method(outlet.number, address.exchange, address.key)
        target = self._targets[destination] = _Target(address, method, shared, not address.declare)
        return target

    # queues ---------------------------------------------------------------------------------

    def _hold(self, message: _Held) -> None:
        target = message.target
        if len(self._held) >= _MOST_HELD:
            raise BrokerUnavailable(
                f"too many messages wait for the queue {self._held[0].target.address.key!r}"
            )
        if not target.ready and not target.asked:
            if self._loop.time() < target.refused_until:
                raise BrokerUnavailable(target.refusal)
            target.asked, target.refusal = True, ""
            declare = commands.Queue.Declare(queue=target.address.key, durable=True)
            self._declarations.ask(declare, lambda why: self._declared(target, why))
        self._held.append(message)

    def _declared(self, target: _Target, why: str) -> None:
        target.asked = False
        if why:
            target.refusal, target.refused_until = why, self._loop.time() + _REFUSED_S
            logger.error("the broker refuses the queue %r: %s", target.address.key, why)
        else:
            target.ready = True
        held = self._held
        while held and (held[0].target.ready or held[0].target.refusal):
            self._release(held.popleft())

    def _release(self, message: _Held) -> None:
        target = message.target
        outlet = self._main if target.shared else self._named
        why = target.refusal if not target.ready else ""
        if outlet is not None and not why:
            outlet.send(target.method, message.content, message.body, message.done)
        elif message.done is not None:
            message.done(BrokerUnavailable(why or f"the broker closed the channel: {self._why}"))

    # channels -------------------------------------------------------------------------------

    async def _outlet(self) -> Outlet:
        return await self._connection.channel(lambda link, number: Outlet(link, number, self._closed))

    def _closed(self, outlet: Outlet, why: str) -> None:
        self._why = why
        shared = outlet is self._main
        if shared:
            self._main = None
        else:
            self._named = None
        if self._connection.link.ended:
            return
        logger.error("the broker closed a channel over a message: %s", why)
        self._connection.tasks.start(self._reopen(shared), "open a publishing channel again")

    async def _reopen(self, shared: bool) -> None:
        try:
            outlet = await self._outlet()
        except BrokerUnavailable as error:
            logger.warning("no new channel for publishing: %s", error)
            return
        # Frames that were made for the other channel have its number.
        for target in {id(each): each for each in (*self._targets.values(), *self._waiting())}.values():
            if target.shared == shared:
                address = target.address
                target.method = publish_method(outlet.number, address.exchange, address.key)
        if shared:
            self._main = outlet
        else:
            self._named = outlet

    def _waiting(self) -> Iterator[_Target]:
        return (message.target for message in self._held)


def _nothing() -> None:
    """Nobody waits for the answer."""

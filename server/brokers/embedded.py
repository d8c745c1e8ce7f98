"""The STOMP broker that we ship: TCP in, an exchange behind it, TCP out.

Speaks STOMP 1.0 to 1.2 as RabbitMQ does: destinations, wildcards, acknowledgement, heart-beats, and the
words of ERROR frames; most of these leave the connection open. What one turn of the event loop brings
for a peer is one write.

Policies: a peer that does not read is held back up to ``peer_backlog`` bytes, then cut. A full queue
drops its oldest message; a user queue that nobody consumes vanishes (:class:`ExchangeLimits`). Nothing
is kept on disk. What was dropped is counted, and said in the log while it happens.

Other than with RabbitMQ: a cumulative ACK concerns its subscription only, as STOMP has it; ERROR carries
``receipt-id``; what cannot be parsed, and a second CONNECT, get an ERROR before the connection ends.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import math
import secrets
from types import TracebackType
from typing import Final, Self

import msgspec

from ..access.rule import AccessRule, is_loopback
from ..messages.message import Message, RawMessage
from ..sockets.binding import AT_ONCE, BACKLOG, bind_socket
from ..sockets.descriptors import Descriptors
from .embedded_limits import BrokerLimits
from .embedded_peer import Peer
from .exchange import Exchange, ExchangeStatus

logger = logging.getLogger("pushscope.broker")

SERVER_NAME: Final = "Pushscope/0.1"


class BrokerStatus(msgspec.Struct, frozen=True):
    """What the broker does, and has done since its start.

    Attributes:
        peers: Connections now.
        messages: Messages that were published.
        exchange: Subscriptions and queues.
    """

    peers: int
    messages: int
    exchange: ExchangeStatus


class EmbeddedBroker:
    """A STOMP broker on ``host:port`` between ``__aenter__`` and ``__aexit__``.

    On an address that is not loopback a peer must give ``PUSHSCOPE_TOKEN`` as its passcode.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0, *, limits: BrokerLimits | None = None) -> None:
        self.host = host
        self.port = port
        self.limits = limits or BrokerLimits()
        self.exchange = Exchange(self.limits.exchange)
        self.peers: set[Peer] = set()
        self.descriptors = Descriptors(logger)
        self._rule = AccessRule(host)
        self._dirty: list[Peer] = []
        self._scheduled = False
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._all_gone = asyncio.Event()
        self._messages = 0
        self._turned_away = 0
        self._sweeper: asyncio.TimerHandle | None = None
        self._changes = (0, 0, 0)
        self._reported = 0
        self._report_at = 0.0

    @property
    def url(self) -> str:
        """Where instances connect to."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"stomp://{host}:{self.port}"

    @property
    def messages(self) -> int:
        """How many messages were published."""
        return self._messages

    @property
    def status(self) -> BrokerStatus:
        """What there is now; takes time in proportion to the queues."""
        return BrokerStatus(len(self.peers), self._messages, self.exchange.status)

    async def __aenter__(self) -> Self:
        self._rule = AccessRule.for_host(self.host)
        self._loop = loop = asyncio.get_running_loop()
        socket = bind_socket(self.host, self.port)
        self.port = int(socket.getsockname()[1])
        try:
            self._server = await loop.create_server(lambda: Peer(self, loop), sock=socket, backlog=AT_ONCE)
            socket.listen(BACKLOG)
        except BaseException:
            socket.close()
            raise
        self._sweeper = loop.call_later(self.limits.sweep_s, self._sweep)
        self._report_at = loop.time() + self.limits.report_s
        logger.info("broker listens at %s", self.url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is None:
            return
        self._server.close()
        self.descriptors.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._all_gone.clear()
        for peer in list(self.peers):
            peer.close()
        if self.peers:
            try:
                async with asyncio.timeout(1):
                    await self._all_gone.wait()
            except TimeoutError:
                for peer in list(self.peers):
                    peer.abort()
                async with asyncio.timeout(1):
                    await self._all_gone.wait()
        self._server = None

    # for the peers --------------------------------------------------------------------------

    def admits(self, passcode: str | None) -> bool:
        """Whether a peer with this passcode may connect."""
        if is_loopback(self.host):
            return True
        return hmac.compare_digest((passcode or "").encode(), self._rule.token.encode())

    def added(self, peer: Peer) -> bool:
        """A connection was made; False if there are too many."""
        self.peers.add(peer)
        if len(self.peers) > self.limits.peers:
            self._turned_away += 1
            return False
        return True

    def removed(self, peer: Peer) -> None:
        """A connection ended."""
        self.peers.discard(peer)
        if not self.peers:
            self._all_gone.set()

    def new_session_id(self) -> str:
        """Id of a new session."""
        return f"session-{secrets.token_urlsafe(16)}"

    def publish(self, destination: str, headers: dict[str, str], body: bytes) -> None:
        """Hand a message to everybody who subscribes to its destination."""
        self._messages += 1
        self.exchange.publish(Message(destination, headers, body, f"m-{self._messages}"))

    def publish_raw(self, destination: str, rest: bytes) -> None:
        """The same for a topic's message whose bytes are passed on as they are."""
        self._messages += 1
        self.exchange.publish(RawMessage(destination, rest, self._messages))

    def _sweep(self) -> None:
        limits, loop = self.limits, self._loop
        if loop is None:
            return
        self._sweeper = loop.call_later(limits.sweep_s, self._sweep)
        self.exchange.sweep(math.ceil(limits.expires_s / limits.sweep_s))
        changes = (self.exchange.dropped, self.exchange.expired, self._turned_away)
        if changes != self._changes:
            dropped, expired, turned_away = (
                now - before for now, before in zip(changes, self._changes, strict=True)
            )
            self._changes = changes
            logger.log(
                logging.WARNING if dropped or turned_away else logging.INFO,
                "broker: %d messages dropped from full or unused queues, %d unused queues removed, "
                "%d connections turned away",
                dropped,
                expired,
                turned_away,
            )
        elif loop.time() < self._report_at or self._messages == self._reported:
            return
        self._report(loop.time())

    def _report(self, now: float) -> None:
        self._report_at = now + self.limits.report_s
        self._reported = self._messages
        status = self.status
        deepest = status.exchange.deepest
        logger.info(
            "broker: %d connections, %d subscriptions, %d queues with %d messages waiting, %d unsettled; "
            "%d messages since the start, %d dropped%s",
            status.peers,
            status.exchange.subscriptions,
            status.exchange.queues,
            status.exchange.waiting,
            status.exchange.unsettled,
            status.messages,
            status.exchange.dropped,
            f"; {self.exchange.depth(deepest)} wait in {deepest[:200]!r}" if deepest else "",
        )

    def wake(self, peer: Peer) -> None:
        """Have the peer flushed at the end of this turn of the loop."""
        self._dirty.append(peer)
        if not self._scheduled and self._loop is not None:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        dirty, self._dirty = self._dirty, []
        for peer in dirty:
            peer.flush()

"""The STOMP broker that we ship: TCP in, an exchange behind it, TCP out.

Speaks STOMP 1.0 to 1.2 with RabbitMQ's destinations (``/topic``, ``/queue``), wildcards and words
of ERROR frames. What one turn of the event loop brings for a peer is one write.

Policies: a peer that does not read is held back up to ``peer_backlog`` bytes, then cut; a queue
without consumers keeps its newest messages (:class:`ExchangeLimits`); every ERROR ends the
connection, as STOMP wants it.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from types import TracebackType
from typing import Final, Self

import msgspec

from ..access import AccessRule, is_loopback
from ..binding import bind_socket
from .embedded_peer import Peer
from .exchange import Exchange, ExchangeLimits
from .message import Message, RawMessage

logger = logging.getLogger("pushscope.broker")

SERVER_NAME: Final = "Pushscope/0.1"


class BrokerLimits(msgspec.Struct, frozen=True):
    """What the broker holds for its peers.

    Attributes:
        peer_backlog: Bytes that wait for one peer that does not read.
        transaction: Bytes of bodies in one open transaction.
        connect_s: How long a connection may take to CONNECT.
        exchange: What is kept for nobody.
    """

    peer_backlog: int = 64 * 1024 * 1024
    transaction: int = 16 * 1024 * 1024
    connect_s: float = 10.0
    exchange: ExchangeLimits = ExchangeLimits()


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
        self._rule = AccessRule(host)
        self._dirty: list[Peer] = []
        self._scheduled = False
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._all_gone = asyncio.Event()
        self._messages = 0

    @property
    def url(self) -> str:
        """Where instances connect to."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"stomp://{host}:{self.port}"

    @property
    def messages(self) -> int:
        """How many messages were published."""
        return self._messages

    async def __aenter__(self) -> Self:
        self._rule = AccessRule.for_host(self.host)
        self._loop = loop = asyncio.get_running_loop()
        socket = bind_socket(self.host, self.port)
        self.port = int(socket.getsockname()[1])
        try:
            self._server = await loop.create_server(lambda: Peer(self, loop), sock=socket)
        except BaseException:
            socket.close()
            raise
        logger.info("broker listens at %s", self.url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is None:
            return
        self._server.close()
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

    def added(self, peer: Peer) -> None:
        """A connection was made."""
        self.peers.add(peer)

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

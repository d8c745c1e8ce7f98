"""An AMQP connection: opened, kept and closed by aio-pika, over our own link."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Final, TypeVar
from urllib.parse import quote

import aio_pika
from aio_pika.abc import AbstractChannel, ConnectionParameter
from yarl import URL

from core.errors import BrokerUnavailable
from core.reasons import reason_of
from core.tasks import BackgroundTasks
from core.version import VERSION

from .addresses import StompAddress
from .amqp_channel import AmqpChannel
from .amqp_link import AmqpLink, ReadyTransport
from .dialing import dial

logger = logging.getLogger("pushscope.server.broker")

_C = TypeVar("_C", bound=AmqpChannel)


class _Connection(aio_pika.Connection):
    """aio-pika's plain connection (connecting again is ours), on a transport that is given."""

    PARAMETERS = (
        *aio_pika.Connection.PARAMETERS,
        ConnectionParameter(name="transport_factory", parser=lambda given: given, is_kwarg=True),
    )


#: Who is meant by a URL without a user.
_GUEST: Final = "guest"
#: Seconds that an orderly end may take.
_CLOSE_S: Final = 3.0


class AmqpConnection:
    """One open connection, and the tasks that work on it.

    Attributes:
        link: Its socket.
        login: Who is connected.
    """

    def __init__(self, link: AmqpLink, connection: _Connection, login: str) -> None:
        self.link = link
        self.login = login
        self._connection = connection
        self._opened: dict[int, AbstractChannel] = {}
        #: End with the connection at the latest.
        self.tasks = BackgroundTasks()

    @classmethod
    async def open(
        cls,
        node: StompAddress,
        tls: ssl.SSLContext | None,
        heartbeat_s: float,
        on_end: Callable[[str], None],
    ) -> AmqpConnection:
        """Connect and authenticate.

        Args:
            node: Where to, and as whom.
            tls: For ``amqps:``.
            heartbeat_s: Of both sides.
            on_end: Called with the reason when the connection has ended, later.

        Raises:
            OSError: Nobody is there, or its certificate is not trusted.
            BrokerUnavailable: The broker refused; its words.
        """
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        link = await dial(node, tls, lambda: AmqpLink(reader, on_end))
        writer = asyncio.StreamWriter(link.transport, link, reader, loop)
        connection = _Connection(
            _url(node, heartbeat_s),
            transport_factory=ReadyTransport((reader, writer)),
            client_properties={
                "product": "Pushscope",
                "version": VERSION,
                "connection_name": "pushscope",
            },
        )
        try:
            await connection.connect()
        except BaseException as error:
            link.abort("")
            await connection.close()
            if isinstance(error, Exception):
                # aio-pika does not tell every refusal in the broker's words.
                raise BrokerUnavailable(link.why or reason_of(error)) from None
            raise
        link.establish(heartbeat_s)
        return cls(link, connection, node.login or _GUEST)

    @property
    def most_channels(self) -> int:
        """How many channels the broker allows, 0 for any number."""
        transport = self._connection.transport
        tune = getattr(transport.connection, "connection_tune", None) if transport is not None else None
        return getattr(tune, "channel_max", 0)

    async def channel(self, make: Callable[[AmqpLink, int], _C]) -> _C:
        """Open a channel and take its hot path.

        Raises:
            BrokerUnavailable: The connection has ended.
        """
        try:
            # Confirms are ours: aio-pika would wait for each by itself.
            opened = self._connection.channel(publisher_confirms=False)
            await opened.initialize()
        except Exception as error:
            raise BrokerUnavailable(f"no channel could be opened: {error or type(error).__name__}") from None
        number = opened.number
        if number is None or self.link.ended:
            raise BrokerUnavailable("the connection has ended")
        self._opened[number] = opened
        channel = make(self.link, number)
        self.link.register(channel)
        return channel

    async def declare_own_queue(self) -> str:
        """Make a queue that nobody else can use and that goes with the connection; returns its name.

        Raises:
            aiormq.AMQPError: The broker refused; its words.
        """
        opened = self._connection.channel(publisher_confirms=False)
        await opened.initialize()
        queue = await opened.declare_queue(exclusive=True)
        await opened.close()
        return queue.name

    async def release(self, channel: AmqpChannel) -> None:
        """Close a channel; what it holds goes back to the queues."""
        self.link.forget(channel)
        opened = self._opened.pop(channel.number, None)
        if opened is not None and not self.link.ended:
            await opened.close()

    async def close(self) -> None:
        """End it, in order if it is not over yet; nothing of it is left afterwards."""
        await self.tasks.cancel()
        self._opened.clear()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._connection.close()
        except TimeoutError:
            pass
        finally:
            self.link.abort("stopped")


def _url(node: StompAddress, heartbeat_s: float) -> URL:
    user, password = quote(node.login or _GUEST, safe=""), quote(node.passcode or _GUEST, safe="")
    host = f"[{node.host}]" if ":" in node.host else node.host
    vhost = quote(node.host_header, safe="")
    # TLS is the transport's matter; aio-pika gets it ready.
    return URL(
        f"amqp://{user}:{password}@{host}:{node.port}/{vhost}?heartbeat={max(1, round(heartbeat_s))}",
        encoded=True,
    )

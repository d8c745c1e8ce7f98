"""Everything that can be set on one instance."""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from core.protocol import CLIENT_LIMITS, DEFAULT_PREFIXES, Limits, Prefixes
from core.protocol.limits import MIB

from ..destinations.configured import (
    USER_DESTINATION_BROADCAST,
    USER_REGISTRY_BROADCAST,
    check_broadcasts,
    check_prefixes,
)
from .sockjs import LARGEST_MESSAGE, SockJsSettings
from .tokens import TokenSettings

#: What waits for a client beyond ``high_water`` waits within ``queue_limit``, so that this limit is far off.
SOCKJS = SockJsSettings(max_waiting=16 * MIB)

#: What a WebSocket message holds besides one frame: its NUL, and line ends between frames.
_AROUND_FRAME: Final = 1024

Strategy = Literal["relay", "broadcast", "none"]
SlowPolicy = Literal["terminate", "drop-oldest", "drop-newest", "conflate"]
OnBrokerLoss = Literal["keep", "spring"]
RelayKind = Literal["multiplexed", "per-client"]

#: Bytes that may wait for a client that does not read (Spring's send buffer limit).
DEFAULT_QUEUE_LIMIT: Final = 512 * 1024


class InstanceSettings(msgspec.Struct, frozen=True):
    """Settings of one instance.

    Attributes:
        id: Name of the instance, as ``i1``; unique in its cluster.
        host: Address to listen on.
        port: Port to listen on; 0 for a free one.
        service: Name of the service at discovery; instances of one service are peers.
        broker_url: ``memory:``, ``stomp://user:pass@host:port/vhost``, ``stomps://…`` or ``amqp://…``.
        strategy: ``relay`` resolves a push's user across instances; ``broadcast`` hands every push
            to every instance, which looks at its own sockets; ``none`` looks at local sockets only.
        discovery_url: Where to register and to learn about peers; None for no discovery.
        default_user: User of a connection that names none; "" leaves it anonymous.
        prefixes: Which destinations go where.
        path_separator: Between the segments of paths behind the application prefix, in patterns of
            handlers: ``/``, or ``.`` as in ``/app/room.7.say``.
        allowed_origins: Origins of web pages that may connect, besides our own and the gateways', or
            patterns of them (:class:`~server.access.origins.Origins`); ``*`` allows all, ``null``
            pages without an origin. The push API and the admin endpoints stay closed to pages.
        allowed_hosts: Names by which clients may reach us while we listen on loopback, besides loopback's:
            those of a proxy in front that passes the ``Host`` header on. ``*`` is any. A mounted
            instance leaves this to its host unless names are given.
        allowed_headers: Headers that order a broker about (``durable``, ``x-message-ttl``, ``x-max-*``, …)
            and that clients may use all the same; all others of the kind are stripped.
        allowed_exchanges: Exchanges of RabbitMQ that clients may name as ``/exchange/<name>/…``, where
            that is a broker prefix.
        queue_limit: Bytes that may wait for one client that does not read.
        slow_consumer: What happens to a client over that limit: ``terminate`` cuts it with 4500 (as
            Spring does), ``drop-oldest`` and ``drop-newest`` drop messages, ``conflate`` keeps the newest
            of each destination only.
        max_sessions: Clients at a time; one more is refused with 503, or with ERROR. 0 for no limit.
        weight: How much more new clients than another instance it takes, where gateways weigh.
        max_frame: Bytes of one STOMP frame of a client; a larger one is answered with ERROR.
        max_message: Bytes of one WebSocket message of a client, and of a body that a SockJS client posts;
            a larger one is answered with close code 1009, or 413. None: 256 KiB, or as much as
            ``max_frame`` needs.
        stall_s: How long a client's connection may stay full.
        first_message_s: How long a client may stay silent after the handshake.
        heartbeat_ms: STOMP heart-beats offered to clients: (we can send, we want).
        unresolved_destination: Broadcast of pushes whose user is known nowhere (Spring's
            ``userDestinationBroadcast``).
        registry_destination: Broadcast of Spring's registry snapshots (``userRegistryBroadcast``); may
            be the same. Clients can neither subscribe nor send to either.
        registry_broadcast: When Spring's snapshots are published: ``auto`` once a Spring instance has
            been heard, ``always`` every ten seconds, ``off`` never (and none are read).
        local_shortcut: Whether a push to a session of the accepting instance skips the broker.
        receipt_wait_s: How long a SUBSCRIBE's RECEIPT waits for the peers at most.
        broker_wait_s: How long the start waits for the broker before it goes on without.
        on_broker_loss: What becomes of clients while the broker is away: ``keep`` leaves them connected
            and makes their subscriptions again when it is back, ``spring`` answers with ERROR and closes.
        relay: ``multiplexed``: all clients share the instance's broker connection. ``per-client``: each
            has one of its own, as with Spring; for comparison, with a STOMP broker only, and clients
            end with the broker whatever ``on_broker_loss`` says.
        client_login: Who clients are at the broker with ``per-client``; None: who we are ourselves.
        client_passcode: Belongs to ``client_login``.
        sockjs: How SockJS is spoken. Its list of origins means nothing here: ``allowed_origins`` does; nor
            do ``max_message`` and ``max_body``: ``max_message`` does. What waits beyond its ``high_water``
            waits within ``queue_limit``.
        tokens: How access tokens of clients are checked; None: nobody needs one, and clients say
            themselves who they are.
        head_timeout_s: For a client to send a request's head.
        body_timeout_s: For a client to send the next KiB of a request's body.
    """

    id: str = "i1"
    host: str = "127.0.0.1"
    port: int = 0
    service: str = "web-socket"
    broker_url: str = "memory:"
    strategy: Strategy = "relay"
    discovery_url: str | None = None
    default_user: str = "lijian"
    prefixes: Prefixes = DEFAULT_PREFIXES
    path_separator: Literal["/", "."] = "/"
    allowed_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    allowed_headers: tuple[str, ...] = ()
    allowed_exchanges: tuple[str, ...] = ("amq.topic", "amq.direct", "amq.fanout")
    queue_limit: int = DEFAULT_QUEUE_LIMIT
    slow_consumer: SlowPolicy = "terminate"
    max_sessions: int = 0
    weight: int = 1
    max_frame: int = CLIENT_LIMITS.max_frame
    max_message: int | None = None
    stall_s: float = 10.0
    first_message_s: float = 60.0
    heartbeat_ms: tuple[int, int] = (10_000, 10_000)
    unresolved_destination: str = USER_DESTINATION_BROADCAST
    registry_destination: str = USER_REGISTRY_BROADCAST
    registry_broadcast: Literal["auto", "always", "off"] = "auto"
    local_shortcut: bool = True
    receipt_wait_s: float = 0.5
    broker_wait_s: float = 5.0
    on_broker_loss: OnBrokerLoss = "keep"
    relay: RelayKind = "multiplexed"
    client_login: str | None = None
    client_passcode: str | None = None
    sockjs: SockJsSettings = SOCKJS
    tokens: TokenSettings | None = None
    head_timeout_s: float = 10.0
    body_timeout_s: float = 30.0

    def __post_init__(self) -> None:
        check_prefixes(self.prefixes)
        check_broadcasts(self.prefixes, self.unresolved_destination, self.registry_destination)

    @property
    def client_limits(self) -> Limits:
        """What the STOMP parser of a client's session takes."""
        line = min(CLIENT_LIMITS.max_header_line, self.max_frame)
        return Limits(max_frame=self.max_frame, max_body=self.max_frame, max_header_line=line)

    @property
    def largest_message(self) -> int:
        """Bytes of one WebSocket message of a client."""
        if self.max_message is not None:
            return self.max_message
        return max(LARGEST_MESSAGE, self.max_frame + _AROUND_FRAME)

    @property
    def sockjs_limited(self) -> SockJsSettings:
        """How SockJS is spoken, with our limit of what a client may send at a time."""
        largest = self.largest_message
        return msgspec.structs.replace(self.sockjs, max_message=largest, max_body=largest)

    @property
    def one_broadcast_destination(self) -> bool:
        """Whether both of Spring's broadcasts use the same destination, as in the article."""
        return self.unresolved_destination == self.registry_destination

    @property
    def peers_destination(self) -> str:
        """Where our own instances tell each other who has come and gone."""
        return f"/topic/pushscope.{_word(self.service)}.peers"

    @property
    def broadcast_destination(self) -> str:
        """Where pushes of the strategy ``broadcast`` go."""
        return f"/topic/pushscope.{_word(self.service)}.broadcast"

    def peer_destination(self, epoch: str) -> str:
        """Where one run of one instance hears what concerns it alone."""
        return f"/topic/pushscope.{_word(self.service)}.peer.{epoch}"


def _word(service: str) -> str:
    """A service's name as one word of a topic."""
    return re.sub(r"[^\w-]", "_", service)

"""One instance: the life of its parts, from broker connection to goodbye, and what others ask of it."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

import msgspec

from core.errors import UsageError
from core.tasks import BackgroundTasks

from .access.admission import Admission, NamedByHost, Unproven, UserOf
from .access.origins import Origins, place_of
from .access.rule import AccessRule
from .access.tokens.handshake import Authenticate, ByToken
from .brokers.base import Broker
from .brokers.limits import LINK_LIMITS, check_client_frames
from .brokers.memory import MemoryBroker
from .brokers.urls import broker_for
from .connections.fast_websocket import FastWebSocketProtocol
from .connections.mount import WHOLE, Mount
from .discovery.client import DiscoveryClient, Registration
from .discovery.registry import Snapshot
from .dispatch.router import Router
from .endpoints.app import InstanceApp
from .endpoints.fast_http import FastHttpProtocol
from .handlers.demo import DEMO_HANDLERS
from .handlers.interceptors import Interceptor
from .handlers.mapping import Handlers
from .handlers.template import MessagingTemplate
from .leaving import leave
from .messages.counters import Counters
from .messages.stages import StageLog
from .sessions.hub import Hub
from .sessions.proof import Proof
from .sessions.timers import TICK_S
from .settings.instance import InstanceSettings
from .sockets.http import HttpDeadlines
from .sockets.listener import Listener
from .users.lookup import UserLookup
from .users.peers import PeerSync
from .users.registry import UserRegistry
from .wiring import Parts, Surroundings, wire

logger = logging.getLogger("pushscope.server")

#: The name under which gateways register.
GATEWAY_SERVICE = "gateway"
_KEEP_ALIVE_S = 75


class Instance:
    """A push server between ``__aenter__`` and ``__aexit__``.

    Entering returns when it listens, is subscribed at the broker (or has waited ``broker_wait_s``
    for it), knows its peers' users, and is registered at discovery.

    Args:
        settings: What to be.
        broker: A broker object instead of the settings' URL, such as a :class:`MemoryBroker` on an
            exchange that several instances of one process share.
        handlers: Application handlers: decorated functions, and instances of classes with decorated
            methods (:mod:`.handlers`); the demo's by default.
        interceptors: Asked, in this order, about every CONNECT, SUBSCRIBE and SEND of a client: they
            allow, change or deny it (:mod:`.handlers.interceptors`).
        user: Names the user of a handshake from its ASGI scope; see :class:`.mounted.MountedInstance`.
        authenticate: Finds out who a client is by its access token, or by anything else that its
            handshake brings along; see :class:`.mounted.MountedInstance`.
        mount: Be a part of somebody's service instead of listening; see :class:`.mounted.MountedInstance`,
            which is the way to do it.

    Raises:
        PortTakenError: The port is in use.
        UsageError: The settings make no sense.
    """

    def __init__(
        self,
        settings: InstanceSettings | None = None,
        *,
        broker: Broker | None = None,
        handlers: Iterable[object] = DEMO_HANDLERS,
        interceptors: Sequence[Interceptor] = (),
        user: UserOf | None = None,
        authenticate: Authenticate | None = None,
        mount: Mount | None = None,
    ) -> None:
        self.settings = settings = settings or InstanceSettings()
        check_client_frames(LINK_LIMITS, settings.max_frame, settings.max_message)
        self.counters = Counters()
        self.stages = StageLog()
        self.registry = UserRegistry()
        #: Looks users up on all instances, for application code.
        self.users = UserLookup(self.registry, settings.id)
        self.handlers = Handlers(handlers, separator=settings.path_separator)
        self._interceptors = tuple(interceptors)
        # The strategy "none" is the bug that the article starts from: nobody but ourselves.
        if settings.strategy == "none":
            self.broker: Broker = MemoryBroker()
        else:
            self.broker = broker or broker_for(settings.broker_url)
        self._broker_given = broker is not None
        self._mount = mount
        self._user_of = user
        self._authenticate = authenticate
        self._rule = AccessRule(settings.host)
        self._origins = Origins(settings.allowed_origins, self._on_foreign_page)
        self._stack = AsyncExitStack()
        self._tasks = BackgroundTasks()
        self._timer: asyncio.TimerHandle | None = None
        self._started_at = time.monotonic()
        self._broker_up = asyncio.Event()
        self._listener: Listener | None = None
        #: The connection to discovery, where there is one.
        self.discovery: DiscoveryClient | None = None
        self._parts: Parts | None = None
        self._aborted = False

    # what others ask ------------------------------------------------------------------------

    @property
    def parts(self) -> Parts:
        """What it is made of, from enter on."""
        assert self._parts is not None, "the instance has not been entered"
        return self._parts

    @property
    def asgi(self) -> InstanceApp:
        """The instance as an ASGI application (between enter and exit)."""
        return self.parts.app

    @property
    def template(self) -> MessagingTemplate:
        """What application code sends with (between enter and exit)."""
        return self.parts.template

    @property
    def hub(self) -> Hub:
        """Who is connected here."""
        return self.parts.connections.hub

    @property
    def router(self) -> Router:
        """What clients' frames cause."""
        return self.parts.router

    @property
    def sync(self) -> PeerSync | None:
        """What keeps the peers in step; the strategy ``relay`` only."""
        return self.parts.users.sync

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._listener.port if self._listener is not None else self.settings.port

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end."""
        return self._listener.url if self._listener is not None else ""

    @property
    def sessions(self) -> int:
        """How many clients are connected."""
        return len(self.hub.sessions)

    def info(self) -> dict[str, Any]:
        """The content of ``/info``."""
        changes = () if self._parts is None else self._parts.broker_watch.changes
        broker = {
            "url": self.broker.url,
            "available": self.broker.available,
            "reason": self.broker.reason,
            "changes": [msgspec.structs.asdict(change) for change in changes],
        }
        peers = [] if self.sync is None else list(self.sync.peers.values())
        return {
            "id": self.settings.id,
            "service": self.settings.service,
            "strategy": self.settings.strategy,
            "broker": broker,
            "relay": self.settings.relay,
            "sessions": len(self.hub.sessions),
            "users": self.registry.local_users,
            "users_everywhere": len(self.registry),
            "topics": len(self.hub.topics),
            "tasks": len(asyncio.all_tasks()),
            "uptime_s": round(time.monotonic() - self._started_at, 3),
            "slow": self._slow(),
            "counters": self.counters.as_dict(),
            "peers": [
                {"id": peer.id, "epoch": peer.epoch, "sessions": len(peer.sessions), "suspect": peer.suspect}
                for peer in peers
            ],
            **self.parts.users.report.as_dict(),
        }

    def where(self, user: str | None, most: int) -> dict[str, Any]:
        """Which instance holds which user's sessions, for ``/info``."""
        return self.parts.users.report.where(user, most)

    def _slow(self) -> dict[str, Any]:
        """Clients that do not read as quickly as we send."""
        slow = self.parts.connections.outbox.slow
        return {
            "policy": self.settings.slow_consumer,
            "clients": len(slow),
            "held_bytes": sum(session.held_bytes for session in slow),
        }

    # life -----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        mount = self._mount
        writable = mount is None or mount.push_api or mount.admin
        self._rule = AccessRule.for_host(
            self.settings.host, need_token=writable, allowed_hosts=self.settings.allowed_hosts
        )
        self._parts = wire(self._surroundings(asyncio.get_running_loop()))
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    def _surroundings(self, loop: asyncio.AbstractEventLoop) -> Surroundings:
        admission, proof = self._admission()
        return Surroundings(
            settings=self.settings,
            broker=self.broker,
            handlers=self.handlers,
            interceptors=self._interceptors,
            registry=self.registry,
            counters=self.counters,
            stages=self.stages,
            rule=self._rule,
            origins=self._origins,
            admission=admission,
            proof=proof,
            mount=self._mount or WHOLE,
            facts=self,
            loop=loop,
            tell_peers=self._tell_peers,
            tasks=self._tasks,
            on_subscribed=self._broker_up.set,
        )

    def _admission(self) -> tuple[Admission, Proof | None]:
        """Who may connect, by what was given, and what checks tokens in CONNECT, if something does.

        Raises:
            UsageError: more than one way was given, or the keys of tokens make no sense.
        """
        tokens = self.settings.tokens
        if sum(way is not None for way in (tokens, self._user_of, self._authenticate)) > 1:
            raise UsageError(
                "there is more than one way to know users", hint="one of tokens, authenticate and user"
            )
        if tokens is not None:
            from .access.tokens.connecting import ConnectTokens
            from .access.tokens.verifier import TokenVerifier  # cryptography takes its time to load

            verifier = TokenVerifier(tokens)
            proof = ConnectTokens(tokens, verifier, self.counters)
            return ByToken(verifier, self.counters), proof
        if self._authenticate is not None:
            return ByToken(self._authenticate, self.counters), None
        return Unproven() if self._user_of is None else NamedByHost(self._user_of), None

    async def _start(self) -> None:
        settings, parts = self.settings, self.parts
        internal = parts.users.internal
        await self.broker.start(parts.broker_watch.on_availability)
        self._stack.push_async_callback(self.broker.stop)
        internal.subscribe()
        self._tick()
        try:
            async with asyncio.timeout(settings.broker_wait_s):
                await self._broker_up.wait()
        except TimeoutError:
            logger.warning(
                "the broker at %s does not answer (%s): starting without it, refusing pushes until it does",
                self.broker.url,
                self.broker.reason,
            )
        else:  # now it is known which broker it is
            check_client_frames(self.broker.limits, settings.max_frame)
        if self._mount is None:
            await self._listen(parts)
        if settings.discovery_url is not None:
            await self._join_discovery(settings.discovery_url)
        await self._catch_up()
        if self.discovery is not None:
            await self.discovery.update(status="UP")
        logger.info("instance %s listens at %s", settings.id, self.url or "its host's address")

    async def _listen(self, parts: Parts) -> None:
        settings = self.settings
        self._listener = Listener(
            parts.app,
            host=settings.host,
            port=settings.port,
            http=functools.partial(
                FastHttpProtocol,
                push_api=parts.push_api,
                deadlines=HttpDeadlines(settings.head_timeout_s, settings.body_timeout_s),
            ),
            ws=FastWebSocketProtocol,
            ws_per_message_deflate=False,
            ws_max_size=settings.largest_message,
            timeout_keep_alive=_KEEP_ALIVE_S,
        )
        await self._stack.enter_async_context(self._listener)

    def abort(self) -> None:
        """End as if the process had been killed: every connection is cut, nobody is told.

        Leaving the block is still needed. For clusters in one process.
        """
        self._aborted = True
        if self.discovery is not None:
            self.discovery.abort()
        if self._listener is not None:
            self._listener.abort()

    async def _stop(self) -> None:
        if self._parts is not None and not self._aborted:
            await leave(self.settings, self._parts, self.broker, self.discovery)
        elif self._parts is not None:
            self._parts.sockjs.abandon()
        if self._timer is not None:
            self._timer.cancel()
        if self.discovery is not None:
            discovery, self.discovery = self.discovery, None
            await discovery.__aexit__(None, None, None)
        await self._tasks.cancel()
        await self._stack.aclose()

    async def _join_discovery(self, url: str) -> None:
        settings = self.settings
        if not self.port:
            raise UsageError(
                "the port of the service is not known",
                tried=f"register the mounted instance {settings.id} at {url}",
                hint="set port= to the port that the service listens on",
            )
        registration = Registration(
            id=settings.id,
            service=settings.service,
            host=settings.host,
            port=self.port,
            status="STARTING",
            metadata={"weight": str(settings.weight)} if settings.weight != 1 else {},
        )
        self.discovery = DiscoveryClient(url, registration, self._on_registry, token=self._rule.token)
        await self.discovery.__aenter__()

    async def _catch_up(self) -> None:
        """Learn the peers' users before anybody can push here."""
        sync = self.sync
        if sync is None or not self.broker.available:
            return
        if self.discovery is not None:
            # Also those that are just starting: they answer as soon as they are listed.
            others = self.discovery.snapshot.of(self.settings.service, status=None)
            sync.expect(frozenset(item.id for item in others))
        elif self.settings.broker_url != "memory:" or self._broker_given:
            sync.listen()
        caught_up = asyncio.Event()
        sync.when_in_step(caught_up.set)
        await caught_up.wait()

    # what happens ---------------------------------------------------------------------------

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self.parts.users.internal.tick()
        self.router.wheel.turn(loop.time())
        self._timer = loop.call_later(TICK_S, self._tick)

    def _on_foreign_page(self, origin: str) -> None:
        self.counters.foreign_pages += 1

    def _on_registry(self, snapshot: Snapshot) -> None:
        """Discovery says who is there."""
        if self.sync is not None:
            peers = snapshot.of(self.settings.service, status=None)
            self.sync.listed(frozenset(item.id for item in peers))
        gateways = snapshot.of(GATEWAY_SERVICE, status=None)
        self._origins.gateways = frozenset(place_of(item.host, item.port) for item in gateways)

    def _tell_peers(self, destination: str, body: bytes) -> None:
        if self._aborted:
            return  # the dead say nothing
        self.broker.publish(destination, {"content-type": "application/json"}, body)

"""How the parts of an instance are joined: who is made of what, and who is told of whom.

Nothing here runs; :mod:`server.instance` gives the parts their life. A new part is made in the
function of its layer and gets a line in that layer's record.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.errors import UsageError
from core.protocol import Send
from core.tasks import BackgroundTasks

from .access.admission import Admission
from .access.origins import Origins
from .access.rule import AccessRule
from .brokers.addresses import parse_stomp_url
from .brokers.availability import BrokerWatch
from .brokers.base import Availability, Broker
from .connections.mount import WHOLE, Mount
from .connections.websocket import WebSocketEndpoint
from .dispatch.broker_loss import EndWithBroker
from .dispatch.client_sends import ClientSends
from .dispatch.client_subscriptions import ClientSubscriptions
from .dispatch.relay.base import Relay
from .dispatch.relay.multiplexed import MultiplexedRelay
from .dispatch.relay.per_client import PerClientRelay, credentials_of
from .dispatch.router import Router
from .endpoints.admin import Facts, admin_routes
from .endpoints.app import InstanceApp
from .endpoints.push_api import PushApi
from .endpoints.sockjs import stomp_over_sockjs
from .handlers.application import Application
from .handlers.interception import Interception
from .handlers.interceptors import Interceptor
from .handlers.mapping import Handlers
from .handlers.replies import Replies
from .handlers.template import MessagingTemplate
from .messages.counters import Counters
from .messages.stages import StageLog
from .sessions.acknowledgements import Acknowledgements
from .sessions.guard import Guard
from .sessions.held import SlowRule
from .sessions.hub import Hub
from .sessions.outbox import Outbox
from .sessions.proof import Proof
from .sessions.session import Session
from .sessions.topics import TopicRelay
from .settings.instance import InstanceSettings
from .sockjs.service import SockJsService
from .users.handover import Handover
from .users.internal_topics import InternalTopics
from .users.local_delivery import LocalDelivery
from .users.peers import PeerSync
from .users.pushes import Pushes
from .users.registry import RemotePeer, UserRegistry
from .users.report import UsersReport
from .users.slices import Slicer
from .users.spring_registry import SpringRegistry
from .users.strategies import BroadcastStrategy, LocalStrategy, RelayStrategy, Strategy
from .users.undeliverable import Undeliverable


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the parts are given: what exists before them, and what the instance does for them.

    Attributes:
        settings: What the instance is to be.
        broker: Its broker, not started yet.
        handlers: Application handlers.
        interceptors: Who is asked about CONNECT, SUBSCRIBE and SEND of clients.
        registry: Who is where.
        counters: What has happened.
        stages: Where pushes are.
        rule: Who may push and read.
        origins: Which web pages may connect.
        admission: Who may connect, and as whom.
        proof: Checks the tokens of CONNECT frames, where clients need some.
        mount: What of it is served.
        facts: What the admin endpoints ask.
        loop: The event loop.
        tell_peers: Publishes (destination, JSON) for our own instances.
        tasks: Those of the instance.
        on_subscribed: Called when the instance's own subscriptions are in place for the first time.
    """

    settings: InstanceSettings
    broker: Broker
    handlers: Handlers
    interceptors: Sequence[Interceptor]
    registry: UserRegistry
    counters: Counters
    stages: StageLog
    rule: AccessRule
    origins: Origins
    admission: Admission
    proof: Proof | None
    mount: Mount
    facts: Facts
    loop: asyncio.AbstractEventLoop
    tell_peers: Callable[[str, bytes], None]
    tasks: BackgroundTasks
    on_subscribed: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Connections:
    """The clients of this instance: who they are, what waits for them, what they may reach."""

    guard: Guard
    outbox: Outbox
    hub: Hub
    acknowledgements: Acknowledgements


@dataclass(frozen=True, slots=True)
class Users:
    """How a message reaches a user; ``sync`` and ``spring`` with the strategy ``relay`` only."""

    local: LocalDelivery
    sync: PeerSync | None
    spring: SpringRegistry | None
    strategy: Strategy
    handover: Handover
    internal: InternalTopics
    report: UsersReport


@dataclass(frozen=True, slots=True)
class Parts:
    """An instance's parts, joined and ready to be started.

    Attributes:
        connections: Its clients.
        users: How messages reach users.
        application: Runs the handlers.
        template: What application code sends with.
        router: What clients' frames cause.
        sockjs: The clients that do not come by a plain WebSocket.
        push_api: ``/push`` and ``/test``.
        app: All of it as an ASGI application.
        broker_watch: To be told when the broker comes and goes.
    """

    connections: Connections
    users: Users
    application: Application
    template: MessagingTemplate
    router: Router
    sockjs: SockJsService
    push_api: PushApi
    app: InstanceApp
    broker_watch: BrokerWatch


def wire(given: Surroundings) -> Parts:
    """Make the parts and tell each of those it needs."""
    connections = _connect(given)
    users = _find_users(given, connections)
    template = _let_send(given, users)
    application = _apply(given, connections, users, template)
    router = _route(given, connections, users, application)
    push_api = _serve_pushes(given, connections, users)
    sockets = WebSocketEndpoint(router, given.origins, given.admission, given.settings.largest_message)
    sockjs = stomp_over_sockjs(router, given.origins, given.admission, given.settings.sockjs_limited)
    # Which names lead to a mounted instance its host knows, who has a server that may check them.
    checked = given.mount is WHOLE or given.settings.allowed_hosts
    hosts = given.rule.hosts if checked else None
    routes = admin_routes(given.facts, given.rule)
    app = InstanceApp(sockets, sockjs, push_api, routes, hosts, given.mount)
    watch = _watch_broker(given, connections, users, router, _intercept(given, router))
    return Parts(connections, users, application, template, router, sockjs, push_api, app, watch)


def _connect(given: Surroundings) -> Connections:
    settings, loop = given.settings, given.loop
    slow = SlowRule(settings.slow_consumer, settings.queue_limit, given.counters, given.stages)
    outbox = Outbox(loop.call_soon, loop.time, given.stages, slow)
    guard = Guard(settings, lambda id: given.registry.session(id) is not None)
    hub = Hub(outbox)
    acknowledgements = Acknowledgements(given.broker, hub, guard, given.counters, given.stages)
    return Connections(guard, outbox, hub, acknowledgements)


def _find_users(given: Surroundings, connections: Connections) -> Users:
    settings, registry, broker, loop = given.settings, given.registry, given.broker, given.loop
    undeliverable = Undeliverable(given.counters, time.time)
    local = LocalDelivery(
        settings,
        connections.hub,
        registry,
        given.counters,
        given.stages,
        undeliverable,
        connections.acknowledgements,
    )
    slicer = Slicer(loop.call_later)
    sync: PeerSync | None = None
    spring: SpringRegistry | None = None
    if settings.strategy == "relay":
        sync = PeerSync(
            settings, registry, given.tell_peers, loop.call_later, loop.time, given.counters, slicer
        )
        spring = SpringRegistry(
            settings, registry, sync.epoch, broker.publish, loop.call_later, loop.time, slicer
        )
        registry.on_local_change = spring.changed
        registry.on_subscriptions = sync.changes.resubscribed
    handover = Handover(settings, registry, undeliverable, loop.call_later, loop.time)
    strategy = _choose_strategy(given, local, handover)
    if sync is not None and isinstance(strategy, RelayStrategy):
        sync.on_leaving = functools.partial(handover.begin, send=strategy.send_now)
    internal = InternalTopics(
        settings, broker, strategy, local, sync, spring, given.counters, given.on_subscribed
    )
    peers = list[RemotePeer] if sync is None else lambda: list(sync.peers.values())
    report = UsersReport(settings.id, registry, peers, spring, slicer, undeliverable, loop.time)
    return Users(local, sync, spring, strategy, handover, internal, report)


def _choose_strategy(given: Surroundings, local: LocalDelivery, handover: Handover) -> Strategy:
    settings, registry, counters, stages = given.settings, given.registry, given.counters, given.stages
    match settings.strategy:
        case "relay":
            return RelayStrategy(settings, registry, given.broker, local, counters, stages, handover)
        case "broadcast":
            return BroadcastStrategy(settings, registry, given.broker, local, counters, stages)
        case "none":
            return LocalStrategy(registry, local, counters, stages)


def _let_send(given: Surroundings, users: Users) -> MessagingTemplate:
    sync, clock = users.sync, given.loop.time

    def in_step() -> bool:
        return sync is None or sync.in_step(clock())

    return MessagingTemplate(
        given.settings, users.strategy, given.broker, given.counters, given.stages, in_step
    )


def _apply(
    given: Surroundings, connections: Connections, users: Users, template: MessagingTemplate
) -> Application:
    settings = given.settings
    replies = Replies(settings, template, users.strategy, users.local, connections.hub, connections.guard)
    return Application(settings, given.handlers, template, replies, given.counters, given.tasks)


def _route(given: Surroundings, connections: Connections, users: Users, application: Application) -> Router:
    settings, registry, counters = given.settings, given.registry, given.counters
    guard, outbox, hub = connections.guard, connections.outbox, connections.hub
    router = Router(
        settings,
        hub,
        registry,
        users.strategy,
        users.sync,
        counters,
        given.stages,
        given.loop.time,
        settings.client_limits,
    )
    outbox.on_overflow = router.overflow
    outbox.rule.on_dropped = users.local.undeliverable.dropped
    router.outbox = outbox
    router.undeliverable = users.local.undeliverable
    router.proof = given.proof
    relay = router.relay = _relay(given, connections, users, router)
    router.subscriptions = ClientSubscriptions(settings, application, relay, outbox, guard, counters)
    router.acknowledgements = connections.acknowledgements
    router.sends = ClientSends(
        settings, application, relay, outbox, guard, counters, connections.acknowledgements
    )
    return router


def _intercept(given: Surroundings, router: Router) -> Callable[[Session, Send], None]:
    """Put the interceptors in front of the router; returns what sends to handlers past the broker."""
    if not given.interceptors:
        return router.sends.send
    return Interception(given.interceptors, router, given.counters, given.tasks).send_now


def _relay(given: Surroundings, connections: Connections, users: Users, router: Router) -> Relay:
    hub, guard, outbox = connections.hub, connections.guard, connections.outbox
    if given.settings.relay == "per-client":
        return _private_relay(given, connections, users, router)
    topics = TopicRelay(hub, given.broker, guard, given.counters, given.stages)
    return MultiplexedRelay(
        given.broker,
        topics,
        users.strategy,
        users.local,
        given.registry,
        users.sync,
        outbox,
        connections.acknowledgements,
    )


def _private_relay(given: Surroundings, connections: Connections, users: Users, router: Router) -> Relay:
    settings = given.settings
    if not settings.broker_url.startswith(("stomp:", "stomps:")):
        raise UsageError(
            f"relay per-client does not go with {settings.broker_url.partition(':')[0]}:",
            hint="only a STOMP broker gives each client a connection of its own: stomp://host:61613",
        )
    address = parse_stomp_url(settings.broker_url)
    return PerClientRelay(
        settings,
        address,
        credentials_of(settings, address),
        lambda: given.broker.limits,
        connections,
        given.registry,
        users.sync,
        given.counters,
        given.stages,
        router.close,
        given.tasks,
    )


def _watch_broker(
    given: Surroundings,
    connections: Connections,
    users: Users,
    router: Router,
    send: Callable[[Session, Send], None],
) -> BrokerWatch:
    listeners: list[Availability] = [users.internal.on_availability]
    # Spring never opens a client's connection again: who has one of its own is ended with it.
    private = given.settings.relay == "per-client"
    if private or given.settings.on_broker_loss == "spring":
        ending = EndWithBroker(given.settings, connections.hub, router, send, at_once=not private)
        listeners.append(ending.on_availability)
    return BrokerWatch(given.broker, given.loop.time, listeners)


def _serve_pushes(given: Surroundings, connections: Connections, users: Users) -> PushApi:
    pushes = Pushes(
        given.settings,
        users.strategy,
        given.broker,
        connections.hub,
        users.sync,
        given.counters,
        given.stages,
        users.local.undeliverable,
        given.loop.time,
        connections.guard,
    )
    return PushApi(pushes, given.rule)

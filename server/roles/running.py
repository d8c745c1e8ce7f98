"""A role as an async context manager in the caller's loop, whatever role it is."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from core.errors import PortTakenError

from .options import BrokerOptions, DiscoveryOptions, GatewayOptions, InstanceOptions, Options, role_of

if TYPE_CHECKING:
    from ..brokers.memory import MemoryExchange
    from ..gateway import GatewayFile
    from ..settings.instance import InstanceSettings

logger = logging.getLogger("pushscope.roles")


class RunningRole(Protocol):
    """What all roles have in common once they listen."""

    @property
    def url(self) -> str:
        """Base URL without a slash at the end (a broker: where clients of its protocol connect)."""
        ...

    @property
    def port(self) -> int:
        """The port that is listened on."""
        ...


class SharedLoop:
    """What roles have in common that share one event loop: the exchange behind ``memory:``."""

    def __init__(self) -> None:
        self._exchange: MemoryExchange | None = None

    @property
    def exchange(self) -> MemoryExchange:
        """The exchange of all in-memory brokers of this loop."""
        if self._exchange is None:
            from ..brokers.memory import MemoryExchange

            self._exchange = MemoryExchange()
        return self._exchange


@asynccontextmanager
async def open_role(options: Options, shared: SharedLoop | None = None) -> AsyncGenerator[RunningRole]:
    """Run a role until the block ends; the body begins when it is ready to serve.

    Args:
        options: Which role, and how.
        shared: What it has in common with others of this loop; alone by default.

    Raises:
        PortTakenError: the port is in use, and ``or_free`` does not allow another one.
        ClusterStartError: it could not start for another reason.
    """
    async with AsyncExitStack() as stack:
        try:
            role = await stack.enter_async_context(_make(options, shared))
        except PortTakenError:
            if not options.or_free or options.port == 0:
                raise
            elsewhere = msgspec.structs.replace(options, port=0)
            role = await stack.enter_async_context(_make(elsewhere, shared))
            logger.warning(
                "port %d is taken: %s listens on %d instead", options.port, role_of(options), role.port
            )
        yield role


def _make(options: Options, shared: SharedLoop | None) -> AbstractAsyncContextManager[RunningRole]:
    # Each process runs one role and imports no other: half of its start is importing.
    match options:
        case BrokerOptions():
            return _make_broker(options)
        case DiscoveryOptions():
            from ..discovery.app import Discovery, DiscoverySettings

            return Discovery(
                DiscoverySettings(
                    host=options.host, port=options.port, self_preservation=options.self_preservation
                )
            )
        case GatewayOptions():
            return _make_gateway(options)
        case InstanceOptions():
            return _make_instance(options, shared)


def _make_broker(options: BrokerOptions) -> AbstractAsyncContextManager[RunningRole]:
    from ..brokers.embedded import EmbeddedBroker
    from ..brokers.embedded_limits import BrokerLimits
    from ..brokers.exchange import ExchangeLimits

    kept = ExchangeLimits(options.queue_messages, options.queue_bytes, options.queues)
    limits = BrokerLimits(peers=options.peers, expires_s=options.expires, exchange=kept)
    return EmbeddedBroker(options.host, options.port, limits=limits)


def _make_instance(
    options: InstanceOptions, shared: SharedLoop | None
) -> AbstractAsyncContextManager[RunningRole]:
    from ..brokers.memory import MemoryBroker
    from ..instance import Instance

    settings = instance_settings(options)
    if shared is not None and options.broker == "memory:":
        return Instance(settings, broker=MemoryBroker(shared.exchange))
    return Instance(settings)


def instance_settings(options: InstanceOptions) -> InstanceSettings:
    """What an instance is to be, by its options.

    Raises:
        UsageError: They contradict each other.
    """
    from core.protocol import Prefixes

    from ..settings.instance import SOCKJS, InstanceSettings

    plain = InstanceSettings()
    usual, prefixes = plain.prefixes, options.broker_prefixes
    unresolved, registry = options.user_destination_broadcast, options.user_registry_broadcast
    return InstanceSettings(
        id=options.id,
        host=options.host,
        port=options.port,
        service=options.service,
        strategy=options.strategy,
        broker_url=options.broker,
        discovery_url=options.discovery or None,
        default_user=options.default_user,
        on_broker_loss=options.on_broker_loss,
        relay=options.relay,
        slow_consumer=options.slow_consumer,
        queue_limit=options.queue_limit,
        max_sessions=options.max_sessions,
        max_frame=options.max_frame,
        max_message=options.max_message,
        weight=options.weight,
        prefixes=Prefixes(
            usual.application if options.app_prefix is None else options.app_prefix,
            usual.broker if prefixes is None else tuple(prefixes.split()),
            usual.user if options.user_prefix is None else options.user_prefix,
        ),
        unresolved_destination=plain.unresolved_destination if unresolved is None else unresolved,
        registry_destination=plain.registry_destination if registry is None else registry,
        allowed_origins=tuple(options.allowed_origins.split()),
        allowed_hosts=tuple(options.allowed_hosts.split()),
        allowed_headers=tuple(options.allowed_headers.split()),
        allowed_exchanges=(*plain.allowed_exchanges, *options.allowed_exchanges.split()),
        sockjs=options.sockjs or SOCKJS,
        tokens=options.tokens,
    )


def _make_gateway(options: GatewayOptions) -> AbstractAsyncContextManager[RunningRole]:
    from ..gateway import Gateway, GatewaySettings, route_spec, with_strategies

    path = f"/{options.service}"
    settings = GatewaySettings(
        host=options.host,
        port=options.port,
        routes=(
            route_spec(options.service, f"lb://{options.service}", [f"Path={path}/**"], ["StripPrefix=1"]),
        ),
        discovery_url=options.discovery or None,
        allowed_hosts=tuple(options.allowed_hosts.split()),
    )
    if options.routes:
        file = read_routes(options)
        for warning in file.warnings:
            logger.warning("%s", warning)
        settings = file.onto(settings)
    balancing = with_strategies(settings.balancing, options.balance)
    return Gateway(msgspec.structs.replace(settings, balancing=balancing))


def read_routes(options: GatewayOptions) -> GatewayFile:
    """What the files say that a gateway is told of.

    Raises:
        RouteError: they are not there, or not understood.
    """
    from ..gateway import Wishes, load_gateway_file

    whole = Path(options.routes)
    paths = [whole] if whole.is_file() else [Path(word) for word in options.routes.split(",") if word.strip()]
    wishes = Wishes(
        profiles=tuple(word for word in options.profiles.replace(",", " ").split()),
        strict=options.strict,
        ignored=frozenset(options.ignored_filters.split()),
    )
    return load_gateway_file(*paths, wishes=wishes)

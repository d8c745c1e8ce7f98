"""What all connections of one gateway share: settings, routes, balancer, counters, access log."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import unquote

import msgspec

from core.reasons import reason_of
from core.tasks import BackgroundTasks

from ..access.provenance import MARK, mark_for
from ..access.rule import HostGuard
from ..sockets.descriptors import Descriptors
from ..sockets.path_parameters import without_parameters
from .balancing.balance import Balancing
from .balancing.balancer import Balancer
from .balancing.targets import Target
from .forwarded import ForwardedPolicy, ForwardedRules
from .heads import Header, end_to_end, redact
from .routing.cors import Cors, CorsSettings
from .routing.definition import LeftOut
from .routing.locator import Located, LocatorSettings
from .routing.request import RouteRequest
from .routing.routes import DEFAULT_ROUTES, Route, RouteSpec, RouteTable
from .tcp import Dialler
from .tunnels.idle import IdleWatch

access_log = logging.getLogger("pushscope.gateway.access")

#: What instances open to no page of another origin.
_INSTANCES_OWN = frozenset(("/push", "/test", "/info", "/metrics", "/stages", "/health"))


class Compression(msgspec.Struct, frozen=True):
    """Which answers the gateway compresses for clients that take it: Spring's ``server.compression``.

    Attributes:
        enabled: Off unless asked for.
        mime_types: Media types, without parameters.
        min_size: Bytes; answers that say that they are smaller are left alone.
    """

    enabled: bool = False
    mime_types: tuple[str, ...] = (
        "text/html",
        "text/xml",
        "text/plain",
        "text/css",
        "text/javascript",
        "application/javascript",
        "application/json",
        "application/xml",
    )
    min_size: int = 2048


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway's settings.

    Attributes:
        host: Address to listen on.
        port: Port, or 0 for a free one.
        routes: In the order in which they are tried; see :mod:`.files`.
        discovery_url: Where the instances are registered; None: only ``services``.
        services: Services at fixed ``host:port`` addresses, used without discovery.
        balancing: How instances are chosen and checked.
        connect_timeout_s: For one instance; then the next is tried.
        handshake_timeout_s: From a request's head to upstream's answer to an upgrade.
        response_timeout_s: From a request's end to the head of upstream's answer, and before that for
            upstream to take more of the request's body; 0 is no limit.
        head_timeout_s: For a client to send its request head.
        body_timeout_s: For a client to send the next piece of its request body; 0 is no limit.
        keep_alive_s: For a client's connection between two requests.
        max_body: Bytes of a request body; answers are not limited.
        allowed_hosts: Further names that a Host header may have while listening on loopback
            (web pages must not reach local services through a name of their own); ``*`` is any.
        trusted_proxies: Regular expression (Java's) of the addresses whose X-Forwarded-* headers
            are kept and appended to; empty: all incoming ones are stripped.
        forwarded: Which of these headers are added, once the peer is trusted.
        compression: Which answers are compressed.
        cors: Which pages may ask, besides what routes say themselves.
        locator: How registered services become routes, in front of the others; None: they do not.
        left_out: What of the files has no effect, for people.
        notes: What is to be said about the files, for people.
        access_log: Whether requests are logged, tokens redacted.
    """

    host: str = "127.0.0.1"
    port: int = 0
    routes: tuple[RouteSpec, ...] = DEFAULT_ROUTES
    discovery_url: str | None = None
    services: dict[str, tuple[str, ...]] = {}
    balancing: Balancing = Balancing()
    connect_timeout_s: float = 2.0
    handshake_timeout_s: float = 10.0
    response_timeout_s: float = 60.0
    head_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    keep_alive_s: float = 30.0
    max_body: int = 16 * 1024 * 1024
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: str = ""
    forwarded: ForwardedRules = ForwardedRules()
    compression: Compression = Compression()
    cors: CorsSettings = CorsSettings()
    locator: LocatorSettings | None = None
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    access_log: bool = True


@dataclass(slots=True)
class Counters:
    """What happened since the start; open tunnels, and those at each instance, are of now."""

    requests: int = 0
    upgrades: int = 0
    open_tunnels: int = 0
    tunnels_at: dict[str, int] = field(default_factory=dict[str, int])
    failed_dials: int = 0
    retries: int = 0
    compressed: int = 0
    idle_cuts: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    answers: dict[int, int] = field(default_factory=dict[int, int])
    by_route: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])

    def answered(self, status: int, route: str = "") -> None:
        """Count an answer by its status, and by its route if there was one."""
        self.answers[status] = self.answers.get(status, 0) + 1
        key = (route, status)
        self.by_route[key] = self.by_route.get(key, 0) + 1


class Waiting(Protocol):
    """An upgrade, or a request that may be sent again, that upstream has not answered yet."""

    def registry_changed(self, edge: Edge) -> None:
        """Ask somebody else if who was asked is gone."""
        ...


class Edge:
    """The shared part of a gateway.

    Raises:
        RouteError: a route is wrong.
        UsageError: ``trusted_proxies`` is not a regular expression.
    """

    def __init__(self, settings: GatewaySettings, balancer: Balancer) -> None:
        self.settings = settings
        self.routes = RouteTable(settings.routes)
        own = any(route.spec.cors is not None for route in self.routes.routes)
        self.cors = Cors(settings.cors, any_route=own)
        self.balancer = balancer
        self.counters = Counters()
        self.tasks = BackgroundTasks()
        self.descriptors = Descriptors(logging.getLogger("pushscope.gateway"))
        self.dialler = Dialler(self.descriptors)
        self.waiting: set[Waiting] = set()
        self.idle = IdleWatch(self._idle_cut)
        self.scratch = memoryview(bytearray(64 * 1024))
        self._forwarded = ForwardedPolicy(settings.trusted_proxies, settings.forwarded)
        self._hosts = HostGuard(settings.host, settings.allowed_hosts)

    def take_located(self, located: Located) -> None:
        """The routes of the services that are registered now."""
        # As in Spring they stand before those of the files.
        ours = {route.id for route in self.settings.routes}
        first = (route for route in located.routes if route.id not in ours)
        self.routes = RouteTable((*first, *self.settings.routes))

    def response_timeout(self, route: Route) -> float:
        """Seconds until the head of an answer; 0 is no limit."""
        own = route.timeouts.response_s
        return self.settings.response_timeout_s if own is None else own

    def headers_for(
        self, route: Route, request: RouteRequest, target: Target, path: str, drop: frozenset[bytes]
    ) -> list[Header]:
        """The headers of a request to ``target``, Host included, but for those of the connection.

        Args:
            route: Whose filters change them, after X-Forwarded-* have been settled (docs/wire/gateway.md §4);
            not the mark
                that says whether the client is on this machine, which is ours alone.
            request: The client's.
            target: Who is asked.
            path: What is asked for there.
            drop: Names that are not passed on; Host is one.
        """
        kept = end_to_end(request.headers, drop=drop)
        kept = self._forwarded.apply(kept, request, path)
        kept = route.request_headers(request, kept)
        if unquote(without_parameters(path)) in _INSTANCES_OWN:
            # Whatever filters say: an instance must see that it is a page that asks for these.
            origins = [item for item in request.headers if item[0] == b"origin"]
            kept = [*(item for item in kept if item[0] != b"origin"), *origins]
        kept = self.balancer.request_headers(route.upstream, target, kept)
        kept = [item for item in kept if item[0] != MARK]
        host = route.host_for(request, target.authority)
        return [(b"host", host), *kept, mark_for(request.client, request.headers)]

    def connect_timeout(self, route: Route) -> float | None:
        """Seconds in which one instance of ``route`` must be reached; None: no limit."""
        seconds = route.timeouts.connect_s
        return (self.settings.connect_timeout_s if seconds is None else seconds) or None

    def refuse_host(self, hosts: Iterable[bytes]) -> str:
        """Why these Host headers are refused, or ""."""
        return self._hosts.refuse(hosts)

    def registry_changed(self) -> None:
        """Let the balancer see, and those who wait for an instance, whether it is still there."""
        self.balancer.registry_changed()
        for waiting in tuple(self.waiting):
            waiting.registry_changed(self)

    def dial_failed(self, target: Target, error: OSError) -> str:
        """Count an instance that could not be reached, and try others before it for a while.

        Returns who it was and why, in words.
        """
        self.counters.failed_dials += 1
        self.balancer.unreachable(target)
        words = reason_of(error)
        return f"{target.id or 'upstream'} at {target.authority}: {words}"

    def tunnel_opened(self, instance: str) -> None:
        """Count an upgrade that succeeded."""
        counters = self.counters
        counters.upgrades += 1
        counters.open_tunnels += 1
        counters.tunnels_at[instance] = counters.tunnels_at.get(instance, 0) + 1

    def tunnel_over(self, instance: str) -> None:
        """Count a tunnel's end."""
        counters = self.counters
        counters.open_tunnels -= 1
        counters.tunnels_at[instance] -= 1
        if not counters.tunnels_at[instance]:
            del counters.tunnels_at[instance]

    def _idle_cut(self) -> None:
        self.counters.idle_cuts += 1

    def log(
        self,
        client: str,
        method: str,
        target: str,
        status: int,
        started: float,
        upstream: str,
        route: str = "",
    ) -> None:
        """Count an answer and write its access line."""
        self.counters.answered(status, route)
        if self.settings.access_log and access_log.isEnabledFor(logging.INFO):
            access_log.info(
                '%s "%s %s" %d %.1fms %s',
                client,
                method,
                redact(target),
                status,
                (time.perf_counter() - started) * 1000,
                upstream or "-",
            )

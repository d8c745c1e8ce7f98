"""The gateway as a running server."""

from __future__ import annotations

import functools
import logging
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from ..access.rule import AccessRule
from ..discovery import DiscoveryClient, Registration, Snapshot
from ..sockets.listener import Listener, bind_socket
from .balancing.balancer import Balancer
from .balancing.health import HealthChecks
from .balancing.targets import StaticDirectory
from .edge import Edge, GatewaySettings
from .http.proxy import HttpProxy
from .metrics import Metrics
from .pages import Pages
from .protocol import GatewayProtocol
from .routing.locator import Located, locate
from .routing.routes import Upstream

logger = logging.getLogger("pushscope.gateway")

#: The name under which a gateway is in the registry, so that instances know which origins are
#: their own front.
GATEWAY_SERVICE = "gateway"


class Gateway:
    """A running gateway: ``async with Gateway(settings) as gateway: gateway.url``.

    With discovery it knows its instances when entering returns (as far as they are registered),
    and registers itself as ``gateway``.

    Raises (constructing):
        RouteError: a route is wrong.
    Raises (entering):
        PortTakenError: the port is in use.
    """

    def __init__(self, settings: GatewaySettings | None = None) -> None:
        self.settings = settings if settings is not None else GatewaySettings()
        self._static = StaticDirectory(self.settings.services)
        self._discovery: DiscoveryClient | None = None
        self._balancer = Balancer(self, self.settings.balancing)
        self.edge = Edge(self.settings, self._balancer)
        self._located = Located()
        self._listener: Listener | None = None
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """Base URL, without a slash at the end."""
        assert self._listener is not None, "enter first"
        return self._listener.url

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._listener is not None, "enter first"
        return self._listener.port

    @property
    def last_words(self) -> str:
        """What must not be overlooked at the end of a start: that nothing goes anywhere."""
        if self.settings.locator is not None or any(not route.closed for route in self.edge.routes.routes):
            return ""
        return "this gateway has no route: every path but its own is answered 404 (see /routes)"

    def everybody(self, service: str) -> tuple[Registration, ...]:
        """The instances of ``service``, whatever their status (the balancer asks this)."""
        if self._discovery is not None and (found := self._discovery.snapshot.of(service, status=None)):
            return found
        return self._static.everybody(service)

    async def __aenter__(self) -> Self:
        for warning in self.edge.routes.warnings:
            logger.warning("%s", warning)
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def _start(self, stack: AsyncExitStack) -> None:
        settings = self.settings
        sock = bind_socket(settings.host, settings.port)
        stack.callback(sock.close)
        proxy = await stack.enter_async_context(HttpProxy(self.edge))
        await stack.enter_async_context(HealthChecks(self._balancer, self._services()))
        rule = AccessRule.for_host(settings.host, need_token=False)
        pages = Pages(self.edge, rule, self._report, Metrics(self.edge, proxy.pool), proxy)
        if settings.discovery_url is not None:
            port = int(sock.getsockname()[1])
            ourselves = Registration(f"gateway-{port}", GATEWAY_SERVICE, settings.host, port)
            self._discovery = await stack.enter_async_context(
                DiscoveryClient(settings.discovery_url, ourselves, self._on_change, token=rule.token)
            )
        protocol = functools.partial(GatewayProtocol, edge=self.edge)
        self._listener = await stack.enter_async_context(
            Listener(
                pages,
                host=settings.host,
                sock=sock,
                grace_s=2,
                descriptors=self.edge.descriptors,
                http=protocol,
                ws="none",
                timeout_keep_alive=settings.keep_alive_s,
                date_header=False,  # that of an answer is upstream's (RFC 9110 §6.6.1)
            )
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def _locate(self, snapshot: Snapshot) -> None:
        locator = self.settings.locator
        if locator is None:
            return
        found = locate(locator, snapshot.instances, GATEWAY_SERVICE)
        if found != self._located:
            for warning in found.warnings:
                if warning not in self._located.warnings:
                    logger.warning("%s", warning)
            self._located = found
            self.edge.take_located(found)

    def _on_change(self, snapshot: Snapshot) -> None:
        self._locate(snapshot)
        self.edge.registry_changed()
        listed = [
            f"{x.service}/{x.id}" if x.status == "UP" else f"{x.service}/{x.id} ({x.status})"
            for x in snapshot.instances
            if x.service != GATEWAY_SERVICE
        ]
        logger.info("registry %d: %s", snapshot.version, ", ".join(listed) or "empty")

    def _report(self) -> dict[str, Any]:
        return {
            "discovery": {
                "url": self._discovery.url if self._discovery is not None else None,
                "connected": self._discovery is not None and self._discovery.connected,
            },
            "services": {name: self._serving(name) for name in self._services()},
        }

    def _services(self) -> list[str]:
        routed = {x.upstream.service for x in self.edge.routes.routes if x.upstream.service}
        # Those that are registered too: who started the instances wants to know whether they are known.
        listed = self._discovery.snapshot.instances if self._discovery is not None else ()
        registered = {x.service for x in listed if x.service != GATEWAY_SERVICE}
        known = {name.upper() for name in routed}
        return sorted(routed | {name for name in registered if name.upper() not in known})

    def _serving(self, service: str) -> list[str]:
        states = self._balancer.states(Upstream(service=service))
        return [target.id for target, state in states if state in ("up", "doubted")]

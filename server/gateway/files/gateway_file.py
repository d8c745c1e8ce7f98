"""What a configuration file says about a gateway, whichever language it is in."""

from __future__ import annotations

import msgspec

from ..balancing.balance import Balancing
from ..edge import Compression, GatewaySettings
from ..forwarded import ForwardedRules
from ..routing.cors import CorsSettings
from ..routing.definition import LeftOut, RouteSpec
from ..routing.locator import LocatorSettings


class GatewayFile(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of a file; None for what it does not say.

    Attributes:
        routes: In their order, ``default-filters`` merged into each.
        port: Where to listen.
        name: ``spring.application.name``.
        connect_timeout_s: For one instance.
        response_timeout_s: Until the head of an answer; 0: no limit.
        trusted_proxies: Regular expression.
        forwarded: What is told of clients behind trusted proxies.
        compression: Which answers are compressed.
        balancing: How the instances of services are chosen and checked.
        cors: Which pages may ask, besides what routes say themselves.
        locator: How registered services become routes; None: they do not.
        discovery: Where the instances are registered: Eureka's servers.
        left_out: Filters that routes go without, and routes that are closed.
        warnings: For people: what was ignored. (What is never reached, the gateway says itself.)
    """

    routes: tuple[RouteSpec, ...]
    port: int | None = None
    name: str | None = None
    connect_timeout_s: float | None = None
    response_timeout_s: float | None = None
    trusted_proxies: str | None = None
    forwarded: ForwardedRules = ForwardedRules()
    compression: Compression = Compression()
    balancing: Balancing = Balancing()
    cors: CorsSettings = CorsSettings()
    locator: LocatorSettings | None = None
    discovery: str | None = None
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def leads_anywhere(self) -> bool:
        """Whether there is a route that is not closed, or may be one."""
        return self.locator is not None or any(not route.closed for route in self.routes)

    def onto(self, settings: GatewaySettings) -> GatewaySettings:
        """``settings`` with what the file says; the port is the caller's affair."""
        optional = {
            name: value
            for name in ("connect_timeout_s", "response_timeout_s", "trusted_proxies")
            if (value := getattr(self, name)) is not None
        }
        return msgspec.structs.replace(
            settings,
            routes=self.routes,
            forwarded=self.forwarded,
            compression=self.compression,
            balancing=self.balancing,
            cors=self.cors,
            locator=self.locator,
            left_out=self.left_out,
            notes=self.warnings,
            **optional,
        )

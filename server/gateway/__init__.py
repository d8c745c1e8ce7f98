"""The gateway: one address in front of all instances, as Spring Cloud Gateway is in the article."""

from .balance import Balance, Balancing, HealthCheck
from .balance_file import with_strategies
from .config import GatewayFile, load_gateway_file, parse_spring_yaml, parse_toml
from .edge import GatewaySettings
from .gateway import GATEWAY_SERVICE, Gateway
from .routes import DEFAULT_ROUTES, RouteError, RouteSpec, RouteTable, route_spec

__all__ = [
    "DEFAULT_ROUTES",
    "GATEWAY_SERVICE",
    "Balance",
    "Balancing",
    "Gateway",
    "GatewayFile",
    "GatewaySettings",
    "HealthCheck",
    "RouteError",
    "RouteSpec",
    "RouteTable",
    "load_gateway_file",
    "parse_spring_yaml",
    "parse_toml",
    "route_spec",
    "with_strategies",
]

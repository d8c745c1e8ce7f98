"""The gateway: one address in front of all instances, as Spring Cloud Gateway is in the article."""

from .balance import Balance, Balancing, HealthCheck
from .balance_file import with_strategies
from .config import load_gateway_file
from .edge import Compression, GatewaySettings
from .gateway import GATEWAY_SERVICE, Gateway
from .gateway_file import GatewayFile
from .routes import DEFAULT_ROUTES, RouteError, RouteSpec, RouteTable, route_spec
from .spring_file import parse_spring_yaml
from .toml_file import parse_toml

__all__ = [
    "DEFAULT_ROUTES",
    "GATEWAY_SERVICE",
    "Balance",
    "Balancing",
    "Compression",
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

"""The gateway: one address in front of all instances, as Spring Cloud Gateway is in the article."""

from .balancing.balance import Balance, Balancing, HealthCheck
from .edge import Compression, GatewaySettings
from .files.balance_file import with_strategies
from .files.config import load_gateway_file
from .files.gateway_file import GatewayFile
from .files.spring_file import parse_spring_yaml
from .files.toml_file import parse_toml
from .files.wishes import Wishes
from .gateway import GATEWAY_SERVICE, Gateway
from .routing.routes import DEFAULT_ROUTES, RouteError, RouteSpec, RouteTable, route_spec

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
    "Wishes",
    "load_gateway_file",
    "parse_spring_yaml",
    "parse_toml",
    "route_spec",
    "with_strategies",
]

"""A gateway's configuration as Spring writes it: ``application.yml`` (docs/wire/gateway.md §1).

Understood: routes, default-filters, the timeouts of the HTTP client, trusted proxies and what is
told of them, ``server.port``, ``server.compression``, ``spring.application.name`` and
``spring.cloud.loadbalancer``. Both prefixes of the gateway's keys, of which the newer wins.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec
from yaml.nodes import ScalarNode, SequenceNode

from core.errors import UsageError

from ...spring_yaml import Setting, read_settings
from ..edge import Compression
from ..forwarded import ForwardedPolicy, ForwardedRules
from ..routing.arguments import duration, truth, whole
from ..routing.definition import RouteError
from ..routing.filters import check_defaults
from ..routing.routes import RouteTable
from .balance_file import PREFIX as BALANCE_PREFIX
from .balance_file import SpringBalance
from .gateway_file import GatewayFile
from .spring_routes import NodeReader, RouteReader

_T = TypeVar("_T")
_OLD, _NEW = "spring.cloud.gateway.", "spring.cloud.gateway.server.webflux."
_KINDS = ("for", "host", "port", "proto", "prefix")
_SIZE = re.compile(r"(\d{1,12})\s*(B|KB|MB|GB)?", re.IGNORECASE)
_UNITS = {"": 1, "B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
_COMPRESSION = "server.compression."
#: Behind either prefix.
_GATEWAY_KEYS = frozenset(
    (
        "routes",
        "defaultfilters",
        "httpclient.connecttimeout",
        "httpclient.responsetimeout",
        "trustedproxies",
        "forwarded.enabled",
        "xforwarded.enabled",
        *(f"xforwarded.{kind}{what}" for kind in _KINDS for what in ("enabled", "append")),
    )
)
_OTHER_KEYS = frozenset(
    (
        "server.port",
        "spring.application.name",
        f"{_COMPRESSION}enabled",
        f"{_COMPRESSION}mimetypes",
        f"{_COMPRESSION}minresponsesize",
    )
)


def parse_spring_yaml(
    text: str, source: str = "application.yml", environment: Mapping[str, str] | None = None
) -> GatewayFile:
    """Read a Spring configuration.

    Args:
        text: The YAML.
        source: Its name, for messages.
        environment: Fills placeholders.

    Raises:
        RouteError: names file and line.
    """
    try:
        return _Reader(source, environment if environment is not None else {}).read(text)
    except RouteError:
        raise
    except UsageError as error:
        raise RouteError(str(error), tried=error.tried, hint=error.hint) from error


class _Reader:
    """Collects what the documents of one file say."""

    def __init__(self, source: str, environment: Mapping[str, str]) -> None:
        self._source = source
        self._nodes = NodeReader(source, environment)
        self._found: dict[str, Setting] = {}
        self._balance = SpringBalance()

    def read(self, text: str) -> GatewayFile:
        settings, warnings = read_settings(text, self._source)
        self._nodes.warnings += warnings
        old: dict[str, Setting] = {}
        new: dict[str, Setting] = {}
        for setting in settings:
            sub = setting.plain.removeprefix(_NEW)
            if sub != setting.plain and self._is_gateways(sub, setting):
                new[sub] = setting
            elif (sub := setting.plain.removeprefix(_OLD)) != setting.plain and self._is_gateways(
                sub, setting
            ):
                old[sub] = setting
            elif setting.plain in _OTHER_KEYS:
                self._found[setting.plain] = setting
            elif not self._takes_balance(setting):
                self._nodes.warn(setting.node, f"{setting.key} has no meaning here and is ignored")
        if both := sorted(old.keys() & new.keys()):
            first = old[both[0]]
            names = ", ".join(old[key].key for key in both)
            self._nodes.warn(first.node, f"ignored, as {_NEW}… says it too: {names}")
        self._found |= old | new
        return self._result()

    def _is_gateways(self, sub: str, setting: Setting) -> bool:
        if sub.startswith(("routes[", "defaultfilters[", "routes.", "defaultfilters.")):
            raise self._nodes.error(
                setting.node, f"{setting.key}: routes and filters are written as lists", "- id: name"
            )
        return sub in _GATEWAY_KEYS

    def _takes_balance(self, setting: Setting) -> bool:
        key, node = setting.key, setting.node
        if not key.startswith(BALANCE_PREFIX) or not isinstance(node, ScalarNode):
            return False
        try:
            return self._balance.take(key.removeprefix(BALANCE_PREFIX), self._nodes.text(node))
        except UsageError as error:
            raise self._nodes.error(node, f"{key}: {error}", error.hint) from error

    def _result(self) -> GatewayFile:
        reader = RouteReader(self._nodes)
        defaults = self._found.get("defaultfilters")
        listed = self._found.get("routes")
        filters = reader.parts(defaults.node, "default-filters: ", "filter") if defaults is not None else ()
        check_defaults(filters, self._source)
        routes = reader.routes(listed.node, filters) if listed is not None else ()
        RouteTable(routes)  # a wrong route is an error of the file
        return GatewayFile(
            routes=routes,
            port=self._value("server.port", lambda text, name: whole(text, name, most=65535)),
            name=self._value("spring.application.name", lambda text, name: text),
            connect_timeout_s=self._value("httpclient.connecttimeout", _more_than_nothing),
            response_timeout_s=self._value("httpclient.responsetimeout", _not_negative),
            trusted_proxies=self._value("trustedproxies", _expression),
            forwarded=self._forwarded(),
            compression=self._compression(),
            balancing=self._balance.result(),
            warnings=tuple(self._nodes.warnings),
        )

    def _value(self, key: str, read: Callable[[str, str], _T]) -> _T | None:
        setting = self._found.get(key)
        if setting is None:
            return None
        try:
            return read(self._nodes.text(setting.node), setting.key)
        except (ValueError, UsageError) as error:
            raise self._nodes.error(setting.node, str(error)) from error

    def _forwarded(self) -> ForwardedRules:
        def off(key: str) -> bool:
            return self._value(key, truth) is False

        without = {kind for kind in _KINDS if off("xforwarded.enabled") or off(f"xforwarded.{kind}enabled")}
        if off("forwarded.enabled"):
            without.add("forwarded")
        replacing = {kind for kind in _KINDS if off(f"xforwarded.{kind}append")}
        return ForwardedRules(frozenset(without), frozenset(replacing))

    def _compression(self) -> Compression:
        compression = Compression(enabled=self._value(f"{_COMPRESSION}enabled", truth) or False)
        size = self._value(f"{_COMPRESSION}minresponsesize", _size)
        if size is not None:
            compression = msgspec.structs.replace(compression, min_size=size)
        types = self._found.get(f"{_COMPRESSION}mimetypes")
        if types is not None:
            nodes = self._nodes.items(types.node) if isinstance(types.node, SequenceNode) else [types.node]
            listed = [x.strip() for node in nodes for x in self._nodes.text(node).split(",")]
            compression = msgspec.structs.replace(
                compression, mime_types=tuple(x.lower() for x in listed if x)
            )
        return compression


def _more_than_nothing(text: str, name: str) -> float:
    seconds = duration(text, name)
    if seconds <= 0:
        raise ValueError(f"{name} is more than 0")
    return seconds


def _not_negative(text: str, name: str) -> float:
    return max(0.0, duration(text, name))


def _expression(text: str, name: str) -> str:
    ForwardedPolicy(text)
    return text


def _size(text: str, name: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{name} takes a size such as 2048 or 2KB, not {text[:40]!r}")
    return int(match[1]) * _UNITS[(match[2] or "").upper()]

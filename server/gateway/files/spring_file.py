"""A gateway's configuration as Spring writes it: ``application.yml`` (docs/wire/gateway.md §1).

Understood: routes, default-filters, the timeouts of the HTTP client, trusted proxies and what is
told of them, ``server.port``, ``server.compression``, ``spring.application.name`` and
``spring.cloud.loadbalancer``. All prefixes of the gateway's keys, of which the newest wins.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
from yaml.nodes import ScalarNode

from core.errors import UsageError

from ...spring.configuration import Configuration, load_configuration, parse_configuration
from ...spring.placeholders import UnfilledError
from ...spring.settings import Setting, plain_key
from ..edge import Compression
from ..forwarded import ForwardedPolicy, ForwardedRules
from ..routing.arguments import duration, truth, whole
from ..routing.definition import RouteError
from ..routing.routes import RouteTable
from ..routing.secure_headers import PROPERTIES
from .balance_file import PREFIX as BALANCE_PREFIX
from .balance_file import SpringBalance
from .cors_file import PREFIX as CORS_PREFIX
from .cors_file import GlobalCors
from .gateway_file import GatewayFile
from .locator_file import KEYS as LOCATOR_KEYS
from .locator_file import read_locator
from .spring_nodes import NodeReader
from .spring_routes import RouteReader
from .wishes import WISHES, Wishes

_T = TypeVar("_T")
#: Where the gateway's keys stand, the newest prefix first: of a key behind several it wins.
_PREFIXES = (
    "spring.cloud.gateway.server.webflux.",
    "spring.cloud.gateway.server.webmvc.",
    "spring.cloud.gateway.mvc.",
    "spring.cloud.gateway.",
)
_KINDS = ("for", "host", "port", "proto", "prefix")
_SIZE = re.compile(r"(\d{1,12})\s*(B|KB|MB|GB)?", re.IGNORECASE)
_UNITS = {"": 1, "B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
_EUREKA = "eureka.client.serviceurl.defaultzone"
_COMPRESSION = "server.compression."
_SECURE = "filter.secureheaders."
_SECURE_KEYS = frozenset(
    f"{_SECURE}{plain_key(name)}" for name in (*PROPERTIES, "permissionsPolicy", "enable", "disable")
)
#: Behind any of the prefixes.
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
        _EUREKA,
        f"{_COMPRESSION}enabled",
        f"{_COMPRESSION}mimetypes",
        f"{_COMPRESSION}minresponsesize",
    )
)


def parse_spring_yaml(
    text: str,
    source: str = "application.yml",
    environment: Mapping[str, str] | None = None,
    wishes: Wishes = WISHES,
) -> GatewayFile:
    """Read a Spring configuration, the text of one file.

    Args:
        text: YAML, or properties if ``source`` ends so.
        source: Its name, for messages.
        environment: Fills placeholders and names profiles.
        wishes: How to read it.

    Raises:
        RouteError: names file and line.
    """
    with _as_route_error():
        read = parse_configuration(text, source, environment or {}, wishes.profiles)
        return _Reader(source, read, wishes).result()


def load_spring_files(paths: Sequence[Path], environment: Mapping[str, str], wishes: Wishes) -> GatewayFile:
    """Read Spring's files, those beside them for active profiles included.

    Raises:
        RouteError: names file and line.
    """
    with _as_route_error():
        read = load_configuration(paths, environment, wishes.profiles)
        return _Reader(",".join(map(str, paths)), read, wishes).result()


@contextmanager
def _as_route_error() -> Generator[None]:
    try:
        yield
    except RouteError:
        raise
    except UsageError as error:
        raise RouteError(str(error), tried=error.tried, hint=error.hint) from error


class _Reader:
    """Collects what the configuration says about a gateway."""

    def __init__(self, source: str, read: Configuration, wishes: Wishes) -> None:
        self._source = source
        self._wishes = wishes
        self._nodes = NodeReader(source, read.placeholders)
        self._nodes.warnings += read.warnings
        self._balance = SpringBalance()
        self._cors = GlobalCors(self._nodes)
        self._found: dict[str, Setting] = {}
        behind: dict[str, dict[str, Setting]] = {prefix: {} for prefix in _PREFIXES}
        for setting in read.settings:
            if not self._takes_gateways(setting, behind):
                self._take_other(setting)
        self._join(behind)

    def _takes_gateways(self, setting: Setting, behind: dict[str, dict[str, Setting]]) -> bool:
        for prefix in _PREFIXES:
            sub = setting.plain.removeprefix(prefix)
            if sub == setting.plain:
                continue
            if sub.startswith(CORS_PREFIX):
                return self._cors.take(sub, setting)
            if self._is_gateways(sub, setting):
                behind[prefix][sub] = setting
                return True
        return False

    def _is_gateways(self, sub: str, setting: Setting) -> bool:
        if sub.startswith(("routes.", "defaultfilters.")):
            raise self._nodes.error(
                setting.node, f"{setting.key}: routes and filters are written as lists", "- id: name"
            )
        return sub in _GATEWAY_KEYS or sub in LOCATOR_KEYS or sub in _SECURE_KEYS

    def _take_other(self, setting: Setting) -> None:
        if setting.plain in _OTHER_KEYS:
            self._found[setting.plain] = setting
        elif not self._takes_balance(setting):
            self._nodes.warn(setting.node, f"{setting.key} has no meaning here and is ignored")

    def _join(self, behind: dict[str, dict[str, Setting]]) -> None:
        """Of a key behind several prefixes take the newest one's."""
        for number, prefix in enumerate(_PREFIXES):
            found = behind[prefix]
            for newer in _PREFIXES[:number]:
                both = sorted(found.keys() & behind[newer].keys())
                if both:
                    names = ", ".join(found[key].key for key in both)
                    self._nodes.warn(found[both[0]].node, f"ignored, as {newer}… says it too: {names}")
        for prefix in reversed(_PREFIXES):
            self._found |= behind[prefix]

    def _takes_balance(self, setting: Setting) -> bool:
        key, node = setting.key, setting.node
        if not key.startswith(BALANCE_PREFIX) or not isinstance(node, ScalarNode):
            return False
        try:
            return self._balance.take(key.removeprefix(BALANCE_PREFIX), self._nodes.text(node))
        except UsageError as error:
            raise self._nodes.error(node, f"{key}: {error}", error.hint) from error

    def result(self) -> GatewayFile:
        """All of it."""
        reader = RouteReader(self._nodes, self._wishes)
        reader.secure = {
            key.removeprefix(_SECURE): ",".join(self._nodes.texts(setting.node))
            if key.endswith("able")
            else self._nodes.text(setting.node)
            for key, setting in self._found.items()
            if key in _SECURE_KEYS
        }
        defaults, listed = self._found.get("defaultfilters"), self._found.get("routes")
        if defaults is not None:
            reader.defaults(defaults.node)
        routes = reader.routes(listed.node) if listed is not None else ()
        RouteTable(routes)  # a wrong route is an error of the file
        cors = self._cors.result()
        locator = read_locator(self._found, self._nodes, reader, self._wishes)
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
            cors=cors,
            locator=locator,
            discovery=self._value(_EUREKA, lambda text, name: text.strip()) or None,
            left_out=tuple(reader.left_out),
            warnings=tuple(self._nodes.warnings),
        )

    def _value(self, key: str, read: Callable[[str, str], _T]) -> _T | None:
        setting = self._found.get(key)
        if setting is None:
            return None
        try:
            return read(self._nodes.text(setting.node), setting.key)
        except UnfilledError as error:
            if self._wishes.strict:
                raise
            self._nodes.warnings.append(f"{error}: {setting.key} is ignored ({error.hint})")
            return None
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
            compression = msgspec.structs.replace(
                compression, mime_types=tuple(x.lower() for x in self._nodes.texts(types.node))
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

"""CORS as Spring's files say it: ``globalcors``, and ``cors`` in the metadata of a route."""

from __future__ import annotations

import re
from collections.abc import Mapping

from yaml.nodes import Node, ScalarNode

from ...spring.settings import Setting, plain_key
from ..routing.arguments import duration, truth
from ..routing.cors import ANY, CorsRule, CorsSettings
from ..routing.paths import PathPattern
from .spring_nodes import NodeReader

#: Behind the gateway's prefix.
PREFIX = "globalcors."
_CONFIGURATIONS = f"{PREFIX}corsconfigurations."
_UNROUTED = f"{PREFIX}addtosimpleurlhandlermapping"
_KEY = re.compile(r"cors-?_?configurations\.(\[[^\]]*\]|.*)\.([^.\[\]]+)$", re.IGNORECASE)
_FIELDS = (
    "allowedorigins",
    "allowedoriginpatterns",
    "allowedmethods",
    "allowedheaders",
    "exposedheaders",
    "allowcredentials",
    "allowcredential",
    "maxage",
)


class GlobalCors:
    """Collects the ``globalcors`` keys of a configuration."""

    def __init__(self, nodes: NodeReader) -> None:
        self._nodes = nodes
        self._rules: dict[str, dict[str, Node]] = {}
        self._unrouted = False

    def take(self, sub: str, setting: Setting) -> bool:
        """Take a setting in; False if it means nothing here.

        Args:
            sub: Its key behind the gateway's prefix.
            setting: What is set.
        """
        if sub == _UNROUTED:
            self._unrouted = _truth(self._nodes, setting.node, setting.key)
            return True
        match = _KEY.search(setting.key) if sub.startswith(_CONFIGURATIONS) else None
        if match is None or plain_key(match[2]) not in _FIELDS:
            return False
        pattern = match[1]
        if not pattern.startswith("["):
            self._nodes.warn(
                setting.node,
                f"{setting.key} is not read, as Spring does not: write the path as '[{pattern}]'",
            )
            return True
        self._rules.setdefault(pattern[1:-1], {})[plain_key(match[2])] = setting.node
        return True

    def result(self) -> CorsSettings:
        """What the keys come to.

        Raises:
            RouteError: a value makes no sense.
        """
        rules: list[tuple[str, CorsRule]] = []
        for pattern, fields in self._rules.items():
            first = next(iter(fields.values()))
            try:
                PathPattern(pattern)
            except ValueError as error:
                raise self._nodes.error(first, f"globalcors: {error}") from error
            rules.append((pattern, cors_rule(self._nodes, fields, f"globalcors [{pattern}]")))
        return CorsSettings(rules=tuple(rules), unrouted=self._unrouted)


def route_rule(nodes: NodeReader, node: Node, where: str) -> CorsRule:
    """The rule in a route's metadata.

    Raises:
        RouteError: a value makes no sense.
    """
    fields: dict[str, Node] = {}
    for name, value in nodes.pairs(node, f"{where}cors").items():
        if plain_key(name) in _FIELDS:
            fields[plain_key(name)] = value
        else:
            nodes.warn(value, f"{where}cors: {name} has no meaning here and is ignored")
    return cors_rule(nodes, fields, f"{where}cors")


def cors_rule(nodes: NodeReader, fields: Mapping[str, Node], where: str) -> CorsRule:
    """The rule that these fields, by plain key, come to."""

    def listed(name: str) -> tuple[str, ...]:
        return nodes.texts(fields[name]) if name in fields else ()

    credentials = fields.get("allowcredentials", fields.get("allowcredential"))
    may = _truth(nodes, credentials, "allowCredentials") if credentials is not None else False
    origins, patterns = listed("allowedorigins"), listed("allowedoriginpatterns")
    if may and ANY in origins:
        nodes.warn(
            fields["allowedorigins"],
            f"{where}: Spring since 5.3 answers 500 to allowedOrigins '*' with allowCredentials; "
            f"it is taken as allowedOriginPatterns '*', as before",
        )
        origins, patterns = (), (*patterns, ANY)
    methods = tuple(method.upper() for method in listed("allowedmethods"))
    return CorsRule(
        origins=origins,
        origin_patterns=patterns,
        methods=methods or CorsRule().methods,
        headers=listed("allowedheaders"),
        exposed=listed("exposedheaders"),
        credentials=may,
        max_age=_seconds(nodes, fields["maxage"]) if "maxage" in fields else None,
    )


def _truth(nodes: NodeReader, node: Node, name: str) -> bool:
    try:
        return truth(nodes.text(node), name)
    except ValueError as error:
        raise nodes.error(node, str(error)) from error


def _seconds(nodes: NodeReader, node: Node) -> int:
    text = nodes.text(node).strip() if isinstance(node, ScalarNode) else ""
    try:
        return int(text) if re.fullmatch(r"-?\d{1,10}", text) else int(duration(text, "maxAge"))
    except ValueError as error:
        raise nodes.error(node, str(error)) from error

"""``discovery.locator`` as Spring's files say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...spring.settings import Setting
from ..routing.arguments import truth
from ..routing.filters import knows_filter
from ..routing.locator import LocatorSettings
from ..routing.predicates import knows_predicate
from .spring_nodes import NodeReader
from .spring_routes import RouteReader
from .wishes import Wishes

#: Behind the gateway's prefix.
PREFIX = "discovery.locator."
KEYS = frozenset(
    f"{PREFIX}{key}"
    for key in (
        "enabled",
        "lowercaseserviceid",
        "includeexpression",
        "urlexpression",
        "routeidprefix",
        "predicates",
        "filters",
    )
)


_TEXTS = {"includeexpression": "include", "urlexpression": "url", "routeidprefix": "id_prefix"}


def read_locator(
    found: Mapping[str, Setting], nodes: NodeReader, reader: RouteReader, wishes: Wishes
) -> LocatorSettings | None:
    """What the settings, by key behind the gateway's prefix, come to; None if no services are located.

    Raises:
        RouteError: a value makes no sense.
    """
    if not _holds(found, nodes, "enabled") or reader.closing:
        return None
    given: dict[str, Any] = {
        "lower_case": _holds(found, nodes, "lowercaseserviceid"),
        "source": nodes.source,
        "defaults": reader.default_parts,
    }
    for key, name in _TEXTS.items():
        if (setting := found.get(f"{PREFIX}{key}")) is not None:
            given[name] = nodes.text(setting.node) + ("_" if name == "id_prefix" else "")
    for key, knows in (("predicates", knows_predicate), ("filters", knows_filter)):
        if (setting := found.get(f"{PREFIX}{key}")) is None:
            continue
        what = key.removesuffix("s")
        parts = reader.kept(reader.parts(setting.node, f"{setting.key}: ", what), "discovery.locator", "")
        unknown = next((part for part in parts if not knows(part.name)), None)
        if unknown is not None:
            message = f"discovery.locator: {what} {unknown.name!r} is not known here"
            if wishes.strict:
                raise nodes.error(setting.node, message)
            nodes.warn(setting.node, f"{message}: no service has a route by it")
            return None
        given[key] = parts
    return LocatorSettings(**given)


def _holds(found: Mapping[str, Setting], nodes: NodeReader, key: str) -> bool:
    setting = found.get(f"{PREFIX}{key}")
    if setting is None:
        return False
    try:
        return truth(nodes.text(setting.node), setting.key)
    except ValueError as error:
        raise nodes.error(setting.node, str(error)) from error

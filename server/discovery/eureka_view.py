"""A client's copy of Eureka's registry: the whole of it, then deltas, checked by the hash (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from .eureka import EurekaError, hash_code, mapping, read_instance, text
from .registry import Registered


class EurekaView:
    """The registry as last fetched."""

    def __init__(self) -> None:
        self._statuses: dict[tuple[str, str], str] = {}
        self._items: dict[tuple[str, str], Registered] = {}

    def replace(self, applications: Any) -> None:
        """Take the whole registry (the value of ``applications``)."""
        self._statuses, self._items = {}, {}
        for info in _instances(applications):
            self._take(info)

    def merge(self, applications: Any) -> bool:
        """Take a delta; False when the hash then differs, and the whole registry is needed."""
        for info in _instances(applications):
            if text(info.get("actionType")) == "DELETED":
                self._statuses.pop(_key(info), None)
                self._items.pop(_key(info), None)
            else:
                self._take(info)
        return hash_code(self._statuses.values()) == text(mapping(applications).get("apps__hashcode"))

    def listing(self) -> tuple[Registered, ...]:
        """Everybody that one could connect to, by service and id: Eureka keeps no order."""
        return tuple(self._items[key] for key in sorted(self._items))

    def _take(self, info: dict[str, Any]) -> None:
        # Also one that we cannot read counts in the hash.
        key = _key(info)
        self._statuses[key] = text(info.get("status"))
        try:
            self._items[key] = read_instance(info)
        except EurekaError:
            self._items.pop(key, None)


def _instances(applications: Any) -> Iterator[dict[str, Any]]:
    # Old servers write a list of one as the one.
    for application in _several(mapping(applications).get("application")):
        for info in _several(application.get("instance")):
            yield {"app": application.get("name"), **info}


def _several(value: Any) -> Iterator[dict[str, Any]]:
    for item in cast("list[Any]", value) if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            yield cast("dict[str, Any]", item)


def _key(info: dict[str, Any]) -> tuple[str, str]:
    return text(info.get("app")).upper(), text(info.get("instanceId")) or text(info.get("hostName"))

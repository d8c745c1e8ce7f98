"""What a predicate looks at, each kind a value (docs/wire/gateway.md §2, pure but for the clock it is given).

``rank`` says how costly it is: a route asks the cheap ones first. All must hold and none changes
anything, so their order is nobody's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import ClassVar
from urllib.parse import unquote_plus

from .hosts import HostPattern
from .paths import PathPattern
from .request import RouteRequest

Network = IPv4Network | IPv6Network

#: Longer values are no match: the expression is somebody's, the value anybody's.
LONGEST_VALUE = 8 * 1024


@dataclass(frozen=True, slots=True)
class Method:
    """One of these methods."""

    rank: ClassVar[int] = 0
    methods: frozenset[str]

    def holds(self, request: RouteRequest) -> bool:
        """Whether it is one of them."""
        return request.method in self.methods


@dataclass(frozen=True, slots=True)
class Path:
    """One of these patterns takes the raw path."""

    rank: ClassVar[int] = 2
    patterns: tuple[PathPattern, ...]

    def holds(self, request: RouteRequest) -> bool:
        """Whether one does."""
        path = request.path
        for pattern in self.patterns:  # noqa: SIM110 - asked of each route for each request
            if pattern.takes(path):
                return True
        return False

    def captured(self, request: RouteRequest) -> dict[str, str]:
        """The variables of the first pattern that matches."""
        found = (pattern.match(request.path) for pattern in self.patterns)
        return next((variables for variables in found if variables is not None), None) or {}


@dataclass(frozen=True, slots=True)
class Host:
    """One of these patterns takes the Host header, port and all."""

    rank: ClassVar[int] = 3
    patterns: tuple[HostPattern, ...]

    def holds(self, request: RouteRequest) -> bool:
        """Whether there is one, and one does."""
        return self._match(request) is not None

    def captured(self, request: RouteRequest) -> dict[str, str]:
        """The variables of the first pattern that matches."""
        return self._match(request) or {}

    def _match(self, request: RouteRequest) -> dict[str, str] | None:
        hosts = request.values(b"host")
        if not hosts:
            return None
        host = hosts[0].decode("latin-1")
        found = (pattern.match(host) for pattern in self.patterns)
        return next((variables for variables in found if variables is not None), None)


@dataclass(frozen=True, slots=True)
class Header:
    """The header is there, and one of its values matches the expression if there is one."""

    rank: ClassVar[int] = 4
    name: str
    regex: re.Pattern[str] | None = None

    def holds(self, request: RouteRequest) -> bool:
        """Whether it is."""
        values = request.values(self.name.encode())
        if self.regex is None:
            return bool(values)
        return any(_matches(self.regex, value.decode("latin-1")) for value in values)


@dataclass(frozen=True, slots=True)
class Query:
    """The parameter is there, and one of its values matches the expression if there is one.

    Names and values are decoded; ``?flag`` without ``=`` is there but has no value.
    """

    rank: ClassVar[int] = 5
    name: str
    regex: re.Pattern[str] | None = None

    def holds(self, request: RouteRequest) -> bool:
        """Whether it is."""
        for piece in request.query.decode("latin-1").split("&"):
            name, equals, value = piece.partition("=")
            # Undecoded bytes are UTF-8, as decoded ones: "ü" and "%C3%BC" are the same.
            if not piece or _decoded(name) != self.name:
                continue
            if self.regex is None or (equals and _matches(self.regex, _decoded(value))):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie of that name has a value that matches."""

    rank: ClassVar[int] = 5
    name: str
    regex: re.Pattern[str]

    def holds(self, request: RouteRequest) -> bool:
        """Whether there is one."""
        for line in request.values(b"cookie"):
            for pair in line.decode("latin-1").split(";"):
                name, equals, value = pair.strip().partition("=")
                if equals and name == self.name and _matches(self.regex, _unquoted(value)):
                    return True
        return False


@dataclass(frozen=True, slots=True)
class RemoteAddr:
    """The peer's address is in one of these networks."""

    rank: ClassVar[int] = 4
    networks: tuple[Network, ...]

    def holds(self, request: RouteRequest) -> bool:
        """Whether it is."""
        return _in_one(request.client, self.networks)


@dataclass(frozen=True, slots=True)
class XForwardedRemoteAddr:
    """The address that X-Forwarded-For tells is in one of these networks; else the peer's.

    ``trusted`` is Spring's ``maxTrustedIndex``: which entry counts, from the end. Only a proxy in
    front that always writes the header makes this worth anything.
    """

    rank: ClassVar[int] = 5
    networks: tuple[Network, ...]
    trusted: int = 1

    def holds(self, request: RouteRequest) -> bool:
        """Whether it is."""
        lines = request.values(b"x-forwarded-for")
        if len(lines) != 1 or not lines[0].strip():  # Spring, too, believes none of several
            return _in_one(request.client, self.networks)
        told = [x.strip() for x in lines[0].decode("latin-1").split(",")]
        return _in_one(told[max(0, len(told) - self.trusted)], self.networks)


@dataclass(frozen=True, slots=True)
class Time:
    """After, Before and Between: now is after ``after`` and before ``before`` (epoch seconds)."""

    rank: ClassVar[int] = 1
    clock: Callable[[], float] = field(repr=False, compare=False)
    after: float = float("-inf")
    before: float = float("inf")

    def holds(self, request: RouteRequest) -> bool:
        """Whether it is."""
        return self.after < self.clock() < self.before


Condition = Method | Path | Host | Header | Query | Cookie | RemoteAddr | XForwardedRemoteAddr | Time


def _matches(regex: re.Pattern[str], value: str) -> bool:
    return len(value) <= LONGEST_VALUE and regex.fullmatch(value) is not None


def _decoded(text: str) -> str:
    return unquote_plus(text.encode("latin-1").decode("utf-8", "replace"))


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def _in_one(address: str, networks: tuple[Network, ...]) -> bool:
    parsed = _address(address) if len(address) < 64 else None
    return parsed is not None and any(parsed in network for network in networks)


@lru_cache(maxsize=1024)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address; an IPv4 one in IPv6's clothes is IPv4."""
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return parsed.ipv4_mapped or parsed if isinstance(parsed, IPv6Address) else parsed

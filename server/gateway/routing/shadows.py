"""Which conditions hold whenever others do: how a route that is never reached is found (pure).

Cautious throughout: what is not certain is not said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from .conditions import (
    Condition,
    Cookie,
    Header,
    Host,
    Method,
    Network,
    Path,
    Query,
    RemoteAddr,
    Time,
    XForwardedRemoteAddr,
)


def takes_all_of(earlier: Sequence[Condition], later: Sequence[Condition]) -> bool:
    """Whether a request that fulfils all of ``later`` certainly fulfils all of ``earlier``."""
    return all(_always(one) or any(_covers(one, other) for other in later) for one in earlier)


def _always(condition: Condition) -> bool:
    """Whether it holds for every request, now and later."""
    match condition:
        case Path():
            return any(pattern.takes_all for pattern in condition.patterns)
        case Time():
            return condition.after < condition.clock() and condition.before == float("inf")
        case _:
            return False


def _covers(one: Condition, other: Condition) -> bool:
    """Whether ``one`` certainly holds whenever ``other`` does."""
    match one:
        case Method():
            return isinstance(other, Method) and one.methods >= other.methods
        case Path():
            return isinstance(other, Path) and all(
                any(x.covers(y) for x in one.patterns) for y in other.patterns
            )
        case Host():
            return isinstance(other, Host) and all(
                any(x.covers(y) for x in one.patterns) for y in other.patterns
            )
        case Time():
            return isinstance(other, Time) and one.after <= other.after and other.before <= one.before
        case RemoteAddr():
            return isinstance(other, RemoteAddr) and all(
                any(_within(inner, outer) for outer in one.networks) for inner in other.networks
            )
        case XForwardedRemoteAddr():
            return one == other
        case Header() | Query() | Cookie():
            return type(one) is type(other) and _value_covers(one, other)


def _value_covers(one: Header | Query | Cookie, other: Condition) -> bool:
    assert isinstance(other, Header | Query | Cookie)
    return one.name == other.name and (one.regex is None or _same(one.regex, other.regex))


def _same(one: re.Pattern[str], other: re.Pattern[str] | None) -> bool:
    return other is not None and one.pattern == other.pattern


def _within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)

"""Predicates as they are written, made into conditions (docs/wire/gateway.md §2)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_network

from ..heads import TOKEN
from .arguments import Arguments, Shape, truth, whole
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
from .definition import Part
from .hosts import HostPattern
from .java_regex import can_explode, compile_java
from .paths import PathPattern, expressions_in

Clock = Callable[[], float]

_METHOD = re.compile(r"[A-Z][A-Z-]*")
_ZONED = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)(\.\d{1,9})?(Z|[+-]\d\d:\d\d(?::\d\d)?)(?:\[.+\])?"
)
_ELSEWHERE = frozenset(("CloudFoundryRouteService", "ReadBody", "ReadBodyPredicateFactory", "Version"))


@dataclass(frozen=True, slots=True)
class Weight:
    """A route's share among those of its group; not a condition, as it depends on the others."""

    group: str
    weight: int


def build_predicate(part: Part, clock: Clock = time.time) -> Condition | Weight:
    """The condition that ``part`` means.

    Raises:
        ValueError: it is not known, or its arguments make no sense; the text names the predicate.
    """
    found = _PREDICATES.get(part.name)
    if found is None:
        known = ", ".join(sorted(_PREDICATES))
        if part.name in _ELSEWHERE:
            raise ValueError(f"predicate {part.name!r} is Spring's, but not offered here; known: {known}")
        raise ValueError(f"predicate {part.name!r} is not known here; known: {known}")
    shape, build = found
    try:
        return build(Arguments(part, shape), clock)
    except ValueError as error:
        raise ValueError(f"{part.name}: {error}") from error


def knows_predicate(name: str) -> bool:
    """Whether there is a predicate of this name."""
    return name in _PREDICATES


def explosive(part: Part) -> str:
    """The argument with an expression that may take exponential time, or ""."""
    if part.name not in ("Header", "Query", "Cookie", "RewritePath", "Path"):
        return ""
    values = [*part.arguments, *part.named.values()]
    if part.name == "Path":
        values = [x for value in values for x in expressions_in(value)]
    for value in values:
        try:
            if can_explode(value):
                return value
        except ValueError:
            continue  # it is no expression: a name, a replacement
    return ""


def _path(found: Arguments, clock: Clock) -> Path:
    patterns = found.many("patterns")
    slash = found.optional("matchTrailingSlash")
    # In the shortcut form the flag is the last token (docs/wire/gateway.md §1).
    if slash is None and len(patterns) > 1 and patterns[-1].lower() in ("true", "false"):
        *patterns, slash = patterns
    if not patterns:
        raise ValueError("needs a pattern, such as Path=/name/**")
    optional = truth(slash, "matchTrailingSlash") if slash is not None else True
    return Path(tuple(PathPattern(pattern, optional) for pattern in patterns))


def _host(found: Arguments, clock: Clock) -> Host:
    patterns = found.many("patterns")
    if not patterns:
        raise ValueError("needs a pattern, such as Host=**.example.org")
    return Host(tuple(HostPattern(pattern) for pattern in patterns))


def _method(found: Arguments, clock: Clock) -> Method:
    methods = found.many("methods")
    wrong = next((x for x in methods if not _METHOD.fullmatch(x)), None)
    if wrong is not None or not methods:
        raise ValueError(f"takes methods in upper case, such as GET,POST; not {wrong or 'none'}")
    return Method(frozenset(methods))


def _header(found: Arguments, clock: Clock) -> Header:
    name = found.one("header")
    if not TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a header")
    return Header(name.lower(), _regex(found.optional("regexp")))


def _query(found: Arguments, clock: Clock) -> Query:
    return Query(found.one("param"), _regex(found.optional("regexp")))


def _cookie(found: Arguments, clock: Clock) -> Cookie:
    name, regex = found.one("name"), _regex(found.one("regexp"))
    assert regex is not None
    return Cookie(name, regex)


def _regex(text: str | None) -> re.Pattern[str] | None:
    return compile_java(text) if text else None


def _remote(found: Arguments, clock: Clock) -> RemoteAddr:
    return RemoteAddr(_networks(found))


def _forwarded(found: Arguments, clock: Clock) -> XForwardedRemoteAddr:
    return XForwardedRemoteAddr(_networks(found), found.number("maxTrustedIndex", 1, least=1, most=100))


def _networks(found: Arguments) -> tuple[Network, ...]:
    sources = found.many("sources")
    if not sources:
        raise ValueError("needs an address or a network, such as 192.168.1.1/24")
    networks: list[Network] = []
    for source in sources:
        try:
            networks.append(ip_network(source, strict=False))
        except ValueError as error:
            raise ValueError(f"{source!r} is no address and no network (CIDR)") from error
    return tuple(networks)


def _weight(found: Arguments, clock: Clock) -> Weight:
    return Weight(found.one("group"), whole(found.one("weight"), "weight"))


def _after(found: Arguments, clock: Clock) -> Time:
    return Time(clock, after=_instant(found.one("datetime")))


def _before(found: Arguments, clock: Clock) -> Time:
    return Time(clock, before=_instant(found.one("datetime")))


def _between(found: Arguments, clock: Clock) -> Time:
    after, before = _instant(found.one("datetime1")), _instant(found.one("datetime2"))
    if after >= before:
        raise ValueError("the first time is before the second")
    return Time(clock, after, before)


def _instant(text: str) -> float:
    """Epoch seconds of ``2017-01-20T17:42:47.789-07:00[America/Denver]``, or of epoch milliseconds.

    The name of the zone is for people: the offset says it all.
    """
    if re.fullmatch(r"-?\d{1,15}", text):
        return int(text) / 1000
    match = _ZONED.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is no time: 2017-01-20T17:42:47.789-07:00[America/Denver], or milliseconds since 1970"
        )
    try:
        moment = datetime.fromisoformat(match[1] + ("+00:00" if match[3] == "Z" else match[3]))
        return moment.timestamp() + float(match[2] or 0)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is no time: {error}") from error


_Builder = Callable[[Arguments, Clock], Condition | Weight]

_PREDICATES: Mapping[str, tuple[Shape, _Builder]] = {
    "After": (Shape(("datetime",)), _after),
    "Before": (Shape(("datetime",)), _before),
    "Between": (Shape(("datetime1", "datetime2")), _between),
    "Cookie": (Shape(("name", "regexp")), _cookie),
    "Header": (Shape(("header", "regexp")), _header),
    "Host": (Shape(rest="patterns", aliases={"pattern": "patterns"}), _host),
    "Method": (Shape(rest="methods", aliases={"method": "methods"}), _method),
    "Path": (
        Shape(rest="patterns", long_only=("matchTrailingSlash",), aliases={"pattern": "patterns"}),
        _path,
    ),
    "Query": (Shape(("param", "regexp")), _query),
    "RemoteAddr": (Shape(rest="sources", aliases={"source": "sources"}), _remote),
    # Spring's long form has the prefix only, its documentation both.
    "Weight": (
        Shape(("group", "weight"), aliases={"weight.group": "group", "weight.weight": "weight"}),
        _weight,
    ),
    "XForwardedRemoteAddr": (
        Shape(rest="sources", long_only=("maxTrustedIndex",), aliases={"source": "sources"}),
        _forwarded,
    ),
}

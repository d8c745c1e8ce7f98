"""Filters that change headers, of requests for upstream and of its answers (docs/wire/gateway.md §3, pure).

Names are in lower case. What belongs to one connection, or says how long a message is, is not
theirs to change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..heads import HOP_BY_HOP, TOKEN, Header
from .path_filters import replace_all
from .templates import Template, Variables

HeaderFilter = Callable[[list[Header], Variables], list[Header]]

_ESSENTIAL = frozenset(
    (b"content-length", b"sec-websocket-accept", b"sec-websocket-key", b"sec-websocket-version")
)
_NOT_SET = HOP_BY_HOP | _ESSENTIAL | {b"host"}
_STRATEGIES = ("RETAIN_FIRST", "RETAIN_LAST", "RETAIN_UNIQUE")


def add_header(name: str, value: str) -> tuple[HeaderFilter, frozenset[str]]:
    """Add*Header: one more value; and the variables that it needs.

    Raises:
        ValueError: the name or the value is none.
    """
    key, template = _name(name, _NOT_SET), _value(value)

    def apply(headers: list[Header], variables: Variables) -> list[Header]:
        return [*headers, (key, template.fill_bytes(variables))]

    return apply, template.names


def set_header(name: str, value: str) -> tuple[HeaderFilter, frozenset[str]]:
    """Set*Header: this value instead of all others; and the variables that it needs.

    Raises:
        ValueError: the name or the value is none.
    """
    key, template = _name(name, _NOT_SET), _value(value)

    def apply(headers: list[Header], variables: Variables) -> list[Header]:
        kept = [item for item in headers if item[0] != key]
        return [*kept, (key, template.fill_bytes(variables))]

    return apply, template.names


def remove_header(name: str) -> HeaderFilter:
    """Remove*Header.

    Raises:
        ValueError: the name is none.
    """
    key = _name(name, _ESSENTIAL)

    def apply(headers: list[Header], variables: Variables) -> list[Header]:
        return [item for item in headers if item[0] != key]

    return apply


def add_if_absent(pairs: Sequence[str]) -> tuple[HeaderFilter, frozenset[str]]:
    """AddRequestHeadersIfNotPresent: ``name:value`` each, for headers that are not there or blank.

    Raises:
        ValueError: a pair is none, or its name or value.
    """
    wanted: dict[bytes, list[Template]] = {}
    for pair in pairs:
        name, colon, value = pair.partition(":")
        if not colon:
            raise ValueError(f"takes name:value, not {pair[:40]!r}")
        wanted.setdefault(_name(name.strip(), _NOT_SET), []).append(_value(value.strip()))
    if not wanted:
        raise ValueError("needs name:value")

    def apply(headers: list[Header], variables: Variables) -> list[Header]:
        there = {key for key, value in headers if value.strip()}
        for key, templates in wanted.items():
            if key not in there:
                headers = [*headers, *((key, each.fill_bytes(variables)) for each in templates)]
        return headers

    return apply, frozenset(name for each in wanted.values() for template in each for name in template.names)


def map_header(source: str, to: str) -> HeaderFilter:
    """MapRequestHeader: the values of one header under another name too.

    Raises:
        ValueError: a name is none.
    """
    key, other = _name(source, frozenset()), _name(to, _NOT_SET)

    def apply(headers: list[Header], variables: Variables) -> list[Header]:
        return [*headers, *((other, value) for name, value in headers if name == key)]

    return apply


def rewrite_header(name: str, regex: str, replacement: str) -> HeaderFilter:
    """RewriteResponseHeader: Java's ``replaceAll`` on every value of a header.

    Raises:
        ValueError: the name, the regular expression or the replacement is none.
    """
    key, replace = _name(name, _NOT_SET), replace_all(regex, replacement)
    if any(not 32 <= ord(sign) < 127 for sign in replacement):
        raise ValueError(f"{replacement!r} is no value of a header: visible ASCII only")

    def apply(headers: list[Header], variables: Variables) -> list[Header]:
        return [
            (other, replace(value.decode("latin-1")).encode("latin-1") if other == key else value)
            for other, value in headers
        ]

    return apply


def dedupe_headers(names: str, strategy: str) -> HeaderFilter:
    """DedupeResponseHeader: of several values of each of these headers keep the first, the last,
    or each once.

    Raises:
        ValueError: a name or the strategy is none.
    """
    keys = [_name(name, frozenset()) for name in names.split()]
    if not keys:
        raise ValueError("needs names of headers, separated by spaces")
    if strategy not in _STRATEGIES:
        raise ValueError(f"strategy {strategy!r} is not known; known: {', '.join(_STRATEGIES)}")

    def apply(headers: list[Header], variables: Variables) -> list[Header]:
        for key in keys:
            headers = _dedupe(headers, key, strategy)
        return headers

    return apply


def _dedupe(headers: list[Header], key: bytes, strategy: str) -> list[Header]:
    places = [place for place, item in enumerate(headers) if item[0] == key]
    if len(places) < 2:
        return headers
    if strategy == "RETAIN_UNIQUE":
        first_of = {headers[place][1]: place for place in reversed(places)}
        kept = set(first_of.values())
    else:
        kept = {places[0] if strategy == "RETAIN_FIRST" else places[-1]}
    return [item for place, item in enumerate(headers) if item[0] != key or place in kept]


def _name(name: str, forbidden: frozenset[bytes]) -> bytes:
    if not TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a header")
    key = name.lower().encode()
    if key in forbidden:
        raise ValueError(f"{name} belongs to the connection, no filter can change it")
    return key


def _value(text: str) -> Template:
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in text):
        raise ValueError(f"{text!r} is no value of a header: no control characters")
    return Template(text)

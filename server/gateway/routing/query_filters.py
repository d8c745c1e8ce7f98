"""Filters that change the query: AddRequestParameter and RemoveRequestParameter.

See docs/wire/gateway.md §3. Pure. They work on the raw, still encoded query.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote, quote_from_bytes, unquote_plus

from .templates import Template, Variables

QueryFilter = Callable[[bytes, Variables], bytes]

#: RFC 3986 §3.4; a percent sign stays, as what is encoded already stays.
_SAFE = "!$&'()*+,;=:@/?-._~%"


def add_parameter(name: str, value: str) -> tuple[QueryFilter, frozenset[str]]:
    """AddRequestParameter: one more parameter at the end; and the variables that it needs.

    Raises:
        ValueError: a brace in the value belongs to no variable.
    """
    key, template = quote(name, safe=_SAFE).encode(), Template(value)

    def apply(query: bytes, variables: Variables) -> bytes:
        added = key + b"=" + quote_from_bytes(template.fill_bytes(variables), safe=_SAFE).encode()
        between = b"&" if query and not query.endswith(b"&") else b""
        return query + between + added

    return apply, template.names


def remove_parameter(name: str) -> QueryFilter:
    """RemoveRequestParameter: every parameter of that name, however it is encoded."""

    def apply(query: bytes, variables: Variables) -> bytes:
        kept = (
            each
            for each in query.split(b"&")
            if unquote_plus(each.partition(b"=")[0].decode("latin-1")) != name
        )
        return b"&".join(kept)

    return apply

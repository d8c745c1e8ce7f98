"""CORS headers, preflights, the JSESSIONID cookie, and which pages may come (docs/wire/sockjs.md §7, §9)."""

from __future__ import annotations

import re
from typing import Final

from ..access.origins import FOREIGN_SITES, Origins
from .answers import Answer, Scope, cached_for_a_year, failed
from .dialect import Dialect, Header
from .paths import METHODS, Kind

_COOKIE: Final = re.compile(rb"(?:^|;)\s*JSESSIONID=([^;,\s]{1,256})")
_DUMMY: Final = b"dummy"


def find(scope: Scope, name: bytes) -> bytes:
    """A request header's first value, or b""."""
    return next((value for key, value in scope["headers"] if key == name), b"")


def refusal(scope: Scope, origins: Origins) -> Answer | None:
    """The answer to a request of a page that may not talk to us; None if it may.

    A script element (JSONP) or a frame (htmlfile) of a foreign page sends no ``Origin``, but says
    that it comes from another site.
    """
    if origins.anywhere:
        return None
    if not find(scope, b"origin") and find(scope, b"sec-fetch-site") in FOREIGN_SITES:
        return failed(403, b"without CORS, pages of another site may not connect (--allow-origin '*')\n")
    reason = origins.refuse(scope["headers"], scope.get("scheme", "http"))
    return failed(403, f"{reason}\n".encode()) if reason else None


def cors_headers(scope: Scope, dialect: Dialect) -> tuple[Header, ...]:
    """Headers by which a browser lets the page read an answer."""
    origin = find(scope, b"origin")
    if not origin:
        if not dialect.cors_without_origin:
            return ()
        return ((b"access-control-allow-origin", b"*"), (b"vary", b"Origin"))
    headers: tuple[Header, ...] = (
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"Origin"),
    )
    asked = find(scope, b"access-control-request-headers")
    return (*headers, (b"access-control-allow-headers", asked)) if asked else headers


def preflight(kind: Kind) -> Answer:
    """The answer to OPTIONS, without the CORS headers proper; needs no session and creates none."""
    methods = ", ".join(reversed(METHODS[kind])).encode()
    allow = (b"access-control-allow-methods", methods)
    return Answer(204, b"", (*cached_for_a_year(), (b"access-control-max-age", b"31536000"), allow))


def session_cookie(scope: Scope) -> Header:
    """Sets the cookie by which load balancers know the client: its own value, or a dummy."""
    for name, value in scope["headers"]:
        if name == b"cookie" and (match := _COOKIE.search(value)):
            return (b"set-cookie", b"JSESSIONID=%b; path=/" % match[1])
    return (b"set-cookie", b"JSESSIONID=%b; path=/" % _DUMMY)

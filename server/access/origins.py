"""Which web pages may connect: our own, those of a gateway we are behind, and those allowed.

Requests without Origin do not come from pages. (Spring: same origin only unless told otherwise,
docs/wire/spring-relay.md §9.3.)
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from core.errors import UsageError

from .rule import is_loopback

logger = logging.getLogger("pushscope.server")

Headers = Sequence[tuple[bytes, bytes]]

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
#: What browsers say of requests that another site's page makes; of some they send no Origin.
FOREIGN_SITES: Final = (b"cross-site", b"same-site")
#: An origin, or a pattern of origins: scheme, host, and a port or a list of ports.
_WRITTEN: Final = re.compile(
    r"[a-z*][a-z0-9+.*-]*://(\[[0-9a-f:.]+\]|[^\s/@?#,:\[\]]+)(:([0-9*]+|\[(\*|\d+(,\d+)*)\]))?"
)
_LONGEST_SHOWN: Final = 100
#: Refused origins that are remembered, so that each is told once.
_MOST_TOLD: Final = 64


def _nothing(origin: str) -> None:
    """Nobody counts."""


class Origins:
    """The rule of one instance.

    Args:
        allowed: Origins as ``https://host:port``, compared without case, closing slash and a port that
            goes without saying, or patterns of them, as Spring's ``setAllowedOriginPatterns`` has them:
            ``*`` in a name is anything (``https://*.example.org``), ``:[8080,8081]`` behind it one of
            these ports, ``:[*]`` any port or none, and so is ``:*``; ``null`` is a page without an
            origin (of a file, or in a sandbox); ``*`` alone allows all.
        on_refused: Called with each origin that is refused.

    Raises:
        UsageError: One of ``allowed`` is no origin, so that it would never be one.
    """

    def __init__(self, allowed: Sequence[str] = (), on_refused: Callable[[str], None] = _nothing) -> None:
        self._all = "*" in allowed
        self._allowed = frozenset(_normal(_checked(origin)) for origin in allowed)
        self._patterns = tuple(_pattern(_normal(each)) for each in allowed if "*" in each or "[" in each)
        self._on_refused = on_refused
        self._told: set[str] = set()
        #: (host, port) of gateways that lead here; replaced when discovery says so.
        self.gateways: frozenset[tuple[str, int]] = frozenset()

    @property
    def anywhere(self) -> bool:
        """Whether all pages may connect."""
        return self._all

    @property
    def listed(self) -> bool:
        """Whether particular origins were allowed."""
        return bool(self._allowed)

    def lists(self, origin: str) -> bool:
        """Whether an origin is one of the allowed, by its name or by a pattern."""
        origin = _normal(origin)
        return origin in self._allowed or any(each.fullmatch(origin) for each in self._patterns)

    def refuse(self, headers: Headers, scheme: str) -> str:
        """Why a handshake with these headers (names in lower case) is refused, or "" if it is not.

        The first time it is logged too: a browser does not show a page's author what we answer.
        """
        origin = _find(headers, b"origin")
        if origin is None or self._allows(origin, headers, scheme):
            return ""
        shown = "".join(sign if sign.isprintable() else "?" for sign in origin[:_LONGEST_SHOWN])
        reason = f"pages of {shown} may not connect (allowed_origins, --allow-origin {shown})"
        self._on_refused(origin)
        if shown not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(shown)
            logger.warning("%s", reason)
        return reason

    def _allows(self, origin: str, headers: Headers, scheme: str) -> bool:
        if self._all or self.lists(origin):
            return True
        place = _place(origin)
        if place is None:
            return False
        # A page cannot set these headers, so they say where it really sent its request.
        for name in (b"host", b"x-forwarded-host"):
            authority = _find(headers, name)
            if authority and place == _place(f"{scheme}://{authority.partition(',')[0].strip()}"):
                return True
        return place in self.gateways


def page_elsewhere(headers: Headers) -> str:
    """The page of another site that makes a request, "" if there is none, or it is of our own.

    It is for what no page may read, whichever origins may connect, and whatever a proxy in front says
    of CORS. A link that somebody follows is no page that reads.
    """
    origin = _find(headers, b"origin")
    if origin is not None:
        return "" if origin.partition("://")[2] == (_find(headers, b"host") or "") else origin
    if _find(headers, b"sec-fetch-mode") == "navigate":
        return ""
    site = _find(headers, b"sec-fetch-site") or ""
    return "another site" if site.encode("latin-1") in FOREIGN_SITES else ""


def _checked(origin: str) -> str:
    if origin in ("*", "null", "file://") or _WRITTEN.fullmatch(_normal(origin)):
        return origin
    raise UsageError(
        f"--allow-origin {origin!r}: a browser sends no such Origin",
        hint="as in http://localhost:5173, 'http://localhost:*', 'https://*.example.org', null, or '*'",
    )


def _pattern(allowed: str) -> re.Pattern[str]:
    """An allowed origin, in normal form, with ``*`` and a list of ports."""
    name, bracket, ports = allowed.partition(":[")
    if allowed.endswith(":*"):
        name, bracket, ports = allowed[:-2], ":[", "*]"
    # Neither a path nor a login can be in an Origin; whoever sends one is not to match by it.
    words = [re.escape(word) for word in name.split("*")]
    regex = "[^/@?#]*".join(words)
    if bracket:
        listed = ports.rstrip("]")
        regex += r"(:\d+)?" if listed == "*" else f":({'|'.join(map(re.escape, listed.split(',')))})"
    return re.compile(regex)


def place_of(host: str, port: int) -> tuple[str, int]:
    """A host and port in the form in which they are compared: loopback is one host."""
    return ("loopback" if is_loopback(host) else host.lower(), port)


def _place(url: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or port is None:
        return None
    return place_of(parts.hostname, port)


def _normal(origin: str) -> str:
    """An origin as a browser writes it."""
    origin = origin.rstrip("/").lower()
    scheme, _, place = origin.partition("://")
    usual = _DEFAULT_PORTS.get(scheme)
    return f"{scheme}://{place.removesuffix(f':{usual}')}" if usual is not None else origin


def _find(headers: Headers, name: bytes) -> str | None:
    for header, value in headers:
        if header == name:
            return value.decode("latin-1")
    return None

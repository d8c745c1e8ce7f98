"""Which web pages may connect: our own, those of a gateway we are behind, and those allowed.

Requests without Origin do not come from pages. (Spring: same origin only unless told otherwise,
spec 9.3.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from .access import is_loopback

Headers = Sequence[tuple[bytes, bytes]]

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Origins:
    """The rule of one instance.

    Args:
        allowed: Origins as ``https://host:port``, compared without case and closing slash, or patterns
            of them, as Spring's: ``*`` in a name is anything (``https://*.example.org``),
            ``:[8080,8081]`` behind it one of these ports, ``:[*]`` any port or none; ``*`` alone allows
            all.
    """

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._all = "*" in allowed
        self._allowed = frozenset(_normal(origin) for origin in allowed)
        self._patterns = tuple(_pattern(_normal(each)) for each in allowed if "*" in each or "[" in each)
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

    def allow(self, headers: Headers, scheme: str) -> bool:
        """Whether a handshake with these headers (names in lower case) is allowed."""
        origin = _find(headers, b"origin")
        if origin is None or self._all or self.lists(origin):
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


def _pattern(allowed: str) -> re.Pattern[str]:
    """An allowed origin, in normal form, with ``*`` and a list of ports."""
    name, bracket, ports = allowed.partition(":[")
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
    return origin.rstrip("/").lower()


def _find(headers: Headers, name: bytes) -> str | None:
    for header, value in headers:
        if header == name:
            return value.decode("latin-1")
    return None

"""X-Forwarded-* and Forwarded: stripped, or appended to where the peer is trusted.

See docs/wire/gateway.md §4. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from core.errors import UsageError

from .heads import TOKEN, Header, values
from .routing.java_regex import compile_java
from .routing.request import RouteRequest

_PORT = re.compile(rb"(.+?):(\d{1,5})")


class ForwardedRules(msgspec.Struct, frozen=True):
    """What is told to upstream once the peer is trusted; all of it, appended, by default.

    Attributes:
        without: Of ``for``, ``proto``, ``prefix``, ``port``, ``host``, ``forwarded`` those that
            are not added (what came in of them passes).
        replacing: Those that replace what came in instead of being appended to it.
    """

    without: frozenset[str] = frozenset()
    replacing: frozenset[str] = frozenset()


class ForwardedPolicy:
    """What becomes of these headers.

    Args:
        trusted: Java regular expression that the whole address of a trusted peer matches; with ""
            nobody is trusted: whatever comes is stripped and nothing is added.
        rules: What is added.

    Raises:
        UsageError: ``trusted`` is no regular expression.
    """

    def __init__(self, trusted: str = "", rules: ForwardedRules | None = None) -> None:
        try:
            self._trusted = compile_java(trusted) if trusted else None
        except ValueError as error:
            raise UsageError(f"trusted_proxies {trusted!r}: {error}") from error
        self._rules = rules if rules is not None else ForwardedRules()

    def apply(self, headers: list[Header], request: RouteRequest, path: str) -> list[Header]:
        """``headers`` with the incoming ones removed, or ours added when the peer is trusted.

        ``path`` is what upstream is asked for: what was cut off in front of it is the prefix.
        """
        client = request.client.removeprefix("::ffff:")  # IPv4 on a socket for both
        if self._trusted is None or not self._trusted.fullmatch(client):
            return [
                item
                for item in headers
                if not item[0].startswith(b"x-forwarded-") and item[0] != b"forwarded"
            ]
        for kind, value in self._ours(client, request, path):
            name = kind.encode() if kind == "forwarded" else f"x-forwarded-{kind}".encode()
            told = [] if kind in self._rules.replacing else values(headers, name)
            headers = [item for item in headers if item[0] != name]
            headers.append((name, b", ".join([*told, value])))
        return headers

    def _ours(self, client: str, request: RouteRequest, path: str) -> Iterator[tuple[str, bytes]]:
        """What we have to tell, by kind."""
        hosts = request.values(b"host")
        host = hosts[0] if hosts else b""
        proto = "https" if request.secure else "http"
        default = b"443" if request.secure else b"80"
        match = _PORT.fullmatch(host)
        port = match[2] if match is not None else default
        told = {
            "for": client.encode(),
            "proto": proto.encode(),
            "prefix": _prefix(request.path, path).encode("latin-1"),
            "port": port,
            "host": match[1] if match is not None and port == default else host,
            "forwarded": _element(client, host.decode("latin-1"), proto),
        }
        for kind, value in told.items():
            if value and kind not in self._rules.without:
                yield kind, value


def _prefix(asked: str, path: str) -> str:
    """What was cut off ``asked`` in front; "" if ``path`` is not the end of it."""
    asked, path = asked.rstrip("/"), path.rstrip("/")
    return asked.removesuffix(path) if asked.endswith(path) else ""


def _element(client: str, host: str, proto: str) -> bytes:
    """RFC 7239 §4."""
    pairs = {"for": f"[{client}]" if ":" in client else client, "host": host, "proto": proto}
    return ";".join(f"{name}={_quoted(value)}" for name, value in pairs.items() if value).encode("latin-1")


def _quoted(value: str) -> str:
    if TOKEN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

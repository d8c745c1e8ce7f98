"""The URLs of SockJS's transports, as sockjs-client makes them (docs/wire/sockjs.md §1, §8)."""

from __future__ import annotations

import base64
import re
import secrets
import time
from collections.abc import Iterable
from typing import Final
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

import msgspec

from ...errors import UsageError
from ...redaction import without_tokens
from ...version import VERSION
from .connection import Origin

#: What session ids are made of, and how long they are.
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz012345"
_ID_LENGTH: Final = 8

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BREAKS: Final = re.compile(r"[\0\r\n]")


def new_server_id() -> str:
    """``000`` to ``999``: for load balancers, without a meaning of its own."""
    return f"{secrets.randbelow(1000):03}"


def new_session_id() -> str:
    """Eight of 32 characters."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_ID_LENGTH))


class Base(msgspec.Struct, frozen=True):
    """A SockJS service: where it is, and what goes with every request to it.

    Attributes:
        origin: Where to connect.
        path: Its path, without a slash at the end.
        query: Without the question mark; goes with every URL.
        head: The header lines that all requests have.
        headers: Those of them that the caller gave.
    """

    origin: Origin
    path: str
    query: str
    head: bytes
    headers: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, url: str, headers: Iterable[tuple[str, str]] = ()) -> Base:
        """Understand a URL.

        Raises:
            UsageError: It is no URL of a SockJS service, or a header is none.
        """
        parts, port = _parse(url)
        given = tuple(headers)
        for name, value in given:
            if not _NAME.fullmatch(name) or _BREAKS.search(value):
                raise UsageError(f"not a header: {name!r}", hint="no line breaks in names and values")
        origin = Origin(parts.hostname or "", port, parts.scheme == "https")
        host = parts.netloc.rpartition("@")[2]
        sent = (("Host", host), ("User-Agent", f"pushscope/{VERSION}"), *_login(parts), *given)
        head = "".join(f"{name}: {value}\r\n" for name, value in sent).encode("latin-1", "replace")
        return cls(origin, parts.path.rstrip("/"), parts.query, head, (*_login(parts), *given))

    @property
    def shown(self) -> str:
        """The URL as messages show it: a query may hold a token."""
        host = f"[{self.origin.host}]" if ":" in self.origin.host else self.origin.host
        return f"{'https' if self.origin.secure else 'http'}://{host}:{self.origin.port}{self.path}"

    def moved(self, base_url: str) -> Base:
        """What ``/info`` says to use instead; query and headers stay with the origin they were given for.

        Raises:
            UsageError: It is no URL.
        """
        where = urljoin(self.shown + "/", base_url)
        there = Base.of(where)
        if there.origin != self.origin:
            return there
        query = there.query or self.query
        return Base(self.origin, there.path, query, self.head, self.headers)

    def request(
        self,
        method: str,
        suffix: str,
        *,
        body: bytes | None = None,
        fresh: bool = False,
        cookies: str = "",
        accept: str = "*/*",
    ) -> bytes:
        """The bytes of a request to a URL below the service's.

        Args:
            method: GET or POST.
            suffix: Begins with a slash.
            body: What is posted.
            fresh: Add ``t=`` with the time, as sockjs-client does for the sake of caches.
            cookies: Value of the Cookie header, or "".
            accept: Value of the Accept header.
        """
        query = "&".join(filter(None, (self.query, f"t={time.time_ns() // 1_000_000}" if fresh else "")))
        lines = [f"{method} {self.path}{suffix}{'?' if query else ''}{query} HTTP/1.1\r\n"]
        lines.append(f"Accept: {accept}\r\n")
        if cookies:
            lines.append(f"Cookie: {cookies}\r\n")
        if body is not None:
            lines.append("Content-Type: text/plain\r\n" if body else "")
            lines.append(f"Content-Length: {len(body)}\r\n")
        return "".join(lines).encode("latin-1", "replace") + self.head + b"\r\n" + (body or b"")

    def websocket_url(self, suffix: str) -> str:
        """The URL of a WebSocket below the service's."""
        host = f"[{self.origin.host}]" if ":" in self.origin.host else self.origin.host
        scheme = "wss" if self.origin.secure else "ws"
        return urlunsplit((scheme, f"{host}:{self.origin.port}", self.path + suffix, self.query, ""))


def _parse(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        parts, port = None, 0
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"not the URL of a SockJS service: {without_tokens(url)!r}", hint="write http://HOST:PORT/PATH"
        )
    if parts.fragment or not url.isascii() or re.search(r"[\0-\x20\x7f]", url):
        raise UsageError(
            f"not the URL of a SockJS service: {without_tokens(url)!r}",
            hint="no fragment, and percent-encode what is not ASCII, and spaces",
        )
    return parts, port


def _login(parts: SplitResult) -> tuple[tuple[str, str], ...]:
    """Credentials of a URL as a header, as with a WebSocket's URL."""
    if parts.username is None:
        return ()
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return (("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"),)

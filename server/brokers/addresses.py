"""Broker URLs: ``memory:`` and ``stomp://user:pass@host:port/vhost``."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import msgspec

from core.errors import UsageError

#: Where STOMP brokers listen.
DEFAULT_STOMP_PORT = 61613


class StompAddress(msgspec.Struct, frozen=True):
    """Where a STOMP broker is and who we are there.

    ``host_header`` is the virtual host, ``/`` unless given.
    """

    host: str
    port: int
    login: str | None
    passcode: str | None
    host_header: str

    @property
    def virtual_host(self) -> str | None:
        """``host`` of CONNECT; None for none, as with Spring: the broker's default host then (spec 6.2)."""
        return None if self.host_header == "/" else self.host_header

    @property
    def public_url(self) -> str:
        """The URL without login and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        vhost = "" if self.host_header == "/" else f"/{self.host_header}"
        return f"stomp://{host}:{self.port}{vhost}"

    def __repr__(self) -> str:
        return f"StompAddress({self.public_url})"


def parse_stomp_url(url: str) -> StompAddress:
    """Understand ``stomp://user:pass@host:port/vhost``; parts are percent-encoded.

    Raises:
        UsageError: it is something else; the password is not repeated.
    """
    hint = "give it as stomp://user:password@host:61613/vhost, or memory:"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"the broker URL is not understood: {error}", hint=hint) from None
    if parts.scheme != "stomp" or not parts.hostname:
        raise UsageError(f"a broker of the kind {parts.scheme or url[:8]!r} is not known here", hint=hint)
    return StompAddress(
        host=parts.hostname,
        port=port or DEFAULT_STOMP_PORT,
        login=unquote(parts.username) if parts.username is not None else None,
        passcode=unquote(parts.password) if parts.password is not None else None,
        host_header=unquote(parts.path.removeprefix("/")) or "/",
    )

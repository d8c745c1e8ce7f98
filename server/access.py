"""Who may write: the Host, Origin and token rules of everything that listens.

On loopback anybody on the machine may write, except web pages: a page can send requests to
localhost, also through a name of its own that resolves to 127.0.0.1, so the Host header must
be loopback too and a foreign Origin is refused. On any other address a write needs the token
of the environment variable ``PUSHSCOPE_TOKEN``.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from core.errors import UsageError

TOKEN_VARIABLE = "PUSHSCOPE_TOKEN"
_MOST_KNOWN_HOSTS = 64


def is_loopback(host: str) -> bool:
    """Whether ``host`` (a name or an address, no port) can only be this machine."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_of(authority: str) -> str:
    """The host part of a ``Host`` header or of ``host:port``; "" if it is malformed."""
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""


class HostGuard:
    """Which names a ``Host`` header may have, remembering the few that come again and again.

    A web page reaches services of this machine through a name of its own that resolves to 127.0.0.1 (DNS
    rebinding), and for the browser it is then of the same origin. So on loopback only loopback's names are
    taken, and those that were allowed; elsewhere any.

    Args:
        host: The address that is listened on.
        allowed: Further names, without ports; ``*`` is any.
    """

    def __init__(self, host: str, allowed: Iterable[str] = ()) -> None:
        self._allowed = frozenset(name.strip("[]").lower() for name in allowed)
        #: Whether every name is taken.
        self.anything = "*" in self._allowed or not is_loopback(host)
        self._good: set[bytes] = set()

    def refuse(self, authorities: Iterable[bytes]) -> str:
        """Why a request with these ``Host`` headers is refused, or "" if it is not."""
        if self.anything:
            return ""
        for authority in authorities:
            if authority not in self._good and (reason := self._refuse_closely(authority)):
                return reason
        return ""

    def _refuse_closely(self, authority: bytes) -> str:
        name = host_of(authority.decode("latin-1"))
        if not is_loopback(name) and name not in self._allowed:
            shown = authority.decode("latin-1")
            return f"the Host header {shown!r} is not this machine (allowed_hosts, --allow-host)"
        if len(self._good) < _MOST_KNOWN_HOSTS:
            self._good.add(authority)
        return ""


@dataclass(frozen=True, slots=True)
class AccessRule:
    """The rule of one listener.

    Attributes:
        host: The address that is listened on.
        token: What a write must carry where ``host`` is not loopback; hidden in ``repr``.
        hosts: Which names requests may have for us; those of loopback by default.
    """

    host: str
    token: str = field(default="", repr=False)
    hosts: HostGuard = field(default_factory=lambda: HostGuard("127.0.0.1"), repr=False, compare=False)

    @classmethod
    def for_host(cls, host: str, *, need_token: bool = True, allowed_hosts: Iterable[str] = ()) -> AccessRule:
        """The rule for ``host`` with the token of the environment.

        Raises:
            UsageError: ``host`` is not loopback, a token is needed and none is set.
        """
        token = os.environ.get(TOKEN_VARIABLE, "")
        if need_token and not token and not is_loopback(host):
            raise UsageError(
                f"listening on {host} needs a token",
                tried=f"listen on {host}, which other machines can reach",
                hint=f"set {TOKEN_VARIABLE} to a secret, or listen on 127.0.0.1",
            )
        return cls(host, token, HostGuard(host, allowed_hosts))

    def refuse_read(self, headers: Mapping[str, str]) -> str:
        """Why a request that only reads is refused, or "" if it is not."""
        if not is_loopback(self.host):
            return ""
        return self.hosts.refuse((headers.get("host", "").encode("latin-1"),))

    def refuse_write(self, headers: Mapping[str, str]) -> str:
        """Why a request that changes something is refused, or "" if it is not."""
        if not is_loopback(self.host):
            if hmac.compare_digest(_token_of(headers).encode(), self.token.encode()) and self.token:
                return ""
            return f"a token is needed here: Authorization: Bearer <{TOKEN_VARIABLE}>"
        if reason := self.refuse_read(headers):
            return reason
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("host", ""):
            return f"a page of {origin} may not write here"
        return ""


def _token_of(headers: Mapping[str, str]) -> str:
    """The token of an Authorization header: Bearer, or the password of Basic (Eureka clients)."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""

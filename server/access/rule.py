"""Who may write and look: the Host, Origin and token rules of everything that listens.

On loopback anybody on the machine may, except web pages: a page can send requests to
localhost, also through a name of its own that resolves to 127.0.0.1, so the Host header must
be loopback too and a foreign Origin is refused. The token of the environment variable
``PUSHSCOPE_TOKEN`` is needed on any other address, for whoever came from elsewhere through a gateway
(:mod:`.provenance`), and wherever it is set: a proxy of somebody else's looks like a program of this machine.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from core.errors import UsageError
from core.push_token import CHALLENGE, TOKEN_VARIABLE, push_token

from .provenance import Header, comes_from_elsewhere, host_of, is_loopback

_MOST_KNOWN_HOSTS = 64
_NEEDED: Final = f"a token is needed here: Authorization: Bearer <{TOKEN_VARIABLE}>"
_NONE_SET: Final = (
    f"a token is needed here by whoever comes from another machine, and none is set: start this with"
    f" {TOKEN_VARIABLE}, and send it as Authorization: Bearer <{TOKEN_VARIABLE}>"
)


class Refused(NamedTuple):
    """Why a request is refused: a status of HTTP, a sentence, and headers that belong to the answer."""

    status: int
    reason: str
    headers: tuple[Header, ...] = ()


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

    Headers are names in lower case, and values, as ASGI has them.

    Attributes:
        host: The address that is listened on.
        token: What a request must carry where one is needed; hidden in ``repr``.
        hosts: Which names requests may have for us; those of loopback by default.
    """

    host: str
    token: str = field(default="", repr=False)
    hosts: HostGuard = field(default_factory=lambda: HostGuard("127.0.0.1"), repr=False, compare=False)

    @classmethod
    def for_host(cls, host: str, *, need_token: bool = True, allowed_hosts: Iterable[str] = ()) -> AccessRule:
        """The rule for ``host`` with the token of the environment.

        Raises:
            UsageError: ``host`` is not loopback, a token is needed and none is set; or the token is no
                value of a header.
        """
        token = push_token()
        if need_token and not token and not is_loopback(host):
            raise UsageError(
                f"listening on {host} needs a token",
                tried=f"listen on {host}, which other machines can reach",
                hint=f"set {TOKEN_VARIABLE} to a secret, or listen on 127.0.0.1",
            )
        return cls(host, token, HostGuard(host, allowed_hosts))

    @property
    def open_to_programs(self) -> bool:
        """Whether programs of this machine need no token."""
        return not self.token and is_loopback(self.host)

    def refuse_read(self, headers: Sequence[Header]) -> Refused | None:
        """Why a request that only reads is refused, or None if it is not."""
        refused, _ = self._judge(headers)
        return refused

    def refuse_write(self, headers: Sequence[Header]) -> Refused | None:
        """Why a request that changes something is refused, or None if it is not."""
        refused, proven = self._judge(headers)
        if refused is not None or proven:  # no page of somebody else's has the token
            return refused
        origin = _last(headers, b"origin")
        if origin is not None and urlsplit(origin).netloc != (_last(headers, b"host") or ""):
            return Refused(403, f"a page of {origin} may not write here")
        return None

    def _judge(self, headers: Sequence[Header]) -> tuple[Refused | None, bool]:
        """Why a request is refused, and whether it proved itself as no browser does of its own accord."""
        proven = False
        if not self.open_to_programs or comes_from_elsewhere(headers):
            scheme, token = _token_of(headers)
            if not (self.token and hmac.compare_digest(token, self.token.encode())):
                challenge = ((b"www-authenticate", CHALLENGE.encode()),)
                return Refused(401, _NEEDED if self.token else _NONE_SET, challenge), False
            proven = scheme == "bearer"
        if is_loopback(self.host) and not proven:
            named = [value for name, value in headers if name == b"host"] or [b""]
            if reason := self.hosts.refuse(named):
                return Refused(403, reason), proven
        return None, proven


def _last(headers: Sequence[Header], wanted: bytes) -> str | None:
    return next((value.decode("latin-1") for name, value in reversed(headers) if name == wanted), None)


def _token_of(headers: Sequence[Header]) -> tuple[str, bytes]:
    """Scheme and token of the Authorization header: Bearer, or the password of Basic (Eureka clients)."""
    scheme, _, value = (_last(headers, b"authorization") or "").partition(" ")
    scheme = scheme.lower()
    if scheme == "bearer":
        return scheme, value.strip().encode()
    if scheme == "basic":
        try:
            return scheme, base64.b64decode(value, validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            pass
    return scheme, b""

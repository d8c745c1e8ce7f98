"""Broker URLs: ``stomp://user:pass@host:port/vhost``, ``stomps://`` over TLS, and lists of hosts.

``stomps://a:61614,b:61614/vhost?cafile=ca.pem`` names two nodes of a broker. Parameters, for ``stomps``
only: ``cafile`` (whom to trust instead of the system's authorities), ``certfile`` and ``keyfile`` (who
we are), ``no_verify_ssl=1`` (trust anybody).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, unquote

import msgspec

from core.errors import UsageError

#: Where STOMP brokers listen.
DEFAULT_STOMP_PORT: Final = 61613
#: Where they listen for TLS.
DEFAULT_STOMPS_PORT: Final = 61614

_HINT: Final = "give it as stomp://user:password@host:61613/vhost, or memory:"
_URL: Final = re.compile(r"(stomps?)://([^/?#]+)(?:/([^?#]*))?(?:\?([^#]*))?")
_NODE: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+(?:%[\w.]+)?)\]|([^:\[\]\s]+))(?::(\d{1,5}))?")
_MOST_NODES: Final = 32
_PARAMETERS: Final = frozenset({"cafile", "certfile", "keyfile", "no_verify_ssl"})


class Tls(msgspec.Struct, frozen=True):
    """How to speak TLS with a broker.

    Attributes:
        cafile: PEM file of the authorities to trust; None for the system's.
        certfile: PEM file of our own certificate; None for none.
        keyfile: Its key; None if ``certfile`` holds it as well.
        verify: Whether the broker's certificate must be trusted and name its host.
    """

    cafile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    verify: bool = True


class StompAddress(msgspec.Struct, frozen=True):
    """Where a STOMP broker is and who we are there.

    ``host`` and ``port`` are those of its first node, ``others`` all further ones. ``host_header`` is
    the virtual host, ``/`` unless given. ``tls`` is None for plain TCP.
    """

    host: str
    port: int
    login: str | None
    passcode: str | None
    host_header: str
    others: tuple[tuple[str, int], ...] = ()
    tls: Tls | None = None

    @property
    def nodes(self) -> tuple[StompAddress, ...]:
        """An address for each node, in the order given."""
        places = ((self.host, self.port), *self.others)
        return tuple(msgspec.structs.replace(self, host=host, port=port, others=()) for host, port in places)

    @property
    def virtual_host(self) -> str | None:
        """``host`` of CONNECT; None for none, as with Spring: the broker's default host then (spec 6.2)."""
        return None if self.host_header == "/" else self.host_header

    @property
    def public_url(self) -> str:
        """The URL without login, password and files."""
        places = ((self.host, self.port), *self.others)
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in places)
        vhost = "" if self.host_header == "/" else f"/{self.host_header}"
        return f"{'stomp' if self.tls is None else 'stomps'}://{hosts}{vhost}"

    def __repr__(self) -> str:
        return f"StompAddress({self.public_url})"


def parse_stomp_url(url: str) -> StompAddress:
    """Understand ``stomp://user:pass@host:port/vhost``; parts are percent-encoded.

    Raises:
        UsageError: it is something else; the password is not repeated.
    """
    match = _URL.fullmatch(url)
    if match is None:
        scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)", url)
        if scheme is None or scheme[0] in ("stomp", "stomps"):
            raise UsageError("the broker URL is not understood", hint=_HINT)
        raise UsageError(f"a broker of the kind {scheme[0]!r} is not known here", hint=_HINT)
    scheme, netloc, vhost, query = match.groups()
    who, at, where = netloc.rpartition("@")
    login, colon, passcode = who.partition(":")
    default = DEFAULT_STOMP_PORT if scheme == "stomp" else DEFAULT_STOMPS_PORT
    (host, port), *others = _places(where, default)
    return StompAddress(
        host=host,
        port=port,
        login=unquote(login) if at else None,
        passcode=unquote(passcode) if colon else None,
        host_header=unquote(vhost or "") or "/",
        others=tuple(others),
        tls=_tls(scheme, query or ""),
    )


def _places(text: str, default_port: int) -> list[tuple[str, int]]:
    places: list[tuple[str, int]] = []
    for part in text.split(","):
        node = _NODE.fullmatch(part)
        if node is None:
            raise UsageError("the broker URL is not understood: it names no host and port", hint=_HINT)
        port = int(node[3]) if node[3] is not None else default_port
        if not 0 < port < 65536:
            raise UsageError(f"the broker URL is not understood: {port} is no port", hint=_HINT)
        places.append((unquote(node[1] or node[2]).lower(), port))
    if len(places) > _MOST_NODES:
        raise UsageError(f"the broker URL names more than {_MOST_NODES} hosts", hint=_HINT)
    return places


def _tls(scheme: str, query: str) -> Tls | None:
    given = dict(parse_qsl(query, keep_blank_values=True))
    unknown = sorted(given.keys() - _PARAMETERS)
    if unknown or (given and scheme == "stomp"):
        what = unknown[0] if unknown else next(iter(given))
        raise UsageError(
            f"the broker URL has a parameter {what[:40]!r} that means nothing to {scheme}://",
            hint="stomps:// takes cafile, certfile, keyfile and no_verify_ssl=1",
        )
    if scheme == "stomp":
        return None
    if given.get("keyfile") and not given.get("certfile"):
        raise UsageError(
            "the broker URL names a keyfile without a certfile", hint="give ?certfile=…&keyfile=…"
        )
    return Tls(
        cafile=given.get("cafile") or None,
        certfile=given.get("certfile") or None,
        keyfile=given.get("keyfile") or None,
        verify=given.get("no_verify_ssl", "0") in ("", "0", "false"),
    )

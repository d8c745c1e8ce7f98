"""Broker URLs: ``stomp://user:pass@host:port/vhost``, ``stomps://`` over TLS, and lists of hosts.

``stomps://a:61614,b:61614/vhost?cafile=ca.pem`` names two nodes of a broker. The same with ``amqp`` and
``amqps`` for RabbitMQ without its STOMP plugin. Parameters, with TLS only: ``cafile`` (whom to trust
instead of the system's authorities), ``certfile`` and ``keyfile`` (who we are), ``no_verify_ssl=1``
(trust anybody).
"""

from __future__ import annotations

import re
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote

import msgspec

from core.errors import UsageError

#: Where STOMP brokers listen.
DEFAULT_STOMP_PORT: Final = 61613
#: Where they listen for TLS.
DEFAULT_STOMPS_PORT: Final = 61614

#: Where RabbitMQ listens for AMQP, and for AMQP over TLS.
DEFAULT_AMQP_PORT: Final = 5672
DEFAULT_AMQPS_PORT: Final = 5671

#: What brokers of ours speak.
Language = Literal["stomp", "amqp"]

_PORTS: Final = {
    "stomp": DEFAULT_STOMP_PORT,
    "stomps": DEFAULT_STOMPS_PORT,
    "amqp": DEFAULT_AMQP_PORT,
    "amqps": DEFAULT_AMQPS_PORT,
}
_HINTS: Final[dict[Language, str]] = {
    "stomp": "give it as stomp://user:password@host:61613/vhost, or memory:",
    "amqp": "give it as amqp://user:password@host:5672/vhost, or amqps:// with TLS",
}
_URL: Final = re.compile(r"([a-z]+)://([^/?#]+)(?:/([^?#]*))?(?:\?([^#]*))?")
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
    """Where a broker is and who we are there; RabbitMQ's, too, if its ``language`` is AMQP.

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
    language: Language = "stomp"

    @property
    def nodes(self) -> tuple[StompAddress, ...]:
        """An address for each node, in the order given."""
        places = ((self.host, self.port), *self.others)
        return tuple(msgspec.structs.replace(self, host=host, port=port, others=()) for host, port in places)

    @property
    def virtual_host(self) -> str | None:
        """``host`` of CONNECT; None for none, as with Spring: the broker's default host then.

        See docs/wire/spring-relay.md §6.2.
        """
        return None if self.host_header == "/" else self.host_header

    @property
    def public_url(self) -> str:
        """The URL without login, password and files."""
        places = ((self.host, self.port), *self.others)
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in places)
        vhost = "" if self.host_header == "/" else f"/{self.host_header}"
        return f"{self.language}{'' if self.tls is None else 's'}://{hosts}{vhost}"

    def __repr__(self) -> str:
        return f"StompAddress({self.public_url})"


def parse_stomp_url(url: str) -> StompAddress:
    """Understand ``stomp://user:pass@host:port/vhost``; parts are percent-encoded.

    Raises:
        UsageError: it is something else; the password is not repeated.
    """
    return _parse(url, "stomp")


def parse_amqp_url(url: str) -> StompAddress:
    """Understand ``amqp://user:pass@host:port/vhost`` and ``amqps://…``, as :func:`parse_stomp_url`."""
    return _parse(url, "amqp")


def _parse(url: str, language: Language) -> StompAddress:
    hint = _HINTS[language]
    match = _URL.fullmatch(url)
    if match is None or match[1] not in (language, f"{language}s"):
        scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)", url)
        if scheme is None or scheme[0] in (language, f"{language}s"):
            raise UsageError("the broker URL is not understood", hint=hint)
        raise UsageError(f"a broker of the kind {scheme[0]!r} is not known here", hint=hint)
    scheme, netloc, vhost, query = match.groups()
    who, at, where = netloc.rpartition("@")
    login, colon, passcode = who.partition(":")
    (host, port), *others = _places(where, _PORTS[scheme], hint)
    return StompAddress(
        host=host,
        port=port,
        login=unquote(login) if at else None,
        passcode=unquote(passcode) if colon else None,
        host_header=unquote(vhost or "") or "/",
        others=tuple(others),
        tls=_tls(scheme, query or "", secure=scheme != language),
        language=language,
    )


def _places(text: str, default_port: int, hint: str) -> list[tuple[str, int]]:
    places: list[tuple[str, int]] = []
    for part in text.split(","):
        node = _NODE.fullmatch(part)
        if node is None:
            raise UsageError("the broker URL is not understood: it names no host and port", hint=hint)
        port = int(node[3]) if node[3] is not None else default_port
        if not 0 < port < 65536:
            raise UsageError(f"the broker URL is not understood: {port} is no port", hint=hint)
        places.append((unquote(node[1] or node[2]).lower(), port))
    if len(places) > _MOST_NODES:
        raise UsageError(f"the broker URL names more than {_MOST_NODES} hosts", hint=hint)
    return places


def _tls(scheme: str, query: str, *, secure: bool) -> Tls | None:
    given = dict(parse_qsl(query, keep_blank_values=True))
    unknown = sorted(given.keys() - _PARAMETERS)
    if unknown or (given and not secure):
        what = unknown[0] if unknown else next(iter(given))
        raise UsageError(
            f"the broker URL has a parameter {what[:40]!r} that means nothing to {scheme}://",
            hint=f"{scheme.removesuffix('s')}s:// takes cafile, certfile, keyfile and no_verify_ssl=1",
        )
    if not secure:
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

"""Broker URLs ``amqp://user:password@host:5672/vhost`` and ``amqps://…``, with one host or several."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote, urlsplit

import msgspec

from core.errors import UsageError

#: Where RabbitMQ listens: plain, and with TLS.
DEFAULT_PORTS: Final = {"amqp": 5672, "amqps": 5671}


class AmqpAddress(msgspec.Struct, frozen=True):
    """Where a RabbitMQ node is and who we are there; ``vhost`` is ``/`` unless given."""

    host: str
    port: int
    login: str
    password: str
    vhost: str
    tls: bool

    @property
    def place(self) -> str:
        """Host and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"AmqpAddress({self.place})"


def parse_amqp_url(url: str) -> tuple[tuple[AmqpAddress, ...], str]:
    """Understand ``amqp://user:password@host1:5672,host2:5672/vhost``; parts are percent-encoded.

    Returns:
        The addresses in the order in which they are tried, and the URL without user and password.

    Raises:
        UsageError: It is something else; the password is not repeated.
    """
    hint = "give it as amqp://user:password@host:5672/vhost, or amqps:// with TLS"
    scheme, _, rest = url.partition("://")
    if scheme not in DEFAULT_PORTS:
        raise UsageError(f"a broker of the kind {scheme[:8]!r} is not known here", hint=hint)
    authority, _, path = rest.partition("/")
    credentials, _, places = authority.rpartition("@")
    login, _, password = credentials.partition(":")
    vhost = unquote(path.partition("?")[0]) or "/"
    addresses: list[AmqpAddress] = []
    for place in places.split(","):
        try:
            parts = urlsplit(f"//{place}")
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise UsageError(f"the broker URL is not understood: {error}", hint=hint) from None
        if not host:
            raise UsageError("the broker URL names no host", hint=hint)
        addresses.append(
            AmqpAddress(
                host=host,
                port=port or DEFAULT_PORTS[scheme],
                login=unquote(login) or "guest",
                password=unquote(password) or "guest",
                vhost=vhost,
                tls=scheme == "amqps",
            )
        )
    public = ",".join(address.place for address in addresses)
    end = "" if vhost == "/" else f"/{quote(vhost, safe='')}"
    return tuple(addresses), f"{scheme}://{public}{end}"

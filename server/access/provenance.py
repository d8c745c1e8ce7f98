"""Whether a request comes from this machine, also when a proxy of this machine brings it.

An instance on loopback trusts programs of its machine. A gateway dials from there too, whoever its client
is; so our gateways set a header of our own, :data:`MARK`, on everything that they forward. It only takes
rights away: a request without it, or that says ``loopback``, has the rights of its connection and no more.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import urlsplit

from ..sockets.targets import AUTHORITY

Header = tuple[bytes, bytes]

#: What a gateway says of its client: :data:`LOOPBACK` or :data:`ELSEWHERE`.
MARK: Final = b"pushscope-client"
LOOPBACK: Final = b"loopback"
ELSEWHERE: Final = b"elsewhere"

_FORWARDED_FOR: Final = re.compile(rb"(?:^|[;,\s])for=\"?(\[[^\]]*\]|[^\s;,\"]+)", re.IGNORECASE)
_WITH_PORT: Final = re.compile(r"(\[[^\]]*\]|[^:]*):\d+")
#: Headers that tell that a request has another origin than its connection.
TELLING: Final = frozenset({MARK, b"x-forwarded-for", b"x-real-ip", b"forwarded"})


def is_loopback(host: str) -> bool:
    """Whether ``host`` (a name or an address, no port) can only be this machine."""
    name = host.strip("[]").lower().removeprefix("::ffff:")  # IPv4 on a socket for both
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_of(authority: str) -> str:
    """The host part of a ``Host`` header or of ``host:port``; "" if it is malformed."""
    if not AUTHORITY.fullmatch(authority.encode("utf-8", "replace")):
        return ""
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""


def comes_from_elsewhere(headers: Iterable[Header]) -> bool:
    """Whether somebody on the way says that the client is not on this machine.

    That is a gateway's :data:`MARK`, or an address that other proxies add. Who makes these headers up
    loses by it. Their absence proves nothing: nginx and HAProxy add none unless they are told to.

    Args:
        headers: Names in lower case, and values.
    """
    return any(name in TELLING and _tells_of_another(name, value) for name, value in headers)


def mark_for(client: str, headers: Iterable[Header]) -> Header:
    """The mark that a gateway sets on what it forwards for a client.

    A client of this machine asks for a name of this machine; another name came through a proxy that
    passes it on, or from a page that gave a name of its own to 127.0.0.1.

    Args:
        client: Address of the peer.
        headers: The client's, names in lower case.
    """
    given = list(headers)
    names = [host_of(value.decode("latin-1")) for name, value in given if name == b"host"]
    local = is_loopback(client) and all(map(is_loopback, names)) and not comes_from_elsewhere(given)
    return MARK, LOOPBACK if local else ELSEWHERE


def _tells_of_another(name: bytes, value: bytes) -> bool:
    if name == MARK:
        return value != LOOPBACK
    return not all(map(is_loopback, _addresses(name, value.decode("latin-1"))))


def _addresses(name: bytes, value: str) -> Iterator[str]:
    found = (
        [match.decode("latin-1") for match in _FORWARDED_FOR.findall(value.encode("latin-1"))]
        if name == b"forwarded"
        else value.split(",")
    )
    for item in found:
        address = item.strip()
        with_port = _WITH_PORT.fullmatch(address)
        yield with_port[1] if with_port is not None else address

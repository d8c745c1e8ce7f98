"""Where discovery is: one URL for ours, one or more for a real Eureka.

``http://h:8761`` or ``http://h:8761/eureka`` may be either, and is asked; ``eureka+http://…`` is
Eureka without asking. Several, with commas between, are servers of one Eureka, tried in turn.
``?renew=…&lease=…&fetch=…`` are seconds instead of Eureka's 30, 90 and 30.
"""

from __future__ import annotations

import base64
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from core.errors import UsageError

from .eureka import LEASE_S, RENEWAL_S

_HINT = "give it as http://127.0.0.1:8761, or http://127.0.0.1:8761/eureka for a real Eureka"
_CONTEXTS = ("/eureka/v2", "/eureka")


@dataclass(frozen=True, slots=True)
class EurekaTimes:
    """How long things take with a real Eureka, in seconds; the defaults are its clients'.

    Attributes:
        renew_s: Between two heartbeats.
        lease_s: How long we are listed without one.
        fetch_s: Between two looks at the registry.
    """

    renew_s: int = RENEWAL_S
    lease_s: int = LEASE_S
    fetch_s: float = 30


@dataclass(frozen=True, slots=True)
class EurekaServer:
    """One server of Eureka: its base URL (``…/eureka``), and what to say to be let in."""

    base: str
    authorization: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class DiscoveryAddress:
    """What a discovery URL says.

    Attributes:
        shown: For people: without user and password.
        watch: Our own discovery's push of changes; "" when it can only be Eureka.
        servers: Where Eureka may be.
        times: For Eureka.
        authorization: The Authorization header that the URL asks for, or "".
    """

    shown: str
    watch: str
    servers: tuple[EurekaServer, ...]
    times: EurekaTimes
    authorization: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> DiscoveryAddress:
        """Read a discovery URL.

        Raises:
            UsageError: it is not one; the text holds no password.
        """
        explicit = url.strip().startswith("eureka+")
        parts = [_split(part.strip()) for part in url.strip().removeprefix("eureka+").split(",")]
        times = _times({key: value for part in parts for key, value in parse_qsl(part.query)})
        first = parts[0]
        prefix = _without_context(first.path)
        watch = f"{'wss' if first.scheme == 'https' else 'ws'}://{_place(first)}{prefix}/watch"
        return cls(
            shown=",".join(f"{part.scheme}://{_place(part)}{part.path.rstrip('/')}" for part in parts),
            watch="" if explicit or len(parts) > 1 else watch,
            servers=tuple(server for part in parts for server in _servers(part)),
            times=times,
            authorization=_authorization(first),
        )


def reachable(host: str, address: DiscoveryAddress) -> str:
    """Where others reach somebody who listens on ``host``.

    Of ``0.0.0.0`` and ``::`` that is the address that this machine has towards discovery.
    """
    if host not in ("0.0.0.0", "::"):
        return host
    there = urlsplit(address.servers[0].base)
    try:
        found = socket.getaddrinfo(there.hostname, there.port or 80, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, place = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(place)  # sends nothing
            return str(probe.getsockname()[0])
    except OSError:
        return host  # discovery cannot be reached now either


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # the getter is what checks it
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        # Whatever stands before an @ may be a password.
        raise UsageError(f"discovery URL {url.rpartition('@')[2]!r} is not understood", hint=_HINT)
    return parts


def _place(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _without_context(path: str) -> str:
    path = path.rstrip("/")
    for context in _CONTEXTS:  # people paste the URL that Spring wants
        if path.endswith(context):
            return path.removesuffix(context)
    return path


def _servers(parts: SplitResult) -> tuple[EurekaServer, ...]:
    root = f"{parts.scheme}://{_place(parts)}"
    path = parts.path.rstrip("/")
    bases = [root + path] if path else [root + context for context in reversed(_CONTEXTS)]
    return tuple(EurekaServer(base, _authorization(parts)) for base in bases)


def _authorization(parts: SplitResult) -> str:
    if parts.username is None:
        return ""
    who = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return "Basic " + base64.b64encode(who.encode()).decode()


def _times(query: Mapping[str, str]) -> EurekaTimes:
    unknown = query.keys() - {"renew", "lease", "fetch"}
    times = usual = EurekaTimes()
    try:
        times = EurekaTimes(
            renew_s=int(query.get("renew", usual.renew_s)),
            lease_s=int(query.get("lease", usual.lease_s)),
            fetch_s=float(query.get("fetch", usual.fetch_s)),
        )
        fits = 0 < times.renew_s < times.lease_s <= 86_400 and 0.05 <= times.fetch_s <= 3600
    except ValueError:
        fits = False
    if unknown or not fits:
        raise UsageError(
            "the times in the discovery URL do not fit: " + "&".join(f"{k}={v}" for k, v in query.items()),
            hint="?renew=30&lease=90&fetch=30, in seconds; the lease is longer than a renewal",
        )
    return times

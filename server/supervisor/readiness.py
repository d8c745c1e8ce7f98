"""When is a cluster ready? When every instance knows every other one and its broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

from core.errors import ClusterStartError

from .plan import without_login
from .probe import get_json

#: Longest wait for instances to hear of each other; discovery pushes changes, so it is quick.
_MESH_WITHIN = 10.0
_ASK_EVERY = 0.02
_CONNECT_WITHIN = 3.0
_DEFAULT_PORTS = {"stomp": 61613, "stomp+tls": 61614, "amqp": 5672, "amqps": 5671}


async def check_broker(url: str) -> None:
    """See that somebody listens where the broker is to be; ``memory:`` is always there.

    Raises:
        ClusterStartError: nobody does.
    """
    parts = urlsplit(url)
    if parts.scheme == "memory":
        return
    host, port = parts.hostname or "localhost", parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    try:
        async with asyncio.timeout(_CONNECT_WITHIN):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        raise ClusterStartError(
            f"no broker at {host}:{port}: {error or 'no answer'}",
            tried=f"connect to {without_login(url)}",
            hint="start the broker, or leave it out to use the embedded one",
        ) from error
    writer.transport.abort()


async def wait_for_mesh(urls: Mapping[str, str], *, within: float = _MESH_WITHIN) -> None:
    """Wait until each of these instances has its broker and knows all the others.

    Before that, a push to one of them might not find a user on another.

    Args:
        urls: Base URLs by instance id.
        within: Longest wait in seconds.

    Raises:
        ClusterStartError: it did not come to that; says which instance lacks what.
    """
    deadline = time.monotonic() + within
    missing = ""
    for name, url in urls.items():
        while missing := await _missing(name, url, urls.keys() - {name}):
            if time.monotonic() > deadline:
                raise ClusterStartError(
                    f"{name} is up, but {missing} after {within:g} s", tried=f"GET {url}/info"
                )
            await asyncio.sleep(_ASK_EVERY)


async def _missing(name: str, url: str, others: set[str]) -> str:
    """What this instance still lacks, in words; "" if nothing."""
    info = await get_json(f"{url}/info", within=1.0)
    if info is None:
        return "does not answer"
    broker = info.get("broker")
    if isinstance(broker, dict) and cast("dict[str, object]", broker).get("available") is not True:
        return "has no connection to the broker"
    peers = info.get("peers")
    known = {_id_of(peer) for peer in cast("list[object]", peers)} if isinstance(peers, list) else others
    unknown = sorted(others - known)
    return f"does not know {', '.join(unknown)}" if unknown else ""


def _id_of(peer: object) -> str:
    return str(cast("dict[str, object]", peer).get("id")) if isinstance(peer, dict) else str(peer)

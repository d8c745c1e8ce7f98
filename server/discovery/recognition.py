"""What answers at a discovery URL: our own discovery, a real Eureka, or something else."""

from __future__ import annotations

import aiohttp
import msgspec

from .address import DiscoveryAddress, EurekaServer
from .eureka import mapping
from .eureka_api import EurekaApi
from .lines import LineDown

_TIMEOUT = aiohttp.ClientTimeout(total=5)
_LARGEST = 64 * 1024


async def eureka_at(address: DiscoveryAddress) -> EurekaServer | str:
    """The Eureka at an address, or why there is none."""
    reasons: list[str] = []
    for server in address.servers:
        try:
            async with EurekaApi(server) as api:
                await api.fetch()
        except LineDown as error:
            reasons.append(str(error))
        else:
            return server
    return "; ".join(reasons)


async def ours_at(address: DiscoveryAddress) -> bool:
    """Whether our own discovery serves there; it says so to everybody, token or not."""
    url = "http" + address.watch.removeprefix("ws").removesuffix("/watch") + "/health"
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as http, http.get(url) as answer:
            health = mapping(msgspec.json.decode(await answer.content.read(_LARGEST)))
    except (aiohttp.ClientError, TimeoutError, ValueError, RecursionError):  # ValueError: it is not JSON
        return False
    return health.get("role") == "discovery"

"""When is a cluster ready? When every instance knows every other one and its broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import cast

from core.errors import ClusterStartError

from ..brokers.reconnecting import RelayTimes
from ..brokers.urls import broker_for
from .plan import without_login
from .probe import get_json

#: Longest wait for instances to hear of each other; discovery pushes changes, so it is quick.
_MESH_WITHIN = 10.0
_ASK_EVERY = 0.02
_SILENT = "does not answer"


async def check_broker(url: str, *, times: RelayTimes | None = None) -> None:
    """See that the broker can be used, as instances will: that it speaks our language and lets us in.

    One node of several is enough.

    Args:
        url: Where it is to be.
        times: How patient to be; as instances are by default.

    Raises:
        ClusterStartError: It cannot; names each node and what was heard there.
    """
    trouble = await broker_for(url, times=times).trouble()
    if trouble:
        scheme = url.partition(":")[0]
        language = "AMQP 0-9-1" if scheme.startswith("amqp") else "STOMP"
        raise ClusterStartError(
            f"no broker at {trouble}",
            tried=f"connect to {without_login(url)} as an instance does",
            hint=f"{scheme}: is a broker that speaks {language} at this port; start it, or leave it out to "
            "use the embedded one",
        )


async def wait_for_mesh(ready: Callable[[], Mapping[str, str]], *, within: float = _MESH_WITHIN) -> None:
    """Wait until each ready instance has its broker and knows all the others.

    Before that, a push to one of them might not find a user on another.

    Args:
        ready: Says which instances are ready now, base URLs by id; one that dies meanwhile is no
            longer waited for.
        within: Longest wait in seconds.

    Raises:
        ClusterStartError: it did not come to that; says which instance lacks what.
    """
    deadline = time.monotonic() + within
    for name in tuple(ready()):

        async def lacks(name: str = name) -> str:
            urls = ready()
            return await _instance_lacks(urls[name], urls.keys() - {name}) if name in urls else ""

        await _until_nothing(name, lacks, deadline)


async def wait_for_gateway(
    url: str, service: str, instances: Iterable[str], *, within: float = _MESH_WITHIN
) -> None:
    """Wait until the gateway at ``url`` routes to all these instances; before that it answers 503.

    Raises:
        ClusterStartError: it did not come to that.
    """

    async def lacks() -> str:
        return await _gateway_lacks(url, service, set(instances))

    await _until_nothing("gateway", lacks, time.monotonic() + within)


async def wait_until_passed_over(
    url: str, service: str, instances: Iterable[str], *, within: float = _MESH_WITHIN
) -> None:
    """Wait until the gateway at ``url`` gives none of these instances anything new.

    Raises:
        ClusterStartError: it did not come to that.
    """

    async def lacks() -> str:
        listed = await _listed(url, service)
        if listed is None:
            return _SILENT
        left = sorted({_id_of(each) for each in listed} & set(instances))
        return f"it still gives {', '.join(left)} new users" if left else ""

    await _until_nothing("gateway", lacks, time.monotonic() + within)


async def _until_nothing(name: str, lacks: Callable[[], Awaitable[str]], deadline: float) -> None:
    while missing := await lacks():
        if time.monotonic() > deadline:
            raise ClusterStartError(
                f"{name} is up, but {missing}",
                tried="wait until the roles know each other",
                hint="look at the log of discovery and of the broker",
            )
        await asyncio.sleep(_ASK_EVERY)


async def _instance_lacks(url: str, others: set[str]) -> str:
    """What this instance still lacks, in words; "" if nothing."""
    info = await get_json(f"{url}/info", within=1.0)
    if info is None:
        return _SILENT
    broker = info.get("broker")
    if isinstance(broker, dict):
        link = cast("dict[str, object]", broker)
        if link.get("available") is not True:
            return f"has no connection to the broker at {link.get('url')}: {link.get('reason')}"
    # Only this strategy needs to know who else is there.
    return _unknown(others, info.get("peers")) if info.get("strategy") == "relay" else ""


async def _gateway_lacks(url: str, service: str, instances: set[str]) -> str:
    listed = await _listed(url, service)
    return _unknown(instances, listed) if listed is not None else _SILENT


async def _listed(url: str, service: str) -> list[object] | None:
    """Whom the gateway gives new users, or None if it does not answer."""
    health = await get_json(f"{url}/health", within=1.0)
    if health is None:
        return None
    services = health.get("services")
    listed = cast("dict[str, object]", services).get(service) if isinstance(services, dict) else None
    return cast("list[object]", listed) if isinstance(listed, list) else []


def _unknown(wanted: set[str], listed: object) -> str:
    known = (
        {_id_of(each) for each in cast("list[object]", listed)} if isinstance(listed, list) else set[str]()
    )
    unknown = sorted(wanted - known)
    return f"does not know {', '.join(unknown)}" if unknown else ""


def _id_of(peer: object) -> str:
    return str(cast("dict[str, object]", peer).get("id")) if isinstance(peer, dict) else str(peer)

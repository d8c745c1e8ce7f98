"""How an instance leaves: nobody loses anything by it.

First no new clients come (the registry says so, gateways follow) and no pushes are taken; what we hold
for users of another instance that stops is sent as they come. Then the other instances are told, and
hold back what is for our users (:mod:`.users.handover`); what they sent before is delivered; then every
client gets what waits for it and the close. While that goes on the instance stays in the registry, out
of service: requests of its SockJS sessions must still find it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from .brokers.base import Broker
from .discovery.client import DiscoveryClient
from .settings.instance import InstanceSettings
from .wiring import Parts

logger = logging.getLogger("pushscope.server")

_OUT_OF_SERVICE: Final = "OUT_OF_SERVICE"
#: How long the registry may take to say that we are out of service.
_SEEN_WITHIN_S: Final = 0.5
#: For connections that gateways were making when they heard it, and for messages on links of
#: brokers that keep no order between destinations.
_SETTLE_S: Final = 0.1
#: How long users of other instances that stop may take to come for what we hold for them.
_HELD_WITHIN_S: Final = 1.0
#: How long clients that do not read may take to read what waits for them.
_READ_WITHIN_S: Final = 0.5
#: How long polling clients may take to come for what waits for them, and once more for the close.
_TOLD_WITHIN_S: Final = 2.0
_LOOK_S: Final = 0.01


async def leave(
    settings: InstanceSettings, parts: Parts, broker: Broker, discovery: DiscoveryClient | None
) -> None:
    """End all clients of an instance in order; returns when they have been told, or had time to be."""
    parts.push_api.stop()
    if discovery is not None:
        with contextlib.suppress(TimeoutError):  # a registry that does not answer may not keep us here
            async with asyncio.timeout(_SEEN_WITHIN_S):
                await discovery.update(status=_OUT_OF_SERVICE)
                await _until(lambda: _is_seen(settings, discovery), _SEEN_WITHIN_S)
    handover = parts.users.handover
    await _until(lambda: not handover.held, _HELD_WITHIN_S)
    sessions = bool(parts.connections.hub.sessions)
    sync = parts.users.sync
    if sync is not None and sessions and broker.available:
        known = asyncio.Event()
        sync.leave(known.set)
        await known.wait()  # its own limit is receipt_wait_s
    if sessions and (discovery is not None or sync is not None):
        await asyncio.sleep(_SETTLE_S)
        await _until(lambda: not parts.connections.outbox.slow, _READ_WITHIN_S)
    handover.end()
    parts.router.close_all()
    if broker.available:
        parts.users.internal.goodbye()
    await parts.sockjs.stop(_TOLD_WITHIN_S)


def _is_seen(settings: InstanceSettings, discovery: DiscoveryClient) -> bool:
    if not discovery.connected:
        return True  # it tells nobody anything
    listed = discovery.snapshot.of(settings.service, status=None)
    return all(item.status == _OUT_OF_SERVICE for item in listed if item.id == settings.id)


async def _until(condition: Callable[[], bool], within: float) -> None:
    for _ in range(round(within / _LOOK_S)):
        if condition():
            return
        await asyncio.sleep(_LOOK_S)

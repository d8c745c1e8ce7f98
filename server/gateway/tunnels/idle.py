"""Cuts tunnels that have been silent for too long, where a route asks for it (``idle_timeout``).

Off by default, as in Spring Cloud Gateway; Zuul, in the article, had such a limit for everything,
and lost the connections of users to whom nothing was pushed. It is cut as there: both connections
are closed without a close frame (there may be half a message on the way), so clients see 1006.

A message costs one assignment here. Nothing is armed again for it: a timer for all tunnels of the
same limit looks which of them have moved.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from .splice import close_soon

logger = logging.getLogger("pushscope.gateway")

#: How often it is looked: ten times within the limit, at least once a second. Cut is between the
#: limit and two such steps later.
_STEPS = 10
_LONGEST_STEP_S = 1.0


class Watched:
    """A tunnel whose silence is measured.

    Attributes:
        moved: Whether a byte has passed, either way, since it was last looked.
        quiet_since: When it was last seen to move (the loop's time).
    """

    __slots__ = ("_client", "_name", "_upstream", "limit_s", "moved", "quiet_since")

    def __init__(
        self, limit_s: float, now: float, client: asyncio.Transport, upstream: asyncio.Transport, name: str
    ) -> None:
        self.limit_s = limit_s
        self.moved = False
        self.quiet_since = now
        self._client = client
        self._upstream = upstream
        self._name = name

    def through(self, write: Callable[[Any], None]) -> Callable[[Any], None]:
        """``write`` that notes that something moves."""

        def noting(data: Any) -> None:
            self.moved = True
            write(data)

        return noting

    def cut(self) -> None:
        """Close both connections."""
        logger.warning("cut after %g s of silence (idle_timeout): %s", self.limit_s, self._name)
        close_soon(self._client)
        close_soon(self._upstream)


class IdleWatch:
    """Watches the tunnels of one gateway; ``on_cut`` is called for each that it cuts."""

    def __init__(self, on_cut: Callable[[], None]) -> None:
        self._on_cut = on_cut
        self._tunnels: dict[float, set[Watched]] = {}
        self._timers: dict[float, asyncio.TimerHandle] = {}

    @property
    def watched(self) -> int:
        """How many tunnels are watched."""
        return sum(len(tunnels) for tunnels in self._tunnels.values())

    def watch(
        self, limit_s: float, client: asyncio.Transport, upstream: asyncio.Transport, name: str
    ) -> Watched:
        """Cut the tunnel between two transports when nothing has passed for ``limit_s`` seconds."""
        tunnel = Watched(limit_s, asyncio.get_running_loop().time(), client, upstream, name)
        tunnels = self._tunnels.setdefault(limit_s, set())
        tunnels.add(tunnel)
        if limit_s not in self._timers:
            self._arm(limit_s)
        return tunnel

    def forget(self, tunnel: Watched) -> None:
        """It is over."""
        tunnels = self._tunnels.get(tunnel.limit_s, set())
        tunnels.discard(tunnel)
        if not tunnels:
            self._tunnels.pop(tunnel.limit_s, None)
            timer = self._timers.pop(tunnel.limit_s, None)
            if timer is not None:
                timer.cancel()

    def _arm(self, limit_s: float) -> None:
        step = min(limit_s / _STEPS, _LONGEST_STEP_S)
        self._timers[limit_s] = asyncio.get_running_loop().call_later(step, self._look, limit_s)

    def _look(self, limit_s: float) -> None:
        now = asyncio.get_running_loop().time()
        for tunnel in tuple(self._tunnels[limit_s]):
            if tunnel.moved:
                tunnel.moved = False
                tunnel.quiet_since = now
            elif now - tunnel.quiet_since >= limit_s:
                self._tunnels[limit_s].discard(tunnel)
                self._on_cut()
                tunnel.cut()
        if self._tunnels[limit_s]:
            self._arm(limit_s)
        else:
            del self._tunnels[limit_s], self._timers[limit_s]

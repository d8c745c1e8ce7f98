"""A connection to a broker that comes back: its nodes in turn, growing pauses, who is told.

What STOMP and AMQP have in common; how a connection is made is the broker's own.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from core.errors import BrokerUnavailable

from .addresses import StompAddress
from .base import Availability

logger = logging.getLogger("pushscope.server.broker")

#: Bytes that may wait for a broker that does not read.
DEFAULT_BACKLOG_LIMIT: Final = 16 * 1024 * 1024

_CANCEL_AGAIN_S: Final = 0.1


class RelayTimes(msgspec.Struct, frozen=True):
    """How patient the relay is.

    Attributes:
        heartbeat_ms: (we can send, we want), as STOMP's ``heart-beat``.
        connect_s: For TCP, TLS and the login together.
        answer_s: A broker that answers nothing for so long, although it owes answers, is given up.
        first_pause_s: Before the first reconnection; doubles from then on.
        longest_pause_s: At most that long.
    """

    heartbeat_ms: tuple[int, int] = (10_000, 10_000)
    connect_s: float = 5.0
    answer_s: float = 30.0
    first_pause_s: float = 0.05
    longest_pause_s: float = 1.0


class Reconnecting:
    """Whether a broker can be used now, why not, and the way back.

    Args:
        nodes: Where it is; one is used at a time, each loss moves on to the next.
        times: How patient it is.
        backlog_limit: Bytes that may wait for it before it is refused as unavailable.
    """

    def __init__(self, nodes: Sequence[StompAddress], times: RelayTimes, backlog_limit: int) -> None:
        self.available = False
        self.reason = "not connected yet"
        self._nodes = deque(nodes)
        self._times = times
        self._backlog_limit = backlog_limit
        self._on_availability: Availability | None = None
        self._task: asyncio.Task[None] | None = None
        self._came = asyncio.Event()

    @property
    def node(self) -> StompAddress:
        """The node in use, or tried last."""
        return self._nodes[0]

    @property
    def several(self) -> bool:
        """Whether words about a node must name it."""
        return len(self._nodes) > 1

    @property
    def url(self) -> str:
        """That node's address without its password."""
        return self._nodes[0].public_url

    def start(self, connect: Callable[[], Awaitable[bool]], on_availability: Availability) -> None:
        """Connect again and again.

        Args:
            connect: Connects to :attr:`node`, stays until the connection has ended, and returns
                whether it could be used.
            on_availability: Told by :meth:`came` and :meth:`lost`.
        """
        self._on_availability = on_availability
        self._task = asyncio.create_task(self._run(connect), name=f"broker:{self.url}")

    async def stop(self) -> bool:
        """End the connecting; False if it has been ended before."""
        task, self._task = self._task, None
        if task is None:
            return False
        while not task.done():
            # Once is not always enough: aiormq can make an error of its own out of a cancellation,
            # after which connecting would go on.
            task.cancel()
            await asyncio.wait((task,), timeout=_CANCEL_AGAIN_S)
        return True

    async def try_each(self, connect: Callable[[], Awaitable[bool]], leave: Callable[[], None]) -> str:
        """Connect to each node once, until one can be used.

        Args:
            connect: As for :meth:`start`, which is not called then.
            leave: Ends the connection that there is.

        Returns:
            What came of it at each node, or "" if one can be used.
        """
        troubles: list[str] = []
        for _ in range(len(self._nodes)):
            self._came.clear()
            attempt = asyncio.ensure_future(connect())
            came = asyncio.ensure_future(self._came.wait())
            try:
                await asyncio.wait((attempt, came), return_when=asyncio.FIRST_COMPLETED)
                usable = came.done()
                if usable:
                    leave()
                await attempt
            finally:
                came.cancel()
                attempt.cancel()
                await asyncio.wait((came, attempt))
            if usable:
                return ""
            troubles.append(f"{self.url}: {self.reason}")
            self._nodes.rotate(-1)
        return "; ".join(troubles)

    def came(self, what: str) -> None:
        """The broker can be used from now on; ``what`` is for the log."""
        self.available, self.reason = True, ""
        self._came.set()
        logger.info("broker %s connected: %s", self.url, what)
        if self._on_availability is not None:
            self._on_availability(True, "")

    def lost(self, why: str) -> None:
        """The broker cannot be used; harmless when that is known."""
        was = self.available
        if why != self.reason or was:
            if self._task is None:  # we stop: nobody needs a warning
                logger.info("broker %s is left: %s", self.url, why)
            else:
                logger.warning("broker %s is not available: %s", self.url, why)
        self.available, self.reason = False, why
        if was and self._on_availability is not None:
            self._on_availability(False, why)

    def away(self, destination: str) -> BrokerUnavailable:
        """What who wants to publish is told while the broker is away."""
        return BrokerUnavailable(
            f"the broker at {self.url} is not available: {self.reason}", tried=f"SEND to {destination}"
        )

    def require_reading(self, backlog: int, destination: str) -> None:
        """Refuse to pile up more for a broker that does not read.

        Raises:
            BrokerUnavailable: ``backlog`` bytes are too many.
        """
        if backlog > self._backlog_limit:
            raise BrokerUnavailable(
                f"the broker at {self.url} does not read: {backlog} bytes wait for it",
                tried=f"SEND to {destination}",
            )

    async def _run(self, connect: Callable[[], Awaitable[bool]]) -> None:
        loop, first = asyncio.get_running_loop(), self._times.first_pause_s
        pause, tried = first, 0
        while True:
            begun = loop.time()
            if await connect():
                tried = 0
                if loop.time() - begun > self._times.longest_pause_s:  # else it comes and goes
                    pause = first
            tried += 1
            self._nodes.rotate(-1)
            if tried % len(self._nodes):
                continue  # the next node at once
            # Jitter, so that the instances of a cluster do not all come at once.
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, self._times.longest_pause_s)

"""Who has to go when a process runs out of file descriptors: whoever has said nothing for longest.

Every connection is a descriptor. Without this, connections that never say anything keep everybody else
out, and the gateway and the broker's links find none left for theirs.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any, Final

from core.files_limit import files_limit

#: What an answer says where one is possible.
NO_ROOM: Final = "this server has no file descriptor left for another connection"
#: So many of the descriptors are kept for connections that we make, and for files: 1 of 16, at least 16.
_SHARE: Final = 16
_FEWEST: Final = 16
_MOST: Final = 256
#: Seconds after which a shortage is over if it did not come again.
_CALM_S: Final = 10.0


class Descriptors:
    """The descriptors of a process, for one listening socket's connections.

    The system gives the lowest free number to a new connection; so a high number says that a shortage
    begins. While it lasts nobody comes without somebody's going, whatever the numbers.

    Args:
        log: Where a shortage is said, once when it begins and once when it is over.
        limit: Descriptors that the process may have; by default the system's limit.
    """

    def __init__(self, log: logging.Logger, limit: int | None = None) -> None:
        if limit is None:
            found = files_limit()
            limit = None if found is None else found.soft
        self._log = log
        self._limit = limit
        self._highest = None if limit is None else limit - min(max(limit // _SHARE, _FEWEST), _MOST)
        self._silent: dict[Any, None] = {}  # transports of those who have said nothing yet, oldest first
        self._dropped = self._turned_away = 0
        self._calm: asyncio.TimerHandle | None = None

    @property
    def silent(self) -> int:
        """How many connections have said nothing yet."""
        return len(self._silent)

    def came(self, transport: Any) -> bool:
        """A connection was made; False if there is no room for it."""
        if self._highest is None:
            return True
        sock = transport.get_extra_info("socket")
        scarce = self._calm is not None or (sock is not None and sock.fileno() >= self._highest)
        if scarce and not self.make_room() and self._in_use() >= self._highest:
            self._turned_away += 1
            return False
        self._silent[transport] = None
        return True

    def dialled(self, transport: Any) -> None:
        """A connection was made by us; while descriptors are scarce somebody goes for it."""
        if self._highest is None:
            return
        sock = transport.get_extra_info("socket")
        if self._calm is not None or (sock is not None and sock.fileno() >= self._highest):
            self.make_room()

    def spoke(self, transport: Any) -> None:
        """A connection has said something that makes sense, or ended."""
        self._silent.pop(transport, None)

    def make_room(self) -> bool:
        """Cut the oldest connection that has said nothing yet; False if there is none."""
        self._short()
        while self._silent:
            oldest = next(iter(self._silent))
            del self._silent[oldest]
            if not oldest.is_closing():
                self._dropped += 1
                oldest.abort()
                return True
        return False

    def close(self) -> None:
        """The server stops."""
        if self._calm is not None:
            self._calm.cancel()

    def _in_use(self) -> int:
        """How many descriptors are in use; takes time in proportion to them."""
        return len(os.listdir("/dev/fd"))

    def _short(self) -> None:
        loop = asyncio.get_running_loop()
        if self._calm is None:
            self._log.warning(
                "nearly all %d file descriptors are in use: connections that have said nothing yet are"
                " dropped, the oldest first; raise the limit of open files (ulimit -n)",
                self._limit or 0,
            )
        else:
            self._calm.cancel()
        self._calm = loop.call_later(_CALM_S, self._over)

    def _over(self) -> None:
        if self._highest is not None and self._in_use() >= self._highest:
            self._calm = asyncio.get_running_loop().call_later(_CALM_S, self._over)
            return
        self._calm = None
        self._log.warning(
            "file descriptors suffice again: %d connections that had said nothing were dropped,"
            " %d were turned away",
            self._dropped,
            self._turned_away,
        )
        self._dropped = self._turned_away = 0

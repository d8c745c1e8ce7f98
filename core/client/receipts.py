"""Receipts that a client waits for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator


class Receipts:
    """Futures by receipt id."""

    def __init__(self) -> None:
        self._expected: dict[str, asyncio.Future[None]] = {}

    @contextlib.contextmanager
    def expect(self, name: str) -> Generator[asyncio.Future[None]]:
        """A future for this receipt, forgotten at the end of the block."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._expected[name] = future
        try:
            yield future
        finally:
            del self._expected[name]
            future.cancel()

    def arrived(self, name: str) -> None:
        """This receipt came; harmless if nobody waits for it."""
        future = self._expected.get(name)
        if future is not None and not future.done():
            future.set_result(None)

    def failed(self, error: Exception, name: str | None = None) -> None:
        """This receipt, or with None any, will not come."""
        for expected, future in self._expected.items():
            if not future.done() and name in (None, expected):
                future.set_exception(error)

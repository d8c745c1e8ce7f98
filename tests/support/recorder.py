"""A receiver of carriers that remembers and can be awaited."""

from __future__ import annotations

import asyncio

from core.transport import CloseInfo


class Recorder:
    """Callbacks for a carrier: what came, and how it ended."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.info: CloseInfo | None = None
        self.log: list[str] = []
        self._wake = asyncio.Event()

    def on_data(self, data: bytes) -> None:
        self.data.append(data)
        self.log.append("data")
        self._wake.set()

    def on_close(self, info: CloseInfo) -> None:
        assert self.info is None, "on_close was called twice"
        self.info = info
        self.log.append("close")
        self._wake.set()

    async def messages(self, count: int) -> list[bytes]:
        """The first ``count`` messages, once they are there."""
        while len(self.data) < count:
            self._wake.clear()
            await self._wake.wait()
        return self.data[:count]

    async def closed(self) -> CloseInfo:
        """How it ended, once it has."""
        while self.info is None:
            self._wake.clear()
            await self._wake.wait()
        return self.info

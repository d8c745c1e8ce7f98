"""A SockJS client of a few lines that speaks any HTTP transport and keeps what it was sent."""

from __future__ import annotations

import asyncio
import json
from types import TracebackType
from typing import Final, Self

import aiohttp

#: How each transport receives: method, and what its URL needs.
_RECEIVES: Final = {
    "xhr": ("POST", ""),
    "xhr_streaming": ("POST", ""),
    "eventsource": ("GET", ""),
    "htmlfile": ("GET", "?c=cb"),
    "jsonp": ("GET", "?c=cb"),
}
RAW_TRANSPORTS: Final = tuple(_RECEIVES)


class RawSockJs:
    """One session; an async context manager that receives all the time, unless it is held.

    Attributes:
        text: All that came, as it came.
        statuses: Of every request that failed.
        receiving: Cleared to stay away between two requests.
    """

    def __init__(self, http: aiohttp.ClientSession, base: str, session: str, transport: str) -> None:
        self.text = ""
        self.statuses: list[int] = []
        self.receiving = asyncio.Event()
        self.receiving.set()
        self._http = http
        self._url = f"{base}/000/{session}"
        self._transport = transport
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._receive())
        await self.until("o")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def send(self, message: str) -> None:
        """Send one message."""
        body = json.dumps([message])
        jsonp = self._transport == "jsonp"
        url = f"{self._url}/{'jsonp_send' if jsonp else 'xhr_send'}"
        async with self._http.post(url, data={"d": body} if jsonp else body) as response:
            if response.status not in (200, 204):
                self.statuses.append(response.status)

    async def until(self, words: str) -> None:
        """Wait until these words have come."""
        async with self._changed:
            await self._changed.wait_for(lambda: words in self.text)

    async def _receive(self) -> None:
        method, query = _RECEIVES[self._transport]
        while "c[" not in self.text:
            await self.receiving.wait()
            url = f"{self._url}/{self._transport}{query}"
            async with self._http.request(method, url) as response:
                if response.status != 200:
                    self.statuses.append(response.status)
                async for chunk in response.content.iter_any():
                    async with self._changed:
                        self.text += chunk.decode()
                        self._changed.notify_all()

"""aiohttp as a SockJS client: what our own HTTP client is measured against. It parses neither STOMP nor,
beyond its lines, SockJS."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import aiohttp


class AiohttpClients:
    """Sessions by one transport, all on one ``ClientSession``.

    Attributes:
        got: Frames that came.
        first: Number of the first user.
    """

    def __init__(self, transport: str) -> None:
        self.got = 0
        self.first = 0
        self._streaming = transport == "xhr-streaming"

    async def open(self, stack: AsyncExitStack, url: str, count: int) -> None:
        """Connect so many; they leave with the stack."""
        connector = aiohttp.TCPConnector(limit=0)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, timeout=_NONE))
        dialers, opened = asyncio.Semaphore(96), asyncio.Semaphore(0)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())

        async def stream(base: str) -> None:
            async with dialers:
                answer = await http.post(f"{base}/xhr_streaming")
                await answer.content.readline()
                await answer.content.readline()
                await self._greet(http, base)
                for _ in range(2):
                    await answer.content.readline()
            opened.release()
            async for _ in answer.content:
                self.got += 1

        async def poll(base: str) -> None:
            async def one() -> None:
                async with http.post(f"{base}/xhr") as answer:
                    await answer.read()

            async with dialers:
                await one()
                await self._greet(http, base)
                for _ in range(2):
                    await one()
            opened.release()
            while True:
                await one()
                self.got += 1

        way = stream if self._streaming else poll
        running = [tasks.create_task(way(f"{url}/000/s{number}")) for number in range(count)]
        stack.callback(lambda: [task.cancel() for task in running])
        for _ in range(count):
            await opened.acquire()

    async def _greet(self, http: aiohttp.ClientSession, base: str) -> None:
        for text in ("CONNECT", "SUBSCRIBE"):
            async with http.post(f"{base}/xhr_send", data=f'["{text}"]'):
                pass

    async def reach(self, wanted: int) -> None:
        """Return when so many messages came. Looked at rarely, to cost nothing."""
        while self.got < wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    def count(self) -> int:
        """How many messages came so far."""
        return self.got


_NONE = aiohttp.ClientTimeout(total=None)

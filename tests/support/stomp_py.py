"""stomp.py, a client that nobody here wrote, with its threads' callbacks brought into the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

import stomp

_CONNECTIONS: Final = {"1.0": stomp.Connection10, "1.1": stomp.Connection11, "1.2": stomp.Connection12}


class _Listener(stomp.ConnectionListener):
    """Hands every callback to the loop of the test."""

    def __init__(self, took: Callable[[str, Any], None], loop: asyncio.AbstractEventLoop) -> None:
        self._took = took
        self._loop = loop

    def _hand_over(self, name: str, frame: Any = None) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
            self._loop.call_soon_threadsafe(self._took, name, frame)

    def on_connected(self, frame: Any) -> None:
        self._hand_over("connected", frame)

    def on_message(self, frame: Any) -> None:
        self._hand_over("message", frame)

    def on_receipt(self, frame: Any) -> None:
        self._hand_over("receipt", frame)

    def on_error(self, frame: Any) -> None:
        self._hand_over("error", frame)

    def on_heartbeat(self) -> None:
        self._hand_over("heartbeat")

    def on_heartbeat_timeout(self) -> None:
        self._hand_over("heartbeat-timeout")

    def on_disconnected(self) -> None:
        self._hand_over("disconnected")


class StompPy:
    """One connection of stomp.py; :meth:`call` runs its methods, :meth:`expect` takes what came."""

    def __init__(
        self, port: int, version: str = "1.2", heartbeats: tuple[int, int] = (0, 0), vhost: str = "/"
    ) -> None:
        self.events: list[tuple[str, Any]] = []
        self._wake = asyncio.Event()
        more: dict[str, Any] = {} if version == "1.0" else {"heartbeats": heartbeats, "vhost": vhost}
        make: Any = _CONNECTIONS[version]
        self.connection: Any = make(
            [("127.0.0.1", port)], reconnect_attempts_max=1, auto_decode=False, **more
        )
        self.connection.set_listener("", _Listener(self._took, asyncio.get_running_loop()))

    async def __aenter__(self) -> Self:
        await self.call("connect", "guest", "guest", wait=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.connection.is_connected():
            await self.call("disconnect")
        await asyncio.to_thread(self.connection.transport.stop)

    async def call(self, name: str, *arguments: Any, **settings: Any) -> Any:
        """Call a method of the connection, which may block, in a thread."""
        return await asyncio.to_thread(getattr(self.connection, name), *arguments, **settings)

    async def expect(self, name: str, within: float = 30.0) -> Any:
        """Take the oldest callback of this name, waiting for it; returns its frame.

        Raises:
            AssertionError: None came; tells what did.
        """
        try:
            async with asyncio.timeout(within):
                while True:
                    for event in self.events:
                        if event[0] == name:
                            self.events.remove(event)
                            return event[1]
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            raise AssertionError(f"no {name!r} within {within:g} s, only {self.events}") from None

    def _took(self, name: str, frame: Any) -> None:
        self.events.append((name, frame))
        self._wake.set()

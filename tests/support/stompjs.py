"""Clients of others in a Node process, driven by a test; needs ``requires("stompjs", "ws")`` or the like."""

from __future__ import annotations

import asyncio
import hashlib
import json
from asyncio.subprocess import PIPE
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cli.packages import find_program

from .requirements import node_modules

_DRIVERS = Path(__file__).resolve().parents[1] / "e2e"


#: What breaks naive escaping: decodeURI, JSON line ends, surrogates, markup, control characters.
AWKWARD = '100% é \u2028 😀 %E0 </script> \x01 \\ " \u200c \uffff'


def large_text(pair: str, transport: str) -> str:
    """More than 200,000 characters that do not repeat, as awkward as the client bears.

    The eventsource 0.1 of the old pair on Node decodes each piece of a response by itself, so that a
    character over a border of two is broken; only ASCII is safe from that.
    """
    mark = "%25" if (pair, transport) == ("old", "eventsource") else AWKWARD
    return "".join(hashlib.sha256(str(number).encode()).hexdigest() + mark for number in range(3200))


class StompJs:
    """One client; commands are those of its driver.

    Events are kept in order. :meth:`expect` takes the next one of a name, and leaves others for
    later, so that a test need not know what crosses what.
    """

    def __init__(self, driver: str = "stompjs_client.cjs") -> None:
        self._driver = str(_DRIVERS / driver)
        self.events: list[dict[str, Any]] = []
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._ended = False

    @property
    def pid(self) -> int:
        """The Node process."""
        assert self._process is not None
        return self._process.pid

    def command(self) -> list[str]:
        """How the driver is run."""
        node = find_program("node")
        assert node is not None
        return [node, self._driver, str(node_modules())]

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self.command(), stdin=PIPE, stdout=PIPE, limit=4 * 1024 * 1024
        )
        self._reading = asyncio.create_task(self._read(), name="stompjs")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._reading is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._reading
        await self._process.wait()

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.events.append(json.loads(line))
            self._wake.set()
        self._ended = True
        self._wake.set()

    def do(self, command: str, **arguments: Any) -> None:
        """Have it do something; what comes of it are events."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, **arguments}).encode() + b"\n")

    async def expect(self, name: str, within: float = 30.0) -> dict[str, Any]:
        """Take the oldest event of this name, waiting for it.

        Raises:
            AssertionError: It failed, ended, or nothing of that name came; tells what did.
        """
        try:
            async with asyncio.timeout(within):
                while True:
                    for event in self.events:
                        if event["event"] == name:
                            self.events.remove(event)
                            return event
                        assert event["event"] != "failed", event
                    assert not self._ended, f"Node has ended; before that came {self.events}"
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            raise AssertionError(f"no {name!r} within {within:g} s, only {self.events}") from None

    async def connect(self, url: str, **settings: Any) -> dict[str, Any]:
        """Connect; returns CONNECTED."""
        self.do("connect", url=url, **settings)
        return await self.expect("connected")

    async def subscribe(self, id: str, destination: str) -> None:
        """Subscribe, and return when the receipt has come."""
        self.do("subscribe", id=id, destination=destination, receipt=f"subscribed-{id}")
        assert (await self.expect("receipt"))["id"] == f"subscribed-{id}"

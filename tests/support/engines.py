"""An engine under test: collects its events and waits for those that are certain to come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from core.engine.cluster import EnvironmentFactory
from core.engine.engine import Engine
from core.engine.messages import Command, Event, Finished, Snapshot, StateChanged
from core.environment import ClusterSpec, Environment
from core.errors import ExitCode
from server.supervisor import LocalCluster

from .processes import PATIENCE

_E = TypeVar("_E")

#: Every delivery rule held; on a busy machine the sender may have lagged, which is not what most tests ask.
DELIVERED = (ExitCode.PASS, ExitCode.SATURATED)


def in_this_loop(spec: ClusterSpec) -> Environment:
    """A whole cluster in the loop of the test, without a broker process."""
    return LocalCluster(spec.instances, spec.strategy, "memory:", in_process=True)


class WatchedEngine:
    """An async context manager around an engine that reads all of its events."""

    def __init__(
        self, factory: EnvironmentFactory | None = in_this_loop, *, environment: Environment | None = None,
        workers: int = 0,
    ) -> None:  # fmt: skip
        self.engine = Engine(factory, environment=environment, workers=workers)
        self.seen: list[Event] = []
        self._read = 0
        self._wake = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.engine.__aenter__()
        self._reader = asyncio.create_task(self._collect())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.engine.__aexit__(kind, error, trace)
        assert self._reader is not None
        await self._reader  # the events end with the engine

    async def _collect(self) -> None:
        async for event in self.engine.events():
            self.seen.append(event)
            self._wake.set()

    async def tell(self, *commands: Command) -> None:
        """Hand over commands."""
        for command in commands:
            await self.engine.handle(command)

    async def next(self, kind: type[_E], matches: Callable[[_E], bool] = lambda event: True) -> _E:
        """The next event of this kind that matches, after the one returned last."""
        async with asyncio.timeout(PATIENCE):
            while True:
                while self._read < len(self.seen):
                    event = self.seen[self._read]
                    self._read += 1
                    if isinstance(event, kind) and matches(event):
                        return event
                self._wake.clear()
                await self._wake.wait()

    async def snapshot(self, matches: Callable[[Snapshot], bool]) -> Snapshot:
        """The next snapshot that matches."""
        return await self.next(Snapshot, matches)

    async def finished(self) -> Finished:
        """The judgement of the run."""
        return await self.next(Finished)

    async def state(self, *, run: str = "", cluster: str = "") -> StateChanged:
        """The change into this state."""
        return await self.next(
            StateChanged, lambda event: run in ("", event.run) and cluster in ("", event.cluster)
        )

    def of(self, kind: type[_E]) -> list[_E]:
        """All events of a kind so far."""
        return [event for event in self.seen if isinstance(event, kind)]

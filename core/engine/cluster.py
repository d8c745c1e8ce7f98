"""The environment of an engine: started or adopted, watched, and told what to do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

from ..clock import now_ns
from ..environment import (
    Action,
    ClusterSpec,
    Environment,
    EnvironmentEvent,
    EnvironmentInfo,
    InstanceChanged,
    InstanceInfo,
    LogLine,
    Part,
    PartChanged,
    StartStep,
)
from ..errors import UsageError

EnvironmentFactory = Callable[[ClusterSpec], Environment]

#: States in which an instance may be asked to push: a paused one is not known to be paused.
_ASKED: Final = ("ready", "paused")
_GONE: Final = ("dead", "stopped")


class ClusterKeeper:
    """Keeps one environment at a time.

    Args:
        on_change: Called after an instance or part changed.
        on_log: Called with each log line.
        on_marker: Called with a kind, an instance's id and a stamp when something happened to it:
            what was asked for, ``dead`` for a death that nobody asked for, or ``broker-lost`` and
            ``broker-back``.

    Attributes:
        instances: Every instance as last seen, by id; a removed one is forgotten.
        parts: The other processes, by name.
        deaths: When each instance ended, by id.
    """

    def __init__(
        self,
        on_change: Callable[[], None],
        on_log: Callable[[LogLine], None],
        on_marker: Callable[[str, str, int], None],
    ) -> None:
        self.instances: dict[str, InstanceInfo] = {}
        self.parts: dict[str, Part] = {}
        self.deaths: dict[str, int] = {}
        self._on_change = on_change
        self._on_log = on_log
        self._on_marker = on_marker
        self._environment: Environment | None = None
        self._owned = False
        self._pump: asyncio.Task[None] | None = None
        self._expected: set[str] = set()
        self._removed: set[str] = set()

    @property
    def present(self) -> bool:
        """Whether there is an environment."""
        return self._environment is not None

    def describe(self) -> EnvironmentInfo:
        """What the environment says of itself.

        Raises:
            UsageError: there is none.
        """
        if self._environment is None:
            raise UsageError("no cluster is running", hint="start one first")
        return self._environment.describe()

    async def start(self, environment: Environment, progress: Callable[[StartStep], None]) -> None:
        """Start an environment and keep it; undone when it fails or is cancelled."""
        await environment.start(progress)
        self.adopt(environment)
        self._owned = True

    def adopt(self, environment: Environment) -> None:
        """Keep an environment that somebody else started and will stop."""
        self._environment = environment
        self._owned = False
        info = environment.describe()
        self.instances = {instance.id: instance for instance in info.instances}
        self.parts = {part.name: part for part in info.parts}
        self.deaths = {}
        self._expected.clear()
        self._removed.clear()
        self._pump = asyncio.create_task(self._read(environment.events()), name="environment events")
        self._on_change()

    async def stop(self) -> None:
        """Stop it if it is ours, else just let go of it; may be called twice."""
        environment, self._environment = self._environment, None
        pump, self._pump = self._pump, None
        if environment is None:
            return
        self._expected.update(self.instances)
        try:
            if self._owned:
                await environment.stop()
        finally:
            if pump is not None:
                pump.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await pump
            self.instances.clear()
            self.parts.clear()
            self._on_change()

    async def control(self, action: Action, instance: str | None) -> str:
        """Do something to an instance and return its id.

        Raises:
            UsageError: no such instance, or not possible.
            ClusterStartError: an added one did not become ready.
        """
        if self._environment is None:
            raise UsageError(f"cannot {action}: no cluster is running")
        asked_ns = now_ns()
        ends = action in ("kill", "stop", "remove")
        before = set(self._expected)
        if ends:  # its end is no surprise, also when it is told before we return
            self._expected.update((instance,) if instance is not None else self.instances)
        try:
            done = await self._environment.control(action, instance)
        except BaseException:
            self._expected = before
            raise
        self._expected = before | {done} if ends else before
        self._on_marker(action, done, asked_ns)
        if action == "remove":
            self._removed.add(done)
            self.instances.pop(done, None)
            self._on_change()
        return done

    def targets(self) -> dict[str, str]:
        """Base URLs of the instances that may be asked to push, by id."""
        return {
            instance.id: instance.push_url for instance in self.instances.values() if instance.state in _ASKED
        }

    @property
    def guarded(self) -> tuple[str, ...]:
        """Ids of the instances that want the token of ``PUSHSCOPE_TOKEN``."""
        return tuple(sorted(instance.id for instance in self.instances.values() if instance.guarded))

    def alive(self) -> dict[str, str]:
        """Base URLs of the instances that can answer."""
        return {
            instance.id: instance.push_url
            for instance in self.instances.values()
            if instance.state == "ready"
        }

    async def _read(self, events: AsyncIterator[EnvironmentEvent]) -> None:
        async for event in events:
            match event:
                case LogLine():
                    self._on_log(event)
                case PartChanged(part):
                    self.parts[part.name] = part
                    self._on_change()
                case InstanceChanged(instance):
                    self._take(instance)

    def _take(self, instance: InstanceInfo) -> None:
        if instance.id in self._removed:
            return
        before = self.instances.get(instance.id)
        self.instances[instance.id] = instance
        if before is not None and bool(before.broker_trouble) != bool(instance.broker_trouble):
            kind = "broker-lost" if instance.broker_trouble else "broker-back"
            if instance.state == "ready":
                self._on_marker(kind, instance.id, now_ns())
        if instance.state in _GONE and (before is None or before.state not in _GONE):
            self.deaths[instance.id] = now_ns()
            if instance.state == "dead" and instance.id not in self._expected:
                self._on_marker("dead", instance.id, self.deaths[instance.id])
        self._on_change()

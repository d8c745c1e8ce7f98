"""One role under supervision: its state, from *starting* to its end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec

from core.child import describe_exit
from core.clock import now_ns
from core.environment import Action, InstanceInfo, InstanceState, Part
from core.errors import UsageError
from core.push_token import push_token

from ..roles.options import Options
from .launcher import Launcher, Running

_LOG_LINES = 200
_ALIVE: frozenset[InstanceState] = frozenset(("ready", "paused"))


class Sample(msgspec.Struct, frozen=True):
    """What a member cost and carried in the last second; -1 where unknown.

    ``broker_trouble`` is why it cannot use its broker, "" if it can.
    """

    sessions: int = -1
    cpu_percent: float = -1.0
    rss_bytes: int = -1
    broker_trouble: str = ""


class Member:
    """A role of a cluster, whichever it is; started once.

    Attributes:
        name: ``i1``, ``gateway``, …
        options: What it was told.
        state: As :data:`core.environment.InstanceState`.
        log: Its last log lines.
        draining: Whether it is out of service: no new users come to it.
    """

    def __init__(
        self,
        name: str,
        options: Options,
        launcher: Launcher,
        *,
        on_change: Callable[[Member], None],
        on_line: Callable[[str, str], None],
    ) -> None:
        self.name = name
        self.options = options
        self.state: InstanceState = "starting"
        self.log: deque[str] = deque(maxlen=_LOG_LINES)
        self.sample = Sample()
        self.draining = False
        self._launcher = launcher
        self._on_change = on_change
        self._on_line = on_line
        self._running: Running | None = None
        self._started_ns = 0
        self._exit_code: int | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it serves, or "" before it is ready."""
        return self._running.url if self._running is not None else ""

    @property
    def pid(self) -> int | None:
        """Its process, None before it is ready and where it shares ours."""
        return self._running.pid if self._running is not None else None

    @property
    def alive(self) -> bool:
        """Whether it is ready or paused."""
        return self.state in _ALIVE

    def as_instance(self) -> InstanceInfo:
        """What the environment tells of an instance."""
        sample = self.sample if self.alive else Sample()
        return InstanceInfo(
            self.name,
            self.state,
            self.url,
            pid=self.pid,
            started_ns=self._started_ns,
            sessions=sample.sessions,
            cpu_percent=sample.cpu_percent,
            rss_bytes=sample.rss_bytes,
            exit_code=self._exit_code,
            broker_trouble=sample.broker_trouble,
            draining=self.draining and self.alive,
            guarded=bool(push_token()),
        )

    def as_part(self) -> Part:
        """What the environment tells of another role."""
        return Part(self.name, self.state, self.url, pid=self.pid)

    def fits(self, action: Action) -> bool:
        """Whether it is in a state for ``action``."""
        match action:
            case "pause":
                return self.state == "ready"
            case "resume":
                return self.state == "paused"
            case "drain":
                return self.state == "ready" and not self.draining
            case "undrain":
                return self.state == "ready" and self.draining
            case "remove":
                return True
            case _:
                return self.alive

    def require(self, action: Action) -> None:
        """Refuse an ``action`` for which it is in no state.

        Raises:
            UsageError: says which state it is in.
        """
        if not self.fits(action):
            state = "drained" if self.draining and self.alive else self.state
            raise UsageError(f"cannot {action} {self.name}: it is {state}")

    async def start(self) -> None:
        """Start it and return when it is ready.

        Raises:
            ClusterStartError: it did not become ready; nothing of it is left.
        """
        self._started_ns = now_ns()
        self._on_change(self)
        try:
            self._running = await self._launcher.start(self.name, self.options, self._note)
        except BaseException:
            self._enter("stopped")
            raise
        self._watching = asyncio.create_task(self._watch(self._running), name=f"watch {self.name}")
        self._enter("ready")

    async def stop(self, grace: float) -> None:
        """Stop it in order, within ``grace`` seconds or hard; nothing happens if it has ended."""
        running = self._running
        if running is None:
            return
        if self.alive:
            self._enter("stopping")
        await running.stop(grace)
        if self._watching is not None:
            await self._watching

    async def kill(self) -> None:
        """End it without a word; returns when it is dead.

        Raises:
            UsageError: it is not running.
        """
        self._signal("kill")
        if self._watching is not None:
            await asyncio.shield(self._watching)

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing is answered.

        Raises:
            UsageError: it is not running, or cannot be paused here.
        """
        self._signal("pause")
        self._enter("paused")

    def resume(self) -> None:
        """Let a paused one run again.

        Raises:
            UsageError: it is not paused.
        """
        self._signal("resume")
        self._enter("ready")

    def note_draining(self, draining: bool) -> None:
        """Tell that it has been taken out of service, or back."""
        self.draining = draining
        self._on_change(self)

    def note_sample(self, sample: Sample) -> None:
        """Take a sample in and tell it."""
        if self.alive:
            self.sample = sample
            self._on_change(self)

    def _signal(self, action: Action) -> None:
        self.require(action)
        if self._running is not None:
            self._running.signal(action)

    async def _watch(self, running: Running) -> None:
        self._exit_code = await running.wait()
        words = describe_exit(self._exit_code)
        if self.state == "stopping":
            self._enter("stopped")
        else:
            self._note(f"{self.name} {words}")
            self._enter("dead")

    def _enter(self, state: InstanceState) -> None:
        self.state = state
        self._on_change(self)

    def _note(self, line: str) -> None:
        self.log.append(line)
        self._on_line(self.name, line)

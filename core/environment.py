"""The seam between the engine and what it measures.

``server.supervisor`` implements :class:`Environment` with local processes; somebody's own
deployment is described by a file and implemented in this package. The engine knows only this.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Literal, Protocol

import msgspec

from .tokens import TokenSource

InstanceState = Literal["starting", "ready", "paused", "stopping", "stopped", "dead"]
Action = Literal["kill", "stop", "pause", "resume", "drain", "undrain", "add", "remove"]
StepState = Literal["waiting", "running", "done", "failed"]


class ClusterSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What local cluster to start.

    Attributes:
        instances: How many instances (1 to 64).
        strategy: How a push reaches a user on another instance: ``relay`` resolves the user
            across instances, ``broadcast`` hands every push to every instance, ``none`` looks
            at local sockets only.
        broker: ``embedded:``, ``memory:``, or a broker's URL.
        ports: Explicit instance ports; empty means free ones. A taken one is an error.
        gateway_port: Explicit port, or 0 for a free one.
        discovery_port: Explicit port, or 0 for a free one.
        default_user: User of a connection that names none.
        on_broker_loss: What instances do to their clients while the broker is away: ``keep`` them,
            or end them with ERROR as Spring does (``spring``).
        relay: ``multiplexed``: an instance's clients share its broker connection; ``per-client``: each
            has one of its own, as with Spring (STOMP brokers only).
        tokens: Whether clients need an access token, signed with the secret of ``PUSHSCOPE_JWT_SECRET``;
            simulated users have one.
    """

    instances: int = 3
    strategy: Literal["relay", "broadcast", "none"] = "relay"
    broker: str = "embedded:"
    ports: tuple[int, ...] = ()
    gateway_port: int = 0
    discovery_port: int = 0
    default_user: str = "lijian"
    on_broker_loss: Literal["keep", "spring"] = "keep"
    relay: Literal["multiplexed", "per-client"] = "multiplexed"
    tokens: bool = False


class InstanceInfo(msgspec.Struct, frozen=True):
    """One push server process, as the environment sees it now.

    ``push_url`` is the base for ``/push`` and ``/test``; ``pid`` is None where unknown.
    ``sessions`` to ``rss_bytes`` are the last sample (once a second); -1 where unknown.
    ``exit_code`` is that of a dead or stopped process (negative: the signal that ended it).
    ``broker_trouble`` is why it cannot use its broker now, "" if it can or that is unknown.
    ``draining``: it is out of service, so that it keeps its users and gets no new ones.
    ``guarded``: whoever pushes there needs the token of ``PUSHSCOPE_TOKEN``.
    """

    id: str
    state: InstanceState
    push_url: str
    pid: int | None = None
    started_ns: int = 0
    sessions: int = -1
    cpu_percent: float = -1.0
    rss_bytes: int = -1
    exit_code: int | None = None
    broker_trouble: str = ""
    draining: bool = False
    guarded: bool = False

    @property
    def cut_off(self) -> bool:
        """Whether it answers, but cannot use its broker."""
        return self.state == "ready" and bool(self.broker_trouble)


class Part(msgspec.Struct, frozen=True):
    """A process of the cluster that is not an instance: gateway, discovery or broker."""

    name: str
    state: InstanceState
    url: str
    pid: int | None = None


class EnvironmentInfo(msgspec.Struct, frozen=True):
    """Where users connect and where pushes go.

    ``websocket_url`` is where simulated users connect (through the gateway), with ``{user}``
    replaced by the percent-encoded user name if present. ``sockjs`` is where those with SockJS do, if
    that does not follow from it. ``test_path`` is the path and query of the push API that takes nothing
    but a user. ``tokens`` is where users get access tokens, if they need them: no secret.
    """

    name: str
    kind: Literal["local", "attached"]
    websocket_url: str
    gateway_url: str
    instances: tuple[InstanceInfo, ...]
    parts: tuple[Part, ...] = ()
    strategy: str = "relay"
    broker: str = "embedded:"
    test_path: str = "/test?username={user}"
    sockjs: str = ""
    tokens: TokenSource | None = None

    @property
    def sockjs_url(self) -> str:
        """Base URL of SockJS, with ``{user}`` as ``websocket_url``."""
        return self.sockjs or sockjs_beside(self.websocket_url)


def sockjs_beside(websocket_url: str) -> str:
    """The SockJS service that a plain WebSocket's URL suggests: the same path, or the one above its
    last part ``/websocket``, where Spring and sockjs-node have the WebSocket without frames."""
    scheme, separator, rest = websocket_url.partition("://")
    path, mark, query = rest.partition("?")
    return f"{scheme.replace('ws', 'http', 1)}{separator}{path.removesuffix('/websocket')}{mark}{query}"


class StartStep(msgspec.Struct, frozen=True, tag=True):
    """Progress of a start, for a checklist: ``key`` is ``ports``, ``broker``, ``discovery``,
    ``instances``, ``gateway`` or ``users``; ``done``/``total`` count within the step;
    ``detail`` is the log tail of a failed one."""

    key: str
    state: StepState
    seconds: float = 0.0
    done: int = 0
    total: int = 0
    detail: str = ""


class InstanceChanged(msgspec.Struct, frozen=True, tag=True):
    """An instance appeared, changed state, or was sampled."""

    instance: InstanceInfo


class PartChanged(msgspec.Struct, frozen=True, tag=True):
    """Gateway, discovery or broker changed state."""

    part: Part


class LogLine(msgspec.Struct, frozen=True, tag=True):
    """One line that a process of the cluster wrote."""

    source: str
    text: str


EnvironmentEvent = InstanceChanged | PartChanged | LogLine


class Environment(Protocol):
    """What the engine needs of a cluster or a deployment.

    ``start`` is called once before anything else and undoes what it began when it fails or is
    cancelled; ``stop`` may be called at any time, also twice, and leaves no process behind.
    """

    def describe(self) -> EnvironmentInfo:
        """The present addresses and states; no input or output."""
        ...

    async def start(self, progress: Callable[[StartStep], None]) -> None:
        """Start everything and return when it is ready.

        Raises:
            ClusterStartError: a process did not become ready; PortTakenError names a port.
            TargetUnreachable: an attached deployment does not answer.
        """
        ...

    async def stop(self) -> None:
        """Stop everything that this environment started."""
        ...

    async def control(self, action: Action, instance: str | None = None) -> str:
        """Do something to an instance and return its id (a new one for ``add``).

        Raises:
            UsageError: no such instance, or not possible here.
        """
        ...

    def events(self) -> AsyncIterator[EnvironmentEvent]:
        """Changes and log lines from now on; ends after ``stop``. Bounded: a slow reader
        loses the oldest log lines, never a state."""
        ...

"""A whole cluster on this machine: broker, discovery, instances, gateway."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from types import TracebackType
from typing import Literal, Self

import msgspec

from core.environment import (
    Action,
    ClusterSpec,
    EnvironmentEvent,
    EnvironmentInfo,
    InstanceChanged,
    LogLine,
    Part,
    PartChanged,
    StartStep,
)
from core.errors import ClusterStartError, UsageError
from core.tasks import BackgroundTasks
from core.tokens import TokenSource

from ..roles.options import GatewayOptions, InstanceOptions, Options
from ..settings.tokens import SECRET_VARIABLE, TokenSettings
from .draining import set_in_service
from .feed import EventFeed
from .launcher import Launcher, ProcessLauncher
from .member import Member
from .plan import SERVICE, Plan, PreferredPorts, check_ports
from .progress import step, to_the_end, together
from .readiness import check_broker, wait_for_gateway, wait_for_mesh

#: Seconds for an orderly stop: first whoever has clients, then what those lean on. The sum is below
#: the five seconds in which ``serve`` promises to be gone.
_CLIENT_GRACE = 2.5
_BACKBONE_GRACE = 1.0
#: For one instance that is stopped while the others go on: its clients must have come for all that
#: waits for them. It ends itself before.
_STOP_GRACE = 5.0

_STEPS = ("ports", "broker", "discovery", "instances", "gateway")


class LocalCluster:
    """A gateway, discovery, a broker and instances, each a process (or all in this loop).

    An async context manager, and an implementation of :class:`core.environment.Environment`::

        async with LocalCluster(instances=2) as cluster:
            print(cluster.describe().gateway_url)

    Args:
        instances: How many, 1 to 64.
        strategy: How a push reaches a user on another instance (``core.environment``).
        broker: ``embedded:`` (a broker process of our own), ``memory:`` (with ``in_process``), or
            the URL of one that runs already. It never appears on a command line or in a log.
        ports: Ports of the first instances; 0 or none is a free one, a taken one an error.
        gateway_port: As ``ports``.
        discovery_port: As ``ports``.
        default_user: Who a connection is that names no user.
        on_broker_loss: What instances do to clients while the broker is away (``core.environment``).
        relay: Whether clients share their instance's broker connection (``core.environment``).
        in_process: Run all roles in this event loop, for tests and notebooks. Instances can be
            killed, not paused.
        tokens: How access tokens of clients are checked; None: nobody needs one. A secret in them never
            appears on a command line or in a log. Simulated users make tokens of their own if the secret
            is that of ``PUSHSCOPE_JWT_SECRET`` and nothing but the user's name is needed.
        instance: What instances are told besides: how SockJS is spoken, which pages may connect, prefixes,
            …; what the other arguments say of them wins. The gateway takes the hosts that they allow.
        gateway: What the gateway is told besides, its files of routes say.
        preferred: Ports to try first where none is given.
        launcher: How roles are started, instead of what ``in_process`` says.

    Raises:
        UsageError: the arguments contradict each other.
    """

    def __init__(
        self,
        instances: int = 2,
        strategy: Literal["relay", "broadcast", "none"] = "relay",
        broker: str = "embedded:",
        ports: tuple[int, ...] = (),
        gateway_port: int = 0,
        discovery_port: int = 0,
        default_user: str = "lijian",
        in_process: bool = False,
        *,
        on_broker_loss: Literal["keep", "spring"] = "keep",
        relay: Literal["multiplexed", "per-client"] = "multiplexed",
        tokens: TokenSettings | None = None,
        instance: InstanceOptions | None = None,
        gateway: GatewayOptions | None = None,
        preferred: PreferredPorts | None = None,
        launcher: Launcher | None = None,
    ) -> None:
        spec = ClusterSpec(
            instances,
            strategy,
            broker,
            tuple(ports),
            gateway_port,
            discovery_port,
            default_user,
            on_broker_loss,
            relay,
            tokens is not None,
        )
        self._plan = Plan(
            spec,
            preferred=preferred or PreferredPorts(0, 0, 0),
            in_process=in_process,
            instance=msgspec.structs.replace(instance or InstanceOptions(), tokens=tokens),
            gateway=gateway or GatewayOptions(),
        )
        self._tokens = _source_of(tokens)
        self._launcher = launcher or _make_launcher(in_process)
        self._feed = EventFeed()
        self._instances: dict[str, Member] = {}
        self._parts: dict[str, Member] = {}
        self._broker_url = spec.broker
        self._tasks = BackgroundTasks()
        self._stopping: asyncio.Task[None] | None = None
        self._ready = False

    @classmethod
    def from_spec(
        cls, spec: ClusterSpec, *, in_process: bool = False, preferred: PreferredPorts | None = None
    ) -> Self:
        """A cluster as ``spec`` describes it.

        Raises:
            UsageError: it contradicts itself, or clients need tokens and there is no secret for them.
        """
        secret = os.environ.get(SECRET_VARIABLE, "")
        if spec.tokens and not secret:
            raise UsageError(
                f"clients need access tokens, and {SECRET_VARIABLE} is not set",
                tried="start a cluster with tokens = true",
                hint=f"export {SECRET_VARIABLE}=$(openssl rand -hex 32)",
            )
        return cls(
            spec.instances,
            spec.strategy,
            spec.broker,
            spec.ports,
            spec.gateway_port,
            spec.discovery_port,
            spec.default_user,
            in_process,
            on_broker_loss=spec.on_broker_loss,
            relay=spec.relay,
            tokens=TokenSettings(secret=secret) if spec.tokens else None,
            preferred=preferred,
        )

    # ---- description ----------------------------------------------------------------------

    def describe(self) -> EnvironmentInfo:
        """The present addresses and states; see :class:`core.environment.Environment`."""
        gateway = self._parts["gateway"].url if "gateway" in self._parts else ""
        return EnvironmentInfo(
            name="local cluster",
            kind="local",
            websocket_url=f"ws{gateway.removeprefix('http')}/{SERVICE}/ws?user={{user}}" if gateway else "",
            gateway_url=gateway,
            instances=tuple(member.as_instance() for member in self._instances.values()),
            parts=self._describe_parts(),
            tokens=self._tokens,
            strategy=self._plan.spec.strategy,
            broker=self._plan.shown_broker,
        )

    def _describe_parts(self) -> tuple[Part, ...]:
        parts = tuple(member.as_part() for member in self._parts.values())
        if "broker" in self._parts or not self._ready:
            return parts
        return (*parts, Part("broker", "ready", self._plan.shown_broker))

    def log_of(self, name: str) -> tuple[str, ...]:
        """The last log lines of an instance or part, oldest first.

        Raises:
            UsageError: there is none of this name.
        """
        member = self._instances.get(name) or self._parts.get(name)
        if member is None:
            raise UsageError(f"no instance or part {name!r}", hint=f"one of {self._names()}")
        return tuple(member.log)

    def events(self) -> AsyncIterator[EnvironmentEvent]:
        """Changes and log lines from this call on; see :class:`core.environment.Environment`."""
        return self._feed.subscribe()

    # ---- start and stop -------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.start(lambda step: None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self, progress: Callable[[StartStep], None]) -> None:
        """Start everything and return when it is ready; undone when it fails or is cancelled.

        Raises:
            PortTakenError: a port that was asked for by number is in use.
            ClusterStartError: something else kept a role from becoming ready.
        """
        if self._instances or self._parts or self._stopping is not None:
            raise UsageError("a cluster is started once", hint="make a new LocalCluster")
        for key in _STEPS:
            progress(StartStep(key, "waiting"))
        try:
            await self._until_stop(self._start(progress), "the cluster")
        except BaseException:
            await self.stop()
            raise
        self._ready = True
        self._tasks.start(self._sample(), "samples")

    async def _start(self, progress: Callable[[StartStep], None]) -> None:
        ports = self._plan.explicit_ports()
        with step("ports", len(ports), progress):
            check_ports(ports)
        await together(self._start_broker(progress), self._start_discovery(progress))
        discovery = self._parts["discovery"].url
        for _ in range(self._plan.spec.instances):
            self._new_instance()
        gateway = self._new_part("gateway", self._plan.gateway(discovery))
        await together(self._start_instances(progress), self._start_gateway(gateway, progress))

    async def _start_broker(self, progress: Callable[[StartStep], None]) -> None:
        with step("broker", 1, progress) as current:
            if self._plan.embedded_broker:
                part = self._new_part("broker", self._plan.broker())
                await part.start()
                self._broker_url = part.url
            else:
                await check_broker(self._broker_url)
            current.advance()

    async def _start_discovery(self, progress: Callable[[StartStep], None]) -> None:
        with step("discovery", 1, progress) as current:
            await self._new_part("discovery", self._plan.discovery()).start()
            current.advance()

    async def _start_instances(self, progress: Callable[[StartStep], None]) -> None:
        with step("instances", self._plan.spec.instances, progress) as current:

            async def start_one(member: Member) -> None:
                await member.start()
                current.advance()

            members = tuple(self._instances.values())
            await together(*(start_one(member) for member in members))
            await wait_for_mesh(self._ready_urls)
            for member in members:
                if not member.alive:
                    raise ClusterStartError(f"{member.name} died as soon as it was up", log=tuple(member.log))

    async def _start_gateway(self, gateway: Member, progress: Callable[[StartStep], None]) -> None:
        # Instances and gateway start side by side; the last step is done when it knows them all.
        with step("gateway", 1, progress) as current:
            await gateway.start()
            await wait_for_gateway(gateway.url, SERVICE, self._instances)
            current.advance()

    async def stop(self) -> None:
        """Stop everything, in at most about four seconds; may be called at any time, also twice."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(), name="stop cluster")
        await to_the_end(self._stopping)

    async def _stop(self) -> None:
        self._ready = False
        await self._tasks.cancel()
        parts = dict(self._parts)
        clients = [*self._instances.values(), *(parts.pop(name) for name in ("gateway",) if name in parts)]
        await _all(member.stop(_CLIENT_GRACE) for member in clients)
        await _all(member.stop(_BACKBONE_GRACE) for member in parts.values())
        self._feed.close()

    # ---- control --------------------------------------------------------------------------

    async def control(self, action: Action, instance: str | None = None) -> str:
        """Do something to an instance and return its id when it is done.

        ``kill`` ends it without a word, ``stop`` in order; ``pause`` freezes it, ``resume`` lets it
        go on; ``drain`` takes it out of service, so that it keeps its users and gets no new ones, and
        ``undrain`` puts it back; ``add`` starts one under an id that was never used; ``remove`` stops
        it and forgets it. Without an instance the newest that it can be done to is taken.

        Raises:
            UsageError: no such instance, or it is in no state for this, or not possible here.
            ClusterStartError: an added one did not become ready.
        """
        if not self._ready:
            raise UsageError(f"cannot {action}: the cluster is not running")
        if action == "add":
            return await self._add()
        member = self._find(action, instance)
        match action:
            case "kill":
                await member.kill()
            case "pause":
                member.pause()
            case "resume":
                member.resume()
            case "drain" | "undrain":
                member.require(action)
                await self._set_draining(member, action == "drain")
            case "stop":
                await member.stop(_STOP_GRACE)
            case "remove":
                await member.stop(_STOP_GRACE)
                self._instances.pop(member.name, None)
        return member.name

    async def _set_draining(self, member: Member, draining: bool) -> None:
        discovery, gateway = self._parts["discovery"].url, self._parts["gateway"].url
        await set_in_service(discovery, gateway, SERVICE, member.name, in_service=not draining)
        member.note_draining(draining)

    async def _add(self) -> str:
        member = self._new_instance()
        await self._until_stop(self._start_added(member), member.name)
        return member.name

    async def _start_added(self, member: Member) -> None:
        try:
            await member.start()
            await wait_for_mesh(self._ready_urls)
            await wait_for_gateway(self._parts["gateway"].url, SERVICE, (member.name,))
        except BaseException:
            await member.stop(0)
            self._instances.pop(member.name, None)
            raise

    async def _until_stop(self, starting: Coroutine[None, None, None], what: str) -> None:
        """Await something that a stop of the cluster cancels, as well as whoever awaits it.

        Raises:
            ClusterStartError: the cluster was stopped meanwhile.
        """
        task = self._tasks.start(starting, f"start {what}", awaited=True)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            asked = not task.cancelled()
            task.cancel()
            await to_the_end(task)
            if asked:
                raise
            raise ClusterStartError(f"{what} was not started: the cluster was stopped") from None

    def _find(self, action: Action, instance: str | None) -> Member:
        if instance is None:
            fitting = [each for each in self._instances.values() if each.fits(action)]
            if not fitting:
                raise UsageError(f"no instance to {action}")
            return fitting[-1]
        if instance not in self._instances:
            raise UsageError(f"no instance {instance!r}", tried=action, hint=f"one of {self._names()}")
        return self._instances[instance]

    def _ready_urls(self) -> dict[str, str]:
        return {each.name: each.url for each in self._instances.values() if each.state == "ready"}

    def _names(self) -> str:
        return ", ".join([*self._instances, *self._parts]) or "none"

    # ---- members --------------------------------------------------------------------------

    def _new_part(self, name: str, options: Options) -> Member:
        member = self._member(name, options, lambda part: self._feed.publish(PartChanged(part.as_part())))
        self._parts[name] = member
        return member

    def _new_instance(self) -> Member:
        options: InstanceOptions = self._plan.next_instance(self._broker_url, self._parts["discovery"].url)
        member = self._member(
            options.id, options, lambda each: self._feed.publish(InstanceChanged(each.as_instance()))
        )
        self._instances[options.id] = member
        return member

    def _member(self, name: str, options: Options, on_change: Callable[[Member], None]) -> Member:
        return Member(
            name,
            options,
            self._launcher,
            on_change=on_change,
            on_line=lambda source, text: self._feed.publish(LogLine(source, text)),
        )

    async def _sample(self) -> None:
        from .sampling import Sampler  # psutil: not on the way to the first connection

        await Sampler(lambda: tuple(self._instances.values())).run()


def _make_launcher(in_process: bool) -> Launcher:
    if not in_process:
        return ProcessLauncher()
    from .one_loop import LoopLauncher

    return LoopLauncher()


def _source_of(tokens: TokenSettings | None) -> TokenSource | None:
    """Where simulated users find what their tokens are made with, if they can make valid ones."""
    if tokens is None or not tokens.secret or os.environ.get(SECRET_VARIABLE) != tokens.secret:
        return None
    plain = (tokens.user_claim, tokens.audience, tokens.issuer) == ("sub", "", "")
    return TokenSource(secret_env=SECRET_VARIABLE) if plain else None


async def _all(stops: Iterable[Coroutine[None, None, None]]) -> None:
    """Run them side by side to their ends, whatever one of them says."""
    await asyncio.gather(*stops, return_exceptions=True)

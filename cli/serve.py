"""``pushscope serve``: a whole cluster in the foreground."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Literal, cast
from urllib.parse import quote, urlsplit

import msgspec
import typer

from core.environment import EnvironmentEvent, EnvironmentInfo, InstanceInfo, LogLine, PartChanged
from core.errors import ExitCode, PushscopeError, UsageError
from core.push_token import TOKEN_VARIABLE
from core.signals import on_stop_signals

from .destination_flags import (
    DESTINATIONS,
    AllowExchange,
    AppPrefix,
    BrokerPrefix,
    OnBrokerLoss,
    RelayKind,
    Strategy,
    UserDestinationBroadcast,
    UserPrefix,
    UserRegistryBroadcast,
    words_of,
)
from .endpoint_flags import (
    AllowHeader,
    AllowHost,
    AllowOrigin,
    DefaultUser,
    JwtAudience,
    JwtEndAtExpiry,
    JwtIn,
    JwtIssuer,
    JwtJwks,
    JwtKey,
    JwtLeeway,
    JwtOptional,
    JwtSecretFile,
    JwtUserClaim,
    MaxFrame,
    MaxMessage,
    MaxSessions,
    QueueLimit,
    SlowConsumer,
    SockJs,
    SockJsCookie,
    SockJsDisconnectDelay,
    SockJsHeartbeat,
    SockJsResponseLimit,
    SockJsWebSocket,
    sockjs_of,
    tokens_of,
)
from .gateway_flags import IgnoreFilter, Profile, Routes, Strict, gateway_of
from .lines import LineWriter
from .output import say

if TYPE_CHECKING:
    from server import LocalCluster

#: Where the article's programs listen; instances count up.
GATEWAY_PORT, DISCOVERY_PORT, INSTANCE_PORT = 7000, 8761, 8080


def serve(
    instances: Annotated[int | None, typer.Option(help="How many; 2, or as many as --ports names.")] = None,
    ports: Annotated[
        str, typer.Option(metavar="8080,8081", help="Ports of the instances; a taken one is an error.")
    ] = "",
    gateway_port: Annotated[
        int | None, typer.Option(help="7000, or a free one if that is taken; 0 picks a free one.")
    ] = None,
    discovery_port: Annotated[
        int | None, typer.Option(help="8761, or a free one if that is taken; 0 picks a free one.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON line when everything is ready, nothing else.")
    ] = False,
    broker: Annotated[
        str,
        typer.Option(
            metavar="URL",
            envvar="PUSHSCOPE_BROKER_URL",
            help="embedded:, or one that runs already: stomp://user:password@host:61613, stomps://…, amqp://…",
            rich_help_panel=DESTINATIONS,
        ),
    ] = "embedded:",
    strategy: Strategy = "relay",
    on_broker_loss: OnBrokerLoss = "keep",
    relay: RelayKind = "multiplexed",
    app_prefix: AppPrefix = "/app",
    broker_prefix: BrokerPrefix = None,
    user_prefix: UserPrefix = "/user/",
    allow_exchange: AllowExchange = None,
    user_destination_broadcast: UserDestinationBroadcast = "/topic/unresolved-user-destination",
    user_registry_broadcast: UserRegistryBroadcast = "/topic/simp-user-registry",
    default_user: DefaultUser = "lijian",
    allow_origin: AllowOrigin = None,
    allow_host: AllowHost = None,
    allow_header: AllowHeader = None,
    slow_consumer: SlowConsumer = "terminate",
    queue_limit: QueueLimit = 512 * 1024,
    max_sessions: MaxSessions = 0,
    max_frame: MaxFrame = 65536,
    max_message: MaxMessage = None,
    jwt_secret_file: JwtSecretFile = None,
    jwt_key: JwtKey = None,
    jwt_jwks: JwtJwks = None,
    jwt_audience: JwtAudience = "",
    jwt_issuer: JwtIssuer = "",
    jwt_user_claim: JwtUserClaim = "sub",
    jwt_leeway: JwtLeeway = 5.0,
    jwt_optional: JwtOptional = False,
    jwt_in: JwtIn = "either",
    jwt_end_at_expiry: JwtEndAtExpiry = False,
    sockjs: SockJs = "sockjs",
    sockjs_heartbeat: SockJsHeartbeat = None,
    sockjs_disconnect_delay: SockJsDisconnectDelay = None,
    sockjs_response_limit: SockJsResponseLimit = None,
    sockjs_websocket: SockJsWebSocket = None,
    sockjs_cookie: SockJsCookie = None,
    routes: Routes = None,
    profile: Profile = None,
    strict: Strict = False,
    ignore_filter: IgnoreFilter = None,
) -> int:
    """Run a gateway, discovery, a broker and instances until Ctrl-C.

    Ports that are not given are 7000, 8761, 8080, 8081, …, or free ones where those are taken.
    """
    from server.roles.options import InstanceOptions, from_words
    from server.supervisor import LocalCluster, PreferredPorts

    tokens = tokens_of(
        jwt_secret_file,
        jwt_key,
        jwt_jwks,
        audience=jwt_audience,
        issuer=jwt_issuer,
        user_claim=jwt_user_claim,
        leeway=jwt_leeway,
        optional=jwt_optional,
        end_at_expiry=jwt_end_at_expiry,
        taken_from=jwt_in,
    )
    spoken = sockjs_of(
        sockjs,
        sockjs_heartbeat,
        sockjs_disconnect_delay,
        sockjs_response_limit,
        websocket=sockjs_websocket,
        cookie=sockjs_cookie,
    )
    words = words_of(
        app_prefix=app_prefix,
        user_prefix=user_prefix,
        user_destination_broadcast=user_destination_broadcast,
        user_registry_broadcast=user_registry_broadcast,
        allowed_exchanges=allow_exchange,
        allowed_origins=allow_origin,
        allowed_hosts=allow_host,
        allowed_headers=allow_header,
        slow_consumer=slow_consumer,
        queue_limit=queue_limit,
        max_sessions=max_sessions,
        max_frame=max_frame,
        max_message=max_message,
        broker_prefixes=broker_prefix,
    )
    instance = from_words(["instance", *words])
    assert isinstance(instance, InstanceOptions)
    preferred = PreferredPorts(
        GATEWAY_PORT if gateway_port is None else 0,
        DISCOVERY_PORT if discovery_port is None else 0,
        INSTANCE_PORT,
    )
    given = _parse_ports(ports)
    cluster = LocalCluster(
        instances if instances is not None else len(given) or 2,
        cast("Literal['relay', 'broadcast', 'none']", strategy),
        broker,
        given,
        gateway_port or 0,
        discovery_port or 0,
        default_user,
        on_broker_loss=cast("Literal['keep', 'spring']", on_broker_loss),
        relay=cast("Literal['multiplexed', 'per-client']", relay),
        tokens=tokens,
        instance=msgspec.structs.replace(instance, sockjs=spoken),
        gateway=gateway_of(routes, profile, ignore_filter, strict=strict),
        preferred=preferred,
    )
    wanted = {"gateway": preferred.gateway, "discovery": preferred.discovery}
    wanted |= {f"i{number + 1}": INSTANCE_PORT + number for number in range(len(given), 64)}
    needed = tokens is not None and tokens.required
    show = as_json if json else functools.partial(for_person, wanted=wanted, user=default_user, tokens=needed)
    # A person sees the addresses first; a program finds everything in the log.
    return asyncio.run(_Foreground(cluster, show, log_the_start=json).run())


def _parse_ports(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(",") if word.strip())
    except ValueError:
        raise UsageError(f"--ports {text}: not a list of ports", hint="as in --ports 8080,8081") from None


class _Foreground:
    """A cluster between its start and the signal that ends it."""

    def __init__(
        self, cluster: LocalCluster, show: Callable[[EnvironmentInfo], str], *, log_the_start: bool
    ) -> None:
        self._cluster = cluster
        self._show = show
        self._logging = log_the_start
        self._signalled = False

    async def run(self) -> int:
        """Start, tell, wait for a signal, stop; returns the exit code.

        Raises:
            PushscopeError: it did not start, or a part that all instances need died.
        """
        task = asyncio.current_task()
        assert task is not None
        broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with LineWriter(sys.stderr.fileno()) as log:
            follower = asyncio.create_task(self._follow(self._cluster.events(), broken, log))
            self._on_signals(task)
            try:
                async with self._cluster:
                    say(self._show(self._cluster.describe()))
                    self._logging = True
                    await broken
            except asyncio.CancelledError:
                if not self._signalled:
                    raise
            finally:
                await follower  # ends with the cluster
        return ExitCode.PASS

    async def _follow(
        self, events: AsyncIterator[EnvironmentEvent], broken: asyncio.Future[None], log: LineWriter
    ) -> None:
        async for event in events:
            match event:
                case LogLine(source, text) if self._logging:
                    log.write(f"{source:<9} | {text}")
                case PartChanged(part) if part.state == "dead" and not broken.done():
                    broken.set_exception(
                        PushscopeError(
                            f"the {part.name} died, and nothing works without it",
                            tried=f"keep {part.name} (pid {part.pid}) running",
                            hint="look at its last lines above",
                        )
                    )
                case _:
                    pass

    def _on_signals(self, task: asyncio.Task[object]) -> None:
        def stop() -> None:
            # A second one changes nothing: the stop under way takes less than five seconds.
            if not self._signalled:
                self._signalled = True
                task.cancel()

        on_stop_signals(stop)


def as_json(info: EnvironmentInfo) -> str:
    """The one line that programs read."""
    parts = {part.name: part.url for part in info.parts}
    line = {
        "gateway": info.gateway_url,
        "discovery": parts["discovery"],
        "broker": parts["broker"],
        "instances": [{"id": each.id, "url": each.push_url, "pid": each.pid} for each in info.instances],
    }
    return msgspec.json.encode(line).decode()


def for_person(info: EnvironmentInfo, *, wanted: Mapping[str, int], user: str, tokens: bool = False) -> str:
    """Addresses, and what to try next.

    Args:
        info: The cluster.
        wanted: Ports that were to be used, by name; another one is told as a replacement.
        user: Whom the examples push to.
        tokens: Whether clients need an access token.
    """

    def note(name: str, url: str, text: str) -> tuple[str, str, str]:
        port = wanted.get(name, 0)
        taken = f"; {port} was taken" if port and port != urlsplit(url).port else ""
        return name, url, text + taken

    todo = (
        f"open it, give it an access token of {user}, press Connect"
        if tokens
        else "open it and press Connect"
    )
    rows = [("page", f"{info.gateway_url}/110000.html", todo)]
    rows.append(note("gateway", info.gateway_url, info.websocket_url.partition("?")[0]))
    rows += [note(each.id, each.push_url, f"pid {each.pid}") for each in info.instances]
    rows += [
        note(part.name, part.url, f"pid {part.pid}" if part.pid else "not ours")
        for part in info.parts
        if part.name != "gateway"
    ]
    wide = max(len(url) for _, url, _ in rows)
    lines = [f"{len(info.instances)} instances are ready, strategy {info.strategy}:", ""]
    lines += [f"  {name:<10} {url:<{wide}}  {text}" for name, url, text in rows]
    lines += ["", "Push to the page through any instance:", ""]
    lines += [_curl(each, user) for each in info.instances]
    lines += ["", "Ctrl-C stops all of it. What the processes log follows.", ""]
    return "\n".join(lines)


def _curl(instance: InstanceInfo, user: str) -> str:
    """A line that pushes to ``user``; the token comes from the shell's environment, not from the screen."""
    token = f'-H "Authorization: Bearer ${TOKEN_VARIABLE}" ' if instance.guarded else ""
    return f"  curl {token}'{instance.push_url}/test?username={quote(user, safe='')}'"

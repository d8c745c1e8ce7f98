"""``pushscope instance | gateway | discovery | broker``: one role in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
from .output import say

if TYPE_CHECKING:
    from server.roles.options import GatewayOptions

Host = Annotated[
    str,
    typer.Option(
        help="Address to listen on; one beyond this machine needs PUSHSCOPE_TOKEN; where set, all do."
    ),
]
_DISCOVERY = "Discovery to register with: ours, or a real Eureka as http://127.0.0.1:8761/eureka."
Discovery = Annotated[str, typer.Option(metavar="URL", envvar="PUSHSCOPE_DISCOVERY_URL", help=_DISCOVERY)]
ReadyJson = Annotated[
    bool, typer.Option("--ready-json", help="Print one JSON line when it serves, nothing else.")
]
_PORT = "Port to listen on; 0 picks a free one."


def instance(
    port: Annotated[int | None, typer.Option(help=f"{_PORT} 8080 by default.")] = None,
    name: Annotated[str, typer.Option("--id", help="Its id; by default i and the port.")] = "",
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Spring's application.yml: server.port, stomp.server, …; options win over it.",
        ),
    ] = None,
    service: Annotated[
        str | None, typer.Option(help="Name under which instances register, web-socket by default.")
    ] = None,
    discovery: Annotated[
        str | None, typer.Option(metavar="URL", envvar="PUSHSCOPE_DISCOVERY_URL", help=_DISCOVERY)
    ] = None,
    weight: Annotated[
        int,
        typer.Option(metavar="N", min=1, max=10_000, help="Share of new clients, where gateways weigh."),
    ] = 1,
    host: Host = "127.0.0.1",
    ready_json: ReadyJson = False,
    broker: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="PUSHSCOPE_BROKER_URL",
            help="memory:, which is the default, or stomp://user:password@host:61613, stomps://…, amqp://…",
            rich_help_panel=DESTINATIONS,
        ),
    ] = None,
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
) -> int:
    """Run one instance: STOMP over WebSocket, push API, user destinations."""
    from server.roles.options import InstanceOptions, to_words

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
    port, broker, discovery, service = _configured(config, port, broker, discovery, service)
    words = words_of(
        broker=broker,
        discovery=discovery,
        service=service,
        strategy=strategy,
        id=name or f"i{port or ''}",
        default_user=default_user,
        on_broker_loss=on_broker_loss,
        relay=relay,
        slow_consumer=slow_consumer,
        queue_limit=queue_limit,
        weight=weight,
        max_sessions=max_sessions,
        max_frame=max_frame,
        max_message=max_message,
        app_prefix=app_prefix,
        broker_prefixes=broker_prefix,
        user_prefix=user_prefix,
        user_destination_broadcast=user_destination_broadcast,
        user_registry_broadcast=user_registry_broadcast,
        allowed_exchanges=allow_exchange,
        allowed_origins=allow_origin,
        allowed_hosts=allow_host,
        allowed_headers=allow_header,
    )
    words += to_words(InstanceOptions(sockjs=spoken, tokens=tokens))[1:]
    return _run("instance", host, port, words, ready_json)


def _configured(
    file: Path | None, port: int | None, broker: str | None, discovery: str | None, service: str | None
) -> tuple[int, str, str, str]:
    """What was given on the command line, else what the file says, else the defaults."""
    from server.roles.spring_file import SpringFile, load_spring_file

    found = load_spring_file(file) if file is not None else SpringFile()
    for warning in found.warnings:
        say(warning, err=True)
    given_port = port if port is not None else found.port
    return (
        given_port if given_port is not None else 8080,
        broker or found.broker or "memory:",
        discovery or found.discovery or "",
        service or found.service or "web-socket",
    )


def gateway(
    port: Annotated[int | None, typer.Option(help=f"{_PORT} 7000 by default.")] = None,
    discovery: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="PUSHSCOPE_DISCOVERY_URL",
            help=f"{_DISCOVERY} Else that of --routes, or http://127.0.0.1:8761.",
        ),
    ] = None,
    service: Annotated[
        str, typer.Option(metavar="NAME", help="Without --routes: the service that /NAME/** goes to.")
    ] = "web-socket",
    routes: Routes = None,
    profile: Profile = None,
    strict: Strict = False,
    ignore_filter: IgnoreFilter = None,
    balance: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[SERVICE=]NAME",
            help="Who gets new users: round-robin (the default), random, weighted, sticky, hash; repeatable.",
        ),
    ] = None,
    allow_host: AllowHost = None,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on; beyond this machine /routes and /metrics want PUSHSCOPE_TOKEN."
        ),
    ] = "127.0.0.1",
    ready_json: ReadyJson = False,
) -> int:
    """Run the gateway: HTTP and WebSocket to the instances that discovery lists, and the page."""
    from server.roles.options import to_words

    options = gateway_of(routes, profile, ignore_filter, strict=strict)
    said_port, said_discovery = _said_by(options)
    port = said_port if port is None else port
    discovery = said_discovery if discovery is None else discovery
    words = ["--discovery", discovery, "--service", service, *to_words(options)[1:]]
    words += ["--balance", " ".join(balance or []), "--allowed-hosts", " ".join(allow_host or [])]
    return _run("gateway", host, port, words, ready_json)


def _said_by(options: GatewayOptions) -> tuple[int, str]:
    """Port and discovery of a gateway's files, or the usual ones."""
    port, discovery = None, None
    if options.routes:
        from server.roles.running import read_routes

        file = read_routes(options)
        port, discovery = file.port, file.discovery
    return 7000 if port is None else port, discovery or "http://127.0.0.1:8761"


def discovery(
    port: Annotated[int, typer.Option(help=_PORT)] = 8761,
    self_preservation: Annotated[
        bool,
        typer.Option("--self-preservation", help="As Eureka's: evict nobody while fewer than 85 % renew."),
    ] = False,
    host: Host = "127.0.0.1",
    ready_json: ReadyJson = False,
) -> int:
    """Run discovery: who is there, in Eureka's words and by push."""
    words = ["--self-preservation"] if self_preservation else []
    return _run("discovery", host, port, words, ready_json)


def broker(
    port: Annotated[int, typer.Option(help=_PORT)] = 61613,
    queue_messages: Annotated[
        int, typer.Option(metavar="N", min=1, help="Messages that wait in a queue; of more the oldest go.")
    ] = 10_000,
    queue_bytes: Annotated[
        int, typer.Option(metavar="BYTES", min=1, help="Bytes that wait in a queue; of more the oldest go.")
    ] = 16 * 1024 * 1024,
    queues: Annotated[
        int, typer.Option(metavar="N", min=1, help="Queues without a consumer; those used last are kept.")
    ] = 1_000,
    expires: Annotated[
        float, typer.Option(metavar="S", help="A user queue without a consumer vanishes after this time.")
    ] = 60.0,
    peers: Annotated[int, typer.Option(metavar="N", min=1, help="Connections at a time.")] = 10_000,
    host: Host = "127.0.0.1",
    ready_json: ReadyJson = False,
) -> int:
    """Run the embedded STOMP broker. Nothing is kept on disk; it logs what it dropped."""
    words = ["--queue-messages", str(queue_messages), "--queue-bytes", str(queue_bytes)]
    words += ["--queues", str(queues), "--expires", str(expires), "--peers", str(peers)]
    return _run("broker", host, port, words, ready_json)


def _run(role: str, host: str, port: int, words: list[str], ready_json: bool) -> int:
    from server.roles.options import from_words
    from server.roles.process import Ready, run_child, run_role

    words = [role, "--host", host, "--port", str(port), *words]
    if ready_json:
        return run_child(words)

    def announce(ready: Ready) -> None:
        say(f"{ready.id or ready.role} serves at {ready.url} (pid {ready.pid}); Ctrl-C stops it")

    return run_role(from_words(words), announce)

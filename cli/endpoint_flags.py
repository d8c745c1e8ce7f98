"""Flags of instances, for ``instance`` and ``serve``: who may connect, access tokens, SockJS."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast, get_args

import typer

if TYPE_CHECKING:
    from server.access.tokens import TokenSettings
    from server.sockjs import SockJsSettings

#: Headings of ``--help``, in this order.
CLIENTS: Final = "Clients"
TOKENS: Final = "Access tokens"
SOCKJS: Final = "SockJS"

DefaultUser = Annotated[
    str, typer.Option(help="Who a connection is that names no user.", rich_help_panel=CLIENTS)
]
AllowOrigin = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ORIGIN",
        help="Pages that may connect besides our own, as 'http://localhost:*', https://*.example.org, null,"
        " or '*' for all; repeatable. What is not for clients stays closed to pages.",
        rich_help_panel=CLIENTS,
    ),
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="On 127.0.0.1: Host header to take, of a proxy in front; repeatable.",
        rich_help_panel=CLIENTS,
    ),
]
AllowHeader = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Header of clients that the broker may obey, as x-max-*; repeatable.",
        rich_help_panel=CLIENTS,
    ),
]
SlowConsumer = Annotated[
    str,
    typer.Option(
        metavar="terminate|drop-oldest|drop-newest|conflate",
        help="A client that does not read: cut it, or drop messages for it.",
        rich_help_panel=CLIENTS,
    ),
]
QueueLimit = Annotated[
    int,
    typer.Option(
        metavar="BYTES", min=1024, help="Bytes that may wait for one client.", rich_help_panel=CLIENTS
    ),
]
MaxSessions = Annotated[
    int,
    typer.Option(
        metavar="N", min=0, help="Clients of an instance at a time; 0 for no limit.", rich_help_panel=CLIENTS
    ),
]
MaxFrame = Annotated[
    int,
    typer.Option(
        "--max-frame",
        metavar="BYTES",
        min=1024,
        help="Bytes of one STOMP frame of a client, 64 KiB by default.",
        rich_help_panel=CLIENTS,
    ),
]
MaxMessage = Annotated[
    int | None,
    typer.Option(
        "--max-message",
        metavar="BYTES",
        min=1024,
        help="Bytes of one WebSocket message of a client; 262144 by default, or what --max-frame needs.",
        rich_help_panel=CLIENTS,
    ),
]
JwtSecretFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Clients need a JWT signed with HS256 and this secret; or set PUSHSCOPE_JWT_SECRET.",
        rich_help_panel=TOKENS,
    ),
]
JwtKey = Annotated[
    Path | None,
    typer.Option(
        metavar="PEM", help="Clients need a JWT of this public key (RS256).", rich_help_panel=TOKENS
    ),
]
JwtJwks = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Clients need a JWT of a key of this JSON Web Key Set.", rich_help_panel=TOKENS
    ),
]
JwtAudience = Annotated[
    str, typer.Option(metavar="TEXT", help="What the claim aud must contain.", rich_help_panel=TOKENS)
]
JwtIssuer = Annotated[
    str, typer.Option(metavar="TEXT", help="What the claim iss must be.", rich_help_panel=TOKENS)
]
JwtUserClaim = Annotated[
    str, typer.Option(metavar="NAME", help="The claim that names the user.", rich_help_panel=TOKENS)
]
JwtLeeway = Annotated[
    float,
    typer.Option(
        metavar="S",
        min=0,
        max=3600,
        help="Seconds that clocks may be apart, for exp and nbf.",
        rich_help_panel=TOKENS,
    ),
]
JwtOptional = Annotated[
    bool,
    typer.Option(
        "--jwt-optional", help="Let clients in without a JWT too, as nobody.", rich_help_panel=TOKENS
    ),
]
JwtIn = Annotated[
    str,
    typer.Option(
        "--jwt-in",
        metavar="either|connect|handshake",
        help="Where clients bring their JWT: on the handshake, in STOMP's CONNECT, or either.",
        rich_help_panel=TOKENS,
    ),
]
JwtEndAtExpiry = Annotated[
    bool,
    typer.Option(
        "--jwt-end-at-expiry", help="Close a session (4401) when its JWT expires.", rich_help_panel=TOKENS
    ),
]
SockJs = Annotated[
    str,
    typer.Option(
        "--sockjs",
        metavar="sockjs|spring",
        help="Speak SockJS as sockjs-node does, or as Spring with its defaults.",
        rich_help_panel=SOCKJS,
    ),
]
SockJsHeartbeat = Annotated[
    float | None,
    typer.Option(
        "--sockjs-heartbeat",
        metavar="S",
        min=0,
        help="Seconds between heart-beats, 25 by default; 0 for none.",
        rich_help_panel=SOCKJS,
    ),
]
SockJsDisconnectDelay = Annotated[
    float | None,
    typer.Option(
        "--sockjs-disconnect-delay",
        metavar="S",
        min=0.1,
        help="Seconds that a session lives without a receiver, 5 by default.",
        rich_help_panel=SOCKJS,
    ),
]
SockJsResponseLimit = Annotated[
    int | None,
    typer.Option(
        "--sockjs-response-limit",
        metavar="BYTES",
        min=1,
        help="Bytes after which streaming starts anew, 131072 by default.",
        rich_help_panel=SOCKJS,
    ),
]
SockJsWebSocket = Annotated[
    bool | None,
    typer.Option(
        "--sockjs-websocket/--no-sockjs-websocket",
        help="Whether SockJS may use WebSockets; it may by default.",
        rich_help_panel=SOCKJS,
    ),
]
SockJsCookie = Annotated[
    bool | None,
    typer.Option(
        "--sockjs-cookie/--no-sockjs-cookie",
        help="Set JSESSIONID, for balancers that go by it; by default with --sockjs spring only.",
        rich_help_panel=SOCKJS,
    ),
]


def tokens_of(
    secret_file: Path | None,
    key: Path | None,
    jwks: Path | None,
    *,
    audience: str,
    issuer: str,
    user_claim: str,
    leeway: float,
    optional: bool,
    end_at_expiry: bool,
    taken_from: str,
) -> TokenSettings | None:
    """What the flags say about access tokens; None if nothing says that clients need one.

    Raises:
        UsageError: rules without a key, several keys, or a key that cannot be read.
    """
    from core.errors import UsageError
    from server.settings.tokens import SECRET_VARIABLE, TakenFrom, TokenSettings

    if taken_from not in get_args(TakenFrom):
        raise UsageError(f"--jwt-in {taken_from}: not known", hint=" or ".join(get_args(TakenFrom)))
    secret = os.environ.get(SECRET_VARIABLE, "")
    files = [str(path.absolute()) if path is not None else "" for path in (secret_file, key, jwks)]
    if not secret and not any(files):
        if audience or issuer or optional or end_at_expiry or taken_from != "either":
            raise UsageError(
                "rules for access tokens without a key to verify them",
                hint=f"add --jwt-jwks, --jwt-key or --jwt-secret-file, or set {SECRET_VARIABLE}",
            )
        return None
    names = (SECRET_VARIABLE, "--jwt-secret-file", "--jwt-key", "--jwt-jwks")
    given = [name for name, value in zip(names, (secret, *files), strict=True) if value]
    if len(given) > 1:
        raise UsageError(
            f"access tokens are verified by one key, and {' and '.join(given)} are given",
            hint="leave out all but one",
        )
    return _with_keys(
        TokenSettings(
            secret=secret,
            secret_file=files[0],
            public_key_file=files[1],
            jwks_file=files[2],
            required=not optional,
            user_claim=user_claim,
            audience=audience,
            issuer=issuer,
            leeway_s=leeway,
            end_at_expiry=end_at_expiry,
            taken_from=cast("TakenFrom", taken_from),
        )
    )


def _with_keys(settings: TokenSettings) -> TokenSettings:
    """The settings, when their keys can be read: a mistake is told before anything starts."""
    import time

    from server.access.tokens.keys import KeyRing

    KeyRing(settings, time.monotonic)
    return settings


def sockjs_of(
    dialect: str,
    heartbeat: float | None,
    disconnect_delay: float | None,
    response_limit: int | None,
    *,
    websocket: bool | None,
    cookie: bool | None,
) -> SockJsSettings | None:
    """What the flags say about SockJS; None for the defaults of instances."""
    import msgspec

    from core.errors import UsageError
    from server.settings.instance import SOCKJS
    from server.settings.sockjs import spring_settings

    if dialect not in ("sockjs", "spring"):
        raise UsageError(f"--sockjs {dialect}: not known", hint="sockjs or spring")
    given: dict[str, Any] = {
        "heartbeat_s": heartbeat,
        "disconnect_s": disconnect_delay,
        "response_limit": response_limit,
        "websocket": websocket,
        "cookie_needed": cookie,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if dialect == "spring":
        return spring_settings(max_waiting=SOCKJS.max_waiting, **changes)
    return msgspec.structs.replace(SOCKJS, **changes) if changes else None

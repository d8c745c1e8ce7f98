"""Flags of the endpoint of instances, for ``instance`` and ``serve``: access tokens, SockJS, names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from server.sockjs import SockJsSettings
    from server.tokens import TokenSettings

AllowHost = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="On 127.0.0.1: Host header to take, of a proxy in front; repeatable."),
]
JwtSecretFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Clients need a JWT signed with HS256 and this secret; or set PUSHSCOPE_JWT_SECRET.",
    ),
]
JwtKey = Annotated[
    Path | None, typer.Option(metavar="PEM", help="Clients need a JWT of this public key (RS256).")
]
JwtJwks = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Clients need a JWT of a key of this JSON Web Key Set.")
]
JwtAudience = Annotated[str, typer.Option(metavar="TEXT", help="What the claim aud must contain.")]
JwtIssuer = Annotated[str, typer.Option(metavar="TEXT", help="What the claim iss must be.")]
JwtUserClaim = Annotated[str, typer.Option(metavar="NAME", help="The claim that names the user.")]
JwtLeeway = Annotated[
    float, typer.Option(metavar="S", min=0, max=3600, help="How far clocks may be apart, for exp and nbf.")
]
JwtOptional = Annotated[
    bool, typer.Option("--jwt-optional", help="Let clients in without a JWT too, as nobody.")
]
JwtEndAtExpiry = Annotated[
    bool, typer.Option("--jwt-end-at-expiry", help="Close a session (4401) when its JWT expires.")
]
SockJs = Annotated[
    str,
    typer.Option(
        "--sockjs",
        metavar="sockjs|spring",
        help="Speak SockJS as sockjs-node does, or as Spring with its defaults.",
    ),
]
SockJsHeartbeat = Annotated[
    float | None,
    typer.Option(
        "--sockjs-heartbeat", metavar="S", min=0, help="Between heart-beats, 25 by default; 0 for none."
    ),
]
SockJsDisconnectDelay = Annotated[
    float | None,
    typer.Option(
        "--sockjs-disconnect-delay",
        metavar="S",
        min=0.1,
        help="Life of a session without a receiver, 5 by default.",
    ),
]
SockJsResponseLimit = Annotated[
    int | None,
    typer.Option(
        "--sockjs-response-limit",
        metavar="BYTES",
        min=1,
        help="After which streaming starts anew, 131072 by default.",
    ),
]
SockJsWebSocket = Annotated[
    bool | None,
    typer.Option("--sockjs-websocket/--no-sockjs-websocket", help="Whether SockJS may use WebSockets."),
]
SockJsCookie = Annotated[
    bool | None,
    typer.Option(
        "--sockjs-cookie/--no-sockjs-cookie",
        help="Set JSESSIONID, for balancers that go by it, as Spring does by default.",
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
) -> TokenSettings | None:
    """What the flags say about access tokens; None if nothing says that clients need one.

    Raises:
        UsageError: rules without a key, several keys, or a key that cannot be read.
    """
    from core.errors import UsageError
    from server.tokens.settings import SECRET_VARIABLE, TokenSettings

    secret = os.environ.get(SECRET_VARIABLE, "")
    files = [str(path.absolute()) if path is not None else "" for path in (secret_file, key, jwks)]
    if not secret and not any(files):
        if audience or issuer or optional or end_at_expiry:
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
        )
    )


def _with_keys(settings: TokenSettings) -> TokenSettings:
    """The settings, when their keys can be read: a mistake is told before anything starts."""
    import time

    from server.tokens.keys import KeyRing

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
    from server.settings import SOCKJS
    from server.sockjs.settings import spring_settings

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

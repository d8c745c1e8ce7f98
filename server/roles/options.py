"""What a role is told at its start, as values, and as words of a command line.

A process of a cluster gets its options as words (``instance --id i2 --port 0``); what nobody else
may read, the broker's URL with its password, travels in the environment instead.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec

from core.errors import UsageError
from core.protocol import CLIENT_LIMITS

from ..settings.sockjs import SockJsSettings
from ..settings.tokens import SECRET_VARIABLE, TokenSettings

#: Environment variable with the broker's URL, for a child or a person who keeps it off the screen.
BROKER_VARIABLE = "PUSHSCOPE_BROKER_URL"

#: Options that are settings of their own.
_NESTED: Final = ("sockjs", "tokens")
_SECRETS: Final = ("secret",)
_TOKEN_FILES: Final = ("secret_file", "public_key_file", "jwks_file")

RoleName = Literal["instance", "gateway", "discovery", "broker"]
Strategy = Literal["relay", "broadcast", "none"]
OnBrokerLoss = Literal["keep", "spring"]
RelayKind = Literal["multiplexed", "per-client"]
SlowConsumer = Literal["terminate", "drop-oldest", "drop-newest", "conflate"]


class RoleOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every role is told.

    Attributes:
        id: How the role calls itself; instances of one cluster differ in it.
        host: Address to listen on.
        port: Port to listen on; 0 picks a free one.
        or_free: Whether a taken ``port`` is replaced by a free one instead of being an error.
    """

    id: str = ""
    host: str = "127.0.0.1"
    port: int = 0
    or_free: bool = False


class BrokerOptions(RoleOptions, tag_field="role", tag="broker", frozen=True, kw_only=True):
    """The embedded STOMP broker.

    Attributes:
        queue_messages: Messages that may wait in one queue; of more the oldest are dropped.
        queue_bytes: Bytes that may wait in one queue, likewise.
        queues: Queues without a consumer; of more those used last stay.
        expires: Seconds after which a user queue without a consumer vanishes.
        peers: Connections at a time.
    """

    queue_messages: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    queue_bytes: Annotated[int, msgspec.Meta(ge=1)] = 16 * 1024 * 1024
    queues: Annotated[int, msgspec.Meta(ge=1)] = 1_000
    expires: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    peers: Annotated[int, msgspec.Meta(ge=1)] = 10_000


class DiscoveryOptions(RoleOptions, tag_field="role", tag="discovery", frozen=True, kw_only=True):
    """The service registry; ``self_preservation`` is Eureka's (:mod:`..discovery.preservation`)."""

    self_preservation: bool = False


class InstanceOptions(RoleOptions, tag_field="role", tag="instance", frozen=True, kw_only=True):
    """One push server.

    ``broker`` is a URL (a secret), ``discovery`` the registry's base URL or "" for none,
    ``broker_prefixes`` and what is ``allowed_…`` are lists with spaces between; ``allowed_exchanges``
    come to those that usually are. ``sockjs`` and ``tokens`` are JSON on a command line, without the
    secret of tokens. None is the default of :class:`~server.settings.instance.InstanceSettings`.
    """

    service: str = "web-socket"
    strategy: Strategy = "relay"
    broker: str = "memory:"
    discovery: str = ""
    default_user: str = "lijian"
    on_broker_loss: OnBrokerLoss = "keep"
    relay: RelayKind = "multiplexed"
    slow_consumer: SlowConsumer = "terminate"
    queue_limit: Annotated[int, msgspec.Meta(ge=1024)] = 512 * 1024
    max_sessions: Annotated[int, msgspec.Meta(ge=0)] = 0
    max_frame: Annotated[int, msgspec.Meta(ge=1024)] = CLIENT_LIMITS.max_frame
    max_message: Annotated[int, msgspec.Meta(ge=1024)] | None = None
    weight: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    app_prefix: str | None = None
    broker_prefixes: str | None = None
    user_prefix: str | None = None
    user_destination_broadcast: str | None = None
    user_registry_broadcast: str | None = None
    allowed_origins: str = ""
    allowed_hosts: str = ""
    allowed_headers: str = ""
    allowed_exchanges: str = ""
    sockjs: SockJsSettings | None = None
    tokens: TokenSettings | None = None


class GatewayOptions(RoleOptions, tag_field="role", tag="gateway", frozen=True, kw_only=True):
    """The gateway.

    ``routes`` is a file, or several with commas between (Spring's, or one of our TOML), read with the
    active ``profiles``, ``strict`` or not, and without the filters that ``ignored_filters`` names (commas
    and spaces between); without a file the route is the article's, from
    ``/<service>/**`` to the instances of ``service``. ``balance`` names strategies by which instances
    are chosen, for all services (``weighted``) or one (``orders=sticky``), with spaces between.
    """

    service: str = "web-socket"
    discovery: str = ""
    routes: str = ""
    profiles: str = ""
    strict: bool = False
    ignored_filters: str = ""
    balance: str = ""
    allowed_hosts: str = ""


Options = BrokerOptions | DiscoveryOptions | InstanceOptions | GatewayOptions

ROLES: dict[RoleName, type[Options]] = {
    "instance": InstanceOptions,
    "gateway": GatewayOptions,
    "discovery": DiscoveryOptions,
    "broker": BrokerOptions,
}


def role_of(options: Options) -> RoleName:
    """The role that these options are for."""
    return options.__struct_config__.tag  # pyright: ignore[reportReturnType]


def to_words(options: Options) -> list[str]:
    """The options as words of a command line, without those that have their default and without
    the broker's URL and the secret of tokens."""
    words: list[str] = [role_of(options)]
    for field in msgspec.structs.fields(options):
        value = getattr(options, field.name)
        if field.name == "broker" or value == field.default:
            continue
        flag = "--" + field.name.replace("_", "-")
        words += [flag] if value is True else [flag, _word(value)]
    return words


def _word(value: object) -> str:
    if not isinstance(value, msgspec.Struct):
        return str(value)
    fields = msgspec.structs.fields(value)
    given = [(field.name, getattr(value, field.name), field.default) for field in fields]
    changed = {name: each for name, each, usual in given if each != usual and name not in _SECRETS}
    return msgspec.json.encode(changed).decode()


def to_environment(options: Options) -> dict[str, str]:
    """The part of the options that no other process may read."""
    if not isinstance(options, InstanceOptions):
        return {}
    secret = options.tokens.secret if options.tokens is not None else ""
    return {BROKER_VARIABLE: options.broker} | ({SECRET_VARIABLE: secret} if secret else {})


def from_words(words: Sequence[str]) -> Options:
    """The inverse of :func:`to_words` and :func:`to_environment`.

    Raises:
        UsageError: an unknown role or option, or a value that does not fit.
    """
    kind = ROLES.get(words[0]) if words else None  # pyright: ignore[reportArgumentType, reportCallIssue]
    if kind is None:
        raise UsageError(f"no such role: {words[0] if words else ''!r}", hint=f"one of {', '.join(ROLES)}")
    known = {field.name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    rest = iter(words[1:])
    for word in rest:
        flag, equals, value = word.partition("=")
        name = flag.removeprefix("--").replace("-", "_")
        if not flag.startswith("--") or name not in known:
            raise UsageError(f"{words[0]} has no option {flag}", hint=f"pushscope {words[0]} --help")
        if known[name].type is bool:
            values[name] = True
        else:
            values[name] = value if equals else next(rest, "")
        if name in _NESTED:
            values[name] = _struct(words[0], name, values[name])
    if "broker" in known and "broker" not in values and BROKER_VARIABLE in os.environ:
        values["broker"] = os.environ[BROKER_VARIABLE]
    tokens = values.get("tokens")
    if tokens is not None and tokens.keys().isdisjoint(_TOKEN_FILES):
        values["tokens"] = {**tokens, "secret": os.environ.get(SECRET_VARIABLE, "")}
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        # Imported here: processes of a cluster start without it.
        from core.toml_file import choices_for, in_words

        hint = choices_for(error, kind) or f"pushscope {words[0]} --help"
        raise UsageError(f"{words[0]}: {in_words(error)}", hint=hint) from error


def _struct(role: str, name: str, text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise UsageError(f"{role}: --{name} is no JSON object: {error}") from error

"""Every error of Pushscope, in one tree, split by what the caller can do.

::

    PushscopeError
    ├── UsageError                 fix the call or the file (exit 2)
    │   ├── ScenarioError          names file, key and line
    │   └── ReportNotWritten       a file of --out could not be written (exit 1)
    ├── ClusterStartError          a role did not become ready (exit 21)
    │   └── PortTakenError         names the port
    ├── TargetUnreachable          nobody answers at the address (exit 20)
    │   ├── HandshakeRefused       somebody answers, but not with a WebSocket; status and body
    │   ├── UserNameDiffers        the server knows the user by another name; both names
    │   └── NoReceipts             the server connects users, but confirms no SUBSCRIBE
    ├── BrokerUnavailable          the broker connection is down; the push was refused
    │   └── BrokerRefused          the broker is there and refuses this; asking again is of no use
    ├── ServerError                a STOMP server answered ERROR; its words and body
    ├── ConnectionClosed           the peer or the network ended the connection
    └── ProtocolError
        ├── LocalProtocolError     we broke the protocol: a bug or a wrong call
        └── RemoteProtocolError    the peer broke it; carries the answer to send
            └── HeartbeatLost      the peer was silent for longer than agreed
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command (docs/command-line.md, "Exit codes")."""

    PASS = 0
    INTERNAL = 1
    USAGE = 2
    THRESHOLD = 10
    DELIVERY = 11
    UNREACHABLE = 20
    CLUSTER = 21
    SATURATED = 30
    INTERRUPTED = 130


#: Which code wins when several apply, strongest first.
EXIT_PRECEDENCE: tuple[ExitCode, ...] = (
    ExitCode.INTERRUPTED,
    ExitCode.INTERNAL,
    ExitCode.USAGE,
    ExitCode.CLUSTER,
    ExitCode.UNREACHABLE,
    ExitCode.SATURATED,
    ExitCode.DELIVERY,
    ExitCode.THRESHOLD,
    ExitCode.PASS,
)


class CloseCode(IntEnum):
    """WebSocket close codes that we send or interpret (RFC 6455 §7.4, Spring 4500)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    NO_STATUS = 1005
    ABNORMAL = 1006
    INVALID_DATA = 1007
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    TOKEN_EXPIRED = 4401
    SESSION_LIMIT = 4500


class PushscopeError(Exception):
    """Root of all errors raised by Pushscope.

    ``tried`` says what was attempted, ``hint`` what to do next; both may be empty.
    """

    exit_code = ExitCode.INTERNAL

    def __init__(self, message: str, *, tried: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.tried = tried
        self.hint = hint


class UsageError(PushscopeError):
    """The caller gave something unusable: an argument or a file."""

    exit_code = ExitCode.USAGE


class ScenarioError(UsageError):
    """A scenario or environment file is wrong; names file, key and line."""

    def __init__(self, message: str, *, file: str, key: str, line: int | None, hint: str = "") -> None:
        place = f"{file}:{line}" if line is not None else file
        super().__init__(f"{place}: {key}: {message}" if key else f"{place}: {message}", hint=hint)
        self.file = file
        self.key = key
        self.line = line


class ReportNotWritten(UsageError):
    """What a run leaves behind cannot be written; names the file and the reason.

    Not the exit code of a wrong call: who reads the report must not take its absence for a typing error.
    """

    exit_code = ExitCode.INTERNAL


class ClusterStartError(PushscopeError):
    """A process of the cluster did not become ready; ``log`` holds its last lines."""

    exit_code = ExitCode.CLUSTER

    def __init__(self, message: str, *, log: tuple[str, ...] = (), tried: str = "", hint: str = "") -> None:
        super().__init__(message, tried=tried, hint=hint)
        self.log = log


class PortTakenError(ClusterStartError):
    """An explicitly given port is in use."""

    def __init__(self, port: int, *, host: str = "127.0.0.1") -> None:
        super().__init__(
            f"port {port} on {host} is taken",
            tried=f"listen on {host}:{port}",
            hint="free the port, or give another one (0 picks a free one)",
        )
        self.host = host
        self.port = port


class TargetUnreachable(PushscopeError):
    """Nobody answers at an address that was to be used."""

    exit_code = ExitCode.UNREACHABLE


class HandshakeRefused(TargetUnreachable):
    """The address answers, but not with a WebSocket; ``body`` is the start of the answer's body.

    ``status`` is the HTTP status, or 0 if what came back was not an HTTP answer.
    """

    def __init__(self, message: str, *, status: int, body: str = "", tried: str = "", hint: str = "") -> None:
        super().__init__(message, tried=tried, hint=hint)
        self.status = status
        self.body = body


class UserNameDiffers(TargetUnreachable):
    """The server knows a user by another name (``user-name`` of CONNECTED): what is pushed to the name
    asked for reaches somebody else, or nobody."""

    def __init__(self, name: str, known_as: str) -> None:
        super().__init__(
            f"the server knows {name!r} as {known_as!r} (user-name of CONNECTED)",
            tried=f"connect {name!r}",
            hint="connect with the credentials of that user, or push to the name that the server knows",
        )
        self.name = name
        self.known_as = known_as


class NoReceipts(TargetUnreachable):
    """No RECEIPT came for the first SUBSCRIBE, nor for anybody else's: servers without them exist.

    Attributes:
        MEANING: What its message ends with.
        HINT: What to do next.
    """

    MEANING = "nobody knows from when on users hear anything, so that nothing is pushed to them"
    HINT = (
        "have the server answer receipts: a broker relay does (Spring: enableStompBrokerRelay), "
        "a simple broker does not (enableSimpleBroker)"
    )

    def __init__(self, missing: str) -> None:
        super().__init__(
            f"{missing}; {self.MEANING}",
            hint=self.HINT,
        )


class BrokerUnavailable(PushscopeError):
    """The broker connection is down; what was to be sent has been refused.

    ``title`` is the short message of the ERROR for the client who asked.
    """

    title = "Broker not available."


class BrokerRefused(BrokerUnavailable):
    """The broker is there and refuses this destination or message; asking again is of no use.

    ``field`` is what of a push is to blame (``destination``, ``user``, ``headers``, ``payload``), if known.
    """

    def __init__(self, message: str, *, title: str, field: str = "", tried: str = "", hint: str = "") -> None:
        super().__init__(message, tried=tried, hint=hint)
        self.title = title
        self.field = field


class ServerError(PushscopeError):
    """A STOMP server answered ERROR, after which it ends the connection (STOMP 1.2, "ERROR")."""

    def __init__(self, message: str, *, body: bytes = b"", tried: str = "", hint: str = "") -> None:
        super().__init__(message, tried=tried, hint=hint)
        self.body = body


class ConnectionClosed(PushscopeError):
    """A connection ended; ``code`` and ``reason`` as the peer gave them (1006 if it did not)."""

    def __init__(self, message: str, *, code: int = CloseCode.ABNORMAL, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


class ProtocolError(PushscopeError):
    """A rule of a wire protocol was broken."""


class LocalProtocolError(ProtocolError):
    """We broke the protocol: a bug, or a call that makes no sense now."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol.

    ``answer`` is what to send before closing (b"" for nothing), ``close_code`` the
    WebSocket close code that belongs to it.
    """

    def __init__(
        self, message: str, *, answer: bytes = b"", close_code: int = CloseCode.PROTOCOL_ERROR
    ) -> None:
        super().__init__(message)
        self.answer = answer
        self.close_code = close_code


class HeartbeatLost(RemoteProtocolError):
    """The peer was silent for longer than its heart-beat allows; the connection is to be given up."""

"""What an engine tells its workers, and what they report: the same values in one loop and over
the pipes of a child, where each is a JSON line."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from ..metrics import Counts, Histogram, Tally
from ..tokens import TokenSource
from .transports import plain
from .user import UserState

# ---- orders ---------------------------------------------------------------------------------


class Attend(msgspec.Struct, frozen=True, tag=True):
    """Where users connect, what with, and what they subscribe to; drops the users of another place."""

    url: str
    destination: str
    sockjs_url: str = ""
    transports: dict[str, int] = msgspec.field(default_factory=plain)
    tokens: TokenSource | None = None


class Join(msgspec.Struct, frozen=True, tag=True):
    """Connect these users, evenly over so many seconds."""

    users: tuple[str, ...]
    over: float = 0.0


class Part(msgspec.Struct, frozen=True, tag=True):
    """Disconnect these users: pushes to them are offline from now on."""

    users: tuple[str, ...]


class Rejoin(msgspec.Struct, frozen=True, tag=True):
    """Connect these users again; a connected one is moved."""

    users: tuple[str, ...]


class Targets(msgspec.Struct, frozen=True, tag=True):
    """Which instances may be asked to push: base URL by id; those that want ``PUSHSCOPE_TOKEN`` for it."""

    urls: dict[str, str]
    guarded: tuple[str, ...] = ()


class Begin(msgspec.Struct, frozen=True, tag=True):
    """Push: this worker's share (number ``index`` of ``of``) of a plan that begins at ``start_ns``.

    ``record`` is a file for what becomes of every push, or "".
    """

    run: str
    start_ns: int
    epoch_ns: int
    rate: float
    duration: float
    index: int = 0
    of: int = 1
    destination: str = "/topic/greetings"
    payload_bytes: int = 64
    late_after: float = 5.0
    via: Literal["round-robin", "random"] = "round-robin"
    push: Literal["push", "test"] = "push"
    confirm: bool = False
    test_path: str = "/test?username={user}"
    record: str = ""


class Rate(msgspec.Struct, frozen=True, tag=True):
    """Another rate from ``at_ns`` on; ``only`` asks that one instance alone."""

    at_ns: int
    rate: float
    only: str | None = None


class Cease(msgspec.Struct, frozen=True, tag=True):
    """Push nothing more; what is under way is still awaited."""


class Settle(msgspec.Struct, frozen=True, tag=True):
    """Close the books; answered by a last :class:`Delta` and :class:`Settled`."""


class Once(msgspec.Struct, frozen=True, tag=True):
    """One push outside of the books."""

    ref: int
    user: str | None
    payload: str
    destination: str
    via: str
    headers: dict[str, str] = {}


class Dismiss(msgspec.Struct, frozen=True, tag=True):
    """Disconnect everybody and forget them; answered by :class:`Dismissed`."""


class Quit(msgspec.Struct, frozen=True, tag=True):
    """Disconnect everybody and end."""


Order = Attend | Join | Part | Rejoin | Targets | Begin | Rate | Cease | Settle | Once | Dismiss | Quit

# ---- reports --------------------------------------------------------------------------------


class UserNow(msgspec.Struct, frozen=True):
    """A user as it is now; stamps are those of the one clock."""

    user: str
    state: UserState
    on: str
    connected_ns: int
    subscribed_ns: int
    reconnects: int
    received: int
    close_code: int
    error: str
    known_as: str = ""


class LostRow(msgspec.Struct, frozen=True):
    """A push that is missing so far, or lost."""

    id: str
    user: str
    via: str
    on: str
    seq: int
    intended_ns: int


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The worker takes orders."""

    pid: int


class Delta(msgspec.Struct, frozen=True, tag=True):
    """What changed since the last one.

    ``counts`` are sums since :class:`Begin`; ``tallies``, ``users``, ``lag`` and ``transports`` (latencies
    by transport, where users differ in it) are what is new.
    ``missing`` is the whole list (its oldest part) when it changed, else None.
    """

    counts: Counts
    tallies: list[Tally]
    users: list[UserNow]
    missing: list[LostRow] | None
    lag: Histogram
    sent: int
    under_way: int
    exhausted: bool
    joining: int
    connected: int
    total: int
    transports: dict[str, Histogram]
    cpu_percent: float
    loop_lag_ms: float


class Settled(msgspec.Struct, frozen=True, tag=True):
    """The books are closed; the lost pushes, oldest first, and why the file of ``record`` is not whole."""

    lost: list[LostRow]
    unrecorded: str = ""


class OnceAnswered(msgspec.Struct, frozen=True, tag=True):
    """What the instance said to a single push; status 0: ``body`` says why there was no answer."""

    ref: int
    status: int
    instance: str
    sessions: int
    body: str
    accepted_ms: float
    intended_ns: int


class OnceArrived(msgspec.Struct, frozen=True, tag=True):
    """A single push was received by a user."""

    ref: int
    user: str
    received_ns: int


class Dismissed(msgspec.Struct, frozen=True, tag=True):
    """All users are disconnected and forgotten."""


class Trouble(msgspec.Struct, frozen=True, tag=True):
    """An order could not be followed; the worker lives on."""

    code: str
    detail: str
    tried: str = ""
    hint: str = ""


Report = Ready | Delta | Settled | OnceAnswered | OnceArrived | Dismissed | Trouble

_ENCODER: Final = msgspec.json.Encoder()
_ORDERS: Final = msgspec.json.Decoder(Order)
_REPORTS: Final = msgspec.json.Decoder(Report)


def encode_line(value: Order | Report) -> bytes:
    """One line, with its line feed."""
    return _ENCODER.encode(value) + b"\n"


def decode_order(line: bytes) -> Order:
    """The order of one line; msgspec.DecodeError if it is none (our own bug)."""
    return _ORDERS.decode(line)


def decode_report(line: bytes) -> Report:
    """The report of one line; msgspec.DecodeError if it is none (our own bug)."""
    return _REPORTS.decode(line)

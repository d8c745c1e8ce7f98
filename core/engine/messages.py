"""What goes into an engine and what comes out: commands and events, as values.

The same values are passed in-process and, as length-free JSON lines, through the pipes of an
engine that runs as a child. Times are seconds of the engine's clock since the engine started
(``t``), latencies are milliseconds, rates are per second.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ..environment import Action, ClusterSpec, InstanceInfo, LogLine, Part, StartStep
from ..load.scenario import Scenario

EngineState = Literal["idle", "starting", "running", "draining", "stopping", "stopped", "failed"]

# ---- commands -------------------------------------------------------------------------------


class StartCluster(msgspec.Struct, frozen=True, tag=True):
    """Start a local cluster; nothing is connected yet."""

    spec: ClusterSpec


class StopCluster(msgspec.Struct, frozen=True, tag=True):
    """Disconnect everybody and stop the cluster."""


class StartRun(msgspec.Struct, frozen=True, tag=True):
    """Connect the scenario's users and push; starts a cluster of ``spec`` if none runs.

    ``out`` is a folder for summary.json, report.html, junit.xml and deliveries.csv, or "".
    """

    scenario: Scenario
    spec: ClusterSpec | None = None
    out: str = ""


class StopRun(msgspec.Struct, frozen=True, tag=True):
    """Stop pushing, drain, judge, emit :class:`Finished`; ``force`` skips the drain.

    Cluster and users stay. ``interrupted`` says that this was not a planned end: the run's exit
    code is 130 then.
    """

    force: bool = False
    interrupted: bool = False


class Control(msgspec.Struct, frozen=True, tag=True):
    """Kill, stop, pause, resume, add or remove an instance."""

    action: Action
    instance: str | None = None


class AddUsers(msgspec.Struct, frozen=True, tag=True):
    """Connect so many more users."""

    count: int


class DisconnectUsers(msgspec.Struct, frozen=True, tag=True):
    """Disconnect users by name; pushes to them are *offline* from now on."""

    users: tuple[str, ...]


class ReconnectUsers(msgspec.Struct, frozen=True, tag=True):
    """Connect disconnected users again; a connected one is moved (dropped and reconnected)."""

    users: tuple[str, ...]


class PushOnce(msgspec.Struct, frozen=True, tag=True):
    """Send one push; answered by :class:`PushResult` with the same ``ref``.

    ``via`` is an instance id, or None for the next in turn; ``user`` None means everybody on
    the destination.
    """

    ref: int
    user: str | None
    payload: str
    destination: str = "/topic/greetings"
    via: str | None = None
    headers: dict[str, str] = {}


class SetRate(msgspec.Struct, frozen=True, tag=True):
    """Change the rate of pushes from now on; starts a run without an end if none is on."""

    rate: float
    via: str | None = None


class Shutdown(msgspec.Struct, frozen=True, tag=True):
    """Stop everything and end the engine."""


Command = (
    StartCluster
    | StopCluster
    | StartRun
    | StopRun
    | Control
    | AddUsers
    | DisconnectUsers
    | ReconnectUsers
    | PushOnce
    | SetRate
    | Shutdown
)

# ---- events ---------------------------------------------------------------------------------


class StateChanged(msgspec.Struct, frozen=True, tag=True):
    """State of the run and of the cluster (``idle`` to ``failed``)."""

    t: float
    run: EngineState
    cluster: EngineState


class ClusterAddresses(msgspec.Struct, frozen=True, tag=True):
    """Addresses of a cluster that became ready."""

    gateway_url: str
    websocket_url: str
    strategy: str
    broker: str


class Percentiles(msgspec.Struct, frozen=True):
    """Latency in milliseconds; None where nothing was delivered."""

    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    p999: float | None = None
    max: float | None = None


class Totals(msgspec.Struct, frozen=True):
    """The ledger's sums (accounting identities in ``core.metrics.ledger``).

    While a run is on, ``lost`` counts what is missing so far: a gap in a stream, or overdue.
    """

    attempted: int = 0
    refused: int = 0
    pushed: int = 0
    offline: int = 0
    expected: int = 0
    delivered: int = 0
    pending: int = 0
    lost: int = 0
    duplicate: int = 0
    misrouted: int = 0
    reordered: int = 0
    late: int = 0
    unexpected: int = 0


class Point(msgspec.Struct, frozen=True):
    """One bucket of 250 ms of one series; ``series`` is ``via:<id>`` or ``on:<id>``.

    ``t`` is the bucket's start. ``None`` percentiles mean that nothing was delivered in it.
    ``lost`` is counted in the bucket in which the push was to be sent.
    """

    series: str
    t: float
    count: int
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None
    lost: int = 0


class SeriesSum(msgspec.Struct, frozen=True):
    """The whole run of one series (``via:<id>`` or ``on:<id>``)."""

    series: str
    count: int
    lost: int
    latency: Percentiles


class TransportSum(msgspec.Struct, frozen=True):
    """The whole run of the users of one transport."""

    transport: str
    users: int
    delivered: int
    lost: int
    latency: Percentiles


class Cell(msgspec.Struct, frozen=True):
    """One cell of the matrix: pushed via one instance to users on another.

    ``on`` is ``-`` for users whose instance was unknown (reconnecting).
    """

    via: str
    on: str
    pushed: int
    delivered: int
    lost: int
    p50: float | None
    p99: float | None


class UserRow(msgspec.Struct, frozen=True):
    """One simulated user, sent when it changed (at most ten times a second)."""

    user: str
    state: Literal["connecting", "connected", "reconnecting", "disconnected", "failed"]
    on: str
    connected_t: float
    reconnects: int
    received: int
    close_code: int = 0
    error: str = ""


class LostPush(msgspec.Struct, frozen=True):
    """A push that did not arrive, and where it was last seen."""

    id: str
    user: str
    via: str
    on: str
    seq: int
    t: float
    stage: str


class Snapshot(msgspec.Struct, frozen=True, tag=True):
    """The state of everything, about ten times a second while anything runs.

    ``points`` are the buckets that were closed (or changed by a late delivery) since the last
    snapshot: replace by ``(series, t)``. ``users`` holds only changed rows.
    """

    t: float
    run_t: float
    run: EngineState
    users_connected: int
    users_total: int
    push_rate: float
    totals: Totals
    latency: Percentiles
    sender_lag_ms: float
    engine_cpu_percent: float
    engine_lag_ms: float
    instances: tuple[InstanceInfo, ...] = ()
    parts: tuple[Part, ...] = ()
    points: tuple[Point, ...] = ()
    series: tuple[SeriesSum, ...] = ()
    matrix: tuple[Cell, ...] = ()
    users: tuple[UserRow, ...] = ()
    lost: tuple[LostPush, ...] = ()


class Marker(msgspec.Struct, frozen=True, tag=True):
    """Something that happened at a moment, drawn as a line: ``kind`` is an action such as
    ``kill``, or ``dead`` for an unasked-for death, ``broker-lost``, ``broker-back``, ``run-start``,
    ``run-stop``."""

    t: float
    kind: str
    target: str


class PushResult(msgspec.Struct, frozen=True, tag=True):
    """Answer to :class:`PushOnce`; ``status`` 0 means no answer at all."""

    ref: int
    status: int
    instance: str
    sessions: int
    body: str
    accepted_ms: float
    delivered_ms: float | None = None


class Finished(msgspec.Struct, frozen=True, tag=True):
    """A run was judged; ``summary`` is the content of summary.json."""

    summary: dict[str, Any]
    exit_code: int


class Problem(msgspec.Struct, frozen=True, tag=True):
    """Something went wrong; the engine lives on. ``code`` is stable, for translation."""

    code: str
    detail: str
    tried: str = ""
    hint: str = ""


Event = (
    StateChanged
    | ClusterAddresses
    | StartStep
    | Snapshot
    | Marker
    | LogLine
    | PushResult
    | Finished
    | Problem
)

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
from ..report.figures import Cell, LostPush, Marker, Percentiles, Point, SeriesSum, Totals, UserRow

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

"""What a run measured, as values: in the engine's snapshots, in results, and in reports.

Times are seconds of the engine's clock since the engine started (``t``), latencies are milliseconds.
"""

from __future__ import annotations

from typing import Literal

import msgspec


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
    """One simulated user, sent when it changed (at most ten times a second).

    ``known_as`` is what the server calls it (``user-name`` of CONNECTED), "" if it does not say;
    ``connected_t`` is -1 if it never was connected.
    """

    user: str
    state: Literal["connecting", "connected", "reconnecting", "disconnected", "failed"]
    on: str
    connected_t: float
    reconnects: int
    received: int
    close_code: int = 0
    error: str = ""
    known_as: str = ""


class LostPush(msgspec.Struct, frozen=True):
    """A push that did not arrive, and where it was last seen."""

    id: str
    user: str
    via: str
    on: str
    seq: int
    t: float
    stage: str


class Marker(msgspec.Struct, frozen=True, tag=True):
    """Something that happened at a moment, drawn as a line: ``kind`` is an action such as
    ``kill``, or ``dead`` for an unasked-for death, ``broker-lost``, ``broker-back``, ``run-start``,
    ``run-stop``."""

    t: float
    kind: str
    target: str

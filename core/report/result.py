"""Everything that a run leaves in memory, before it is written down."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ..errors import ExitCode
from ..load.scenario import Scenario
from ..metrics import Counts, Histogram, SeriesBook
from .figures import LostPush, Marker, Percentiles, Point, SeriesSum, TransportSum, UserRow
from .summary import Facts, Summary, judge


class Result(msgspec.Struct, frozen=True):
    """What :func:`core.run` returns.

    Attributes:
        summary: The content of summary.json.
        exit_code: What ``pushscope run`` ends with.
        lost_pushes: Each lost push with its user, its way, its time and its last stage.
        points: 250 ms of each series, over the whole run.
        series: The sums of each series.
        transports: The sums of each transport, where users differ in it; else none.
        markers: Faults, deaths, beginning and end.
        users: Every user as it was at the end.
        started_t, ended_t: First push and end of the drain, in seconds of the engine's clock.
        started_at: Wall-clock time of the first push, seconds since 1970.
        epoch_ns: Zero of the engine's seconds on the one clock.
        records: Files with what became of every push (:mod:`core.load.record`).
        doubt: What the server did not say about its users, although it passed for all that.
        unrecorded: Why those files are not whole; "" if they are.
    """

    summary: Summary
    exit_code: ExitCode
    lost_pushes: tuple[LostPush, ...] = ()
    points: tuple[Point, ...] = ()
    series: tuple[SeriesSum, ...] = ()
    transports: tuple[TransportSum, ...] = ()
    markers: tuple[Marker, ...] = ()
    users: tuple[UserRow, ...] = ()
    started_t: float = 0.0
    ended_t: float = 0.0
    started_at: float = 0.0
    epoch_ns: int = 0
    records: tuple[Path, ...] = ()
    doubt: str = ""
    unrecorded: str = ""

    @classmethod
    def without_pushes(cls, scenario: Scenario, code: ExitCode, words: str) -> Result:
        """The result of a run that never came to its first push, and why it did not."""
        facts = Facts(
            scenario=scenario,
            environment=None,
            counts=Counts(),
            book=SeriesBook(),
            matrix=(),
            latency=Percentiles(),
            lag=Histogram(),
            failure=(code, words),
        )
        return cls(*judge(facts))

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return self.exit_code is ExitCode.PASS

    @property
    def lost(self) -> int:
        """Expected pushes that never arrived."""
        return self.summary.lost

    @property
    def delivered(self) -> int:
        """Expected pushes that arrived."""
        return self.summary.delivered

    @property
    def reason(self) -> str:
        """The judgement in words."""
        return self.summary.reason

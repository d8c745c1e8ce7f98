"""Results of runs, made of a few values, for what is written about them."""

from __future__ import annotations

from pathlib import Path

from core.engine.board import cell_of, percentiles, point_of
from core.environment import EnvironmentInfo, InstanceInfo
from core.errors import ExitCode
from core.load.scenario import Scenario
from core.metrics import Counts, Histogram, SeriesBook, Tally
from core.report.figures import LostPush, Marker, SeriesSum
from core.report.result import Result
from core.report.summary import Facts, judge

MS = 1_000_000

ENVIRONMENT = EnvironmentInfo(
    "local cluster",
    "local",
    "ws://127.0.0.1:1/ws",
    "http://127.0.0.1:1",
    (InstanceInfo("i1", "ready", "http://127.0.0.1:2"), InstanceInfo("i2", "dead", "http://127.0.0.1:3")),
)


def tally(via: str, on: str, slot: int, *latencies_ms: float, lost: int = 0) -> Tally:
    """What happened in one slot of one cell."""
    latency = Histogram()
    latency.record_many(round(value * MS) for value in latencies_ms)
    return Tally(via, on, slot, len(latencies_ms) + lost, len(latencies_ms), lost, latency)


def facts_of(*tallies: Tally, scenario: Scenario | None = None, **changes: object) -> Facts:
    """What would be known after these tallies; ``changes`` are fields of the counts."""
    book = SeriesBook()
    for each in tallies:
        book.add(each)
    total = book.total()
    values: dict[str, int] = {"pushed": total.expected, "delivered": total.delivered, "lost": total.lost}
    counts = Counts(**{**values, **changes})  # pyright: ignore[reportArgumentType]
    matrix = tuple(cell_of(via, on, cell) for (via, on), cell in sorted(book.cells.items()))
    lag = Histogram()
    lag.record_many([MS // 10] * 10)
    chosen = scenario or Scenario(name="a <run>", users=4, rate=20, duration=2)
    return Facts(chosen, ENVIRONMENT, counts, book, matrix, percentiles(total.latency), lag)


def result_of(facts: Facts, *, lost: tuple[LostPush, ...] = (), records: tuple[Path, ...] = ()) -> Result:
    """The result that follows from the facts, with a kill of ``i2`` a second after the first push."""
    summary, code = judge(facts)
    series = tuple(
        SeriesSum(name, total.delivered, total.lost, percentiles(total.latency))
        for name in facts.book.series()
        for side, _, instance in (name.partition(":"),)
        for total in (facts.book.total(**{side: instance}),)
    )
    return Result(
        summary,
        code,
        lost_pushes=lost,
        points=tuple(point_of(slot) for slot in facts.book.history()),
        series=series,
        markers=(Marker(10.0, "run-start", ""), Marker(11.0, "kill", "i2"), Marker(12.0, "run-stop", "")),
        started_t=10.0,
        ended_t=12.5,
        started_at=1_700_000_000.0,
        epoch_ns=0,
        records=records,
    )


def flawless() -> Result:
    """A run in which everything arrived."""
    tallies = [
        tally(via, on, slot, 1.0, 2.0, 3.0)
        for via in ("i1", "i2")
        for on in ("i1", "i2")
        for slot in range(40, 48)
    ]
    return result_of(facts_of(*tallies))


def with_losses() -> Result:
    """A run in which ``i2`` died and two pushes with it."""
    lost = (
        LostPush("r.i1.u<1>.4", "u<1>", "i1", "i2", 4, 11.01, "to-broker on i1; instance i2 died"),
        LostPush("r.i1.u2.4", "u2", "i1", "-", 4, 11.02, "no-session on i1; the user was not connected"),
    )
    tallies = [
        *(tally("i1", "i1", slot, 1.0, 1.2) for slot in range(40, 47)),
        tally("i1", "i1", 47, 1.0, 150.0),
        tally("i1", "i2", 40, 1.5, lost=1),
        tally("i1", "-", 44, lost=1),
    ]
    scenario = Scenario(name="kill", users=4, rate=20, duration=2, thresholds=("p99 < 1", "reach > 1"))
    return result_of(facts_of(*tallies, scenario=scenario), lost=lost)


def without_pushes() -> Result:
    """A run that never came to its first push."""
    facts = Facts(
        Scenario(), None, Counts(), SeriesBook(), (), percentiles(Histogram()), Histogram(),
        failure=(ExitCode.CLUSTER, "i1 was not ready"),
    )  # fmt: skip
    summary, code = judge(facts)
    return Result(summary, code)

"""The article's own test: users on all instances, a push through each instance to each user."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Final

from ..environment import EnvironmentInfo
from ..errors import PushscopeError
from ..load.scenario import Scenario
from ..report.figures import LostPush
from ..report.result import Result
from .engine import Engine
from .messages import AddUsers, Event, Finished, Problem, Snapshot, StartRun, StateChanged

#: Users that every instance should have.
PER_INSTANCE: Final = 2

#: Rounds of adding users before a check goes on with what there is.
_ROUNDS: Final = 6

#: Pushes a second where ids tell them apart.
_RATE: Final = 100.0

#: Seconds between two pushes to one user where only the order of arrival does; a push that has
#: not arrived by then is not taken for the next one.
_APART: Final = 0.8


async def check(
    engine: Engine, info: EnvironmentInfo, *, users: int = 0, show: Callable[[Event], None]
) -> Result:
    """Connect users until every instance has some, push through each instance to each user.

    Args:
        engine: With an environment that runs.
        info: That environment.
        users: How many to begin with; 0 picks.
        show: Called with every event.

    Raises:
        PushscopeError: the engine failed.
    """
    events = engine.events()
    instances = [instance.id for instance in info.instances]
    total = await _connect(engine, events, instances, users or PER_INSTANCE * len(instances), show)
    await engine.handle(StartRun(_scenario(total, len(instances), with_ids=info.kind == "local")))
    problem = "nothing is known"
    async for event in events:
        show(event)
        match event:
            case Finished() | StateChanged(run="failed"):
                break
            case Problem(detail=detail):
                problem = detail
            case _:
                pass
    if engine.result is None:
        raise PushscopeError(f"the check failed: {problem}")
    return engine.result


def _scenario(users: int, instances: int, *, with_ids: bool) -> Scenario:
    """``users × instances`` pushes: every pair exactly once (:func:`core.load.plan.round_robin`)."""
    rate = _RATE if with_ids else users / _APART
    return Scenario(
        name="check",
        users=users,
        rate=rate,
        duration=users * instances / rate,
        drain=2.0,
        late_after=5.0 if with_ids else 0.9 * _APART,
        push="push" if with_ids else "test",
    )


async def _connect(
    engine: Engine,
    events: AsyncIterator[Event],
    instances: list[str],
    first: int,
    show: Callable[[Event], None],
) -> int:
    """Connect users until each instance has enough, or it is plain that it will not; how many there are."""
    total = 0
    where: dict[str, str] = {}
    for _ in range(_ROUNDS):
        more = first if not total else len(instances)
        total += more
        await engine.handle(AddUsers(more))
        undecided = True
        while undecided:
            event = await anext(events)
            show(event)
            if isinstance(event, Snapshot):
                where.update({row.user: row.on for row in event.users if row.state == "connected"})
                failed = sum(row.state == "failed" for row in event.users)
                undecided = event.users_total < total or event.users_connected + failed < total
                if failed:
                    return total
        counts = Counter(where.values())
        if not any(instance in counts for instance in instances):
            return total  # the target does not say who is where
        if all(counts[instance] >= PER_INSTANCE for instance in instances):
            return total
    return total


def findings(result: Result) -> list[str]:
    """What fails, one sentence for each direction: through which instance, to users on which."""
    sentences: list[str] = []
    for cell in result.summary.matrix:
        missing = cell.pushed - cell.delivered
        if missing <= 0:
            continue
        stages = Counter(
            _plain(lost) for lost in result.lost_pushes if (lost.via, lost.on) == (cell.via, cell.on)
        )
        where = f"on {cell.on}" if cell.on != "-" else "connected"
        seen = f" (last seen: {stages.most_common(1)[0][0]})" if stages else ""
        sentences.append(
            f"a push via {cell.via} does not reach users {where}: "
            f"{cell.delivered} of {cell.pushed} arrived{seen}"
        )
    return sentences


def _plain(lost: LostPush) -> str:
    return lost.stage or "unknown"

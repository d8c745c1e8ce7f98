"""The article's test, as a function: every pair once, on a cluster of ours and on somebody's."""

from __future__ import annotations

import pytest

from core.attached import AttachedEnvironment
from core.deployment import deployment_of
from core.engine.check import check, findings
from core.engine.engine import Engine
from core.engine.messages import Event
from core.environment import ClusterSpec, Environment
from core.errors import ExitCode
from core.report.result import Result
from server.supervisor import LocalCluster


def cluster(strategy: str, instances: int = 2) -> LocalCluster:
    spec = ClusterSpec(instances, strategy, "memory:")  # pyright: ignore[reportArgumentType]
    return LocalCluster.from_spec(spec, in_process=True)


async def checked(environment: Environment, *, users: int = 0) -> Result:
    seen: list[Event] = []
    async with Engine(environment=environment, workers=0) as engine:
        result = await check(engine, environment.describe(), users=users, show=seen.append)
    assert seen
    return result


def attached_to(environment: LocalCluster) -> AttachedEnvironment:
    info = environment.describe()
    ports = ",".join(each.push_url.rpartition(":")[2] for each in info.instances)
    push = f"http://127.0.0.1:{{{ports}}}/test?username={{user}}"
    return AttachedEnvironment(deployment_of(info.gateway_url, push))


@pytest.mark.parametrize("instances", [1, 2, 3])
async def test_every_user_is_pushed_through_every_instance_once(instances: int) -> None:
    async with cluster("relay", instances) as environment:
        result = await checked(environment)
    assert result.exit_code is ExitCode.PASS
    assert [(cell.pushed, cell.delivered) for cell in result.summary.matrix] == [(2, 2)] * instances**2
    assert result.summary.expected == len(result.users) * instances
    assert findings(result) == []


async def test_users_are_added_until_every_instance_has_enough() -> None:
    async with cluster("relay", 3) as environment:
        result = await checked(environment, users=1)
    on = [row.on for row in result.users]
    assert min(on.count(instance) for instance in ("i1", "i2", "i3")) >= 2


async def test_what_does_not_reach_is_named() -> None:
    async with cluster("none") as environment:
        result = await checked(environment)
    assert result.exit_code is ExitCode.DELIVERY
    assert findings(result) == [
        "a push via i1 does not reach users on i2: 0 of 2 arrived (last seen: no-session on i1)",
        "a push via i2 does not reach users on i1: 0 of 2 arrived (last seen: no-session on i2)",
    ]


@pytest.mark.parametrize("strategy", ["relay", "none"])
async def test_somebodys_deployment_without_ids(strategy: str) -> None:
    async with cluster(strategy) as environment:
        attached = attached_to(environment)
        await attached.start(lambda step: None)
        result = await checked(attached)
        await attached.stop()
    reached = {(cell.via, cell.on): cell.delivered for cell in result.summary.matrix}
    far = 2 if strategy == "relay" else 0
    assert reached == {("i1", "i1"): 2, ("i1", "i2"): far, ("i2", "i1"): far, ("i2", "i2"): 2}
    assert (result.summary.unexpected, result.summary.misrouted) == (0, 0)
    assert result.summary.scenario["correlation"] == "order of arrival"
    assert len(findings(result)) == (0 if strategy == "relay" else 2)

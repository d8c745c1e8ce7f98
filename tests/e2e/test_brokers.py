"""A run on each broker, and a run in whose middle the broker goes away and comes back.

Short here; ``PUSHSCOPE_LONG_RUNS=1`` makes them as long as the promise: 200 users, 500 pushes/s, 30 s.
"""

from __future__ import annotations

import asyncio
import csv
import logging
import os
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import aiohttp
import msgspec
import psutil
import pytest

from core import Result, Scenario, run
from core.errors import ExitCode
from server import LocalCluster
from tests.support.rabbitmq import VirtualHost
from tests.support.requirements import requires

logger = logging.getLogger("pushscope.tests")

LONG = bool(os.environ.get("PUSHSCOPE_LONG_RUNS"))
USERS, RATE, DURATION = (200, 500.0, 30.0) if LONG else (60, 200.0, 5.0)
#: How long the broker is away, its own start not counted.
AWAY_S = 5.0 if LONG else 1.0
#: Within which pushes are taken again once the broker serves.
BACK_WITHIN_S = 3.0
#: When the outage begins, and how long is pushed when the broker serves again.
OUTAGE_AT, AFTER_OUTAGE = (10.0, 15.0) if LONG else (2.0, BACK_WITHIN_S + 1.5)

pytestmark = pytest.mark.timeout(180)


@asynccontextmanager
async def cluster_on(kind: str, rabbitmq: VirtualHost | None) -> AsyncGenerator[LocalCluster]:
    """Two instances on a broker of this kind."""
    if kind == "memory":
        cluster = LocalCluster(2, broker="memory:", in_process=True)
    elif rabbitmq is None:
        cluster = LocalCluster(2, broker="embedded:", relay="per-client" if "per" in kind else "multiplexed")
    else:
        cluster = LocalCluster(2, broker=rabbitmq.amqp_url if kind == "amqp" else rabbitmq.stomp_url)
    async with cluster:
        yield cluster


def flaws(result: Result) -> dict[str, int]:
    summary: dict[str, Any] = msgspec.to_builtins(result.summary)
    names = ("refused", "lost", "duplicate", "misrouted", "reordered", "unexpected", "pending")
    return {name: summary[name] for name in names}


async def flawless(cluster: LocalCluster) -> None:
    """A run that loses, doubles, misroutes and reorders nothing; again if the machine was busy."""
    scenario = Scenario(users=USERS, rate=RATE, duration=DURATION)
    result = await run(scenario, cluster)
    if result.exit_code is ExitCode.SATURATED:
        result = await run(scenario, cluster)
    assert set(flaws(result).values()) == {0}, result.reason
    assert result.summary.attempted == result.delivered == round(RATE * DURATION)


@pytest.mark.parametrize("kind", ["memory", "embedded", "embedded-per-client"])
async def test_a_run_on_brokers_of_our_own(kind: str) -> None:
    async with cluster_on(kind, None) as cluster:
        await flawless(cluster)


@requires("rabbitmq")
@pytest.mark.parametrize("kind", ["stomp", "amqp"])
async def test_a_run_on_rabbitmq_leaves_no_connection_and_no_queue(rabbitmq: VirtualHost, kind: str) -> None:
    async with cluster_on(kind, rabbitmq) as cluster:
        await flawless(cluster)

        async def quiet() -> bool:
            # Two instances, and what each hears by itself; users' subscriptions are gone.
            queues = await rabbitmq.queues()
            return len(await rabbitmq.connections()) == 2 and not any("-user" in str(q) for q in queues)

        await eventually(quiet, "the users' queues are gone, one connection for each instance")

    async def nothing() -> bool:
        return not await rabbitmq.connections() and not await rabbitmq.queues()

    await eventually(nothing, "no connection and no queue is left")


async def eventually(condition: Any, what: str) -> None:
    deadline = time.monotonic() + 30
    while not await condition():
        assert time.monotonic() < deadline, f"after 30 s still not: {what}"
        await asyncio.sleep(0.2)


class Row(NamedTuple):
    """A push of deliveries.csv; ``intended`` in seconds since the first one."""

    verdict: str
    stage: str
    intended: float


class Outage(NamedTuple):
    """What came of a run with an outage.

    ``gone`` and ``back`` are when the broker crashed and when it served again, in the run's seconds.
    """

    result: Result
    rows: list[Row]
    gone: float
    back: float
    pids: tuple[list[int | None], list[int | None]]
    left: list[int]


class Held(NamedTuple):
    """What a cluster without users holds: connections and queues at the broker, tasks of its instances."""

    connections: int
    queues: int
    tasks: list[int]


async def held_by(cluster: LocalCluster, host: VirtualHost) -> Held:
    infos = [await info_of(each.push_url) for each in cluster.describe().instances]
    return Held(
        len(await host.connections()), len(await host.queues()), [int(info["tasks"]) for info in infos]
    )


async def play_outage(host: VirtualHost, url: str, out: Path, *, confirm: bool) -> Outage:
    """Push all the time while the broker crashes, stays away and comes back; nothing of it is left over."""
    node = host.node
    scenario = Scenario(users=USERS, rate=RATE, confirm=confirm, drain=5.0)
    moments: list[float] = []
    async with LocalCluster(2, broker=url) as cluster:
        before = [each.pid for each in cluster.describe().instances]

        async def listed() -> bool:  # a new connection is listed within about a second
            return len(await host.connections()) == 2

        await eventually(listed, "one connection for each instance")
        held = await held_by(cluster, host)

        async def as_before() -> bool:
            return await held_by(cluster, host) == held

        async def break_it() -> None:
            await asyncio.sleep(OUTAGE_AT)
            moments.append(time.perf_counter())
            await node.stop(hard=True)
            await asyncio.sleep(AWAY_S)
            await node.start()
            moments.append(time.perf_counter())
            await asyncio.sleep(AFTER_OUTAGE)

        result = await run(scenario, cluster, out=out, until=break_it)
        instances = cluster.describe().instances
        left = [ended_by_us(await info_of(each.push_url)) for each in instances]
        after = [each.pid for each in instances]
        await eventually(as_before, f"connections, queues and tasks as before: {held}")

    async def nothing() -> bool:
        return not await host.connections() and not await host.queues()

    await eventually(nothing, "no connection and no queue is left")
    with (out / "deliveries.csv").open(encoding="utf-8") as file:
        rows = [
            Row(row["verdict"], row["stage"], float(row["intended"]))
            for row in csv.DictReader(file)
            if row["intended"]
        ]
    zero = result.epoch_ns / 1e9 + result.started_t
    rows.sort(key=lambda row: row.intended)
    return Outage(result, rows, moments[0] - zero, moments[1] - zero, (before, after), left)


def ended_by_us(info: dict[str, Any]) -> int:
    """How many clients an instance ended."""
    counters = info["counters"]
    return counters["silent"] + counters["slow_consumers"] + counters["protocol_errors"]


async def info_of(url: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as http, http.get(f"{url}/info") as response:
        return await response.json()


@requires("rabbitmq")
@pytest.mark.parametrize("kind", ["stomp", "amqp"])
@pytest.mark.parametrize("confirm", [False, True])
async def test_a_run_outlives_an_outage_of_rabbitmq(
    rabbitmq: VirtualHost, tmp_path: Path, confirm: bool, kind: str
) -> None:
    """Instances and sockets stay; pushes are refused meanwhile; what is lost died going to the broker."""
    url = rabbitmq.amqp_url if kind == "amqp" else rabbitmq.stomp_url
    outage = await play_outage(rabbitmq, url, tmp_path, confirm=confirm)
    result, rows = outage.result, outage.rows
    found = flaws(result)
    report(result, outage, confirm)
    assert outage.pids[0] == outage.pids[1], "no instance died"
    assert outage.left == [0, 0] and not any(user.reconnects for user in result.users), "sockets stay"
    seen = {(marker.kind, marker.target) for marker in result.markers}
    assert {(kind, id) for kind in ("broker-lost", "broker-back") for id in ("i1", "i2")} <= seen
    assert found["refused"] > 0
    assert {found[name] for name in ("duplicate", "misrouted", "reordered", "unexpected", "pending")} == {0}
    assert found["lost"] == len(result.lost_pushes)
    if confirm:
        assert found["lost"] == 0, result.lost_pushes
    for row in rows:
        if row.verdict == "lost":
            assert row.stage.startswith("to-broker on i"), row
            assert outage.gone - 1.0 < row.intended < outage.gone + 1.0, row
        if row.verdict in ("refused", "unanswered"):
            assert outage.gone - 1.0 < row.intended < outage.back + BACK_WITHIN_S, row
    late = [row for row in rows if row.intended > outage.back + BACK_WITHIN_S]
    assert late and {row.verdict for row in late} <= {"ok", "late"}


def report(result: Result, outage: Outage, confirm: bool) -> None:
    """The figures, for whoever runs it with ``--log-cli-level=INFO``."""
    resumed = min(
        (row.intended for row in outage.rows if row.verdict == "ok" and row.intended > outage.gone + 1.0),
        default=float("nan"),
    )
    logger.info(
        "confirm=%s: %s, delivered %d of %d; broker gone at %.2f s, back at %.2f s, first push at %.2f s",
        confirm,
        flaws(result),
        result.delivered,
        result.summary.attempted,
        outage.gone,
        outage.back,
        resumed,
    )


def contents(folder: Path) -> list[str]:
    return [path.read_text("utf-8", "replace") for path in folder.iterdir() if path.is_file()]


@requires("rabbitmq")
async def test_the_brokers_password_is_nowhere_to_be_read(rabbitmq: VirtualHost, tmp_path: Path) -> None:
    """Not in the arguments of any process, not in the logs, not in what the run leaves behind."""
    secret = f"pw-{secrets.token_hex(8)}"
    node = rabbitmq.node
    await node.ask("PUT", "users/watched", {"password": secret, "tags": ""})
    rights = {"configure": ".*", "write": ".*", "read": ".*"}
    await node.ask("PUT", f"permissions/{quote(rabbitmq.name, safe='')}/watched", rights)
    url = f"stomp://watched:{secret}@127.0.0.1:{node.stomp_port}/{rabbitmq.name}"
    seen: list[str] = []
    logs: list[str] = []
    async with LocalCluster(2, broker=url) as cluster:
        running = asyncio.create_task(run(Scenario(users=4, rate=20, duration=1), cluster, out=tmp_path))
        while not running.done():
            seen += [
                " ".join(each.cmdline())
                for each in psutil.Process().children(recursive=True)
                if each.is_running()
            ]
            await asyncio.sleep(0.2)
        assert set(flaws(running.result()).values()) == {0}
        for name in ("i1", "i2", "gateway", "discovery"):
            logs += cluster.log_of(name)
        for each in cluster.describe().instances:
            logs.append(str(await info_of(each.push_url)))
        logs.append(str(cluster.describe()))
    assert any("instance" in line for line in seen)
    files = contents(tmp_path)
    assert files
    for text in (*seen, *logs, *files):
        assert secret not in text
    await node.ask("DELETE", "users/watched")

"""Runs whose users connect with all transports, through the gateway: nothing is lost but by a kill.

Short here; ``PUSHSCOPE_LONG_RUNS=1`` makes the big one as long as the promise: 1,000 users, 500 pushes/s,
30 s.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from core import Result, Scenario, run
from core.errors import ExitCode
from core.launch import self_command
from core.load.scenario import Fault
from core.load.transports import transport_of
from core.report.figures import Marker
from server import LocalCluster

LONG = bool(os.environ.get("PUSHSCOPE_LONG_RUNS"))
USERS, RATE, DURATION = (1000, 500.0, 30.0) if LONG else (100, 200.0, 5.0)

MIXED = {"websocket": 40, "xhr-streaming": 20, "eventsource": 20, "xhr-polling": 20}
EVERYTHING = {**MIXED, "sockjs-websocket": 20}

#: Longest time in which users of an instance that stopped must be subscribed again; the longest delay of
#: a simulated user is included.
BACK_WITHIN_S = 3.2

pytestmark = pytest.mark.timeout(240)


def flaws(result: Result) -> dict[str, int]:
    summary = msgspec.to_builtins(result.summary)
    names = ("refused", "lost", "duplicate", "misrouted", "reordered", "unexpected", "pending")
    return {name: summary[name] for name in names}


async def trusted(scenario: Scenario, cluster: LocalCluster, out: Path | None = None) -> Result:
    """A run; again if the machine was too busy to push in time."""
    result = await run(scenario, cluster, out=out)
    if result.exit_code is ExitCode.SATURATED:
        result = await run(scenario, cluster, out=out)
    return result


def marker(result: Result, kind: str) -> Marker:
    (found,) = [each for each in result.markers if each.kind == kind]
    return found


async def test_users_of_all_transports_over_two_instances(tmp_path: Path) -> None:
    async with LocalCluster(2) as cluster:
        scenario = Scenario(users=60, rate=200, duration=3, transports=EVERYTHING)
        result = await trusted(scenario, cluster, tmp_path)
        await play_on_deployment(cluster, tmp_path)
    assert set(flaws(result).values()) == {0}, result.reason
    assert result.delivered == 600
    assert {each.transport: each.users for each in result.transports} == {
        name: share // 2 for name, share in EVERYTHING.items()
    }
    assert sum(each.delivered for each in result.transports) == 600
    assert all(each.latency.p50 is not None and each.lost == 0 for each in result.transports)
    summary = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    assert summary["scenario"]["transports"] == EVERYTHING
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "<h2>Transports</h2>" in page and all(name in page for name in EVERYTHING)


async def play_on_deployment(cluster: LocalCluster, folder: Path) -> None:
    """The same cluster as a deployment that says where SockJS is: not where its plain WebSocket is."""
    info = cluster.describe()
    lines = [
        'name = "staging"',
        f'gateway = "{info.gateway_url}"',
        f'websocket = "{info.websocket_url.replace("/ws?", "/ws/websocket?")}"',
        f'sockjs = "{info.sockjs_url}"',
        *(f'[[instances]]\nid = "{each.id}"\nurl = "{each.push_url}"' for each in info.instances),
    ]
    env = folder / "env.toml"
    env.write_text("\n".join(lines), "utf-8")
    words = ("run", "--env", str(env), "--users", "20", "--rate", "40", "--duration", "1")
    shares = "websocket=1,sockjs-websocket=1,xhr-streaming=1,eventsource=1,xhr-polling=1"
    command = self_command(*words, "--transports", shares)
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "40 of 40 expected pushes delivered" in done.stdout


async def test_a_drain_and_a_graceful_stop_in_the_middle_lose_nothing(tmp_path: Path) -> None:
    drain = Fault(at=DURATION / 3, action="drain", instance="i2")
    stop = Fault(at=2 * DURATION / 3, action="stop", instance="i2")
    async with LocalCluster(3) as cluster:
        scenario = Scenario(
            users=USERS,
            rate=RATE,
            duration=DURATION,
            transports=MIXED,
            faults=(drain, stop),
            ramp=USERS / 500,
        )
        result = await run(scenario, cluster, out=tmp_path)
    found = flaws(result)
    refused = found.pop("refused")
    assert set(found.values()) == {0}, result.reason
    assert result.delivered + refused == round(RATE * DURATION)
    # Who stops takes no pushes; one that is on its way at that moment is told so, and not lost.
    with (tmp_path / "deliveries.csv").open(encoding="utf-8") as file:
        said_no = [row for row in csv.DictReader(file) if row["verdict"] in ("refused", "unanswered")]
    assert len(said_no) == refused
    assert all(row["via"] == "i2" for row in said_no), said_no
    assert all(abs(float(row["intended"]) - stop.at) < 1.0 for row in said_no), said_no
    stopped = marker(result, "stop").t
    moved = [row for row in result.users if row.reconnects]
    assert moved, "nobody was on the instance that stopped"
    assert len({transport_of(row.user, MIXED) for row in moved}) >= 3, "chance decides who is where"
    for row in result.users:
        assert row.state == "connected" and row.on in ("i1", "i3"), row
        assert row.reconnects <= 1, f"the drain, or something else, disconnected {row}"
        if row.reconnects:
            assert row.connected_t - stopped < BACK_WITHIN_S, row


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
async def test_a_kill_loses_only_what_came_before_users_were_back(tmp_path: Path) -> None:
    async with LocalCluster(2) as cluster:
        kill = Fault(at=1.5, action="kill", instance="i2")
        scenario = Scenario(users=60, rate=200, duration=4, drain=2, transports=EVERYTHING, faults=(kill,))
        result = await run(scenario, cluster, out=tmp_path)
    killed = marker(result, "kill").t
    clean = {name: number for name, number in flaws(result).items() if name not in ("refused", "lost")}
    assert set(clean.values()) == {0}, result.reason
    users = {row.user: row for row in result.users}
    moved = [row for row in result.users if row.reconnects]
    assert len({transport_of(row.user, EVERYTHING) for row in moved}) >= 3, "chance decides who is where"
    assert all(row.state == "connected" and row.on != "i2" for row in result.users)
    with (tmp_path / "deliveries.csv").open(encoding="utf-8") as file:
        lost = [row for row in csv.DictReader(file) if row["verdict"] == "lost"]
    for row in lost:
        intended = result.started_t + float(row["intended"])
        user = users[row["user"]]
        assert user.reconnects == 1, "only users of the dead instance lose anything"
        # A push leaves within a moment of when it was due; the RECEIPT comes after CONNECTED.
        assert killed - 0.2 < intended < user.connected_t + 0.5, row
    assert {push.user for push in result.lost_pushes} == {row["user"] for row in lost}


def test_shares_that_make_no_sense_are_said_before_anything_starts() -> None:
    command = self_command("run", "--transports", "websockets=1")
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == ExitCode.USAGE
    assert "websockets: is no transport" in done.stdout + done.stderr
    assert "xhr-streaming" in done.stdout + done.stderr

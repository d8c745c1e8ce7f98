"""LocalCluster with real processes: what comes up, what each action does, what is left."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from core.environment import EnvironmentEvent, InstanceChanged, InstanceInfo, LogLine, StartStep
from core.errors import ClusterStartError, PortTakenError, UsageError
from server import LocalCluster
from server.roles.options import Options
from server.supervisor.launcher import ProcessLauncher, Running
from server.supervisor.probe import get_json
from tests.support.processes import PATIENCE, descendants, is_gone, refuses, until, unused_port

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    before = descendants()
    yield
    assert descendants() == before


async def _until_told(
    events: AsyncIterator[EnvironmentEvent], name: str, fits: Callable[[InstanceInfo], bool]
) -> InstanceInfo:
    async with asyncio.timeout(PATIENCE):
        async for event in events:
            if isinstance(event, InstanceChanged) and event.instance.id == name and fits(event.instance):
                return event.instance
    raise AssertionError(f"the events ended before what was to be told of {name}")


async def _until_state(events: AsyncIterator[EnvironmentEvent], name: str, state: str) -> InstanceInfo:
    return await _until_told(events, name, lambda instance: instance.state == state)


async def test_everything_answers_and_nothing_is_left() -> None:
    steps: list[StartStep] = []
    cluster = LocalCluster(instances=2)
    await cluster.start(steps.append)
    info = cluster.describe()
    try:
        assert {each.key: each.state for each in steps} == dict.fromkeys(
            ("ports", "broker", "discovery", "instances", "gateway"), "done"
        )
        assert [(each.id, each.state) for each in info.instances] == [("i1", "ready"), ("i2", "ready")]
        assert {(each.name, each.state) for each in info.parts} == {
            ("broker", "ready"),
            ("discovery", "ready"),
            ("gateway", "ready"),
        }
        assert info.websocket_url.startswith("ws://") and info.websocket_url.endswith(
            "/web-socket/ws?user={user}"
        )
        for each in info.instances:
            health = await get_json(f"{each.push_url}/health", within=PATIENCE)
            assert health is not None and health["id"] == each.id
        assert await get_json(f"{info.gateway_url}/web-socket/health", within=PATIENCE)
    finally:
        await cluster.stop()
    await cluster.stop()
    assert all(refuses(each.url) for each in info.parts)
    assert all(refuses(each.push_url) for each in info.instances)
    assert {each.state for each in cluster.describe().instances} == {"stopped"}


async def test_a_death_that_nobody_asked_for_is_told() -> None:
    async with LocalCluster(instances=2) as cluster:
        events = cluster.events()
        pid = cluster.describe().instances[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        dead = await _until_state(events, "i1", "dead")
        assert dead.exit_code == -signal.SIGKILL
        assert cluster.log_of("i1")[-1] == "i1 was ended by SIGKILL"
        with pytest.raises(UsageError, match="cannot pause i1: it is dead"):
            await cluster.control("pause", "i1")


async def test_kill_stop_add_remove() -> None:
    async with LocalCluster(instances=2) as cluster:
        events = cluster.events()
        assert await cluster.control("kill", "i2") == "i2"
        assert (await _until_state(events, "i2", "dead")).exit_code == -signal.SIGKILL
        assert await cluster.control("add") == "i3"
        assert await cluster.control("remove", "i2") == "i2"
        assert await cluster.control("stop", "i3") == "i3"
        assert (await _until_state(events, "i3", "stopped")).exit_code == 0
        assert await cluster.control("remove", "i3") == "i3"
        assert await cluster.control("add") == "i4"
        assert [(each.id, each.state) for each in cluster.describe().instances] == [
            ("i1", "ready"),
            ("i4", "ready"),
        ]
        gateway = await get_json(f"{cluster.describe().gateway_url}/health", within=PATIENCE)
        assert gateway is not None
        assert gateway["services"] == {"web-socket": ["i1", "i4"]}


async def test_pause_and_resume() -> None:
    async with LocalCluster(instances=1) as cluster:
        assert await cluster.control("pause") == "i1"
        url = cluster.describe().instances[0].push_url
        assert cluster.describe().instances[0].state == "paused"
        assert await get_json(f"{url}/health", within=0.1) is None
        assert await cluster.control("resume") == "i1"
        assert await get_json(f"{url}/health", within=PATIENCE)
        with pytest.raises(UsageError, match="no instance to resume"):
            await cluster.control("resume")


async def test_a_paused_instance_does_not_keep_the_cluster_from_stopping() -> None:
    cluster = LocalCluster(instances=2)
    async with cluster:
        await cluster.control("pause", "i2")
    assert {each.state for each in cluster.describe().instances} == {"stopped"}


async def test_samples_arrive() -> None:
    async with LocalCluster(instances=1) as cluster:
        sampled = await _until_told(cluster.events(), "i1", lambda instance: instance.cpu_percent >= 0)
        assert sampled.rss_bytes > 1_000_000
        assert sampled.sessions == 0


async def test_events_end_with_the_cluster_and_log_lines_come() -> None:
    cluster = LocalCluster(instances=1)
    events = cluster.events()
    async with cluster:
        pass
    seen = [event async for event in events]
    assert any(isinstance(event, LogLine) and event.source == "i1" for event in seen)
    states = [event.instance.state for event in seen if isinstance(event, InstanceChanged)]
    assert (states[0], states[-1]) == ("starting", "stopped")


@pytest.mark.parametrize("role", ["instance", "gateway", "discovery"])
async def test_a_given_port_that_is_taken(role: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cluster = LocalCluster(
            ports=(port,) if role == "instance" else (),
            gateway_port=port if role == "gateway" else 0,
            discovery_port=port if role == "discovery" else 0,
        )
        with pytest.raises(PortTakenError, match=str(port)):
            await cluster.start(lambda step: None)


class _PortThief(ProcessLauncher):
    """Takes the gateway's port between the check and its start."""

    def __init__(self) -> None:
        self.thief: socket.socket | None = None

    async def start(self, name: str, options: Options, on_line: Callable[[str], None]) -> Running:
        if name == "gateway":
            self.thief = socket.create_server((options.host, options.port))
        return await super().start(name, options, on_line)


async def test_a_failure_undoes_what_was_begun() -> None:
    port = unused_port()
    launcher = _PortThief()
    cluster = LocalCluster(gateway_port=port, launcher=launcher)
    steps: list[StartStep] = []
    with pytest.raises(PortTakenError, match=str(port)) as caught:
        await cluster.start(steps.append)
    assert launcher.thief is not None
    launcher.thief.close()
    assert isinstance(caught.value, ClusterStartError)
    last = {each.key: each for each in steps}
    assert last["gateway"].state == "failed"
    assert str(port) in last["gateway"].detail
    assert all(refuses(each.url) for each in cluster.describe().parts if each.url)


@pytest.mark.parametrize("moment", [("ports", "done"), ("broker", "done"), ("instances", "running")])
async def test_cancel_during_the_start_leaves_nothing(moment: tuple[str, str]) -> None:
    before = descendants()

    def progress(step: StartStep) -> None:
        if (step.key, step.state) == moment:
            asyncio.get_running_loop().call_later(0.05, starting.cancel)

    starting = asyncio.ensure_future(LocalCluster(instances=2).start(progress))
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert descendants() == before


async def test_stop_during_the_start_leaves_nothing() -> None:
    cluster = LocalCluster(instances=2)
    begun = asyncio.Event()

    def progress(step: StartStep) -> None:
        if (step.key, step.state) == ("instances", "running"):
            begun.set()

    starting = asyncio.ensure_future(cluster.start(progress))
    await begun.wait()
    await cluster.stop()
    with pytest.raises(ClusterStartError, match="the cluster was not started"):
        await starting
    assert {each.state for each in cluster.describe().instances} == {"stopped"}


async def test_stop_while_an_instance_is_added() -> None:
    cluster = LocalCluster(instances=1)
    async with cluster:
        events = cluster.events()
        adding = asyncio.ensure_future(cluster.control("add"))
        await _until_state(events, "i2", "starting")
    with pytest.raises(ClusterStartError, match="i2 was not started"):
        await adding


async def test_a_cancelled_stop_is_finished_all_the_same() -> None:
    cluster = LocalCluster(instances=1)
    await cluster.start(lambda step: None)
    pids = [part.pid for part in cluster.describe().parts if part.pid]
    stopping = asyncio.ensure_future(cluster.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    await until(lambda: all(is_gone(pid) for pid in pids), "all parts gone", within=0.5)


async def test_control_needs_a_running_cluster_and_a_known_instance() -> None:
    with pytest.raises(UsageError, match="not running"):
        await LocalCluster().control("add")
    async with LocalCluster(instances=1) as cluster:
        with pytest.raises(UsageError, match="no instance 'i9'") as caught:
            await cluster.control("kill", "i9")
        assert "i1" in caught.value.hint
        with pytest.raises(UsageError, match="started once"):
            await cluster.start(lambda step: None)


async def test_no_broker_where_one_should_be() -> None:
    port = unused_port()
    with pytest.raises(ClusterStartError, match=f"no broker at stomp://127.0.0.1:{port}"):
        await LocalCluster(broker=f"stomp://u:secret@127.0.0.1:{port}").start(lambda step: None)

"""RabbitMQ as compose.yaml sets it up, without Docker; and that no node outlives the tests."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import aio_pika
import psutil
import pytest
import yaml

from tests.support.processes import is_gone, until
from tests.support.rabbitmq import CONFIGURATION, PASSWORD, USER, RabbitNode, VirtualHost
from tests.support.requirements import requires
from tests.support.stomp_py import StompPy

_ROOT = Path(__file__).resolve().parents[2]
_START_A_SERVER = """
import json, os, sys, time
from pathlib import Path
from tests.support.warden import Warden
warden = Warden("pushscope-warden-")
command = ("/bin/sh", "-c", f"cd {warden.directory}; sleep 1000 & echo $! > below; wait")
os.chdir(warden.directory)
pid = warden.start("sleep", command, os.environ, Path("log").absolute())
below = Path("below")
while not (below.exists() and below.read_text().endswith("\\n")):
    time.sleep(0.01)
print(json.dumps({"pids": [pid, int(below.read_text())], "directory": str(warden.directory)}), flush=True)
sys.stdin.read()
"""


def test_compose_mounts_what_the_tests_run_with() -> None:
    service = yaml.safe_load((_ROOT / "compose.yaml").read_text())["services"]["rabbitmq"]
    mounted = dict(each.split(":")[1::-1] for each in service["volumes"])
    assert (_ROOT / mounted["/etc/rabbitmq/enabled_plugins"]).resolve() == CONFIGURATION / "enabled_plugins"
    assert (_ROOT / mounted["/etc/rabbitmq/rabbitmq.conf"]).resolve() == CONFIGURATION / "rabbitmq.conf"
    assert sorted(service["ports"]) == [f"127.0.0.1:{port}:{port}" for port in (15672, 5672, 61613)]


async def test_the_node_runs_with_those_files_and_plugins(rabbitmq_node: RabbitNode) -> None:
    overview = await rabbitmq_node.ask("GET", "overview")
    assert str(CONFIGURATION / "rabbitmq.conf") in rabbitmq_node.log
    assert {each["protocol"] for each in overview["listeners"]} >= {"amqp", "stomp", "http"}
    below = psutil.Process().children(recursive=True)
    listening = [
        each.laddr for process in below for each in process.net_connections("tcp") if each.status == "LISTEN"
    ]
    assert rabbitmq_node.stomp_port in {port for _, port in listening}
    assert {address for address, _ in listening} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


async def test_the_article_s_user_logs_in_over_stomp_and_amqp(rabbitmq: VirtualHost) -> None:
    client = StompPy(rabbitmq.node.stomp_port)
    await client.call("connect", USER, PASSWORD, wait=True)
    await client.call("disconnect")
    await asyncio.to_thread(client.connection.transport.stop)
    url = rabbitmq.amqp_url.replace("guest:guest", f"{USER}:{PASSWORD}")
    async with await aio_pika.connect(url) as connection:
        await connection.channel()
    assert (await rabbitmq.node.ask("GET", f"users/{USER}"))["tags"] == ["administrator"]


@requires("rabbitmq")
@pytest.mark.skipif(sys.platform == "win32", reason="the node runs on Unix")
async def test_a_killed_test_run_leaves_no_server_and_no_files() -> None:
    run = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _START_A_SERVER,
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert run.stdout is not None and run.stdin is not None
    started = json.loads(await run.stdout.readline())
    processes = [psutil.Process(pid) for pid in started["pids"]]
    assert all(process.is_running() for process in processes)
    run.send_signal(signal.SIGKILL)
    await run.wait()
    run.stdin.close()
    await until(lambda: all(is_gone(pid) for pid in started["pids"]), "servers gone")
    await until(lambda: not Path(started["directory"]).exists(), "files gone")

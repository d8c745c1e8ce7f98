"""``--env``: somebody's deployment, here a cluster of ours that only its addresses are known of."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from core.launch import self_command
from server.supervisor import LocalCluster

REMOTE = """\
gateway = "https://push.example.com"
[[instances]]
id = "a"
url = "http://127.0.0.1:8080"
[[instances]]
id = "b"
url = "http://10.0.0.2:8081"
"""


def pushscope(*words: str) -> tuple[int, list[str], str]:
    done = subprocess.run(self_command(*words), capture_output=True, text=True, timeout=100)
    return done.returncode, done.stdout.splitlines(), done.stderr


def written(folder: Path, text: str) -> str:
    file = folder / "env.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def description(cluster: LocalCluster) -> str:
    info = cluster.describe()
    tables = [f'[[instances]]\nid = "{each.id}"\nurl = "{each.push_url}"\n' for each in info.instances]
    return f'name = "staging"\ngateway = "{info.gateway_url}"\n' + "".join(tables)


@pytest.mark.timeout(120)
async def test_a_check_and_runs_leave_the_deployment_as_it_was(tmp_path: Path) -> None:
    async with LocalCluster(2) as cluster:
        env = written(tmp_path, description(cluster))
        code, lines, stderr = await asyncio.to_thread(pushscope, "check", "--env", env)
        assert code == 0, (lines, stderr)
        assert lines[-1] == "passed: every push reached its user, 8 of 8"
        for push, expected in (("push", "ps-id header"), ("test", "order of arrival")):
            out = tmp_path / push
            words = ("--users", "10", "--rate", "20", "--duration", "2", "--push", push, "--out", str(out))
            code, lines, stderr = await asyncio.to_thread(pushscope, "run", "--env", env, *words)
            assert code == 0, (lines, stderr)
            summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
            assert (summary["delivered"], summary["lost"]) == (40, 0)
            assert summary["scenario"]["correlation"] == expected
            assert (summary["environment"]["name"], summary["environment"]["kind"]) == ("staging", "attached")
            assert {(cell["via"], cell["on"]) for cell in summary["matrix"]} == {
                (via, on) for via in ("i1", "i2") for on in ("i1", "i2")
            }
        assert [each.state for each in cluster.describe().instances] == ["ready", "ready"]


@pytest.mark.parametrize("command", ["run", "check"])
def test_nobody_answers(tmp_path: Path, command: str) -> None:
    text = 'gateway = "http://127.0.0.1:1"\n[[instances]]\nid = "a"\nurl = "http://127.0.0.1:1"\n'
    code, lines, stderr = pushscope(command, "--env", written(tmp_path, text))
    assert code == 20, (lines, stderr)
    said = "\n".join(lines) + stderr
    assert "nobody answers at 127.0.0.1:1" in said
    assert "connect to ws://127.0.0.1:1/web-socket/ws" in said


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_wrong_key_is_named_with_its_line(tmp_path: Path, command: str) -> None:
    env = written(tmp_path, REMOTE.replace("gateway", "gatway"))
    code, lines, stderr = pushscope(command, "--env", env)
    assert (code, lines) == (2, [])
    assert f"{env}:1: gatway: unknown key" in stderr
    assert "did you mean 'gateway'?" in stderr


def test_another_machine_has_to_be_confirmed(tmp_path: Path) -> None:
    code, lines, stderr = pushscope("run", "--env", written(tmp_path, REMOTE), "--users", "7", "--rate", "9")
    assert (code, lines) == (2, [])
    assert "push.example.com, 10.0.0.2: not this machine, and not confirmed" in stderr
    assert (
        "connect 7 users to wss://push.example.com/web-socket/ws and push 9 times a second for 10 s "
        "through a (http://127.0.0.1:8080), b (http://10.0.0.2:8081)"
    ) in stderr
    assert "--yes-remote" in stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--instances", "3"), "--instances describes a local cluster"),
        (("--broker", "memory:"), "--broker describes a local cluster"),
        (("--fault", "kill a @1"), "cannot kill a of push.example.com"),
    ],
)
def test_what_only_a_local_cluster_can_do(tmp_path: Path, words: tuple[str, str], message: str) -> None:
    code, lines, stderr = pushscope("run", "--env", written(tmp_path, REMOTE), "--yes-remote", *words)
    assert (code, lines) == (2, [])
    assert message in stderr


def test_a_confirmation_without_a_deployment() -> None:
    code, lines, stderr = pushscope("run", "--yes-remote")
    assert (code, lines) == (2, [])
    assert "--env" in stderr


def test_two_deployments_at_once(tmp_path: Path) -> None:
    target = ("--gateway", "http://127.0.0.1:1", "--push", "http://127.0.0.1:1/{user}")
    code, _, stderr = pushscope("check", "--env", written(tmp_path, REMOTE), *target)
    assert code == 2
    assert "--env and --gateway" in stderr

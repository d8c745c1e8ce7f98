"""What ``pushscope serve`` shows a person; its life is tested in ``tests/e2e/test_lifetimes.py``."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from cli.serve import for_person
from core.environment import EnvironmentInfo, InstanceInfo, Part
from core.launch import self_command
from tests.support.processes import unused_port


def _serve(*words: str, read: Callable[[subprocess.Popen[str]], list[str]]) -> list[str]:
    with subprocess.Popen(
        self_command("serve", *words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            lines = read(process)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        finally:
            process.kill()
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    return lines


def _until_log(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    while "log follows" not in (line := process.stdout.readline()):
        assert line, "it ended before it was ready"
        lines.append(line.rstrip("\n"))
    return lines


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_addresses_and_what_to_try_next() -> None:
    port = unused_port()
    lines = _serve(
        *("--gateway-port", "0", "--discovery-port", "0", "--ports", f"{port},0", "--default-user", "a&b"),
        read=_until_log,
    )
    text = "\n".join(lines)
    assert lines[0] == "2 instances are ready, strategy relay:"
    assert f"  i1         http://127.0.0.1:{port} " in text
    assert f"curl 'http://127.0.0.1:{port}/test?username=a%26b'" in text
    assert "/110000.html" in text
    assert "was taken" not in text


def test_a_usual_port_that_was_taken_is_named() -> None:
    info = EnvironmentInfo(
        name="local cluster",
        kind="local",
        websocket_url="ws://127.0.0.1:7000/web-socket/ws?user={user}",
        gateway_url="http://127.0.0.1:7000",
        instances=(
            InstanceInfo("i1", "ready", "http://127.0.0.1:40001", pid=1),
            InstanceInfo("i2", "ready", "http://127.0.0.1:8081", pid=2),
        ),
        parts=(Part("broker", "ready", "stomp://127.0.0.1:61613"),),
    )
    text = for_person(info, wanted={"i1": 8080, "i2": 8081, "gateway": 7000}, user="lijian")
    assert [line for line in text.splitlines() if "taken" in line] == [
        "  i1         http://127.0.0.1:40001             pid 1; 8080 was taken"
    ]
    assert "stomp://127.0.0.1:61613            not ours" in text
    assert "access token" not in text
    assert "an access token of maria" in for_person(info, wanted={}, user="maria", tokens=True)


def test_where_a_token_is_needed_the_lines_to_copy_take_it_from_the_environment() -> None:
    info = EnvironmentInfo(
        name="local cluster",
        kind="local",
        websocket_url="ws://127.0.0.1:7000/web-socket/ws?user={user}",
        gateway_url="http://127.0.0.1:7000",
        instances=(InstanceInfo("i1", "ready", "http://127.0.0.1:8080", guarded=True),),
    )
    assert (
        "  curl -H \"Authorization: Bearer $PUSHSCOPE_TOKEN\" 'http://127.0.0.1:8080/test?username=a%20b'"
        in for_person(info, wanted={}, user="a b").splitlines()
    )

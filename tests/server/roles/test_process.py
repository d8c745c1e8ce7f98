"""One role in one process: ready line, failure line, ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys

import pytest

from core.launch import self_command
from core.lifeline import child_environment
from server.roles.process import CHILD_FLAG

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


def _start(*words: str, child: bool = False) -> subprocess.Popen[str]:
    return subprocess.Popen(
        self_command(*words, CHILD_FLAG),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment() if child else None,
    )


def _line(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("role", ["broker", "discovery"])
def test_ready_line_then_signal(role: str, number: signal.Signals) -> None:
    with _start(role, "--port", "0") as process:
        line = _line(process)
        assert line["role"] == role
        assert line["pid"] == process.pid
        with socket.create_connection(("127.0.0.1", int(str(line["port"])))):
            process.send_signal(number)
            assert process.wait(20) == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""


def test_a_given_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with _start("broker", "--port", str(port)) as process:
            line = _line(process)
            assert (line["error"], line["port"]) == ("port-taken", port)
            assert process.wait(20) == 21


def test_a_preferred_port_that_is_taken_is_replaced_and_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with _start("broker", "--port", str(port), "--or-free") as process:
            line = _line(process)
            assert line["port"] != port
            process.terminate()
            assert process.wait(20) == 0
            assert process.stderr is not None
            assert f"port {port} is taken: broker listens on {line['port']} instead" in process.stderr.read()


def test_a_wrong_option() -> None:
    with _start("broker", "--colour", "red") as process:
        line = _line(process)
        assert line["error"] == "start-failed"
        assert "--colour" in str(line["message"])
        assert process.wait(20) == 2


def test_a_child_ends_with_its_control_pipe() -> None:
    with _start("broker", "--port", "0", child=True) as process:
        _line(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0


def test_a_person_may_close_standard_input() -> None:
    with _start("broker", "--port", "0") as process:
        line = _line(process)
        assert process.stdin is not None
        process.stdin.close()
        socket.create_connection(("127.0.0.1", int(str(line["port"])))).close()
        process.terminate()
        assert process.wait(20) == 0


def test_a_role_that_does_not_exist() -> None:
    with _start("window") as process:
        assert "no such role" in str(_line(process)["message"])
        assert process.wait(20) == 2

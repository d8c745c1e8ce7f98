"""What ``pushscope serve`` shows a person; its life is tested in ``tests/e2e/test_lifetimes.py``."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from core.launch import self_command


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
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
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


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_usual_port_that_is_taken_is_named() -> None:
    try:
        taken = socket.create_server(("127.0.0.1", 8080))
    except OSError:
        taken = None  # somebody else has it, which is as good
    try:
        lines = _serve(*("--instances", "1", "--gateway-port", "0", "--discovery-port", "0"), read=_until_log)
    finally:
        if taken is not None:
            taken.close()
    instance = next(line for line in lines if line.startswith("  i1 "))
    assert instance.endswith("; 8080 was taken")

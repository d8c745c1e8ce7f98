"""``pushscope demo --headless``: it shows something, ends, and leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil
import pytest

from core.launch import self_command
from tests.support.processes import is_gone

pytestmark = pytest.mark.timeout(120)


def test_the_demo_in_a_pipe() -> None:
    words = self_command("demo", "--headless", "--duration", "2")
    done = subprocess.run(words, capture_output=True, text=True, timeout=100)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, (lines, done.stderr)
    assert "instances 3/3 ready" in done.stdout
    assert any("p99 now: i1 " in line and " i3 " in line for line in lines)
    assert lines[-1].startswith("passed: 80 of 80 expected pushes delivered")
    assert "\x1b" not in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_is_its_usual_end() -> None:
    words = self_command("demo", "--headless", "--duration", "600")
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            next(line for line in process.stdout if "push 4" in line)
            family = [each.pid for each in psutil.Process(process.pid).children(recursive=True)]
            process.send_signal(signal.SIGINT)
            rest = process.stdout.read().splitlines()
            code = process.wait(60)
        finally:
            process.kill()
    assert code == 0, rest
    assert rest[-1].startswith("passed: ")
    assert len(family) >= 6
    assert all(is_gone(pid) for pid in family)

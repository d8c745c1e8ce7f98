"""The program as a person starts it: a process with a window, and what is left when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.launch import self_command

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
]

#: Engine, worker, discovery, broker, gateway and three instances.
_PROCESSES = 8


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``pushscope demo`` in a window that nobody sees."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "XDG_CONFIG_HOME": str(tmp_path)}
    process = subprocess.Popen(
        self_command("demo"), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def all_up(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Everything that the window started, once the demo runs."""
    parent = psutil.Process(process.pid)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, "the window ended by itself"
        children = parent.children(recursive=True)
        if len(children) >= _PROCESSES:
            return children
        time.sleep(0.05)
    pytest.fail("the demo did not come up within 90 s")


def test_sigterm_ends_window_engine_and_cluster(demo: subprocess.Popen[bytes]) -> None:
    children = all_up(demo)
    demo.send_signal(signal.SIGTERM)
    _, errors = demo.communicate(timeout=30)
    assert demo.returncode == 0, errors.decode()
    assert "Traceback" not in errors.decode()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive


def test_a_killed_window_leaves_nothing_behind(demo: subprocess.Popen[bytes]) -> None:
    children = all_up(demo)
    demo.kill()
    demo.wait(10)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive

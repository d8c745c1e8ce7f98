"""Children end with their parent; each test runs a real parent with a real child."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.lifeline import PARENT_VARIABLE, bind_to_parent, child_environment

_ROOT = Path(__file__).resolve().parent.parent.parent

#: Prints its pid when its ties are in place, then idles; "orderly" tells that it was asked to stop.
_CHILD = """
import os, signal, sys, threading
from core.lifeline import bind_to_parent, watch_control_pipe
stop = threading.Event()
def gone():
    print("orderly", file=sys.stderr, flush=True)
    if {obeys}:
        stop.set()
print(bind_to_parent() == os.getppid(), flush=True)
watch_control_pipe(gone, grace=0.3)
stop.wait(30)
"""

#: Starts the child with a pipe to it, tells the child's pid, and waits to be killed.
_PARENT = """
import subprocess, sys, time
from core.lifeline import child_environment
child = subprocess.Popen([sys.executable, "-c", {child!r}], env=child_environment(),
    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(30)
"""


def _start(script: str, **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_environment(),
    )


def test_end_of_the_control_pipe_stops_the_child_in_order() -> None:
    with _start(_CHILD.format(obeys=True)) as child:
        assert child.stdout is not None and child.stdin is not None and child.stderr is not None
        assert child.stdout.readline().strip() == b"True"
        child.stdin.close()
        assert child.wait(20) == 0
        assert child.stderr.read().strip() == b"orderly"


def test_a_child_that_does_not_stop_is_ended_hard() -> None:
    with _start(_CHILD.format(obeys=False)) as child:
        assert child.stdout is not None and child.stdin is not None
        child.stdout.readline()
        child.stdin.close()
        assert child.wait(20) == 130


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's tie exists on Linux only")
@pytest.mark.parametrize("paused", [False, True])
def test_kill_of_the_parent_takes_the_child_along(paused: bool) -> None:
    with _start(_PARENT.format(child=_CHILD.format(obeys=True))) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        ended = os.pidfd_open(pid)
        try:
            if paused:
                os.kill(pid, signal.SIGSTOP)
            parent.kill()
            assert _readable(ended, 20)
        finally:
            os.close(ended)


@pytest.mark.skipif(sys.platform == "win32", reason="a launcher is in between on Windows")
def test_a_child_whose_parent_is_gone_already_ends_at_once() -> None:
    script = "from core.lifeline import bind_to_parent; bind_to_parent(); print('alive')"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=_ROOT,
        env={**child_environment(), PARENT_VARIABLE: "1"},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (130, b"")


def test_nothing_happens_to_a_process_that_a_person_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PARENT_VARIABLE, raising=False)
    assert bind_to_parent() is None


def test_the_parent_is_told_to_direct_children_only() -> None:
    script = (
        "import os; from core.lifeline import bind_to_parent, PARENT_VARIABLE;"
        "bind_to_parent(); print(PARENT_VARIABLE in os.environ)"
    )
    with _start(script) as child:
        assert child.stdout is not None
        assert child.stdout.read().strip() == b"False"


def _readable(descriptor: int, seconds: float) -> bool:
    import select

    return bool(select.select([descriptor], [], [], seconds)[0])

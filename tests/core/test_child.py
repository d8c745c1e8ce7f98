"""The parent's side of a child: ready line, log, pause, end, cancellation."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import psutil
import pytest

from core.child import Child, describe_exit, spawn_command
from core.errors import ClusterStartError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

_READY = "import sys, time; print('ready', flush=True); time.sleep(30)"
_STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('ready', flush=True)
time.sleep(30)
"""


async def _spawn(script: str, lines: list[str] | None = None) -> Child:
    on_line = lines.append if lines is not None else None
    return await spawn_command([sys.executable, "-c", script], name="demo", on_line=on_line)


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_ready_line_then_end() -> None:
    child = await _spawn(_READY)
    assert await child.ready_line(30) == b"ready\n"
    assert await child.end() == -signal.SIGTERM
    assert _gone(child.pid)


async def test_end_twice_gives_the_same_code() -> None:
    child = await _spawn(_READY)
    await child.ready_line(30)
    assert await child.end() == await child.end()


async def test_a_child_that_ends_before_it_is_ready_is_told_with_its_log() -> None:
    child = await _spawn("import sys; print('no such thing', file=sys.stderr); sys.exit(21)")
    with pytest.raises(ClusterStartError, match="ended with exit code 21 before it was ready") as caught:
        await child.ready_line(30)
    assert caught.value.log == ("no such thing",)
    assert await child.end() == 21


async def test_a_child_that_says_nothing_is_not_ready_in_time() -> None:
    child = await _spawn("import time; time.sleep(30)")
    with pytest.raises(ClusterStartError, match="was not ready after"):
        await child.ready_line(0.05)
    await child.end(grace=0)


async def test_log_lines_of_any_length_arrive_and_are_bounded() -> None:
    lines: list[str] = []
    child = await _spawn(
        "import sys; sys.stderr.write('x' * 100000 + '\\n'); [print(n, file=sys.stderr) for n in range(300)]",
        lines,
    )
    await child.wait()
    await child.end()
    assert sum(len(line) for line in lines if set(line) == {"x"}) == 100_000
    assert lines[-1] == "299"
    assert len(child.tail) == 200


async def test_output_after_the_ready_line_goes_to_the_log_and_blocks_nothing() -> None:
    child = await _spawn(
        "print('ready', flush=True); print('x' * 1000 + '\\n', end='' ); print('done', flush=True)"
    )
    await child.ready_line(30)
    await child.wait()
    await child.end()
    assert child.tail[-1] == "done"


async def test_a_paused_child_ends_in_order() -> None:
    script = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7));"
        "print('ready', flush=True); time.sleep(30)"
    )
    child = await _spawn(script)
    await child.ready_line(30)
    child.pause()
    assert await child.end(grace=20) == 7


async def test_a_stubborn_child_is_killed() -> None:
    child = await _spawn(_STUBBORN)
    await child.ready_line(30)
    assert await child.end(grace=0.05) == -signal.SIGKILL


async def test_cancelled_end_still_leaves_nothing() -> None:
    child = await _spawn(_STUBBORN)
    await child.ready_line(30)
    ending = asyncio.create_task(child.end(grace=30))
    await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert _gone(child.pid)


async def test_cancelled_spawn_leaves_nothing() -> None:
    before = await _children()
    spawning = asyncio.create_task(_spawn(_READY))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    spawning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await spawning
    assert await _children() == before


async def test_pause_and_resume() -> None:
    child = await _spawn(_READY)
    await child.ready_line(30)
    child.pause()
    await _until_state(child.pid, os.WSTOPPED)
    assert psutil.Process(child.pid).status() == psutil.STATUS_STOPPED
    child.resume()
    await _until_state(child.pid, os.WCONTINUED)
    assert psutil.Process(child.pid).status() != psutil.STATUS_STOPPED
    await child.end()


async def test_signals_to_an_ended_child_do_nothing() -> None:
    child = await _spawn("pass")
    await child.wait()
    child.kill()
    child.terminate()
    child.resume()
    assert await child.end() == 0


async def test_the_environment_reaches_the_child() -> None:
    child = await spawn_command(
        [sys.executable, "-c", "import os; print(os.environ['SECRET'], os.environ['PUSHSCOPE_PARENT'])"],
        name="demo",
        environment={"SECRET": "hush"},
    )
    assert (await child.stdout.readline()).split() == [b"hush", str(os.getpid()).encode()]
    await child.end()


def test_exit_codes_in_words() -> None:
    assert describe_exit(0) == "ended with exit code 0"
    assert describe_exit(-9) == "was ended by SIGKILL"
    assert describe_exit(-250) == "was ended by signal 250"


async def _until_state(pid: int, state: int) -> None:
    await asyncio.to_thread(os.waitid, os.P_PID, pid, state | os.WNOWAIT)


async def _children() -> set[int]:
    return {process.pid for process in psutil.Process().children()}


def test_the_same_on_uvloop() -> None:
    """The engine and the roles run on it; its way to start processes is its own."""
    uvloop = pytest.importorskip("uvloop")

    async def live() -> None:
        child = await _spawn(_READY)
        assert await child.ready_line(30) == b"ready\n"
        child.pause()
        assert await child.end(grace=20) == -signal.SIGTERM
        killed = await _spawn(_STUBBORN)
        await killed.ready_line(30)
        assert await killed.end(grace=0) == -signal.SIGKILL
        ended = await _spawn("raise SystemExit(21)")
        with pytest.raises(ClusterStartError, match="exit code 21"):
            await ended.ready_line(30)
        await ended.end()
        assert _gone(child.pid) and _gone(killed.pid) and _gone(ended.pid)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(live())

"""The engine as a child, over its pipes: commands are followed while nobody reads, and it ends with us."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TypeVar

import psutil
import pytest

from core.engine.messages import (
    Command,
    Event,
    Finished,
    Problem,
    Shutdown,
    Snapshot,
    StartCluster,
    StartRun,
    StateChanged,
    StopRun,
)
from core.engine.wire import decode_event, encode_command
from core.environment import ClusterSpec
from core.launch import self_command
from core.lifeline import child_environment
from core.load.scenario import Scenario
from tests.support.engines import DELIVERED
from tests.support.processes import is_gone, until

pytestmark = pytest.mark.timeout(120)

_E = TypeVar("_E")
TWO = ClusterSpec(instances=2)


class EngineChild:
    """An engine behind pipes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self.process = process
        self._stdin, self._stdout = process.stdin, process.stdout

    def tell(self, command: Command) -> None:
        self._stdin.write(encode_command(command))
        self._stdin.flush()

    def write(self, data: bytes) -> None:
        self._stdin.write(data)
        self._stdin.flush()

    def hang_up(self) -> None:
        self._stdin.close()

    def events(self) -> Iterator[Event]:
        for line in self._stdout:
            yield decode_event(line)

    def until(self, kind: type[_E], matches: Callable[[_E], bool] = lambda event: True) -> _E:
        for event in self.events():
            if isinstance(event, kind) and matches(event):
                return event
        raise AssertionError(f"the engine ended before {kind.__name__}")

    def family(self) -> list[int]:
        return [each.pid for each in psutil.Process(self.process.pid).children(recursive=True)]


@contextmanager
def engine_child() -> Generator[EngineChild]:
    process = subprocess.Popen(
        self_command("engine"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=child_environment()
    )
    with process:
        try:
            yield EngineChild(process)
        finally:
            process.kill()


def test_a_run_and_an_orderly_end() -> None:
    with engine_child() as child:
        child.tell(StartRun(Scenario(users=4, rate=50, duration=1), TWO))
        finished = child.until(Finished)
        family = child.family()
        child.tell(Shutdown())
        last = list(child.events())
        assert child.process.wait(30) == 0
    assert finished.exit_code in DELIVERED
    assert finished.summary["delivered"] == 50
    assert isinstance(last[-1], StateChanged)
    assert last[-1].cluster == "stopped"
    assert len(family) >= 5  # broker, discovery, gateway, instances, worker
    assert all(is_gone(pid) for pid in family)


def test_commands_are_followed_while_nobody_reads() -> None:
    with engine_child() as child:
        child.tell(StartRun(Scenario(users=4, rate=50), TWO))
        child.until(Snapshot, lambda each: each.totals.delivered > 10)
        # From here on nobody reads, until everything is over.
        child.tell(StopRun())
        child.tell(Shutdown())
        events = list(child.events())
        assert child.process.wait(30) == 0
    (finished,) = [each for each in events if isinstance(each, Finished)]
    assert finished.summary["delivered"] > 10  # what was under way at the shutdown may be lost


def test_a_line_that_is_no_command_is_a_problem() -> None:
    with engine_child() as child:
        child.write(b"what?\n")
        problem = child.until(Problem)
        assert problem.code == "bad-command"
        assert problem.tried == "what?\n"
        child.tell(Shutdown())
        list(child.events())
        assert child.process.wait(30) == 0


async def test_it_ends_with_whoever_started_it() -> None:
    with engine_child() as child:
        child.tell(StartCluster(TWO))
        child.until(StateChanged, lambda each: each.cluster == "running")
        family = child.family()
        child.hang_up()
        list(child.events())
        assert child.process.wait(30) == 0
        await until(lambda: all(is_gone(pid) for pid in family), "all children are gone")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
async def test_nothing_is_left_of_a_killed_one() -> None:
    with engine_child() as child:
        child.tell(StartRun(Scenario(users=4, rate=50), TWO))
        child.until(Snapshot, lambda each: each.totals.delivered > 10)
        family = child.family()
        child.process.kill()
        await until(lambda: all(is_gone(pid) for pid in family), "all children are gone")

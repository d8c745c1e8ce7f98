"""One supervised process, a broker because it starts quickly: its states and its end."""

from __future__ import annotations

import os
import signal
import socket
import sys

import pytest

from core.environment import InstanceState
from core.errors import ClusterStartError, PortTakenError, UsageError
from server.roles.options import BrokerOptions, Options
from server.supervisor.launcher import ProcessLauncher
from server.supervisor.member import Member, Sample
from tests.support.processes import descendants, is_gone, refuses, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


class _Watched:
    """A member and everything that it told."""

    def __init__(self, options: Options | None = None) -> None:
        self.states: list[InstanceState] = []
        self.lines: list[str] = []
        self.member = Member(
            "broker",
            options or BrokerOptions(),
            ProcessLauncher(),
            on_change=lambda member: self.states.append(member.state),
            on_line=lambda name, line: self.lines.append(f"{name}: {line}"),
        )


async def test_from_start_to_stop() -> None:
    watched = _Watched()
    member = watched.member
    assert (member.url, member.pid, member.alive) == ("", None, False)
    await member.start()
    assert member.alive and member.url.startswith("stomp://127.0.0.1:") and not refuses(member.url)
    await member.stop(10)
    assert watched.states == ["starting", "ready", "stopping", "stopped"]
    assert member.as_instance().exit_code == 0
    assert refuses(member.url)
    assert any("broker listens at" in line for line in watched.lines)
    await member.stop(10)
    assert watched.states[-1] == "stopped" and len(watched.states) == 4


async def test_kill() -> None:
    watched = _Watched()
    await watched.member.start()
    await watched.member.kill()
    assert watched.states == ["starting", "ready", "dead"]
    assert watched.member.as_instance().exit_code == -signal.SIGKILL
    with pytest.raises(UsageError, match="it is dead"):
        await watched.member.kill()
    await watched.member.stop(10)
    assert watched.states[-1] == "dead"


async def test_an_unasked_death() -> None:
    watched = _Watched()
    await watched.member.start()
    assert watched.member.pid is not None
    os.kill(watched.member.pid, signal.SIGTERM)
    await until(lambda: watched.member.state == "dead", "the death is noticed")
    assert watched.member.as_instance().exit_code == 0
    assert watched.lines[-1] == "broker: broker ended with exit code 0"
    await watched.member.stop(10)


async def test_kill_of_a_paused_one() -> None:
    watched = _Watched()
    await watched.member.start()
    watched.member.pause()
    with pytest.raises(UsageError, match="cannot pause broker: it is paused"):
        watched.member.pause()
    await watched.member.kill()
    assert watched.states == ["starting", "ready", "paused", "dead"]
    await watched.member.stop(10)


async def test_pause_resume_stop() -> None:
    watched = _Watched()
    await watched.member.start()
    watched.member.pause()
    watched.member.resume()
    watched.member.pause()
    await watched.member.stop(10)
    assert watched.states == ["starting", "ready", "paused", "ready", "paused", "stopping", "stopped"]
    assert watched.member.as_instance().exit_code == 0


async def test_a_port_that_is_taken_leaves_nothing() -> None:
    before = descendants()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        watched = _Watched(BrokerOptions(port=port))
        with pytest.raises(PortTakenError) as caught:
            await watched.member.start()
    assert caught.value.port == port
    assert watched.states == ["starting", "stopped"]
    assert descendants() == before


async def test_an_address_of_another_machine() -> None:
    with pytest.raises(ClusterStartError, match=r"broker did not start: .*192\.0\.2\.1") as caught:
        await _Watched(BrokerOptions(host="192.0.2.1")).member.start()
    assert caught.value.tried or caught.value.hint


async def test_samples_count_only_while_it_runs() -> None:
    watched = _Watched()
    watched.member.note_sample(Sample(sessions=3))
    await watched.member.start()
    watched.member.note_sample(Sample(sessions=3))
    assert watched.member.as_instance().sessions == 3
    pid = watched.member.pid
    await watched.member.stop(10)
    assert watched.member.as_instance().sessions == -1
    assert pid is not None and is_gone(pid)

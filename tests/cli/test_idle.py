"""What ``pushscope check --idle`` says."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cli.idle import fared, require_there, verdict
from core.engine.idle import Fate, IdleFinding, IdleKind
from core.errors import TargetUnreachable
from core.launch import self_command
from core.transport import CloseInfo


def finding(kind: IdleKind, fate: Fate, close: CloseInfo | None = None) -> IdleFinding:
    return IdleFinding(kind, fate, 60.04, "10000,10000", close)


def findings(silent: IdleFinding, stomp: Fate, sockjs: Fate) -> dict[IdleKind, IdleFinding]:
    return {"silent": silent, "stomp": finding("stomp", stomp), "sockjs": finding("sockjs", sockjs)}


def test_how_a_connection_fared() -> None:
    assert fared(finding("silent", "cut")) == "cut after 60.0 s without a close frame (1006)"
    assert fared(finding("sockjs", "alive")) == "alive after 60.0 s"
    stomp = finding("stomp", "alive")
    assert fared(stomp).endswith("the server offers heart-beat:10000,10000, so one goes every 10 s")
    assert fared(stomp, 500).endswith("so one goes every 10 s")
    assert fared(stomp, 20_000).endswith("so one goes every 20 s")
    assert fared(replace(stomp, heartbeat="0,0")).endswith("heart-beat:0,0, so none go")
    assert fared(finding("silent", "closed", CloseInfo(1001, "bye"))) == "closed after 60.0 s with 1001 bye"
    assert fared(finding("sockjs", "refused", CloseInfo(1006, "HTTP 404"))) == "not there: HTTP 404"


def test_the_verdict_names_cut_off_cause_and_cure() -> None:
    lines = verdict(findings(finding("silent", "cut"), "alive", "alive"), 90)
    assert lines[0] == "the cut-off: 60.0 s of silence"
    assert "the route's idle_timeout" in lines[1]
    assert lines[2].startswith("next: STOMP heart-beats or SockJS heart-beats keep it alive")
    assert "--heartbeat" in verdict(findings(finding("silent", "cut"), "cut", "refused"), 90)[2]
    closed = finding("silent", "closed", CloseInfo(1001))
    assert "it sent a close frame" in verdict(findings(closed, "closed", "refused"), 90)[1]
    assert "NAT" in verdict(findings(finding("silent", "dead"), "alive", "alive"), 90)[1]
    assert verdict(findings(finding("silent", "alive"), "alive", "refused"), 90) == [
        "passed: nobody cuts a connection that is silent for 90 s"
    ]


@pytest.fixture
def cutting_gateway(tmp_path: Path) -> Iterator[str]:
    """A gateway process whose route cuts after half a second, before an instance with usual heart-beats."""
    routes = tmp_path / "routes.toml"
    routes.write_text(
        '[[routes]]\nid = "push"\nuri = "lb://web-socket"\npredicates = ["Path=/web-socket/**"]\n'
        'filters = ["StripPrefix=1"]\nidle_timeout = 0.5\n'
    )
    running: list[subprocess.Popen[str]] = []

    def start(*words: str) -> str:
        command = self_command(*words, "--port", "0", "--ready-json")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        return str(json.loads(process.stdout.readline())["url"])

    try:
        discovery = start("discovery")
        start("instance", "--discovery", discovery)
        yield start("gateway", "--discovery", discovery, "--routes", str(routes))
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.communicate(timeout=20)


async def test_a_gateway_that_ended_is_not_taken_for_one_that_cuts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gateway:
        url = f"ws://127.0.0.1:{gateway.getsockname()[1]}/web-socket/ws?user={{user}}"
        await require_there(url)
    with pytest.raises(TargetUnreachable, match="ended meanwhile") as caught:
        await require_there(url)
    assert caught.value.tried and caught.value.hint


def test_a_gateway_that_cuts_and_one_that_does_not(cutting_gateway: str) -> None:
    def check(seconds: str) -> subprocess.CompletedProcess[str]:
        words = ("check", "--gateway", cutting_gateway, "--idle", seconds)
        return subprocess.run(self_command(*words), capture_output=True, text=True, timeout=50)

    cut = check("3")
    assert cut.returncode == 11, cut
    assert "no heart-beats      cut after " in cut.stdout
    assert "probably the route's idle_timeout" in cut.stdout
    passed = check("0.1")
    assert passed.returncode == 0, passed
    assert "passed: nobody cuts a connection that is silent for 0.1 s" in passed.stdout

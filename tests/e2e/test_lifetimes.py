"""``pushscope serve`` from outside: what it prints, how it ends, and that nothing outlives it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, Any

import psutil
import pytest

from core.launch import self_command
from tests.support.processes import is_gone, refuses, until, unused_port

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


#: Free ports only: others may test here at the same time.
_SERVE = ("serve", "--json", "--gateway-port", "0", "--discovery-port", "0")
_TWO = "0,0"


class Served:
    """A ``serve --json`` that is ready."""

    def __init__(self, process: subprocess.Popen[str], log: IO[str] | None = None) -> None:
        assert process.stdout is not None
        self.process = process
        line = process.stdout.readline()
        assert line, (
            f"it ended with exit code {process.wait(30)} instead of its line: {_words(log or process.stderr)}"
        )
        self.document: dict[str, Any] = json.loads(line)
        self.children = [each.pid for each in psutil.Process(process.pid).children(recursive=True)]

    @property
    def urls(self) -> list[str]:
        """Every address that it listens on."""
        document = self.document
        instances = [each["url"] for each in document["instances"]]
        return [document["gateway"], document["discovery"], document["broker"], *instances]

    def all_gone(self) -> bool:
        """Whether no process of it is left."""
        return all(is_gone(pid) for pid in self.children)


@contextmanager
def serving(*words: str, ports: str = _TWO, **environment: str) -> Generator[Served]:
    """Run ``serve --json`` on free ports; whatever the test did, nothing is left afterwards."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            self_command(*_SERVE, "--ports", ports, *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, **environment},
        )
        with process:
            try:
                yield Served(process, log)
            finally:
                process.kill()


def _words(log: IO[str] | None) -> str:
    assert log is not None
    if log.seekable():
        log.seek(0)
    return log.read()[-4000:]


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read()


def test_one_json_line_when_everything_answers() -> None:
    with serving() as served:
        document = served.document
        assert set(document) == {"gateway", "discovery", "broker", "instances"}
        assert [each["id"] for each in document["instances"]] == ["i1", "i2"]
        for each in document["instances"]:
            assert each["pid"] in served.children
            assert json.loads(_get(f"{each['url']}/health"))["id"] == each["id"]
            assert _get(f"{each['url']}/test?username=nobody") == b""
        assert json.loads(_get(f"{document['gateway']}/web-socket/health"))["status"] == "up"
        assert b"<html" in _get(f"{document['gateway']}/110000.html")
        assert not any(refuses(url) for url in served.urls)
        served.process.terminate()
        assert served.process.stdout is not None
        assert served.process.stdout.read() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_all_of_it(number: signal.Signals) -> None:
    with serving(ports="0,0,0") as served:
        assert len(served.children) == 6
        served.process.send_signal(number)
        assert served.process.wait(5) == 0
        assert served.all_gone()
        assert all(refuses(url) for url in served.urls)


def test_a_signal_ends_a_paused_instance_and_open_connections_too() -> None:
    with serving() as served:
        gateway = served.document["gateway"].rpartition(":")
        with socket.create_connection(("127.0.0.1", int(gateway[2]))) as connection:
            connection.sendall(b"GET /web-socket/he")
            os.kill(served.document["instances"][0]["pid"], signal.SIGSTOP)
            served.process.terminate()
            assert served.process.wait(5) == 0
        assert served.all_gone()
        assert all(refuses(url) for url in served.urls)


@pytest.mark.parametrize("paused", [False, True])
async def test_kill_of_the_parent_ends_all_of_it(paused: bool) -> None:
    with serving() as served:
        if paused:
            os.kill(served.document["instances"][1]["pid"], signal.SIGSTOP)
        served.process.kill()
        served.process.wait(30)
        # A process counts as ended when its first thread has; its ports may follow a moment later.
        await until(
            lambda: served.all_gone() and all(refuses(url) for url in served.urls),
            "all children are gone and their ports free",
            within=3.0,
        )


def test_a_signal_during_the_start() -> None:
    process = subprocess.Popen(
        self_command(*_SERVE, "--ports", _TWO),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None and process.stdout is not None
        process.stderr.readline()  # the first log line of the first role
        children = [each.pid for each in psutil.Process(process.pid).children(recursive=True)]
        process.terminate()
        assert process.stdout.read() == ""
        assert process.wait(30) == 0
        assert all(is_gone(pid) for pid in children)


@pytest.mark.parametrize("option", ["--ports", "--gateway-port", "--discovery-port"])
def test_a_given_port_that_is_taken(option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            self_command("serve", "--json", option, port),
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
    assert done.returncode == 21
    assert done.stdout == ""
    assert f"port {port} on 127.0.0.1 is taken" in done.stderr


def test_without_its_broker_it_gives_up_and_says_why() -> None:
    process = subprocess.Popen(
        self_command(*_SERVE, "--ports", _TWO),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        served = Served(process)
        broker = next(pid for pid in served.children if "broker" in psutil.Process(pid).cmdline())
        os.kill(broker, signal.SIGKILL)
        assert process.stderr is not None
        words = process.stderr.read()
        assert process.wait(30) == 1
        assert "the broker died" in words
        assert "broker was ended by SIGKILL" in words
        assert served.all_gone()


def test_given_ports_are_used() -> None:
    ports = [unused_port(), unused_port()]
    with serving(ports=",".join(map(str, ports))) as served:
        urls = [each["url"] for each in served.document["instances"]]
        assert urls == [f"http://127.0.0.1:{port}" for port in ports]


def test_the_log_of_the_instances_is_on_stderr_and_nobody_has_to_read_it() -> None:
    """A pipe that nobody empties holds 64 KiB: the cluster must not stand still behind it."""
    process = subprocess.Popen(
        self_command(*_SERVE, "--ports", _TWO),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        served = Served(process)
        for _ in range(1500):
            _get(f"{served.document['gateway']}/health?padding={'x' * 100}")
        process.terminate()
        assert process.wait(5) == 0
        assert served.all_gone()


def test_the_broker_password_is_nowhere_to_be_read() -> None:
    with serving(ports="0") as broker:
        url = broker.document["broker"].replace("stomp://", "stomp://somebody:h1dden@")
        with serving(ports="0", PUSHSCOPE_BROKER_URL=url) as served:
            assert "h1dden" not in json.dumps(served.document)
            for pid in (served.process.pid, *served.children):
                assert "h1dden" not in " ".join(psutil.Process(pid).cmdline())
            for instance in served.document["instances"]:
                assert b"h1dden" not in _get(f"{instance['url']}/info")
            assert len(served.children) == 3


def test_wrong_words() -> None:
    for words, named in (
        (["--ports", "8080;8081"], "--ports"),
        (["--instances", "0"], "0 instances"),
        (["--strategy", "hope"], "hope"),
        (["--broker", "kafka://u:h1dden@h"], "kafka://h"),
    ):
        done = subprocess.run(
            self_command("serve", *words), capture_output=True, text=True, timeout=50, check=False
        )
        assert done.returncode == 2, done.stderr
        assert named in done.stderr
        assert "h1dden" not in done.stderr

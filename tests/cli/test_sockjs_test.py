"""``pushscope sockjs-test`` in a process, as a person starts it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from core.launch import self_command

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


def test_it_says_where_it_serves_and_ends_with_ctrl_c() -> None:
    with subprocess.Popen(
        self_command("sockjs-test", "--port", "0"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        assert lines[0].startswith("SockJS test services at http://127.0.0.1:")
        places = [line.strip() for line in lines[1:]]
        endings = ["/echo", "/close", "/disabled_websocket_echo", "/cookie_needed_echo"]
        assert [place[place.index("/", 8) :] for place in places] == endings
        for place in places:
            with urllib.request.urlopen(place) as answer:  # http, to ourselves
                assert answer.read() == b"Welcome to SockJS!\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_a_given_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            self_command("sockjs-test", "--port", port),
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
    assert done.returncode == 21
    assert f"port {port} on 127.0.0.1 is taken" in done.stderr

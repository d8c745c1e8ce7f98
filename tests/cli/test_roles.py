"""One role in the foreground, as a person starts it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import pytest

from core.launch import self_command

from ..support.stomp_tcp import tcp_stomp

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


def test_it_says_where_it_serves_and_ends_with_ctrl_c() -> None:
    with subprocess.Popen(
        self_command("discovery", "--port", "0"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[:3] == ["discovery", "serves", "at"]
        port = int(words[3].rpartition(":")[2])
        socket.create_connection(("127.0.0.1", port)).close()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


async def test_the_brokers_limits_are_those_of_its_command_line() -> None:
    process = await asyncio.create_subprocess_exec(
        *self_command("broker", "--port", "0", "--queue-messages", "2"), stdout=PIPE, stderr=DEVNULL
    )
    try:
        assert process.stdout is not None
        url = (await process.stdout.readline()).split()[3].decode()
        async with tcp_stomp(url) as client:
            for number in range(4):
                client.send("SEND", {"destination": "/queue/a"}, str(number).encode())
            client.send("SUBSCRIBE", {"id": "1", "destination": "/queue/a"})
            assert [(await client.expect("MESSAGE")).body for _ in range(2)] == [b"2", b"3"]
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_a_given_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            self_command("broker", "--port", port), capture_output=True, text=True, timeout=50, check=False
        )
    assert done.returncode == 21
    assert f"port {port} on 127.0.0.1 is taken" in done.stderr


def test_a_value_that_does_not_fit() -> None:
    done = subprocess.run(
        self_command("instance", "--strategy", "hope"),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 2
    assert "hope" in done.stderr


def test_routes_from_a_file_that_is_not_there() -> None:
    done = subprocess.run(
        self_command("gateway", "--routes", "nowhere.yml"),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 2
    assert "nowhere.yml" in done.stderr


def test_a_gateway_takes_the_articles_file_and_warns_of_what_is_shadowed(tmp_path: Path) -> None:
    article = (Path(__file__).parents[1] / "server" / "gateway" / "files" / "article.yml").read_text("utf-8")
    file = tmp_path / "application.yml"
    file.write_text(article.replace("port: 7000", "port: 0"), "utf-8")
    with subprocess.Popen(
        self_command("gateway", "--routes", str(file), "--discovery", ""),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        url = process.stdout.readline().split()[3]
        with urllib.request.urlopen(f"{url}/routes", timeout=20) as answer:
            told = json.load(answer)
        assert [route["id"] for route in told["routes"]] == [
            "web-socket",
            "websocket_sockjs_route",
            "websocket_route",
        ]
        for line, warning in zip((21, 26), told["warnings"], strict=True):
            assert f"{file}:{line}: route " in warning
            assert "is never reached: 'web-socket' (line 14)" in warning
            assert warning in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_an_instance_takes_springs_file_and_options_win_over_it(tmp_path: Path) -> None:
    file = tmp_path / "application.yml"
    file.write_text("spring.application.name: chat\nserver.port: 1\nother: 1\n", encoding="utf-8")
    words = ("instance", "--config", str(file), "--port", "0", "--id", "i1")
    with subprocess.Popen(
        self_command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        url = process.stdout.readline().split()[3]
        with urllib.request.urlopen(f"{url}/info", timeout=20) as answer:
            info = json.load(answer)
        assert (info["service"], info["broker"]["url"], info["relay"]) == ("chat", "memory:", "multiplexed")
        assert f"{file}:3: other has no meaning" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("broker", "--port", "99999"), "there is no port 99999"),
        (("instance", "--port", "0", "--strategy", "relais"), "choose one of relay, broadcast, none"),
    ],
)
def test_an_option_that_makes_no_sense(words: tuple[str, ...], said: str) -> None:
    done = subprocess.run(self_command(*words), capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_the_ready_line_comes_with_every_option() -> None:
    words = ("--port", "0", "--allow-origin", "https://a.example", "--jwt-end-at-expiry", "--ready-json")
    given = {**os.environ, "PUSHSCOPE_JWT_SECRET": "s" * 32}
    with subprocess.Popen(self_command("instance", *words), stdout=subprocess.PIPE, env=given) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["role"] == "instance"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0

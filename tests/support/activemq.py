"""A private ActiveMQ broker with one STOMP connector on loopback.

In a test, ask for the fixture ``activemq``; it skips where ActiveMQ is not installed. All tests of a
run share the broker, which knows no virtual hosts: queues keep what a test left in them, so a test
names its queues with ``activemq.queue("work")``. Elsewhere use :func:`running_activemq`.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Final

import pytest

from cli.packages import find_program

from .processes import unused_port
from .requirements import missing
from .warden import Warden

_HOME: Final = "/usr/share/activemq"
_PATIENCE: Final = 50.0
_NAME: Final = "activemq"


class ActiveMq:
    """One broker without a store: what it holds is gone with it.

    Attributes:
        port: STOMP, on 127.0.0.1.
        url: The same as a broker's URL.
    """

    def __init__(self) -> None:
        self._warden = Warden("pushscope-activemq-")
        self._names = itertools.count(1)
        self.port = 0

    @property
    def url(self) -> str:
        """For STOMP; nobody has to log in."""
        return f"stomp://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it printed."""
        file = self._warden.directory / "out.log"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def queue(self, name: str) -> str:
        """A queue that no other test uses."""
        return f"/queue/{name}-{next(self._names)}"

    def start(self) -> None:
        """Start it; blocks until it serves."""
        for _ in range(5):
            self.port = unused_port()
            self._launch()
            deadline = time.monotonic() + _PATIENCE
            while self._warden.ended(_NAME) is None:
                if self._answers():
                    return
                assert time.monotonic() < deadline, f"ActiveMQ is not ready\n{self.log}"
                time.sleep(0.05)
            self._warden.kill(_NAME)
        raise AssertionError(f"ActiveMQ does not start\n{self.log}")

    def close(self) -> None:
        """End it and remove its files."""
        self._warden.close()

    def _launch(self) -> None:
        directory = str(self._warden.directory)
        places = [f"-Dactivemq.{each}={directory}" for each in ("base", "conf", "data")]
        settings = f"persistent=false&useJmx=false&schedulerSupport=false&dataDirectory={directory}"
        command = (
            find_program("java") or "java",
            "-Xmx128M",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",  # started quickly rather than fast for long
            f"-Dactivemq.home={_HOME}",
            *places,
            "-jar",
            f"{_HOME}/bin/activemq.jar",
            "start",
            f"broker:(stomp://127.0.0.1:{self.port})?{settings}",
        )
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": directory, "LANG": "C.UTF-8"}
        self._warden.start(_NAME, command, environment, self._warden.directory / "out.log")

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"CONNECT\naccept-version:1.2\nhost:/\n\n\0")
                return b"ActiveMQ" in connection.recv(4096)
        except OSError:
            return False


@asynccontextmanager
async def running_activemq() -> AsyncGenerator[ActiveMq]:
    """A broker for one's own use, outside of tests."""
    broker = ActiveMq()
    try:
        await asyncio.to_thread(broker.start)
        yield broker
    finally:
        await asyncio.to_thread(broker.close)


@pytest.fixture(scope="session")
def activemq() -> Generator[ActiveMq]:
    """The broker that all tests of a run share."""
    if reason := missing("activemq"):
        pytest.skip(reason)
    broker = ActiveMq()
    try:
        broker.start()
        yield broker
    finally:
        broker.close()

"""A private RabbitMQ node, set up by the same files as compose.yaml's (assets/rabbitmq).

In a test, ask for the fixture ``rabbitmq``: a virtual host of its own on the node that all tests of
the run share. It skips where RabbitMQ is not installed (``dev.py test --system`` installs it)::

    async def test_…(rabbitmq: VirtualHost) -> None:
        async with instance(broker=rabbitmq.stomp_url): …
        assert await rabbitmq.connections() == []

    async def test_outage(rabbitmq: VirtualHost) -> None:
        await rabbitmq.drop_connections()   # quick: the broker closes those of this host
        await rabbitmq.node.stop(hard=True)  # a crash; without hard it takes 7 s
        await rabbitmq.node.start()          # same ports, same data

Elsewhere, in a benchmark for instance::

    async with running_node() as node, node.virtual_host() as host: …

The node starts with the first test that asks for it, in about 5 s, listens on loopback only, and is
gone with its directory when the tests end, also when they are killed.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

from cli.packages import find_program

from .processes import unused_port
from .requirements import missing
from .warden import Warden

#: What compose.yaml mounts into its container, and what the node here runs with.
CONFIGURATION: Final = Path(__file__).resolve().parents[2] / "assets" / "rabbitmq"
#: Who may do everything, as assets/rabbitmq/rabbitmq.conf says.
USER: Final = "rabbitmq"
PASSWORD: Final = "rabbitmq"

#: Debian's program on the path switches user and ignores the environment; this one does not.
_PROGRAM: Final = "/usr/lib/rabbitmq/bin/rabbitmq-server"
_PATIENCE: Final = 50.0
_MACHINE_NAME: Final = "localhost"
_EPMD: Final = "epmd"
_SERVER: Final = "rabbitmq"


class _DiedAtStart(Exception):
    """The node ended before it was ready, or somebody else sits on one of its ports."""


class RabbitNode:
    """One node: ``start``, ``stop``, ``start`` again; ``close`` ends it for good and removes its files.

    The blocking methods are for fixtures; tests use the asynchronous ones.

    Attributes:
        amqp_port: AMQP, on 127.0.0.1; this and the others keep over ``stop`` and ``start``.
        stomp_port: STOMP.
        management_port: The HTTP API.
        directory: Its configuration, data and logs.
    """

    def __init__(self) -> None:
        self._warden = Warden("pushscope-rabbitmq-")
        self.directory = self._warden.directory
        self.amqp_port = self.stomp_port = self.management_port = 0
        self._epmd_port = self._distribution_port = 0
        self._names = itertools.count(1)

    @property
    def log(self) -> str:
        """What the node printed and logged."""
        files = (self.directory / "out.log", self.directory / "log" / "node.log")
        return "\n".join(each.read_text("utf-8", "replace") for each in files if each.exists())

    async def start(self) -> None:
        """Start it, after :meth:`stop` with the same ports and data; returns when it serves."""
        self._launch()  # here and not in the thread: the first start of a node chooses its ports
        await asyncio.to_thread(self._wait_until_ready)

    async def stop(self, *, hard: bool = False) -> None:
        """Stop it and keep its data; an orderly stop takes about 7 s, a hard one is a crash."""
        await asyncio.to_thread(self.stop_blocking, hard=hard)

    @asynccontextmanager
    async def virtual_host(self) -> AsyncGenerator[VirtualHost]:
        """A virtual host that is gone afterwards, with all connections to it."""
        host = await asyncio.to_thread(self.add_virtual_host)
        try:
            yield host
        finally:
            await asyncio.to_thread(self.remove_virtual_host, host)

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call the management API, ``/api/`` left out; returns the JSON answer, None if it is empty."""
        return await asyncio.to_thread(self.ask_blocking, method, path, body)

    # blocking -------------------------------------------------------------------------------

    def create(self) -> None:
        """Start it for the first time, on ports that nobody uses."""
        trouble: Exception | None = None
        for _ in range(5):
            self._choose_ports()
            try:
                self._launch()
                self._wait_until_ready()
            except _DiedAtStart as error:  # another program was quicker on one of the ports
                trouble = error
                self._warden.kill(_SERVER)
                self._warden.kill(_EPMD)
            else:
                self.ask_blocking("PUT", "users/guest", {"password": "guest", "tags": "management"})
                self._allow_guest("/")
                return
        raise AssertionError(f"RabbitMQ does not start: {trouble}\n{self.log[-4000:]}")

    def stop_blocking(self, *, hard: bool = False) -> None:
        """As :meth:`stop`."""
        if not hard:
            self._warden.terminate(_SERVER)
            deadline = time.monotonic() + _PATIENCE
            while self._warden.ended(_SERVER) is None and time.monotonic() < deadline:
                time.sleep(0.05)
        self._warden.kill(_SERVER)  # what is left of its group, too

    def close(self) -> None:
        """End it and remove its files."""
        self._warden.close()

    def add_virtual_host(self) -> VirtualHost:
        """A fresh virtual host in which ``rabbitmq`` and ``guest`` may do everything."""
        host = VirtualHost(self, f"test-{next(self._names)}")
        self.ask_blocking("PUT", f"vhosts/{host.name}")
        self._allow_guest(host.name)
        return host

    def remove_virtual_host(self, host: VirtualHost) -> None:
        """Remove it, with its connections; whoever still uses it hears of it."""
        with contextlib.suppress(OSError):  # the test left the node stopped
            self.ask_blocking("DELETE", f"vhosts/{host.name}")

    def ask_blocking(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """As :meth:`ask`.

        Raises:
            urllib.error.HTTPError: It refused.
            OSError: It is not there.
        """
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.management_port}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "content-type": "application/json",
                "authorization": "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(),
            },
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_PATIENCE) as answer:
            data = answer.read()
        return json.loads(data) if data else None

    # ----------------------------------------------------------------------------------------

    def _allow_guest(self, host: str) -> None:
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        for user in (USER, "guest"):
            self.ask_blocking("PUT", f"permissions/{quote(host, safe='')}/{user}", everything)

    def _choose_ports(self) -> None:
        ports: set[int] = set()
        while len(ports) < 5:
            ports.add(unused_port())
        (
            self.amqp_port,
            self.stomp_port,
            self.management_port,
            self._epmd_port,
            self._distribution_port,
        ) = ports
        for name in ("log", "mnesia", "home", "generated", "schema", "more"):
            (self.directory / name).mkdir(exist_ok=True)
        # Read after the configuration of compose.yaml, which it adds to.
        (self.directory / "more" / "private.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.amqp_port}\n"
            f"stomp.listeners.tcp.1 = 127.0.0.1:{self.stomp_port}\n"
            "management.tcp.ip = 127.0.0.1\n"
            f"management.tcp.port = {self.management_port}\n"
            "log.file = node.log\n"
            "log.console = false\n"
            # Else the management API tells of connections and channels 5 s late.
            "management.sample_retention_policies.global.minute = 1\n"
            "management.sample_retention_policies.basic.minute = 1\n"
            "management.sample_retention_policies.detailed.minute = 1\n"
            "collect_statistics_interval = 250\n"
            "disk_free_limit.absolute = 50MB\n"
            "vm_memory_high_watermark.absolute = 512MB\n"
        )

    def _environment(self) -> dict[str, str]:
        directory = self.directory
        return {
            "PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin",
            "LANG": "C.UTF-8",
            "HOME": str(directory / "home"),  # Erlang's cookie lies there
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"pushscope-{self.amqp_port}@{_MACHINE_NAME}",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(CONFIGURATION / "rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(directory / "more" / "*.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(CONFIGURATION / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_PID_FILE": str(directory / "node.pid"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(directory / "generated"),
            "RABBITMQ_SCHEMA_DIR": str(directory / "schema"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none"
            ),
        }

    def _launch(self) -> None:
        environment, log = self._environment(), self.directory / "out.log"
        if not _accepts(self._epmd_port):
            # Else the node starts one that lives on for ever.
            epmd = find_program("epmd") or "epmd"
            command = (epmd, "-port", str(self._epmd_port), "-address", "127.0.0.1")
            self._warden.start(_EPMD, command, environment, log)
            deadline = time.monotonic() + _PATIENCE
            while not _accepts(self._epmd_port) and time.monotonic() < deadline:
                time.sleep(0.02)
        program = _PROGRAM if os.path.exists(_PROGRAM) else find_program("rabbitmq-server")
        self._warden.start(_SERVER, (program or _PROGRAM,), environment, log)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            if (code := self._warden.ended(_SERVER)) is not None:
                raise _DiedAtStart(f"it ended with {code}")
            if _accepts(self.amqp_port) and self._is_ours():  # AMQP opens last
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"RabbitMQ is not ready after {_PATIENCE:g} s\n{self.log[-4000:]}")
            time.sleep(0.05)

    def _is_ours(self) -> bool:
        try:
            answer = self.ask_blocking("GET", "overview")
        except (OSError, ValueError) as error:
            raise _DiedAtStart(f"its management API does not answer: {error}") from None
        if answer["node"] != f"pushscope-{self.amqp_port}@{_MACHINE_NAME}":
            raise _DiedAtStart(f"{answer['node']} is on its port")
        return True


class VirtualHost:
    """A test's part of the node, apart from those of all others.

    Attributes:
        node: The node.
        name: As in STOMP's ``host`` header and at the end of the URLs.
    """

    def __init__(self, node: RabbitNode, name: str) -> None:
        self.node = node
        self.name = name

    @property
    def stomp_url(self) -> str:
        """For STOMP."""
        return f"stomp://guest:guest@127.0.0.1:{self.node.stomp_port}/{self.name}"

    @property
    def amqp_url(self) -> str:
        """For AMQP."""
        return f"amqp://guest:guest@127.0.0.1:{self.node.amqp_port}/{self.name}"

    async def connections(self) -> list[dict[str, Any]]:
        """Open connections, over STOMP too; a new one is listed within about a second."""
        return await self.node.ask("GET", f"vhosts/{self.name}/connections")

    async def channels(self) -> list[dict[str, Any]]:
        """Open channels; a STOMP connection has some as well."""
        return await self.node.ask("GET", f"vhosts/{self.name}/channels")

    async def queues(self) -> list[dict[str, Any]]:
        """Queues, with ``name``, ``durable``, ``exclusive``, ``auto_delete``, ``arguments``."""
        return await self.node.ask("GET", f"queues/{self.name}")

    async def bindings(self) -> list[dict[str, Any]]:
        """Bindings, the implicit ones to the default exchange included (``source`` is empty)."""
        return await self.node.ask("GET", f"bindings/{self.name}")

    async def until_unused(self) -> None:
        """Wait until nobody is connected and no queue is left that is not meant to stay.

        Raises:
            AssertionError: It does not come to that.
        """
        left: list[str] = []
        for _ in range(100):
            queues = [each["name"] for each in await self.queues() if not each["durable"]]
            left = [each["name"] for each in await self.connections()] + queues
            if not left:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"left behind in {self.name}: {left}")

    async def drop_connections(self) -> int:
        """Have the broker close all connections to this virtual host; how many those were.

        Waits until there is one.
        """
        deadline = time.monotonic() + _PATIENCE
        while not (names := [each["name"] for each in await self.connections()]):
            assert time.monotonic() < deadline, f"nobody connected to {self.name}"
            await asyncio.sleep(0.1)
        for name in names:
            with contextlib.suppress(urllib.error.HTTPError):  # ended by itself meanwhile
                await self.node.ask("DELETE", f"connections/{quote(name, safe='')}")
        return len(names)


@asynccontextmanager
async def running_node() -> AsyncGenerator[RabbitNode]:
    """A node for one's own use, outside of tests or where a test must not disturb others."""
    node = RabbitNode()
    try:
        await asyncio.to_thread(node.create)
        yield node
    finally:
        await asyncio.to_thread(node.close)


@pytest.fixture(scope="session")
def rabbitmq_node() -> Generator[RabbitNode]:
    """The node that all tests of a run share; a test that stops it starts it again."""
    if reason := missing("rabbitmq"):
        pytest.skip(reason)
    node = RabbitNode()
    try:
        node.create()
        yield node
    finally:
        node.close()


@pytest.fixture
def rabbitmq(rabbitmq_node: RabbitNode) -> Generator[VirtualHost]:
    """A virtual host for one test."""
    host = rabbitmq_node.add_virtual_host()
    yield host
    rabbitmq_node.remove_virtual_host(host)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True

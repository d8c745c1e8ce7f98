"""A role of ours in a process of its own, as a person starts it, looked at from outside."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import psutil

from core.child import Child, describe_exit, spawn_child

#: Longest start on a busy machine.
START_S = 60.0


class RoleProcess:
    """A role that serves.

    Attributes:
        name: Which role.
        url: Where it serves.
        port: The port of ``url``.
        log: Every line of its log so far.
    """

    def __init__(self, name: str, url: str, child: Child, log: list[str]) -> None:
        self.name = name
        self.url = url
        self.port = urlsplit(url).port or 0
        self.log = log
        self._child = child
        self._process = psutil.Process(child.pid)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def ended(self) -> str:
        """How it ended, in words; "" while it runs."""
        code = self._child.returncode
        return "" if code is None else describe_exit(code)

    def descriptors(self) -> int:
        """Its open files and sockets."""
        return self._process.num_fds()

    def resident(self) -> int:
        """Its resident memory in bytes."""
        return self._process.memory_info().rss


@asynccontextmanager
async def role_process(
    name: str, *words: str, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[RoleProcess]:
    """``pushscope NAME WORDS`` on a free port until the block ends.

    Args:
        name: The role: ``instance``, ``gateway``, ``discovery`` or ``broker``.
        words: Further options.
        environment: Additional environment variables.
    """
    log: list[str] = []
    child = await spawn_child(
        [name, "--port", "0", "--ready-json", *words], environment=environment, on_line=log.append
    )
    try:
        ready = json.loads(await child.ready_line(START_S))
        assert "url" in ready, f"{name} did not start: {ready}"
        yield RoleProcess(name, ready["url"], child, log)
    finally:
        await child.end()

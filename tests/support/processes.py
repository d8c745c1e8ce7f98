"""Looking at processes and ports from outside, and waiting for them without guessing a time."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psutil

#: Longest wait for what is certain to come; far above what it takes on a busy machine.
PATIENCE = 30.0


def descendants() -> set[int]:
    """Pids of all Python processes below this one that have not ended: everything of ours is one,
    and a foreign broker that tests share starts and ends helpers of its own at any time."""
    return {each.pid for each in psutil.Process().children(recursive=True) if _runs_python(each)}


def _runs_python(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and "python" in Path(process.exe()).name.lower()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def open_sockets() -> int:
    """Files of this process, sockets among them, or where files are not numbered its connections."""
    process = psutil.Process()
    return process.num_fds() if psutil.POSIX else len(process.net_connections("tcp"))


def is_gone(pid: int) -> bool:
    """Whether a process has ended (one that nobody has waited for counts as ended)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def refuses(url: str) -> bool:
    """Whether nobody listens at the address of ``url``."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def unused_port() -> int:
    """A port that nobody listens on, for tests that must name one.

    It lies below those that systems give to port 0 and to outgoing connections, so that nobody
    gets it by chance in the meantime.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


async def until(condition: Callable[[], bool], what: str, within: float = PATIENCE) -> None:
    """Wait until ``condition`` holds, looking often.

    Raises:
        AssertionError: it did not come to that; names ``what``.
    """
    deadline = asyncio.get_running_loop().time() + within
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"after {within:g} s still not: {what}"
        await asyncio.sleep(0.01)

"""A process that registers itself and lives until it is killed: ``registrant.py URL ID LEASE RENEW``.

Run as a program, so that a test can kill or pause a real process; prints a line when registered.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from server.discovery import DiscoveryClient, Registration

_ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def registrant(
    url: str, name: str, *, lease_s: float, renew_s: float, port: int = 9
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Start one and wait until it is registered as ``web-socket/name``; it is gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        url,
        name,
        str(lease_s),
        str(renew_s),
        str(port),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )
    try:
        assert process.stdout is not None
        line = await process.stdout.readline()
        assert line == b"registered\n", line
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def main(url: str, name: str, lease_s: str, renew_s: str, port: str) -> None:
    """Register and stay."""
    registration = Registration(name, "web-socket", "127.0.0.1", int(port))
    async with DiscoveryClient(
        url, registration, lease_s=float(lease_s), renew_s=float(renew_s), required=True
    ):
        sys.stdout.write("registered\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

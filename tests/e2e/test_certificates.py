"""``check`` and ``run`` against a deployment with TLS whose authority the system does not know."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from core.launch import self_command
from server.supervisor import LocalCluster
from tests.support.tls_front import CERTIFICATE, tls_front

VARIABLE = "SSL_CERT_FILE"


async def pushscope(*words: str, trusted: bool) -> tuple[int, str]:
    """Exit code and everything said."""
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    if trusted:
        environment[VARIABLE] = str(CERTIFICATE)
    done = await asyncio.to_thread(
        subprocess.run, self_command(*words), capture_output=True, text=True, timeout=100, env=environment
    )
    return done.returncode, done.stdout + done.stderr


@asynccontextmanager
async def deployment(folder: Path) -> AsyncGenerator[str]:
    """The file that describes a cluster of ours behind TLS."""
    async with LocalCluster(2) as cluster, AsyncExitStack() as stack:
        info = cluster.describe()
        gateway = await stack.enter_async_context(tls_front(info.gateway_url))
        lines = [f'gateway = "{gateway}"']
        for each in info.instances:
            url = await stack.enter_async_context(tls_front(each.push_url))
            lines += ["[[instances]]", f'id = "{each.id}"', f'url = "{url}"']
        file = folder / "env.toml"
        file.write_text("\n".join(lines), encoding="utf-8")
        yield str(file)


@pytest.mark.timeout(120)
async def test_a_certificate_of_an_authority_of_ones_own(tmp_path: Path) -> None:
    short = ("--users", "4", "--rate", "20", "--duration", "1", "--out", str(tmp_path / "report"))
    async with deployment(tmp_path) as env:
        for words in (("check", "--env", env), ("run", "--env", env, *short)):
            code, said = await pushscope(*words, trusted=False)
            assert code == 20, said
            assert "certificate verify failed" in said and VARIABLE in said
            assert "start the target" not in said
            code, said = await pushscope(*words, trusted=True)
            assert code == 0, said

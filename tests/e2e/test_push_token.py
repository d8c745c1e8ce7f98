"""A cluster with ``PUSHSCOPE_TOKEN`` set: nobody gets in without it, and our own parts carry it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

import aiohttp
import pytest

from core import Scenario, run
from core.attached import AttachedEnvironment
from core.deployment import Deployment, PushAddress
from core.environment import EnvironmentInfo
from core.launch import self_command
from core.push_token import TOKEN_VARIABLE
from server.supervisor import LocalCluster

from ..support.upstream import scripted_upstream

SECRET = "a-push-token-of-this-test"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, SECRET)


async def status(http: aiohttp.ClientSession, url: str, **headers: str) -> int:
    async with http.get(url, headers=headers) as response:
        return response.status


async def guarded_urls(info: EnvironmentInfo) -> list[str]:
    """Everything of a cluster that only who has the token may read."""
    parts = {part.name: part.url for part in info.parts}
    urls = [f"{info.gateway_url}/{path}" for path in ("metrics", "routes")]
    urls += [f"{parts['discovery']}/{path}" for path in ("", "info", "eureka/apps")]
    for each in info.instances:
        urls += [f"{each.push_url}/{path}" for path in ("test?username=joe", "info", "metrics")]
    return urls


@pytest.mark.timeout(120)
async def test_a_run_on_a_cluster_of_our_own() -> None:
    async with LocalCluster(2, in_process=True) as cluster, aiohttp.ClientSession() as http:
        for url in await guarded_urls(cluster.describe()):
            assert await status(http, url) == 401, url
            assert await status(http, url, Authorization="Bearer wrong") == 401, url
            assert await status(http, url, Authorization=f"Bearer {SECRET}") == 200, url
        for push in ("push", "test"):
            scenario = Scenario(users=4, rate=20, duration=1, push=push)
            result = await run(scenario, cluster)
            assert (result.summary.refused, result.lost) == (0, 0) and result.delivered > 0
        drained = await cluster.control("drain", "i1")  # by the registry, which wants the token too
        assert drained == "i1"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("attached", [False, True])
async def test_check(attached: bool) -> None:
    async def check(*words: str, variables: Mapping[str, str]) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *self_command("check", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(variables),
        )
        said, _ = await process.communicate()
        assert SECRET.encode() not in said
        return process.returncode or 0, said.decode()

    if not attached:
        code, said = await check(variables=os.environ)
        assert code == 0, said
        return
    async with LocalCluster(2, in_process=True) as cluster:
        info = cluster.describe()
        ports = ",".join(each.push_url.rpartition(":")[2] for each in info.instances)
        push = f"http://127.0.0.1:{{{ports}}}/test?username={{user}}"
        words = ("--gateway", info.gateway_url, "--push", push)
        code, said = await check(*words, variables=os.environ)
        assert code == 0, said
        bare = {name: value for name, value in os.environ.items() if name != TOKEN_VARIABLE}
        for variables, why in ((bare, "is not set"), (bare | {TOKEN_VARIABLE: "x"}, "is another")):
            code, said = await check(*words, variables=variables)
            assert code == 2 and why in said, said


async def test_a_lost_push_is_asked_for_with_the_token() -> None:
    async with LocalCluster(2, strategy="none", in_process=True) as cluster:
        result = await run(Scenario(users=4, rate=20, duration=1), cluster)
    assert result.lost > 0
    assert {each.stage.partition(" ")[0] for each in result.lost_pushes} == {"no-session"}


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm="shop"\r\n',
        b"HTTP/1.1 401 Unauthorized\r\n",
        b'HTTP/1.1 200 OK\r\nWWW-Authenticate: Bearer realm="pushscope admin"\r\n',
    ],
)
async def test_somebody_elses_server_is_not_told(answer: bytes) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with scripted_upstream(refuse) as there:
        url = f"http://127.0.0.1:{there.port}"
        environment = AttachedEnvironment(Deployment(url, (PushAddress("a", url),)))
        await environment.start(lambda step: None)
    assert not environment.describe().instances[0].guarded
    assert len(there.heads) == 1 and SECRET.encode() not in b"".join(there.heads)

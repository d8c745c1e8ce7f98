"""Somebody's deployment: names of instances, and who does not answer."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from core.attached import AttachedEnvironment
from core.deployment import Deployment, PushAddress, deployment_of
from core.environment import InstanceInfo, StartStep
from core.errors import TargetUnreachable, UsageError
from server.supervisor import LocalCluster


async def test_nobody_answers() -> None:
    deployment = deployment_of("http://me:hidden@127.0.0.1:1", "http://127.0.0.1:1/{user}")
    with pytest.raises(TargetUnreachable, match=r"nobody answers at 127\.0\.0\.1:1") as caught:
        await AttachedEnvironment(deployment).start(lambda step: None)
    assert "hidden" not in f"{caught.value} {caught.value.tried}"


async def test_instances_of_ours_are_called_by_their_names() -> None:
    steps: list[StartStep] = []
    async with LocalCluster(2, broker="memory:", in_process=True) as cluster:
        info = cluster.describe()
        ports = ",".join(each.push_url.rpartition(":")[2] for each in info.instances)
        push = f"http://127.0.0.1:{{{ports}}}/test?username={{user}}"
        environment = AttachedEnvironment(deployment_of(info.gateway_url, push))
        await environment.start(steps.append)
        described = environment.describe()
    assert described.instances == tuple(
        InstanceInfo(each.id, "ready", each.push_url) for each in info.instances
    )
    assert steps[-1] == StartStep("instances", "done", steps[-1].seconds, 2, 2)


async def test_two_addresses_of_one_instance_are_kept_apart() -> None:
    async with LocalCluster(1, broker="memory:", in_process=True) as cluster:
        info = cluster.describe()
        url = info.instances[0].push_url
        addresses = (PushAddress("a", url), PushAddress("b", url.replace("127.0.0.1", "localhost")))
        environment = AttachedEnvironment(Deployment(info.gateway_url, addresses))
        await environment.start(lambda step: None)
    assert [each.id for each in environment.describe().instances] == ["a", "b"]


async def test_somebody_answers_who_does_not_speak_http() -> None:
    def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        environment = AttachedEnvironment(Deployment(url, (PushAddress("a", url),)))
        with pytest.raises(TargetUnreachable, match="no HTTP answer") as caught:
            await environment.start(lambda step: None)
    assert caught.value.tried == f"GET {url}/info"


async def test_it_is_not_ours_to_break() -> None:
    environment = AttachedEnvironment(deployment_of("http://h", "http://h/{user}"))
    with pytest.raises(UsageError, match="cannot kill: this is somebody's deployment"):
        await environment.control("kill", "80")
    events = environment.events()
    waiting = asyncio.ensure_future(anext(events, None))
    await environment.stop()
    assert await waiting is None


async def test_a_certificate_that_is_not_trusted_is_no_target_that_is_down() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).parents[1] / "support" / "localhost.pem")

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        push = f"https://localhost:{port}/test?username={{user}}"
        environment = AttachedEnvironment(deployment_of(f"https://localhost:{port}", push))
        with pytest.raises(TargetUnreachable, match=r"TLS failed: .*self.signed") as refused:
            await environment.start(lambda step: None)
    assert "SSL_CERT_FILE" in refused.value.hint

"""Somebody's deployment: addresses, names of instances, and who does not answer."""

from __future__ import annotations

import asyncio

import pytest

from core.attached import AttachedEnvironment, expand_braces
from core.environment import InstanceInfo, StartStep
from core.errors import TargetUnreachable, UsageError
from server.supervisor import LocalCluster


@pytest.mark.parametrize(
    ("template", "urls"),
    [
        ("http://h:1/t?u={user}", ["http://h:1/t?u={user}"]),
        ("http://h:{1,2}/t?u={user}", ["http://h:1/t?u={user}", "http://h:2/t?u={user}"]),
        ("http://{a, b}:{1,2}/{user}", [f"http://{h}:{p}/{{user}}" for h in ("a", "b") for p in (1, 2)]),
    ],
)
def test_braces(template: str, urls: list[str]) -> None:
    assert expand_braces(template) == urls


@pytest.mark.parametrize(
    ("gateway", "websocket"),
    [
        ("http://h:7000", "ws://h:7000/web-socket/ws?user={user}"),
        ("https://h/", "wss://h/web-socket/ws?user={user}"),
        ("ws://h/push/ws", "ws://h/push/ws?user={user}"),
        ("wss://h/ws?token=1&name={user}", "wss://h/ws?token=1&name={user}"),
    ],
)
def test_where_users_connect(gateway: str, websocket: str) -> None:
    described = AttachedEnvironment(gateway, "http://h:{8080,8081}/test?username={user}").describe()
    assert described.websocket_url == websocket
    assert described.kind == "attached"
    assert described.test_path == "/test?username={user}"
    assert [(each.id, each.push_url) for each in described.instances] == [
        ("8080", "http://h:8080"),
        ("8081", "http://h:8081"),
    ]


def test_instances_on_the_same_port_are_named_by_host_too() -> None:
    described = AttachedEnvironment("http://g", "http://{10.0.0.1,10.0.0.2}:80/t/{user}").describe()
    assert [each.id for each in described.instances] == ["80", "10-0-0-2-80"]


@pytest.mark.parametrize(
    ("gateway", "push", "message"),
    [
        ("ftp://h", "http://h/{user}", "--gateway ftp://h: not an address"),
        ("http://h", "http://h/test", "does not say where the user's name goes"),
        ("http://h", "h:80/{user}", "not an HTTP address"),
        ("http://h", "http://h/{a,b}/{user}", "differ in more than their address"),
    ],
)
def test_addresses_that_are_none(gateway: str, push: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        AttachedEnvironment(gateway, push)


async def test_nobody_answers() -> None:
    environment = AttachedEnvironment("http://127.0.0.1:1", "http://127.0.0.1:1/{user}")
    with pytest.raises(TargetUnreachable, match=r"nobody answers at 127\.0\.0\.1:1"):
        await environment.start(lambda step: None)


async def test_instances_of_ours_are_called_by_their_names() -> None:
    steps: list[StartStep] = []
    async with LocalCluster(2, broker="memory:", in_process=True) as cluster:
        info = cluster.describe()
        ports = ",".join(each.push_url.rpartition(":")[2] for each in info.instances)
        push = f"http://127.0.0.1:{{{ports}}}/test?username={{user}}"
        environment = AttachedEnvironment(info.gateway_url, push)
        await environment.start(steps.append)
        described = environment.describe()
    assert described.instances == tuple(
        InstanceInfo(each.id, "ready", each.push_url) for each in info.instances
    )
    assert steps[-1] == StartStep("instances", "done", steps[-1].seconds, 2, 2)


async def test_it_is_not_ours_to_break() -> None:
    environment = AttachedEnvironment("http://h", "http://h/{user}")
    with pytest.raises(UsageError, match="cannot kill: this is somebody's deployment"):
        await environment.control("kill", "80")
    events = environment.events()
    waiting = asyncio.ensure_future(anext(events, None))
    await environment.stop()
    assert await waiting is None

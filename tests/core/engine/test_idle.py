"""Silent connections through a gateway that cuts them: the article's first problem, and its cure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec
import pytest

from core.engine.idle import IdleFinding, IdleKind, check_idle
from core.environment import EnvironmentInfo
from core.errors import TargetUnreachable
from server.gateway import Gateway, GatewaySettings, route_spec
from server.instance import Instance
from server.settings.instance import InstanceSettings
from tests.support.processes import until

#: Of the route. All three margins are above a second, in which a busy machine may stand still: between
#: heart-beats and limit, heart-beats and the three of them that may be missed, limit and end.
LIMIT_S = 1.6
HEARTBEAT_MS = 400


@asynccontextmanager
async def behind_a_gateway(limit_s: float, heartbeat_ms: int) -> AsyncGenerator[EnvironmentInfo]:
    """An instance whose STOMP and SockJS heart-beats come at this interval."""
    settings = InstanceSettings(heartbeat_ms=(heartbeat_ms, heartbeat_ms))
    sockjs = msgspec.structs.replace(settings.sockjs, heartbeat_s=heartbeat_ms / 1000)
    async with Instance(msgspec.structs.replace(settings, sockjs=sockjs)) as instance:
        route = route_spec("push", instance.url, ["Path=/**"], idle_timeout_s=limit_s)
        async with Gateway(GatewaySettings(routes=(route,))) as gateway:
            url = f"ws://127.0.0.1:{gateway.port}/ws?user={{user}}"
            yield EnvironmentInfo("test", "attached", url, gateway.url, ())


async def held(info: EnvironmentInfo, seconds: float) -> dict[IdleKind, IdleFinding]:
    seen: list[IdleFinding] = []
    findings = await check_idle(info, seconds, heartbeat_ms=HEARTBEAT_MS, show=seen.append)
    assert {finding.kind: finding for finding in seen} == findings
    return findings


async def test_silence_is_cut_and_heartbeats_of_both_kinds_keep_alive() -> None:
    async with behind_a_gateway(LIMIT_S, HEARTBEAT_MS) as info:
        findings = await held(info, 3.0)
    fates = {kind: finding.fate for kind, finding in findings.items()}
    assert fates == {"silent": "cut", "stomp": "alive", "sockjs": "alive"}
    silent = findings["silent"]
    assert silent.seconds >= LIMIT_S * 0.9
    assert silent.close is not None
    assert silent.close.code == 1006
    assert findings["stomp"].heartbeat == f"{HEARTBEAT_MS},{HEARTBEAT_MS}"
    assert [kind for kind, finding in findings.items() if finding.lost] == ["silent"]


async def test_heartbeats_that_are_too_rare() -> None:
    """A server whose heart-beats come every 10 and 25 s does not help against a limit below."""
    async with behind_a_gateway(0.3, 10_000) as info:
        findings = await held(info, 1.5)
    assert [finding.fate for finding in findings.values()] == ["cut", "cut", "cut"]


async def test_nobody_cuts() -> None:
    async with behind_a_gateway(0, 10_000) as info:
        findings = await held(info, 0.2)
    assert [finding.fate for finding in findings.values()] == ["alive", "alive", "alive"]


async def test_a_service_without_sockjs() -> None:
    async with behind_a_gateway(0, 10_000) as info:
        findings = await held(msgspec.structs.replace(info, sockjs=info.gateway_url + "/nowhere"), 0.1)
    assert findings["sockjs"].fate == "refused"
    assert not any(finding.lost for finding in findings.values())


async def test_an_end_that_is_told() -> None:
    async with Instance(InstanceSettings()) as instance:
        url = instance.url.replace("http", "ws") + "/ws"
        info = EnvironmentInfo("test", "attached", url, instance.url, (), sockjs=instance.url + "/nowhere")
        checking = asyncio.create_task(held(info, 30))
        await until(lambda: instance.sessions == 2, "both are connected")
    findings = await checking
    assert [findings[kind].fate for kind in ("silent", "stomp")] == ["closed", "closed"]
    assert findings["silent"].close is not None
    assert findings["silent"].close.code == 1001


async def test_nobody_is_there() -> None:
    info = EnvironmentInfo("test", "attached", "ws://127.0.0.1:1/ws", "http://127.0.0.1:1", ())
    with pytest.raises(TargetUnreachable):
        await check_idle(info, 0.1, show=lambda finding: None)

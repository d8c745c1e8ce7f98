"""Whoever comes from elsewhere through a gateway needs the token; where one is set, everybody does."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec
import pytest

from core.push_token import TOKEN_VARIABLE

from ..support.namespace import inside
from ..support.requirements import requires
from ..support.through_proxies import DISGUISES, GUARDED, Outcome

_ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = "tests.support.through_proxies"
_SECRET = "a-secret-of-this-test"

pytestmark = requires("namespace")


async def asked(*proxies: str, token: str = "") -> Outcome:
    """What came back from an instance on loopback behind these proxies, the outermost first."""
    environment = {name: value for name, value in os.environ.items() if name != TOKEN_VARIABLE}
    process = await asyncio.create_subprocess_exec(
        *inside([sys.executable, "-m", _PROGRAM, *proxies]),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=_ROOT,
        env=environment | ({TOKEN_VARIABLE: token} if token else {}),
    )
    said, log = await process.communicate()
    assert process.returncode == 0, log.decode()
    assert not token or token.encode() not in said + log
    return msgspec.json.decode(said, type=Outcome)


def nobody(statuses: dict[str, list[int]]) -> bool:
    """Whether everything was refused for want of the token."""
    assert set(statuses) == {f"{method} {path}" for method, path, _ in GUARDED}
    return {status for each in statuses.values() for status in each} == {401}


def everybody(statuses: dict[str, list[int]]) -> bool:
    """Whether everything was let through."""
    assert set(statuses) == {f"{method} {path}" for method, path, _ in GUARDED}
    return {status for each in statuses.values() for status in each} <= {200, 202}


@pytest.mark.parametrize("proxies", [("gateway",), ("gateway", "gateway"), ("gateway", "gateway", "gateway")])
async def test_a_gateway_on_every_address_opens_nothing(proxies: tuple[str, ...]) -> None:
    found = await asked(*proxies)
    assert nobody(found.outside) and found.pushes == 0
    assert len(found.outside["GET /info"]) == len(DISGUISES)
    assert found.health == {"status": "up"}
    assert found.websocket  # users come in as before
    assert everybody(found.inside) and everybody(found.direct)  # and programs of this machine


@requires("haproxy")
async def test_a_gateway_behind_a_proxy_that_tells_names_knows_who_is_not_local() -> None:
    """HAProxy passes the Host header on: who asked for this machine's outer name is not on it."""
    found = await asked("HAProxy", "gateway")
    for statuses in found.outside.values():
        every = len(statuses) // len(DISGUISES)
        assert set(statuses[: -every or None]) == {401}  # the last pretends to have asked for 127.0.0.1
    assert found.websocket


@requires("nginx", "haproxy")
@pytest.mark.parametrize(
    "proxies",
    [
        ("gateway",),
        ("gateway", "gateway"),
        ("nginx",),
        ("HAProxy",),
        ("nginx", "gateway"),
        ("HAProxy", "gateway", "gateway"),
    ],
)
async def test_with_a_token_set_every_request_needs_it(proxies: tuple[str, ...]) -> None:
    found = await asked(*proxies, token=_SECRET)
    assert nobody(found.outside) and nobody(found.inside) and nobody(found.direct) and found.pushes == 0
    assert everybody(found.outside_with_token) and everybody(found.direct_with_token)
    assert found.health == {"status": "up"}
    assert found.websocket

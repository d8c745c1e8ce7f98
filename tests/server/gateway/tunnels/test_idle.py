"""Tunnels that are silent for too long, where a route says what too long is."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from server.gateway import Gateway, GatewaySettings, route_spec
from tests.support.processes import until
from tests.support.upstream import Echo, echo_upstream

#: Short, but long beside the pauses of a busy machine in which somebody keeps a tunnel alive.
LIMIT_S = 1.0


@asynccontextmanager
async def gateway_with(limit_s: float) -> AsyncGenerator[tuple[Gateway, Echo]]:
    async with echo_upstream() as echo:
        route = route_spec("push", f"http://127.0.0.1:{echo.port}", ["Path=/**"], idle_timeout_s=limit_s)
        async with Gateway(GatewaySettings(routes=(route,))) as gateway:
            yield gateway, echo


def opened(gateway: Gateway) -> connect:
    return connect(f"ws://127.0.0.1:{gateway.port}/ws", proxy=None, ping_interval=None)


async def test_a_silent_tunnel_is_cut_and_said(caplog: pytest.LogCaptureFixture) -> None:
    async with gateway_with(0.2) as (gateway, echo), opened(gateway) as client:
        await client.send("x")
        await client.recv()
        begun = time.monotonic()
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == 1006  # as Zuul did: no close frame
        assert time.monotonic() - begun >= 0.2 - 0.04  # what was seen last was seen one step ago
        await until(lambda: not echo.open, "upstream has heard of it")
        assert gateway.edge.counters.idle_cuts == 1
        await until(lambda: gateway.edge.counters.open_tunnels == 0, "the tunnel is over")
    assert "cut after 0.2 s of silence (idle_timeout): route push, 127.0.0.1 to" in caplog.text


@pytest.mark.parametrize("who", ["client", "server", "ping"])
async def test_what_moves_is_not_cut_whoever_moves(who: str) -> None:
    async with gateway_with(LIMIT_S) as (gateway, echo), opened(gateway) as client:
        await client.send("x")
        await client.recv()
        (served,) = echo.open
        async with opened(gateway) as silent:
            cut = asyncio.create_task(silent.wait_closed())
            while not cut.done():
                match who:
                    case "client":
                        await client.send("x")
                    case "server":
                        await served.send("x")
                    case _:
                        await client.ping()
                await asyncio.wait([cut], timeout=LIMIT_S / 10)
        await client.send("still there")
        while await client.recv() != "still there":
            pass
        assert gateway.edge.counters.idle_cuts == 1


async def test_it_is_off_by_default() -> None:
    async with gateway_with(0.0) as (gateway, _), opened(gateway) as client:
        await client.send("x")
        assert await client.recv() == "x"
        assert gateway.edge.idle.watched == 0


async def test_a_tunnel_that_ends_is_watched_no_more() -> None:
    async with gateway_with(30.0) as (gateway, _):
        async with opened(gateway) as client:
            await client.send("x")
            await client.recv()
            assert gateway.edge.idle.watched == 1
        await until(lambda: gateway.edge.idle.watched == 0, "it is forgotten")


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not there")
def test_the_same_on_uvloop(caplog: pytest.LogCaptureFixture) -> None:
    import uvloop

    caplog.set_level(logging.WARNING, "pushscope.gateway")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test_a_silent_tunnel_is_cut_and_said(caplog))
        runner.run(test_what_moves_is_not_cut_whoever_moves("client"))

"""The proxies that are measured side by side do the same: WebSockets both ways, and plain requests."""

from __future__ import annotations

import pytest

from tests.support.requirements import requires

from .gateway_load import Lane, open_loop
from .loops import loop_factories
from .reverse_proxies import HAPROXY, NGINX, floor_on, gateway_on, proxy_names, running

LOOP = next(iter(loop_factories()))


@pytest.mark.parametrize(
    "name",
    [
        floor_on(LOOP),
        gateway_on("asyncio"),
        pytest.param(NGINX, marks=requires("nginx")),
        pytest.param(HAPROXY, marks=requires("haproxy")),
    ],
)
async def test_each_carries_everything_that_is_measured(name: str) -> None:
    assert name in proxy_names()
    lane, plain = Lane(), Lane()
    await lane.listen()
    try:
        async with running(name, lane.upstream) as proxy:
            lane.pid, lane.port = plain.pid, plain.port = proxy.pid, proxy.port
            await lane.join(3)
            assert (await lane.echo(30))["us"] > 0
            assert (await lane.fan_out(30, burst=5))["p50"] > 0
            for back in (False, True):
                found = await open_loop({name: lane}, 10, 1000.0, back=back)
                assert 0 < found[name]["p50"] <= found[name]["p99"]
            await plain.join(2, upgrades=False)
            assert (await plain.post(10))["us"] > 0
    finally:
        plain.close()
        lane.close()

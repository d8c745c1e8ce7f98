"""The gateway beside nginx and HAProxy as the same reverse proxy: CPU, added latency, connections.

Clients and upstream are this process; each proxy is a process of its own, and only its CPU counts.
All are measured in one run, in turns, so that a busy moment of the machine meets all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from core.files_limit import raise_files_limit

from .gateway_load import SIZE, Lane, open_loop
from .loops import best_loop, loop_factories
from .measuring import Figures, cpu_seconds_exact, interleave_async, medians, resident_bytes
from .report import Row, at_most, at_most_more, at_most_times
from .reverse_proxies import HAPROXY, NGINX, floor_on, gateway_on, proxy_names, running

CONNECTIONS = 100
_BURST = 20
#: Messages a second over all lanes together: far from what any of them can carry.
_RATE = 1500
_STRAIGHT = "no proxy"
#: The bars: CPU per message beside nginx, and ms of latency that we add more than nginx does.
_CPU_BAR = 1.3
_FLOOR_BAR = 1.25
_LATENCY_BAR = 0.1

Play = Callable[[Lane], Awaitable[Figures]]


def main(rounds: int, quick: bool) -> list[Row]:
    """Measure and return the rows."""
    raise_files_limit()
    with asyncio.Runner(loop_factory=best_loop()) as runner:
        return runner.run(_measure(rounds, quick))


async def _measure(rounds: int, quick: bool) -> list[Row]:
    names = proxy_names()
    messages = 20_000 if quick else 60_000
    async with _lanes(names, straight=True) as lanes:
        for lane in lanes.values():
            await lane.join(CONNECTIONS)
            await lane.echo(messages // 4)  # warm
        rows = await _cpu(lanes, rounds, messages)
        rows += await _latency(lanes, rounds, 400 if quick else 2000)
        rows += await _bursts(lanes, rounds, messages)
    async with _lanes(names, straight=False) as lanes:
        rows += await _http(lanes, rounds, 1000 if quick else 3000)
    return rows + await _connections(names, 1 if quick else min(rounds, 3), 500 if quick else 2000)


@asynccontextmanager
async def _lanes(names: list[str], *, straight: bool) -> AsyncGenerator[dict[str, Lane]]:
    """A lane for each proxy, and with ``straight`` one without any."""
    async with AsyncExitStack() as stack:
        lanes: dict[str, Lane] = {}
        for name in [*names, *([_STRAIGHT] if straight else [])]:
            lane = lanes[name] = Lane()
            await lane.listen()
            stack.callback(lane.close)
            if name != _STRAIGHT:
                proxy = await stack.enter_async_context(running(name, lane.upstream))
                lane.pid, lane.port = proxy.pid, proxy.port
        yield lanes


async def _interleaved(rounds: int, lanes: Mapping[str, Lane], play: Play) -> dict[str, dict[str, float]]:
    return await interleave_async(rounds, {name: partial(play, lane) for name, lane in lanes.items()})


async def _cpu(lanes: dict[str, Lane], rounds: int, messages: int) -> list[Row]:
    proxied = {name: lane for name, lane in lanes.items() if name != _STRAIGHT}
    patterns: dict[str, Play] = {
        "there and back": lambda lane: lane.echo(messages),
        "to everybody": lambda lane: lane.fan_out(messages),
    }
    rows: list[Row] = []
    for words, play in patterns.items():
        found = {name: x["us"] for name, x in (await _interleaved(rounds, proxied, play)).items()}
        section = f"CPU per message of {SIZE} bytes, {CONNECTIONS} connections, {words}"
        rows += _beside(section, "µs CPU", found, _CPU_BAR)
        loop = next(iter(loop_factories()))
        ours, floor = found[gateway_on(loop)], found[floor_on(loop)]
        rows.append(
            at_most_times(
                section, f"{gateway_on(loop)}, beside a bare splice", ours, "µs CPU", floor, _FLOOR_BAR
            )
        )
    return rows


def _beside(section: str, unit: str, found: Mapping[str, float], bar: float | None = None) -> list[Row]:
    """Everybody beside nginx; the bar is for our gateway on the loop that roles run on."""
    ours = gateway_on(next(iter(loop_factories())))
    floor = found.get(NGINX)
    if floor is None:
        return [Row(section, name, value, unit) for name, value in found.items()]
    return [
        at_most_times(section, name, value, unit, floor, bar if name == ours else None)
        for name, value in found.items()
    ]


async def _latency(lanes: dict[str, Lane], rounds: int, samples: int) -> list[Row]:
    rows: list[Row] = []
    for words, back in (("from upstream to a client", False), ("there and back", True)):
        seen: dict[str, list[Figures]] = {name: [] for name in lanes}
        for _ in range(rounds):
            for name, figures in (await open_loop(lanes, samples, _RATE, back=back)).items():
                seen[name].append(figures)
        section = (
            f"Latency added to a message {words}, {_RATE:,} a second over all, "
            f"{rounds} × {samples:,} messages each"
        )
        rows += _added(section, {name: medians(figures) for name, figures in seen.items()}, _LATENCY_BAR)
    return rows


async def _bursts(lanes: dict[str, Lane], rounds: int, messages: int) -> list[Row]:
    found = await _interleaved(rounds, lanes, lambda lane: lane.fan_out(messages, _BURST))
    section = f"Latency added to bursts of {_BURST} messages to each of {CONNECTIONS} connections at once"
    rows = _added(section, found)
    proxied = {name: figures["us"] for name, figures in found.items() if name != _STRAIGHT}
    return rows + _beside(f"CPU per message in bursts of {_BURST} to each", "µs CPU", proxied)


def _added(section: str, found: Mapping[str, Figures], bar: float | None = None) -> list[Row]:
    """What each adds to the way without a proxy, beside what nginx adds."""
    straight = found[_STRAIGHT]
    rows = [
        Row(section, f"{_STRAIGHT}: its latency", straight["p50"], "ms", note=f"p99 {straight['p99']:.3f}")
    ]
    nginx = found.get(NGINX)
    ours = gateway_on(next(iter(loop_factories())))
    for name, figures in found.items():
        if name == _STRAIGHT:
            continue
        added = figures["p50"] - straight["p50"]
        note = f"p99 {figures['p99'] - straight['p99']:+.3f}"
        if nginx is None:
            rows.append(Row(section, name, added, "ms", note=note))
        else:
            floor = nginx["p50"] - straight["p50"]
            rows.append(at_most_more(section, name, added, "ms", floor, bar if name == ours else None, note))
    return rows


async def _http(lanes: dict[str, Lane], rounds: int, requests: int) -> list[Row]:
    for lane in lanes.values():
        await lane.join(20, upgrades=False)
        await lane.post(requests // 4)  # warm
    found = await _interleaved(rounds, lanes, lambda lane: lane.post(requests))
    section = "CPU per POST (SockJS's xhr_send), 20 connections"
    return [
        Row(
            row.section,
            row.name,
            row.value,
            row.unit,
            row.floor,
            row.ratio,
            note=f"p50 {found[row.name]['p50']:.2f} ms",
        )
        for row in _beside(section, "µs CPU", {name: x["us"] for name, x in found.items()})
    ]


async def _connections(names: list[str], rounds: int, count: int) -> list[Row]:
    """What opening a connection costs and what an idle one holds."""
    rows: list[Row] = []
    section = f"{count:,} connections, 50 at a time"
    ours = [gateway_on(loop) for loop in loop_factories()]
    for name in [*ours, *(name for name in (NGINX, HAPROXY) if name in names)]:
        seen: list[Figures] = []
        for _ in range(rounds):
            async with _lanes([name], straight=False) as lanes:
                lane = lanes[name]
                await lane.join(50)  # warm
                cpu, memory = cpu_seconds_exact(lane.pid), resident_bytes(lane.pid)
                await lane.join(50 + count)
                ms = (cpu_seconds_exact(lane.pid) - cpu) / count * 1e3
                seen.append({"ms": ms, "KiB": (resident_bytes(lane.pid) - memory) / count / 1024})
        middle = medians(seen)
        note = f"an idle one holds {middle['KiB']:.1f} KiB"
        if name in ours:
            rows.append(at_most(section, f"an upgrade, {name}", middle["ms"], "ms CPU", 0.4, note))
        else:
            rows.append(Row(section, f"an upgrade, {name}", middle["ms"], "ms CPU", note=note))
    return rows

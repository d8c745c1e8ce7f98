"""The client against a running discovery: changes, death, pauses, restarts."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from core.errors import TargetUnreachable, UsageError
from server.access.rule import TOKEN_VARIABLE
from server.discovery import Discovery, DiscoveryClient, DiscoverySettings, Registration, Snapshot
from tests.support.registrant import registrant

I1 = Registration("i1", "web-socket", "127.0.0.1", 8080)
I2 = Registration("i2", "web-socket", "127.0.0.1", 8081)


class Seen:
    """Collects snapshots and waits for one that fits."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []
        self._more = asyncio.Event()

    def __call__(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)
        self._more.set()

    async def until(self, fits: Callable[[list[str]], bool]) -> Snapshot:
        while True:
            for snapshot in self.snapshots:
                if fits([item.id for item in snapshot.of("web-socket")]):
                    return snapshot
            self._more.clear()
            await self._more.wait()

    def forget(self) -> None:
        del self.snapshots[:-1]


@pytest.fixture
async def discovery() -> AsyncGenerator[Discovery]:
    async with Discovery() as running:
        yield running


async def test_everybody_hears_of_everybody(discovery: Discovery) -> None:
    seen = Seen()
    async with DiscoveryClient(discovery.url, None, seen) as watcher:
        async with DiscoveryClient(discovery.url, I1), DiscoveryClient(discovery.url, I2) as second:
            # Entering means: registered, and the registry is known.
            assert [item.id for item in second.instances("web-socket")] == ["i1", "i2"]
            await seen.until(lambda ids: ids == ["i1", "i2"])
            assert watcher.instances("WEB-SOCKET") == (I1, I2)
        await seen.until(lambda ids: ids == ["i1"])
        seen.forget()
        await seen.until(lambda ids: not ids)
    versions = [snapshot.version for snapshot in seen.snapshots]
    assert versions == sorted(set(versions))


async def test_a_drained_instance_stays_registered(discovery: Discovery) -> None:
    seen = Seen()
    async with DiscoveryClient(discovery.url, None, seen), DiscoveryClient(discovery.url, I1) as client:
        await seen.until(lambda ids: ids == ["i1"])
        seen.forget()
        await client.update(status="OUT_OF_SERVICE", metadata={"zone": "a"})
        drained = await seen.until(lambda ids: ids == [])
        assert [item.metadata for item in drained.of("web-socket", status=None)] == [{"zone": "a"}]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is not there")
async def test_a_killed_process_is_out_at_once(
    discovery: Discovery, record_property: Callable[[str, object], None]
) -> None:
    seen = Seen()
    # With a lease of a minute only the connection's end can be the reason.
    async with (
        DiscoveryClient(discovery.url, None, seen),
        registrant(discovery.url, "i1", lease_s=60, renew_s=20) as process,
    ):
        await seen.until(lambda ids: ids == ["i1"])
        seen.forget()
        killed = time.perf_counter()
        process.send_signal(signal.SIGKILL)
        await seen.until(lambda ids: ids == [])
        took = (time.perf_counter() - killed) * 1000
    record_property("dropped_after_ms", round(took, 2))
    logging.getLogger("tests").info("a killed process was dropped after %.1f ms", took)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGSTOP is not there")
async def test_a_paused_process_is_out_after_its_lease_and_back_on_resume(discovery: Discovery) -> None:
    seen = Seen()
    async with (
        DiscoveryClient(discovery.url, None, seen),
        registrant(discovery.url, "i1", lease_s=0.8, renew_s=0.1) as process,
    ):
        await seen.until(lambda ids: ids == ["i1"])
        seen.forget()
        os.kill(process.pid, signal.SIGSTOP)
        await seen.until(lambda ids: ids == [])
        seen.forget()
        os.kill(process.pid, signal.SIGCONT)
        await seen.until(lambda ids: ids == ["i1"])


async def test_a_restarted_discovery_kills_nobody() -> None:
    seen = Seen()
    async with Discovery() as first:
        port = first.port
        async with (
            DiscoveryClient(first.url, None, seen, grace_s=30) as watcher,
            DiscoveryClient(first.url, I1, lease_s=30),
        ):
            await seen.until(lambda ids: ids == ["i1"])
            await first.__aexit__(None, None, None)
            async with Discovery(DiscoverySettings(port=port)) as again:
                back = Seen()
                async with DiscoveryClient(again.url, None, back):
                    await back.until(lambda ids: ids == ["i1"])  # i1 has registered again by itself
                async with DiscoveryClient(again.url, I2):
                    await seen.until(lambda ids: sorted(ids) == ["i1", "i2"])
                assert watcher.connected
                known = [[item.id for item in snapshot.of("web-socket")] for snapshot in seen.snapshots]
                assert all("i1" in ids for ids in known[known.index(["i1"]) :]), known


async def test_who_does_not_come_back_after_a_restart_is_buried() -> None:
    seen = Seen()
    async with Discovery() as first:
        port = first.port
        async with DiscoveryClient(first.url, None, seen, grace_s=0.3):
            gone = DiscoveryClient(first.url, I1)
            await gone.__aenter__()
            await seen.until(lambda ids: ids == ["i1"])
            await first.__aexit__(None, None, None)
            await gone.__aexit__(None, None, None)
            seen.forget()
            async with Discovery(DiscoverySettings(port=port)):
                await seen.until(lambda ids: ids == [])


async def test_without_discovery_it_goes_on_trying(caplog: pytest.LogCaptureFixture) -> None:
    async with Discovery() as other:
        port = other.port
    url = f"http://127.0.0.1:{port}"
    seen = Seen()
    async with DiscoveryClient(url, I1, seen, ready_s=0.01) as client:
        assert not client.connected
        async with Discovery(DiscoverySettings(port=port)):
            await seen.until(lambda ids: ids == ["i1"])
    assert f"discovery at {url} does not answer" in caplog.text


async def test_required_means_an_error_that_names_it() -> None:
    with pytest.raises(TargetUnreachable, match="does not answer"):
        async with DiscoveryClient("http://127.0.0.1:9", required=True, ready_s=0.2):
            pass


@pytest.mark.parametrize("url", ["localhost:8761", "ftp://x", "http://"])
def test_bad_urls(url: str) -> None:
    with pytest.raises(UsageError, match="not understood"):
        DiscoveryClient(url)


async def test_springs_url_is_understood(discovery: Discovery) -> None:
    async with DiscoveryClient(f"{discovery.url}/eureka/", I1, required=True) as client:
        assert client.instances("web-socket") == (I1,)


async def test_a_failing_callback_stops_nothing(
    discovery: Discovery, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(snapshot: Snapshot) -> None:
        raise RuntimeError("mine")

    async with DiscoveryClient(discovery.url, None, fail), DiscoveryClient(discovery.url, I1):
        pass
    assert "on_change failed" in caplog.text


async def test_a_foreign_page_may_not_register(discovery: Discovery) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        async with connect(
            f"ws://127.0.0.1:{discovery.port}/watch",
            origin=Origin("http://evil.example"),
            proxy=None,
        ):
            pass


@pytest.mark.parametrize(
    "text", ["nonsense", '{"type": "dance"}', '{"type": "register", "instance": {}}', "[" * 30_000]
)
async def test_nonsense_is_refused_with_words(discovery: Discovery, text: str) -> None:
    async with connect(f"ws://127.0.0.1:{discovery.port}/watch", proxy=None) as connection:
        await connection.recv()
        await connection.send(text)
        assert "not understood" in str(await connection.recv())
        await connection.wait_closed()
        assert connection.close_code == 1003


async def test_another_address_needs_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    with pytest.raises(UsageError, match="needs a token"):
        async with Discovery(DiscoverySettings(host="0.0.0.0")):
            pass
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")
    async with Discovery(DiscoverySettings(host="0.0.0.0")) as discovery:
        url = f"http://127.0.0.1:{discovery.port}"
        async with DiscoveryClient(url, I1, token="secret", required=True):
            pass
        with pytest.raises(TargetUnreachable, match="HTTP 403"):
            async with DiscoveryClient(url, I1, token="wrong", required=True, ready_s=0.5):
                pass

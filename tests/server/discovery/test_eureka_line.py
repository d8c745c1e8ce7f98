"""Our client with a real Eureka's API: a strict double, and our own discovery without its push."""

from __future__ import annotations

import asyncio
import logging

import pytest

from core.errors import TargetUnreachable
from server.discovery import Discovery, DiscoveryClient, Registration
from server.discovery.address import EurekaServer
from server.discovery.eureka_api import EurekaApi
from server.discovery.lines import LineDown
from tests.server.discovery.test_client import I1, Seen
from tests.support.processes import until
from tests.support.strict_eureka import strict_eureka
from tests.support.upstream import say_and_close, scripted_upstream

#: As quick as can be; Eureka's own clients take 30 s for each.
QUICK = "?renew=1&lease=2&fetch=0.05"


def statuses(client: DiscoveryClient) -> list[tuple[str, str]]:
    return [(item.id, item.status) for item in client.snapshot.of("web-socket", status=None)]


async def test_a_life_by_eurekas_api_alone() -> None:
    """Registered, kept by heartbeats, drained, back, gone; and our own push tells of all of it."""
    seen, pushed = Seen(), Seen()
    async with (
        Discovery() as discovery,
        DiscoveryClient(discovery.url, None, pushed),
        DiscoveryClient(f"eureka+{discovery.url}/eureka{QUICK}", None, seen) as watcher,
    ):
        starting = Registration("i1", "web-socket", "127.0.0.1", 8080, status="STARTING")
        async with DiscoveryClient(f"eureka+{discovery.url}{QUICK}", starting) as client:
            assert client.connected
            await client.update(status="UP", metadata={"a_b": "$"})
            await pushed.until(lambda ids: ids == ["i1"])
            await seen.until(lambda ids: ids == ["i1"])
            assert watcher.instances("web-socket")[0].metadata == {"a_b": "$"}
            lease = discovery.service.registry.find("web-socket", "i1")
            assert lease is not None
            registered = lease.renewed_at
            await until(lambda: lease.renewed_at > registered, "a heartbeat")
            await client.update(status="OUT_OF_SERVICE")
            await until(lambda: statuses(watcher) == [("i1", "OUT_OF_SERVICE")], "it is drained")
            await client.update(status="UP")
            await until(lambda: statuses(watcher) == [("i1", "UP")], "it is back")
        await until(lambda: statuses(watcher) == [], "it has left")
        assert len(discovery.service.registry) == 0


async def test_a_real_eureka_is_recognised(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pushscope.discovery.client")
    async with strict_eureka() as eureka:
        eureka.put(app="WEB-SOCKET", instanceId="h:1", port={"$": 9001, "@enabled": "true"})
        eureka.put(app="ODD", instanceId="nobody-can-connect", port={"$": 0})
        async with DiscoveryClient(f"{eureka.url}/eureka/{QUICK}", I1, required=True, ready_s=30) as client:
            assert [(item.id, item.port) for item in client.instances("web-socket")] == [
                ("h:1", 9001),
                ("i1", 8080),
            ]
            eureka.put(app="WEB-SOCKET", instanceId="h:2", port={"$": 9002})
            await until(lambda: len(client.instances("web-socket")) == 3, "a delta brings it")
            assert eureka.requests.count("GET /eureka/apps/") == 2  # to recognise it, and the first
        assert ("WEB-SOCKET", "i1") not in eureka.instances
    assert "is a Eureka" in caplog.text


async def test_a_server_that_knows_us_no_more() -> None:
    """It has restarted: we register again, and keep the others until they have had time to."""
    seen = Seen()
    async with strict_eureka() as eureka:
        eureka.put(app="WEB-SOCKET", instanceId="other", port={"$": 9001})
        async with DiscoveryClient(f"eureka+{eureka.url}{QUICK}", I1, seen):
            eureka.restart()
            await until(lambda: ("WEB-SOCKET", "i1") in eureka.instances, "registered again")
            await until(lambda: len(seen.snapshots) == 2, "the other is gone")
    assert [[item.id for item in each.instances] for each in seen.snapshots] == [["i1", "other"], ["i1"]]


async def test_a_lost_change_is_found_by_the_hash() -> None:
    async with strict_eureka() as eureka, DiscoveryClient(f"eureka+{eureka.url}/eureka{QUICK}") as client:
        eureka.put(app="WEB-SOCKET", instanceId="h:1", port={"$": 9001})
        eureka.changes.clear()
        await until(lambda: len(client.instances("web-socket")) == 1, "the whole registry is fetched")


async def test_a_server_without_deltas() -> None:
    async with strict_eureka("/eureka/v2") as eureka:
        eureka.deltas = False
        async with DiscoveryClient(f"{eureka.url}{QUICK}", required=True, ready_s=30) as client:
            eureka.put(app="WEB-SOCKET", instanceId="h:1", port={"$": 9001})
            await until(lambda: len(client.instances("web-socket")) == 1, "the whole registry is fetched")
        assert eureka.requests.count("GET /eureka/v2/apps/delta") == 1


async def test_a_password() -> None:
    async with strict_eureka() as eureka:
        eureka.password = "me:secret"
        place = eureka.url.removeprefix("http://")
        async with DiscoveryClient(
            f"http://me:secret@{place}/eureka", I1, required=True, ready_s=30
        ) as client:
            assert client.url == f"{eureka.url}/eureka"
        with pytest.raises(TargetUnreachable) as error:
            async with DiscoveryClient(f"http://me:wrong@{place}/eureka", required=True, ready_s=1.5):
                pass
        assert "HTTP 401 (user and password" in str(error.value)
        assert "wrong" not in str(error.value)


async def test_the_next_server_is_tried() -> None:
    async with strict_eureka() as eureka:
        urls = f"http://127.0.0.1:1/eureka/,{eureka.url}/eureka/"
        async with DiscoveryClient(urls, I1, required=True, ready_s=30) as client:
            assert [item.id for item in client.instances("web-socket")] == ["i1"]


async def test_neither_ours_nor_eureka() -> None:
    async with strict_eureka("/elsewhere") as other:
        with pytest.raises(TargetUnreachable) as error:
            async with DiscoveryClient(other.url, required=True, ready_s=1.5):
                pass
    assert "neither Pushscope's discovery (HTTP 403 at ws://" in str(error.value)
    assert "/eureka/apps/: HTTP 404 (is the path right?" in str(error.value)


@pytest.mark.parametrize("body", [b"<applications/>", b"[" * 10_000, b'{"applications": "\xff"}', b"{}"])
async def test_what_is_not_eurekas_json_is_no_answer(body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
    async with (
        scripted_upstream(say_and_close(head + body)) as other,
        EurekaApi(EurekaServer(f"http://127.0.0.1:{other.port}/eureka")) as api,
    ):
        with pytest.raises(LineDown, match="not Eureka's JSON"):
            await api.fetch()


async def test_a_killed_process_says_no_goodbye() -> None:
    async with strict_eureka() as eureka:
        async with DiscoveryClient(f"eureka+{eureka.url}/eureka", I1) as client:
            client.abort()
            await asyncio.sleep(0)
        assert ("WEB-SOCKET", "i1") in eureka.instances

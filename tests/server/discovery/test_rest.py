"""Eureka's REST paths over HTTP."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncGenerator
from typing import Any
from xml.etree import ElementTree

import aiohttp
import pytest

from server.discovery import Discovery, DiscoverySettings
from tests.server.discovery.test_eureka import CENTER, document
from tests.support.processes import until

ID = "h%3Apush%3A8080"


@pytest.fixture
async def discovery() -> AsyncGenerator[Discovery]:
    async with Discovery() as running:
        yield running


@pytest.fixture
async def http(discovery: Discovery) -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(discovery.url, headers={"Accept": "application/json"}) as session:
        yield session


async def status(http: aiohttp.ClientSession, method: str, path: str, **options: Any) -> int:
    async with http.request(method, path, **options) as answer:
        return answer.status


async def read(http: aiohttp.ClientSession, path: str) -> Any:
    async with http.get(path) as answer:
        assert answer.status == 200, await answer.text()
        return json.loads(await answer.read())


@pytest.mark.parametrize("base", ["/eureka", "/eureka/v2"])
async def test_a_life(http: aiohttp.ClientSession, base: str) -> None:
    one = f"{base}/apps/push/{ID}"
    assert await read(http, f"{base}/apps/") == {
        "applications": {"versions__delta": "0", "apps__hashcode": "", "application": []}
    }
    assert await status(http, "PUT", one) == 404
    assert await status(http, "POST", f"{base}/apps/push", data=document()) == 204
    assert await status(http, "PUT", one, params={"status": "UP", "lastDirtyTimestamp": "1"}) == 200
    apps = (await read(http, f"{base}/apps"))["applications"]
    assert apps["apps__hashcode"] == "UP_1_"
    assert [item["name"] for item in apps["application"]] == ["PUSH"]
    assert (await read(http, f"{base}/apps/Push"))["application"]["instance"][0]["hostName"] == "h"
    assert (await read(http, one))["instance"]["instanceId"] == "h:push:8080"
    assert (await read(http, f"{base}/instances/{ID}"))["instance"]["app"] == "PUSH"
    assert len((await read(http, f"{base}/vips/push"))["applications"]["application"]) == 1
    assert (await read(http, f"{base}/svips/else"))["applications"]["application"] == []
    assert await status(http, "DELETE", one) == 200
    assert await status(http, "DELETE", one) == 404
    assert await status(http, "GET", one) == 404


async def test_an_operator_takes_an_instance_out(http: aiohttp.ClientSession) -> None:
    one = f"/eureka/apps/PUSH/{ID}"
    await status(http, "POST", "/eureka/apps/PUSH", data=document())
    assert await status(http, "PUT", f"{one}/status", params={"value": "OUT_OF_SERVICE"}) == 200
    assert await status(http, "PUT", one, params={"status": "UP"}) == 200
    shown = (await read(http, one))["instance"]
    assert (shown["status"], shown["overriddenStatus"]) == ("OUT_OF_SERVICE", "OUT_OF_SERVICE")
    assert await status(http, "DELETE", f"{one}/status") == 200
    assert (await read(http, one))["instance"]["status"] == "UNKNOWN"
    assert await status(http, "PUT", one, params={"status": "UP"}) == 404  # so the client registers again
    assert await status(http, "PUT", f"{one}/status", params={"value": "TIRED"}) == 500
    assert await status(http, "PUT", f"{one}/metadata", params={"zone": "a"}) == 200
    assert (await read(http, one))["instance"]["metadata"] == {"zone": "a"}


async def test_bad_registrations(http: aiohttp.ClientSession) -> None:
    async with http.post("/eureka/apps/OTHER", data=document()) as answer:
        assert answer.status == 400
        assert await answer.text() == "Mismatched appName, expecting OTHER but was PUSH"
    assert await status(http, "POST", "/eureka/apps/PUSH", data=b" " * 300_000) == 413


async def delta(http: aiohttp.ClientSession) -> tuple[str, str, list[tuple[str, str, str]]]:
    """Version, hash code, and (id, status, action) of what has changed."""
    found = (await read(http, "/eureka/apps/delta"))["applications"]
    items = [item for app in found["application"] for item in app["instance"]]
    changed = [(item["instanceId"], item["status"], item["actionType"]) for item in items]
    return found["versions__delta"], found["apps__hashcode"], changed


async def test_deltas(http: aiohttp.ClientSession) -> None:
    """Each change once with its last action, the hash of everything, a version for each different delta."""
    one = f"/eureka/apps/PUSH/{ID}"
    assert await delta(http) == ("1", "", [])
    await status(http, "POST", "/eureka/apps/PUSH", data=document())
    await status(http, "POST", "/eureka/apps/PUSH", data=document(instanceId="other"))
    added = [("h:push:8080", "UP", "ADDED"), ("other", "UP", "ADDED")]
    assert await delta(http) == ("2", "UP_2_", added)
    assert await delta(http) == ("2", "UP_2_", added)
    await status(http, "PUT", one)
    assert (await delta(http))[0] == "2"  # a heartbeat is no change
    await status(http, "PUT", f"{one}/status", params={"value": "OUT_OF_SERVICE"})
    out = ("h:push:8080", "OUT_OF_SERVICE", "MODIFIED")
    assert await delta(http) == ("3", "OUT_OF_SERVICE_1_UP_1_", [added[1], out])
    await status(http, "PUT", "/eureka/apps/PUSH/other/metadata", params={"k": "v"})
    assert (await delta(http))[:2] == ("4", "OUT_OF_SERVICE_1_UP_1_")
    await status(http, "DELETE", one)
    assert await delta(http) == ("5", "UP_1_", [("other", "UP", "MODIFIED"), (*out[:2], "DELETED")])
    assert (await read(http, "/eureka/apps"))["applications"]["versions__delta"] == "5"


XML = f"""<?xml version="1.0" encoding="UTF-8"?>
<instance>
  <hostName>127.0.0.1</hostName><app>push-xml</app><ipAddr>127.0.0.1</ipAddr>
  <status>UP</status><port>9002</port><vipAddress>a,b</vipAddress>
  <dataCenterInfo class="{CENTER["@class"]}"><name>MyOwn</name></dataCenterInfo>
  <leaseInfo><durationInSecs>30</durationInSecs></leaseInfo>
  <metadata><a__b>1 &lt; 2</a__b><c_d>3</c_d></metadata>
</instance>"""


async def test_xml_in_and_out(http: aiohttp.ClientSession) -> None:
    headers = {"Content-Type": "application/xml", "Accept": "*/*"}
    assert await status(http, "POST", "/eureka/v2/apps/PUSH-XML", data=XML, headers=headers) == 204
    async with http.get("/eureka/apps/", headers={"Accept": "application/xml"}) as answer:
        assert answer.content_type == "application/xml"
        root = ElementTree.fromstring(await answer.text())
    assert [child.tag for child in root] == ["versions__delta", "apps__hashcode", "application"]
    assert root.findtext("apps__hashcode") == "UP_1_"
    instance = root.find("application/instance")
    assert instance is not None
    assert root.findtext("application/name") == instance.findtext("app") == "PUSH-XML"
    assert instance.findtext("overriddenstatus") == "UNKNOWN"
    assert instance.findtext("leaseInfo/durationInSecs") == "30"
    assert instance.findtext("metadata/a__b") == "1 < 2"
    port, center = instance.find("port"), instance.find("dataCenterInfo")
    assert port is not None
    assert center is not None
    assert (port.text, port.get("enabled"), center.get("class")) == ("9002", "true", CENTER["@class"])
    shown = (await read(http, "/eureka/vips/b"))["applications"]["application"][0]["instance"][0]
    assert shown["metadata"] == {"a_b": "1 < 2", "c_d": "3"}
    assert shown["leaseInfo"]["serviceUpTimestamp"] == shown["leaseInfo"]["registrationTimestamp"]


async def test_a_compact_answer(http: aiohttp.ClientSession) -> None:
    await status(http, "POST", "/eureka/apps/PUSH", data=document(metadata={"a": "b"}))
    headers = {"X-Eureka-Accept": "compact", "Accept": "application/json"}
    async with http.get("/eureka/apps", headers=headers) as answer:
        found = json.loads(await answer.read())["applications"]["application"][0]["instance"][0]
    assert found["port"] == {"$": 8080, "@enabled": "true"}
    assert {"instanceId", "app", "hostName", "ipAddr", "status", "vipAddress", "actionType"} <= found.keys()
    assert not {"metadata", "leaseInfo", "homePageUrl", "overriddenStatus"} & found.keys()


async def test_long_answers_are_packed_for_those_who_take_it(discovery: Discovery) -> None:
    async with aiohttp.ClientSession(discovery.url, auto_decompress=False) as http:
        await status(http, "POST", "/eureka/apps/PUSH", data=document())
        async with http.get("/eureka/apps", headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            packed = await answer.read()
        async with http.get("/eureka/apps", headers={"Accept-Encoding": "identity"}) as answer:
            assert gzip.decompress(packed) == await answer.read()


async def test_an_older_record_of_a_peer_is_answered_with_ours(http: aiohttp.ClientSession) -> None:
    one = f"/eureka/apps/PUSH/{ID}"
    await status(http, "POST", "/eureka/apps/PUSH", data=document(lastDirtyTimestamp="20"))
    older = {"lastDirtyTimestamp": "10"}
    assert await status(http, "PUT", one, params=older) == 200
    async with http.put(one, params=older, headers={"x-netflix-discovery-replication": "true"}) as answer:
        assert answer.status == 409
        assert json.loads(await answer.read())["instance"]["lastDirtyTimestamp"] == "20"
    assert await status(http, "PUT", one, params={"lastDirtyTimestamp": "30"}) == 404
    assert await status(http, "PUT", one, params={"lastDirtyTimestamp": "9" * 40, "status": "TIRED"}) == 200


async def test_a_registration_again_keeps_what_the_instance_was(http: aiohttp.ClientSession) -> None:
    """docs/wire/discovery.md §4: without an override, UP and OUT_OF_SERVICE of the lease win over what is
    reported."""
    await status(http, "POST", "/eureka/apps/PUSH", data=document(status="STARTING"))
    await status(http, "POST", "/eureka/apps/PUSH", data=document(status="OUT_OF_SERVICE"))
    await status(http, "POST", "/eureka/apps/PUSH", data=document(status="UP"))
    one = f"/eureka/apps/PUSH/{ID}"
    assert (await read(http, one))["instance"]["status"] == "OUT_OF_SERVICE"
    await status(http, "DELETE", f"{one}/status", params={"value": "UP"})
    assert (await read(http, one))["instance"]["status"] == "UP"
    await status(http, "POST", "/eureka/apps/PUSH", data=document(status="DOWN"))
    assert (await read(http, one))["instance"]["status"] == "DOWN"


async def test_web_pages_may_not_write(http: aiohttp.ClientSession) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        assert await status(http, "POST", "/eureka/apps/PUSH", data=document(), headers=headers) == 403
        assert await status(http, "GET", "/watch", headers=headers) in (403, 404)
    assert await status(http, "GET", "/eureka/apps", headers={"Host": "evil.example:80"}) == 403
    assert (await read(http, "/health")) == {"status": "up", "role": "discovery", "instances": 0}
    assert (await read(http, "/info"))["instances"] == []


async def test_self_preservation() -> None:
    """Whose lease has run out stays while too few renew; who keeps a connection is not its business."""
    async with (
        Discovery(DiscoverySettings(self_preservation=True)) as discovery,
        aiohttp.ClientSession(discovery.url) as http,
    ):
        await status(http, "POST", "/eureka/apps/PUSH", data=document(leaseInfo={"durationInSecs": 0.1}))
        lease = discovery.service.registry.find("PUSH", "h:push:8080")
        assert lease is not None
        async with http.ws_connect("/watch") as watcher:
            instance = {"id": "i1", "service": "web-socket", "host": "127.0.0.1", "port": 9}
            await watcher.send_json({"type": "register", "instance": instance, "lease_s": 0.4})
            await until(lambda: len(discovery.service.registry) == 2, "both are registered")
            await until(lambda: len(discovery.service.registry) == 1, "the one that said nothing is dropped")
        assert lease.expires_at < discovery.service.now()
        assert discovery.service.registry.find("PUSH", "h:push:8080") is lease

"""What an instance says about itself."""

from __future__ import annotations

import aiohttp
import pytest

from ...support.instances import one_instance, push
from ...support.raw_stomp import joined


async def test_info_tells_who_is_there_and_what_was_counted() -> None:
    async with (
        one_instance(id="i7", strategy="relay") as instance,
        joined(instance.url, "joe") as joe,
        aiohttp.ClientSession() as http,
    ):
        await push(http, instance.url, user="joe", payload="x")
        await joe.expect("MESSAGE")
        async with http.get(f"{instance.url}/info") as response:
            info = await response.json()
        assert (info["id"], info["service"], info["strategy"]) == ("i7", "web-socket", "relay")
        broker = info["broker"]
        assert (broker["url"], broker["available"], broker["reason"]) == ("memory:", True, "")
        assert info["slow"] == {"policy": "terminate", "clients": 0, "held_bytes": 0}
        assert (info["sessions"], info["users"], info["peers"]) == (1, 1, [])
        assert info["counters"]["pushes"] == info["counters"]["delivered"] == 1
        async with http.get(f"{instance.url}/health") as response:
            health = await response.json()
        assert (health["status"], health["id"]) == ("up", "i7")


async def test_metrics_are_prometheus_text() -> None:
    async with one_instance() as instance, aiohttp.ClientSession() as http:
        await push(http, instance.url, user="nobody", payload="x")
        async with http.get(f"{instance.url}/metrics") as response:
            text = await response.text()
            assert response.headers["content-type"].startswith("text/plain")
        assert 'pushscope_pushes_total{instance="i1"} 1.0' in text
        assert 'pushscope_sessions{instance="i1"} 0.0' in text


@pytest.mark.parametrize("body", [b"", b"[]", b'{"ids":1}', b'{"id":[]}', b"[" * 30_000])
async def test_bad_questions_for_stages_are_400(body: bytes) -> None:
    async with (
        one_instance() as instance,
        aiohttp.ClientSession() as http,
        http.post(f"{instance.url}/stages", data=body) as response,
    ):
        assert response.status == 400
        assert (await response.json())["error"]


async def test_more_ids_than_allowed_are_refused() -> None:
    async with (
        one_instance() as instance,
        aiohttp.ClientSession() as http,
        http.post(f"{instance.url}/stages", json={"ids": ["x"] * 50_001}) as response,
    ):
        assert response.status == 400


async def test_pages_of_other_names_may_not_look() -> None:
    async with one_instance() as instance, aiohttp.ClientSession() as http:
        for path in ("/info", "/metrics"):
            async with http.get(instance.url + path, headers={"host": "evil.example"}) as response:
                assert response.status == 403


async def test_on_other_addresses_a_token_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUSHSCOPE_TOKEN", "secret")
    token = {"authorization": "Bearer secret"}
    async with one_instance(host="0.0.0.0") as instance, aiohttp.ClientSession() as http:
        url = f"http://127.0.0.1:{instance.port}"
        for path in ("/info", "/metrics"):
            async with http.get(url + path) as response:
                assert response.status == 401
            async with http.get(url + path, headers=token) as response:
                assert response.status == 200
        async with http.get(f"{url}/health") as response:
            assert response.status == 200
        body = {"destination": "/topic/a", "payload": "x"}
        async with http.post(f"{url}/push", json=body) as response:
            assert response.status == 401
        for _ in range(3):
            async with http.post(f"{url}/push", json=body, headers=token) as response:
                assert response.status == 202
        async with http.post(f"{url}/push", json=body, headers={"authorization": "Bearer wrong"}) as response:
            assert response.status == 401

"""What is too much for a broker link is refused to whoever sends it, and nobody else notices."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from core.errors import BrokerRefused
from server.brokers.limits import LINK_LIMITS
from tests.support.instances import cluster
from tests.support.raw_stomp import joined, raw_stomp

MANY = {f"h{number}": "v" for number in range(252)}
TOO_MUCH: dict[str, tuple[dict[str, Any], str, str]] = {
    "252 headers": ({"headers": MANY}, "headers", "195 headers"),
    "a header of 900 kB": ({"headers": {"long": "x" * 900_000}}, "headers", "65536 bytes"),
    "a name of 900 kB": ({"headers": {"n" * 900_000: "x"}}, "headers", "255 bytes"),
    "long headers": ({"headers": {f"h{i}": "x" * 60_000 for i in range(5)}}, "headers", "122880 bytes"),
    "a long destination": ({"destination": "/topic/" + "d" * 900_000}, "destination", "255 bytes"),
    "a long user": ({"user": "u" * 900_000}, "user", "65536 bytes"),
    "no number": ({"headers": {"priority": "high"}}, "headers", "number"),
}


async def post(instance_url: str, http: aiohttp.ClientSession, push: dict[str, Any]) -> tuple[int, Any]:
    async with http.post(f"{instance_url}/push", json=push) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize("confirm", [False, True], ids=["at once", "confirmed"])
@pytest.mark.parametrize("user", ["joe", "nobody", None], ids=["to a local user", "to nobody", "to all"])
@pytest.mark.parametrize(("changes", "field", "limit"), TOO_MUCH.values(), ids=TOO_MUCH)
async def test_a_push_is_answered_400_with_field_and_limit(
    changes: dict[str, Any], field: str, limit: str, user: str | None, confirm: bool
) -> None:
    async with cluster(2) as running, joined(running.instances[0].url, "joe") as joe:
        links = set(running.broker.peers)
        push = {"destination": "/topic/greetings", "payload": "x", "confirm": confirm}
        push |= ({"user": user} if user else {}) | changes
        status, answer = await post(running.instances[0].url, running.http, push)
        assert (status, answer["field"]) == (400, field)
        assert limit in answer["error"]
        # Nobody else has noticed: the links are those that there were, and they carry messages.
        assert set(running.broker.peers) == links
        await joe.nothing_before_receipt()
        assert all(instance.broker.available for instance in running.instances)


async def test_a_send_is_answered_with_error_alone() -> None:
    headers = {"destination": "/topic/news"} | {f"h{number}": "x" * 10_000 for number in range(13)}
    async with cluster(1, max_frame=1024 * 1024) as running, joined(running.instances[0].url, "joe") as joe:
        links = set(running.broker.peers)
        async with raw_stomp(running.instances[0].url) as client:
            await client.connect()
            await client.send("SEND", headers, b"x")
            error = await client.expect("ERROR")
            assert error.headers["message"] == "Headers too long"
            assert b"122880 bytes" in error.body
        assert set(running.broker.peers) == links
        await joe.nothing_before_receipt()


async def test_a_template_raises_before_anything_is_sent() -> None:
    async with cluster(1) as running:
        links = set(running.broker.peers)
        template = running.instances[0].template
        with pytest.raises(BrokerRefused, match="195 headers"):
            template.send("/topic/news", "x", MANY)
        with pytest.raises(BrokerRefused, match="bytes of a message"):
            template.send("/topic/news", b"x" * LINK_LIMITS.frame)
        with pytest.raises(BrokerRefused, match="195 headers"):
            template.send_to_user("joe", "/topic/news", "x", MANY)
        await template.send("/topic/news", json.dumps("that there is"), confirm=True)
        assert set(running.broker.peers) == links

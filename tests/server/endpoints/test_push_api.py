"""The push API over real HTTP, by the short way and by ASGI."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from server.brokers.memory import MemoryBroker, MemoryExchange
from server.instance import Instance
from server.sockets.listener import Listener

from ...support.instances import one_instance, push
from ...support.raw_stomp import joined


class Place:
    """An instance, the URL of one of its transports, and its broker."""

    def __init__(
        self, instance: Instance, url: str, exchange: MemoryExchange, http: aiohttp.ClientSession
    ) -> None:
        self.instance = instance
        self.url = url
        self.exchange = exchange
        self.http = http

    async def post(
        self, body: Any, path: str = "/push", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json", **(headers or {})}
        async with self.http.post(self.url + path, data=io.BytesIO(data), headers=headers) as response:
            return response.status, json.loads(await response.read() or b"{}")


@pytest.fixture(params=["fast", "asgi"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    exchange = MemoryExchange()
    async with (
        one_instance(broker=MemoryBroker(exchange)) as instance,
        aiohttp.ClientSession() as http,
    ):
        if request.param == "fast":
            yield Place(instance, instance.url, exchange, http)
        else:
            async with Listener(instance.asgi) as listener:
                yield Place(instance, listener.url, exchange, http)


GOOD = {"user": "joe", "destination": "/topic/greetings", "payload": "x"}


async def test_a_push_is_accepted_with_id_instance_and_sessions(place: Place) -> None:
    async with joined(place.instance.url, "joe") as joe:
        status, answer = await place.post({**GOOD, "headers": {"ps-id": "run.i1.joe.1", "mine": "ü"}})
        assert (status, answer) == (202, {"id": "run.i1.joe.1", "instance": "i1", "sessions": 1})
        message = await joe.expect("MESSAGE")
        assert message.headers["ps-id"] == "run.i1.joe.1"
        assert message.headers["mine"] == "ü"
        assert "ps-sent" not in message.headers
        status, answer = await place.post(GOOD)
        assert answer["id"] == "i1-1"
        message = await joe.expect("MESSAGE")
        assert message.headers["ps-id"] == "i1-1"
        sent_by, _, sent_ms = message.headers["ps-sent"].partition(" ")
        assert sent_by == "i1"
        assert 0 <= time.time() * 1000 - float(sent_ms) < 60_000


@pytest.mark.parametrize(
    ("payload", "body", "content_type"),
    [
        ('text é \u0000 "quoted"', 'text é \0 "quoted"'.encode(), "text/plain;charset=UTF-8"),
        ("", b"", "text/plain;charset=UTF-8"),
        ({"a": [1, None]}, b'{"a": [1, null]}', "application/json"),
        (42, b"42", "application/json"),
        (None, b"null", "application/json"),
    ],
)
async def test_strings_are_text_and_everything_else_is_json(
    place: Place, payload: object, body: bytes, content_type: str
) -> None:
    async with joined(place.instance.url, "joe") as joe:
        assert (await place.post({**GOOD, "payload": payload}))[0] == 202
        message = await joe.expect("MESSAGE")
        assert message.body == body
        assert message.headers["content-type"] == content_type


async def test_a_content_type_of_ones_own_wins(place: Place) -> None:
    async with joined(place.instance.url, "joe") as joe:
        await place.post({**GOOD, "headers": {"content-type": "text/x-mine"}})
        assert (await joe.expect("MESSAGE")).headers["content-type"] == "text/x-mine"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", ""),
        (b"{", ""),
        (b"[]", ""),
        (b"\xff", ""),
        (b'{"payload":' + b"[" * 30_000, ""),
        ({"user": "joe", "payload": "x"}, "destination"),
        ({**GOOD, "destination": 1}, "destination"),
        ({**GOOD, "destination": "/nowhere"}, "destination"),
        ({**GOOD, "usr": "joe"}, "usr"),
        ({**GOOD, "user": 1}, "user"),
        ({**GOOD, "user": ""}, "user"),
        ({**GOOD, "user": "a%2Fb"}, "user"),
        ({**GOOD, "headers": {"a": 1}}, "headers"),
        ({**GOOD, "headers": {"destination": "/x"}}, "headers"),
        ({**GOOD, "headers": {"simpOrigDestination": "/x"}}, "headers"),
        ({**GOOD, "headers": {"ps-id": ""}}, "headers"),
        ({**GOOD, "headers": {"a\0": "b"}}, "headers"),
        ({**GOOD, "confirm": "yes"}, "confirm"),
        (b'{"user":"joe","destination":"/topic/greetings","payload":"\xff"}', "payload"),
        (b'{"user":"joe","destination":"/topic/greetings","payload":"\xed\xa0\x80"}', "payload"),
        (b'{"user":"joe","destination":"/topic/greetings","payload":{"a":"\xc3"}}', "payload"),
        (b'{"user":"joe","destination":"/topic/greetings","payload":"\xff","confirm":true}', "payload"),
        (b'{"user":"\xff","destination":"/topic/greetings","payload":"x"}', ""),
        (b'{"user":"joe","destination":"/topic/greetings","payload":"\\ud800"}', ""),
    ],
)
async def test_bad_requests_are_400_and_name_the_field(place: Place, body: Any, field: str) -> None:
    status, answer = await place.post(body)
    assert status == 400
    assert answer["error"]
    assert answer.get("field", "") == field
    assert place.instance.counters.pushes == 0
    assert (await place.post(GOOD))[0] == 202  # and nothing else breaks


async def test_a_body_over_the_limit_is_413(place: Place) -> None:
    status, answer = await place.post({**GOOD, "payload": "x" * 1024 * 1024})
    assert (status, answer["field"]) == (413, "payload")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_only_json_is_taken_so_that_pages_cannot_push(place: Place, content_type: str) -> None:
    status, _ = await place.post(GOOD, headers={"content-type": content_type})
    assert status == 415


@pytest.mark.parametrize(
    "headers",
    [{"host": "evil.example"}, {"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}],
)
async def test_pages_may_not_push_to_localhost(place: Place, headers: dict[str, str]) -> None:
    assert (await place.post(GOOD))[0] == 202  # our own host is known by now
    assert (await place.post(GOOD, headers=headers))[0] == 403
    async with place.http.get(f"{place.url}/test?username=joe", headers=headers) as response:
        assert response.status == 403


async def test_other_methods_are_405(place: Place) -> None:
    async with place.http.get(f"{place.url}/push") as response:
        assert (response.status, response.headers["allow"]) == (405, "POST")
    assert (await place.post(GOOD, path="/test"))[0] == 405


@pytest.mark.parametrize("query", ["", "?username=", "?user=joe"])
async def test_test_without_a_name_is_400(place: Place, query: str) -> None:
    async with place.http.get(f"{place.url}/test{query}") as response:
        assert response.status == 400
        assert (await response.json())["field"] == "username"


async def test_test_pushes_hello_to_greetings(place: Place) -> None:
    async with joined(place.instance.url, "li jian/é") as client:
        async with place.http.get(f"{place.url}/test", params={"username": "li jian/é"}) as response:
            assert (response.status, await response.read()) == (200, b"")
        message = await client.expect("MESSAGE")
        assert message.body.decode() == "hello:li jian/é"
        assert message.headers["destination"] == "/user/topic/greetings"


async def test_without_a_broker_pushes_are_503_with_the_reason(place: Place) -> None:
    place.exchange.set_available(False, "pulled the plug")
    for confirm in (False, True):
        status, answer = await place.post({**GOOD, "confirm": confirm})
        assert status == 503
        assert "pulled the plug" in answer["error"]
    async with place.http.get(f"{place.url}/test?username=joe") as response:
        assert response.status == 503
    assert place.instance.counters.refused == 3
    place.exchange.set_available(True)


async def test_a_confirmed_push_is_answered_when_the_broker_has_it(place: Place) -> None:
    for user in ("nobody", "joe"):
        status, answer = await place.post({**GOOD, "user": user, "confirm": True})
        assert (status, answer["instance"]) == (202, "i1")
    async with joined(place.instance.url, "joe") as joe:
        assert (await place.post({**GOOD, "confirm": True}))[1]["sessions"] == 1
        await joe.expect("MESSAGE")


async def test_pipelined_requests_of_all_kinds_are_answered_in_order(place: Place) -> None:
    host = place.url.removeprefix("http://")
    reader, writer = await asyncio.open_connection(*host.split(":"))

    def request(method: str, path: str, body: bytes = b"") -> bytes:
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    push = [
        json.dumps({**GOOD, "headers": {"ps-id": f"p{number}"}, "confirm": number % 2 == 1}).encode()
        for number in range(6)
    ]
    writer.write(
        b"".join(request("POST", "/push", body) for body in push)
        + request("GET", "/health")
        + request("GET", "/test?username=joe")
        + request("GET", "/nowhere")
        + request("POST", "/push", push[0])
    )
    statuses: list[int] = []
    ids: list[str] = []
    async with asyncio.timeout(20):
        for _ in range(10):
            head = await reader.readuntil(b"\r\n\r\n")
            statuses.append(int(head.split()[1]))
            length = next(
                int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"
            )
            body = await reader.readexactly(length)
            if statuses[-1] == 202:
                ids.append(json.loads(body)["id"])
    writer.close()
    assert statuses == [202] * 6 + [200, 200, 404, 202]
    assert ids == ["p0", "p1", "p2", "p3", "p4", "p5", "p0"]


async def test_a_request_in_small_pieces_is_understood(place: Place) -> None:
    host = place.url.removeprefix("http://")
    reader, writer = await asyncio.open_connection(*host.split(":"))
    body = json.dumps(GOOD).encode()
    head = f"POST /push HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nConnection: close\r\n"
    for byte in f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body:
        writer.write(bytes((byte,)))
        await writer.drain()
    async with asyncio.timeout(20):
        answer = await reader.read()  # the connection ends, as was asked for
    writer.close()
    assert answer.startswith(b"HTTP/1.1 202 ")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /test HTTP/1.1\r\n" + b"a: b\r\n" * 200, 431),
        (b"GET /test HTTP/1.1\r\na: " + b"x" * 100_000, 431),
        (b"\0\0\0\0\r\n\r\n", 400),
    ],
)
async def test_heads_without_measure_are_refused(head: bytes, status: int) -> None:
    async with one_instance() as instance:
        reader, writer = await asyncio.open_connection("127.0.0.1", instance.port)
        writer.write(head)
        async with asyncio.timeout(20):
            assert (await reader.readline()).startswith(b"HTTP/1.1 %d " % status)
        writer.close()


async def test_a_head_that_was_refused_once_is_refused_again(place: Place) -> None:
    host = place.url.removeprefix("http://")
    body = json.dumps(GOOD).encode()

    def request(host: str) -> bytes:
        head = f"POST /push HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    reader, writer = await asyncio.open_connection(*host.split(":"))
    statuses: list[int] = []
    async with asyncio.timeout(20):
        for name in (host, "evil.example", host, host, "evil.example", host):
            writer.write(request(name))
            head = await reader.readuntil(b"\r\n\r\n")
            statuses.append(int(head.split()[1]))
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
    writer.close()
    assert statuses == [202, 403, 202, 202, 403, 202]


async def test_known_heads_with_bodies_in_any_pieces_are_understood(place: Place) -> None:
    host = place.url.removeprefix("http://")
    body = json.dumps(GOOD).encode()
    head = f"POST /push HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    reader, writer = await asyncio.open_connection(*host.split(":"))
    answered = 0
    async with asyncio.timeout(30):
        for cut in range(1, len(request), 7):
            for piece in (request + request[:cut], request[cut:] + request, request[:cut], request[cut:]):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            for _ in range(4):
                assert b" 202 " in await reader.readuntil(b"}")
                answered += 1
    writer.close()
    assert place.instance.counters.pushes == answered


INTERNAL = (
    "/topic/simp-user-registry",
    "topic/simp-user-registry",
    "/topic/simp%2Duser-registry",
    "/topic/simp%252Duser-registry",
    "/topic/%73imp-user-registry",
    "/topic/a,topic://simp-user-registry",
    "/topic/simp-user-registry?x=1",
    "/topic/ simp-user-registry ",
    "/topic/unresolved-user-destination",
    "/topic/pushscope.web-socket.peers",
    "/topic/pushscope.web-socket.broadcast",
    "/topic/pushscope.web-socket.peer.0123456789ab",
    "/topic/pushscope%2Eweb-socket%2Epeers",
    "/topic/pushscope.another.peers",
    "/topic/pushscope.*.peers",
    "/topic/#",
    "/topic/>",
    "/queue/pushscope.web-socket.peers",
    "/topic/exchange/amq.topic/pushscope.web-socket.peers",
    "/topic/%25252525253Cx",
)


@pytest.mark.parametrize("destination", INTERNAL)
async def test_nobody_pushes_to_what_instances_tell_each_other(destination: str) -> None:
    async with one_instance() as instance, aiohttp.ClientSession() as http:
        for more in ({}, {"confirm": True}, {"headers": {"a": "b"}}):
            status, answer = await push(http, instance.url, destination=destination, payload="[]", **more)
            assert (status, answer["field"]) == (400, "destination"), answer
        assert instance.counters.pushes == instance.counters.to_broker == 0


async def test_with_a_user_only_our_own_names_are_closed() -> None:
    """Spring's broadcasts may be on any topic, as in the article; what is for a user is not on them."""
    greetings = "/topic/greetings"
    settings: dict[str, Any] = {
        "unresolved_destination": greetings,
        "registry_destination": greetings,
    }
    async with one_instance(**settings) as instance, aiohttp.ClientSession() as http:
        for user, destination, expected in (
            ("joe", greetings, 202),
            (None, greetings, 400),
            ("joe", "/topic/pushscope.web-socket.peers", 400),
            (None, "/topic/news", 202),
        ):
            body = {"destination": destination, "payload": "x"} | ({"user": user} if user else {})
            status, _ = await push(http, instance.url, **body)
            assert status == expected, destination

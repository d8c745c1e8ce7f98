"""The pusher: what is sent, in which order, and what each push counts as."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest

from core.clock import now_ns
from core.errors import UsageError
from core.load.lane import PushAnswer
from core.load.pusher import Pusher


class Request:
    """One request, and a way to answer it."""

    def __init__(self, line: str, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter) -> None:
        self.line = line
        self.headers = headers
        self.body = body
        self.writer = writer

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.body)

    def answer(self, status: int = 202, body: bytes = b'{"id":"1","instance":"i9","sessions":2}') -> None:
        self.writer.write(b"HTTP/1.1 %d Fine\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))

    def raw(self, data: bytes) -> None:
        self.writer.write(data)

    def vanish(self) -> None:
        self.writer.transport.abort()


class HttpServer:
    """Collects requests; answers them if ``on_request`` is set."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.url = ""
        self.on_request: Callable[[Request], None] = Request.answer
        self._wake = asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in head[1:]) if n}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                request = Request(head[0], headers, body, writer)
                self.requests.append(request)
                self.on_request(request)
                self._wake.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def until(self, count: int) -> list[Request]:
        while len(self.requests) < count:
            self._wake.clear()
            await self._wake.wait()
        return self.requests


@asynccontextmanager
async def http_server() -> AsyncGenerator[HttpServer]:
    server = HttpServer()
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    async with listener:
        server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        yield server


class Answers:
    """Collects answers."""

    def __init__(self) -> None:
        self.all: list[PushAnswer] = []
        self._wake = asyncio.Event()

    def __call__(self, answer: PushAnswer) -> None:
        self.all.append(answer)
        self._wake.set()

    async def until(self, count: int) -> list[PushAnswer]:
        while len(self.all) < count:
            self._wake.clear()
            await self._wake.wait()
        return self.all


def hold(_: Request) -> None:
    """Do not answer."""


async def test_a_push_as_the_push_api_wants_it() -> None:
    async with http_server() as server, Pusher({"i1": server.url}, headers=[("x-token", "t")]) as pusher:
        before = now_ns()
        answer = await pusher.ask("i1", "zoë", "/topic/greetings", "hi ✓", {"ps-id": "r.i1.zoë.1"})
        (request,) = server.requests
        assert request.line == "POST /push HTTP/1.1"
        assert request.headers["content-type"] == "application/json"
        assert request.headers["host"] == server.url.removeprefix("http://")
        assert request.headers["x-token"] == "t"
        assert request.json == {
            "user": "zoë",
            "destination": "/topic/greetings",
            "payload": "hi ✓",
            "headers": {"ps-id": "r.i1.zoë.1"},
        }
        assert (answer.status, answer.verdict, answer.instance, answer.sessions) == (202, "accepted", "i9", 2)
        assert before <= answer.intended_ns <= answer.sent_ns <= answer.answered_ns


async def test_a_push_to_everybody_names_no_user() -> None:
    async with http_server() as server, Pusher({"i1": server.url}) as pusher:
        await pusher.ask("i1", None, "/topic/greetings", "all", {})
        assert server.requests[0].json == {"destination": "/topic/greetings", "payload": "all"}


async def test_the_articles_own_push() -> None:
    async with http_server() as server, Pusher({"i1": server.url + "/base/"}, api="test") as pusher:
        server.on_request = lambda request: request.answer(200, b"")
        answer = await pusher.ask("i1", "a b", "", "", {})
        assert server.requests[0].line == "GET /base/test?username=a%20b HTTP/1.1"
        assert (answer.status, answer.verdict, answer.instance, answer.sessions) == (
            200,
            "accepted",
            "i1",
            -1,
        )


async def test_pushes_to_one_user_stay_in_order_and_connections_are_kept() -> None:
    async with http_server() as server, Pusher({"i1": server.url}, lanes=3) as pusher:
        answers = Answers()
        for number in range(300):
            user = f"user-{number % 10}"
            pusher.push("i1", user, "/topic/g", str(number), {}, answers, key=number)
        assert pusher.waiting == 300
        await answers.until(300)
        assert sorted(answer.key for answer in answers.all) == list(range(300))
        for user in range(10):
            seen = [int(str(r.json["payload"])) for r in server.requests if r.json["user"] == f"user-{user}"]
            assert seen == sorted(seen)
        assert 1 < server.connections <= 3
        assert pusher.waiting == 0


async def test_a_slow_answer_holds_only_its_own_lane() -> None:
    async with http_server() as server, Pusher({"i1": server.url, "i2": server.url}) as pusher:
        server.on_request = hold
        answers = Answers()
        pusher.push("i1", "slow", "/topic/g", "", {}, answers)
        await server.until(1)
        server.on_request = Request.answer
        assert (await pusher.ask("i2", "slow", "/topic/g", "", {})).status == 202
        assert answers.all == []
        server.requests[0].answer()
        await answers.until(1)


async def test_any_other_status_is_a_refusal() -> None:
    async with http_server() as server, Pusher({"i1": server.url}) as pusher:
        server.on_request = lambda request: request.answer(503, b"broker down")
        answer = await pusher.ask("i1", "u", "/topic/g", "", {})
        assert (answer.status, answer.verdict, answer.body) == (503, "refused", b"broker down")


async def test_nobody_there_is_a_refusal_of_what_was_never_sent() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        async with Pusher({"i1": f"http://127.0.0.1:{deaf.getsockname()[1]}"}) as pusher:
            answers = Answers()
            for _ in range(5):
                pusher.push("i1", "u", "/topic/g", "", {}, answers)
            assert answers.all == []  # never from within the call
            for answer in await answers.until(5):
                assert (answer.status, answer.verdict, answer.sent_ns) == (0, "refused", 0)
                assert "cannot connect" in answer.error
            pusher.push("i1", "u", "/topic/g", "", {}, answers)  # at once: the refusal stands a while
            assert (await answers.until(6))[5].verdict == "refused"


async def test_a_connection_that_dies_before_the_answer_is_unknown_and_not_repeated() -> None:
    async with http_server() as server, Pusher({"i1": server.url}) as pusher:
        server.on_request = lambda request: (
            request.vanish() if len(server.requests) == 1 else request.answer()
        )
        answers = Answers()
        for number in range(3):
            pusher.push("i1", "u", "/topic/g", str(number), {}, answers, key=number)
        await answers.until(3)
        assert [(a.key, a.status, a.verdict) for a in answers.all] == [
            (0, 0, "unknown"),
            (1, 202, "accepted"),
            (2, 202, "accepted"),
        ]
        assert answers.all[0].sent_ns > 0
        assert "before the answer" in answers.all[0].error
        assert [request.json["payload"] for request in server.requests] == ["0", "1", "2"]


async def test_a_status_counts_even_if_the_body_is_cut_off() -> None:
    async with http_server() as server, Pusher({"i1": server.url}) as pusher:

        def cut(request: Request) -> None:
            request.raw(b"HTTP/1.1 202 Accepted\r\ncontent-length: 100\r\n\r\n{")
            request.writer.close()

        server.on_request = cut
        answer = await pusher.ask("i1", "u", "/topic/g", "", {})
        assert (answer.status, answer.verdict, answer.sessions) == (202, "accepted", -1)


async def test_chunked_answers_and_closing_servers() -> None:
    async with http_server() as server, Pusher({"i1": server.url}) as pusher:

        def chunked(request: Request) -> None:
            request.raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Fine\r\nconnection: close\r\n")
            request.raw(b"transfer-encoding: chunked\r\n\r\n3\r\n{}\n\r\n0\r\n\r\n")

        server.on_request = chunked
        for number in range(1, 4):
            answer = await pusher.ask("i1", "u", "/topic/g", "", {})
            assert (answer.status, answer.body, server.connections) == (202, b"{}\n", number)


async def test_an_answer_that_is_not_http_is_unknown() -> None:
    async with http_server() as server, Pusher({"i1": server.url}) as pusher:
        server.on_request = lambda request: request.raw(b"what?\r\n\r\n")
        answer = await pusher.ask("i1", "u", "/topic/g", "", {})
        assert answer.verdict == "unknown"
        assert "not HTTP" in answer.error


async def test_no_answer_in_time_is_unknown_and_what_waits_is_refused() -> None:
    async with http_server() as server, Pusher({"i1": server.url}, timeout=0.1) as pusher:
        server.on_request = hold
        answers = Answers()
        pusher.push("i1", "u", "/topic/g", "", {}, answers)
        pusher.push("i1", "u", "/topic/g", "", {}, answers)
        await answers.until(2)
        assert {answer.verdict for answer in answers.all} <= {"unknown", "refused"}
        assert "unknown" in {answer.verdict for answer in answers.all}


async def test_targets_come_and_go() -> None:
    async with http_server() as one, http_server() as two, Pusher({"i1": one.url}) as pusher:
        one.on_request = hold
        answers = Answers()
        pusher.push("i1", "u", "/topic/g", "first", {}, answers)
        pusher.push("i1", "u", "/topic/g", "second", {}, answers)
        await one.until(1)
        pusher.set_targets({"i2": two.url})
        assert (await answers.until(1))[0].verdict == "refused"
        one.requests[0].answer()
        assert (await answers.until(2))[1].verdict == "accepted"
        assert (await pusher.ask("i2", "u", "/topic/g", "", {})).status == 202
        with pytest.raises(UsageError, match="i1"):
            pusher.push("i1", "u", "/topic/g", "", {}, answers)


async def test_leaving_tells_everybody() -> None:
    async with http_server() as server:
        server.on_request = hold
        answers = Answers()
        async with Pusher({"i1": server.url}) as pusher:
            pusher.push("i1", "u", "/topic/g", "", {}, answers)
            pusher.push("i1", "u", "/topic/g", "", {}, answers)
            await server.until(1)
        await answers.until(2)
        assert sorted(answer.verdict for answer in answers.all) == ["refused", "unknown"]


@pytest.mark.parametrize("url", ["ws://h:1", "127.0.0.1:80", "http://"])
async def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(UsageError, match="not a push address"):
        Pusher({"i1": url})

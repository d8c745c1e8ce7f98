"""Several requests to an instance in one read, good and bad ones mixed: each is answered, in order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping

import pytest

from server.brokers.base import Settled
from server.brokers.memory import MemoryBroker
from tests.support.instances import one_instance
from tests.support.upstream import read_all

HOST = "Host: 127.0.0.1\r\nContent-Type: application/json\r\n"


def post(payload: bytes, *, rest: bytes = b"", head: str = HOST, path: str = "/push") -> bytes:
    body = b'{"user":"joe","destination":"/topic/greetings","payload":%b%b}' % (payload, rest)
    return f"POST {path} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


#: Requests, and the status of their answers.
KINDS = [
    (post(b'"x"'), 202),
    (post(b'"x"'), 202),
    (post(b'{"a":[1,null,"\\u00e4"]}'), 202),
    (post('"ä"'.encode()), 202),
    (post('"ä\\n"'.encode()), 202),
    (post(b'"x"', rest=b',"confirm":true'), 202),
    (post(b'"x"', rest=b',"c\\u006fnfirm":true'), 400),
    (post(b'"\xff"'), 400),
    (post(b'"\xff\\n"'), 400),
    (post(b'{"a":"\xc3"}'), 400),
    (post(b'"\xff"', rest=b',"confirm":true'), 400),
    (post(b'"\\ud800"'), 400),
    (post(b'"x'), 400),
    (post(b""), 400),
    (post(b'"x"', rest=b',"headers":{"a":1}'), 400),
    (post(b'"x"', head="Host: evil.example\r\nContent-Type: application/json\r\n"), 403),
    (post(b'"x"', head="Host: 127.0.0.1\r\n"), 415),
    (post(b'"x"', head=f"{HOST}X: ä\r\n"), 202),
    (post(b'"' + b"x" * 3000 + b'"'), 202),
    (b"GET /push HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 405),
    (b"GET /test?username=joe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 200),
    (b"GET /test?username=%FF HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 200),
    (b"GET /test HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 400),
    (b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 200),
    (b"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404),
]
LAST = b"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def statuses(answers: bytes) -> list[int]:
    return [int(piece[:3]) for piece in answers.split(b"HTTP/1.1 ")[1:]]


async def test_every_request_of_a_read_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    dice = random.Random(7)
    async with one_instance() as instance:
        for _ in range(300):
            chosen = dice.choices(KINDS, k=dice.randint(1, 12))
            data = b"".join(request for request, _ in chosen) + LAST
            cuts = sorted(dice.sample(range(len(data)), k=dice.choice((0, 0, 1, 3))))
            reader, writer = await asyncio.open_connection("127.0.0.1", instance.port)
            for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
                writer.write(data[begin:end])
                await asyncio.sleep(0)
            assert statuses(await read_all(reader)) == [*(status for _, status in chosen), 404], data
            writer.close()
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


class Failing(MemoryBroker):
    """Fails in a way that nobody thought of."""

    def publish(
        self, destination: str, headers: Mapping[str, str], body: bytes, done: Settled | None = None
    ) -> None:
        if body == b"bug":
            raise ZeroDivisionError("nobody thought of this")
        super().publish(destination, headers, body, done)


async def test_an_error_of_ours_costs_no_other_push_its_answer(caplog: pytest.LogCaptureFixture) -> None:
    bug = b'{"destination":"/topic/a","payload":"bug"}'
    broken = f"POST /push HTTP/1.1\r\n{HOST}Content-Length: {len(bug)}\r\n\r\n".encode() + bug
    async with one_instance(broker=Failing()) as instance:
        reader, writer = await asyncio.open_connection("127.0.0.1", instance.port)
        writer.write(post(b'"x"') + broken + post(b'"x"') + LAST)
        assert statuses(await read_all(reader)) == [202, 500, 202, 404]
        writer.close()
    assert "nobody thought of this" in caplog.text

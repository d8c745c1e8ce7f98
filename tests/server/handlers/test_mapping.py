"""Application handlers: arguments, replies, order, failures (conformance case 38)."""

from __future__ import annotations

import asyncio
import logging

import msgspec
import pytest

from core.errors import UsageError
from server.handlers import Handlers, MessageContext, message_mapping, send_to, send_to_user

from ...support.instances import one_instance
from ...support.raw_stomp import joined


class Order(msgspec.Struct):
    item: str
    count: int = 1


@message_mapping("/dest")
@send_to()
def default_topic(message: str) -> str:
    return f"topic:{message}"


@message_mapping("plain")
def no_annotation(message: str) -> str:
    return f"plain:{message}"


@message_mapping("/mine")
@send_to_user()
def default_user(message: str) -> str:
    return f"mine:{message}"


@message_mapping("/only-me")
@send_to_user("/topic/greetings", broadcast=False)
def only_me(message: str) -> str:
    return f"only:{message}"


@message_mapping("/both", "/also")
@send_to("/topic/one", "/topic/two")
@send_to_user("/topic/greetings")
def both(message: str) -> str:
    return message


@message_mapping("/order")
@send_to_user("/topic/greetings")
def order(order: Order, context: MessageContext) -> dict[str, object]:
    return {
        "item": order.item,
        "count": order.count,
        "user": context.user,
        "mine": context.headers.get("mine"),
    }


@message_mapping("/bytes")
@send_to_user("/topic/greetings")
def raw(data: bytes) -> bytes:
    return data[::-1]


@message_mapping("/slow")
@send_to_user("/topic/greetings")
async def slow(message: str) -> str:
    if message == "first":
        await asyncio.sleep(0.05)
    if message == "fails later":
        raise RuntimeError("later")
    return message


@message_mapping("/silent")
def silent(message: str) -> None:
    return None


@message_mapping("/fails")
def fails(message: str) -> str:
    raise RuntimeError("on purpose")


ALL = (default_topic, no_annotation, default_user, only_me, both, order, raw, slow, silent, fails)


@pytest.mark.parametrize(
    ("path", "listens", "body"),
    [
        ("/app/dest", "/topic/dest", b"topic:x"),
        ("/app/plain", "/topic/plain", b"plain:x"),
        ("/app/mine", "/user/queue/mine", b"mine:x"),
        ("/app/also", "/topic/two", b"x"),
        ("/app/both", "/user/topic/greetings", b"x"),
    ],
)
async def test_case_38_replies_go_where_the_decorators_say(path: str, listens: str, body: bytes) -> None:
    async with one_instance(handlers=ALL) as instance, joined(instance.url, "joe", listens) as client:
        await client.send("SEND", {"destination": path}, b"x")
        message = await client.expect("MESSAGE")
        assert (message.headers["destination"], message.body) == (listens, body)


@pytest.mark.parametrize("user", ["joe", ""])
async def test_case_38_a_reply_may_go_to_the_sending_session_only(user: str) -> None:
    async with (
        one_instance(handlers=ALL, default_user="") as instance,
        joined(instance.url, user) as one,
        joined(instance.url, user) as two,
    ):
        path = "/app/only-me" if user else "/app/both"  # an anonymous session is always addressed by itself
        await one.send("SEND", {"destination": path}, b"x")
        await one.expect("MESSAGE")
        await two.nothing_before_receipt()


async def test_payloads_and_results_are_converted() -> None:
    async with one_instance(handlers=ALL) as instance, joined(instance.url, "joe") as client:
        await client.send("SEND", {"destination": "/app/order", "mine": "1"}, b'{"item":"tea","count":2}')
        message = await client.expect("MESSAGE")
        assert message.headers["content-type"] == "application/json"
        assert msgspec.json.decode(message.body) == {"item": "tea", "count": 2, "user": "joe", "mine": "1"}
        await client.send("SEND", {"destination": "/app/bytes"}, b"\x00\x01\x02")
        message = await client.expect("MESSAGE")
        assert message.headers["content-type"] == "application/octet-stream"
        assert message.body == b"\x02\x01\x00"


async def test_messages_of_one_client_are_handled_in_order_also_by_async_handlers() -> None:
    async with one_instance(handlers=ALL) as instance, joined(instance.url, "joe") as client:
        for body in (b"first", b"fails later", b"second", b"third"):
            await client.send("SEND", {"destination": "/app/slow"}, body)
        await client.send("SEND", {"destination": "/app/both"}, b"fourth")
        assert [(await client.expect("MESSAGE")).body for _ in range(4)] == [
            b"first",
            b"second",
            b"third",
            b"fourth",
        ]


async def test_a_receipt_comes_after_the_handler() -> None:
    async with one_instance(handlers=ALL) as instance, joined(instance.url, "joe") as client:
        await client.send("SEND", {"destination": "/app/slow", "receipt": "r"}, b"first")
        frames = [(await client.frame()).command, (await client.frame()).command]
        assert sorted(frames) == ["MESSAGE", "RECEIPT"]


async def test_a_failing_handler_is_logged_and_the_session_lives(caplog: pytest.LogCaptureFixture) -> None:
    async with one_instance(handlers=ALL) as instance, joined(instance.url, "joe") as client:
        with caplog.at_level(logging.ERROR, "pushscope.server"):
            await client.send("SEND", {"destination": "/app/fails"}, b"x")
            await client.send("SEND", {"destination": "/app/silent", "receipt": "alive"}, b"x")
            await client.expect("RECEIPT")
        assert [record.getMessage() for record in caplog.records] == ["the handler of /app/fails failed"]
        assert caplog.records[0].exc_info is not None


async def test_a_message_that_its_handler_cannot_take_is_one_line_of_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A client may send such a one as often as it likes: no traceback, and nothing that alarms."""
    async with one_instance(handlers=ALL) as instance, joined(instance.url, "joe") as client:
        with caplog.at_level(logging.INFO, "pushscope.server"):
            for body in (b"not json", b"[1]", b""):
                await client.send("SEND", {"destination": "/app/order"}, body)
            await client.send("SEND", {"destination": "/app/silent", "receipt": "alive"}, b"x")
            await client.expect("RECEIPT")
        told = [record for record in caplog.records if "was not taken" in record.getMessage()]
        assert len(told) == 3
        assert all(record.levelno == logging.INFO and record.exc_info is None for record in told)
        assert "/app/order" in told[0].getMessage()


def test_handlers_stay_ordinary_functions() -> None:
    assert default_topic("x") == "topic:x"


def test_two_handlers_of_one_path_are_an_error() -> None:
    with pytest.raises(UsageError, match="/both"):
        Handlers([both, both])

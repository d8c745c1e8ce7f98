"""The messaging template, on one instance and across two."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from core.errors import BrokerUnavailable, UsageError
from server.handlers import MessageConversionError, MessagingTemplate, message_mapping

from ...support.instances import cluster, one_instance
from ...support.raw_stomp import joined, raw_stomp


async def test_it_sends_to_destinations_with_headers() -> None:
    async with one_instance() as instance, joined(instance.url, "joe", "/topic/news") as joe:
        await instance.template.send("/topic/news", {"a": 1}, {"x-n": 7, "a:b": "c\nd"}, confirm=True)
        message = await joe.expect("MESSAGE")
        assert message.body == b'{"a":1}'
        assert message.headers["content-type"] == "application/json"
        assert (message.headers["x-n"], message.headers["a:b"]) == ("7", "c\nd")
        instance.template.send("/topic/news", "text")
        assert (await joe.expect("MESSAGE")).headers["content-type"] == "text/plain;charset=UTF-8"
        instance.template.send("/topic/news", "text", {"content-type": "application/json"})
        assert (await joe.expect("MESSAGE")).body == b'"text"'


@pytest.mark.parametrize("strategy", ["relay", "broadcast"])
async def test_it_reaches_users_wherever_they_are(strategy: str) -> None:
    async with cluster(2, strategy=strategy) as found:
        one, two = found.instances
        async with (
            joined(one.url, "joe", "/user/queue/x") as near,
            joined(two.url, "joe", "/user/queue/x") as far,
            joined(two.url, "a/b", "/user/queue/x") as odd,
        ):
            await one.template.send_to_user("joe", "/queue/x", "all", confirm=True)
            await one.template.send("/user/joe/queue/x", "form", confirm=True)
            for client in (near, far):
                assert (await client.expect("MESSAGE")).headers["destination"] == "/user/queue/x"
                assert (await client.expect("MESSAGE")).body == b"form"
            one.template.send("/user/a%2Fb/queue/x", "slash")
            one.template.send_to_user("a/b", "queue/x", "again")
            assert [(await odd.expect("MESSAGE")).body for _ in range(2)] == [b"slash", b"again"]


async def test_one_session_of_a_user_is_addressed_also_on_another_instance() -> None:
    async with cluster(2) as found:
        one, two = found.instances
        async with (
            joined(two.url, "joe", "/user/topic/x") as first,
            joined(two.url, "joe", "/user/topic/x") as second,
        ):
            session = next(iter(two.hub.sessions))
            await one.template.send_to_user("joe", "/topic/x", "one", session=session, confirm=True)
            assert (await first.expect("MESSAGE")).body == b"one"
            await second.nothing_before_receipt()


async def test_a_handler_gets_it_and_may_confirm() -> None:
    @message_mapping("/tell/{whom}")
    async def tell(text: str, whom: str, template: MessagingTemplate) -> None:
        await template.send_to_user(whom, "/topic/told", text, confirm=True)

    async with (
        one_instance(handlers=[tell]) as instance,
        joined(instance.url, "joe", "/user/topic/told") as joe,
        raw_stomp(instance.url) as other,
    ):
        await other.connect()
        await other.send("SEND", {"destination": "/app/tell/joe", "receipt": "r"}, b"hi")
        await other.expect("RECEIPT")
        assert (await joe.expect("MESSAGE")).body == b"hi"


async def test_what_cannot_be_sent_is_told() -> None:
    async with one_instance() as instance:
        send: Any = instance.template.send
        to_user: Any = instance.template.send_to_user
        for call, words in (
            (lambda: send("/app/hello", "x"), "nobody takes"),
            (lambda: send("/elsewhere", "x"), "nobody takes"),
            (lambda: send("/user/joe", "x"), "names no destination"),
            (lambda: send("/topic/x", "x", {"destination": "/topic/y"}), "cannot be set: destination"),
            (lambda: send("/topic/x", "x", {"": "y"}), "cannot be sent"),
            (lambda: to_user("", "/queue/x", "x"), "no name of a user"),
            (lambda: to_user("a%2Fb", "/queue/x", "x"), "no name of a user"),
            (lambda: to_user("joe", "/app/x", "x"), "cannot be subscribed"),
        ):
            with pytest.raises(UsageError, match=re.escape(words)):
                call()
        with pytest.raises(MessageConversionError):
            instance.template.send("/topic/x", object())


async def test_without_a_broker_the_caller_is_told(caplog: pytest.LogCaptureFixture) -> None:
    @message_mapping("/news")
    def news(text: str) -> str:
        return text

    async with (
        one_instance(
            handlers=[news], broker_url="stomp://127.0.0.1:9", broker_wait_s=0.05, default_user="joe"
        ) as instance,
        raw_stomp(instance.url) as joe,
    ):
        with pytest.raises(BrokerUnavailable):
            instance.template.send("/topic/x", "x")
        with pytest.raises(BrokerUnavailable):
            await instance.template.send("/topic/x", "x", confirm=True)
        with pytest.raises(BrokerUnavailable):
            instance.template.send_to_user("nobody", "/topic/x", "x")
        await joe.connect()
        with caplog.at_level(logging.WARNING, "pushscope.server"):
            await joe.send("SEND", {"destination": "/app/news"}, b"x")
            await joe.send("SEND", {"destination": "/app/other", "receipt": "r"}, b"x")
            await joe.expect("RECEIPT")
        assert "the reply of /app/news was not sent" in caplog.text

"""Classes of handlers, answers to subscriptions, exception handlers."""

from __future__ import annotations

import asyncio
import logging

import pytest

from core.errors import UsageError
from server.handlers import (
    Handlers,
    message_exception_handler,
    message_mapping,
    send_to,
    send_to_user,
    subscribe_mapping,
)

from ...support.instances import one_instance
from ...support.raw_stomp import joined, raw_stomp


class Odd(ValueError):
    """A closer type than ``ValueError``."""


@message_mapping("/chat", "/talk")
@send_to("/topic/chat.all")
class Chat:
    def __init__(self) -> None:
        self.said = ["before"]

    @subscribe_mapping("/{room}/history")
    async def history(self, room: str) -> list[str]:
        await asyncio.sleep(0)
        if room == "none":
            raise Odd("no such room")
        return [room, *self.said]

    @subscribe_mapping("/elsewhere")
    @send_to("/topic/elsewhere")
    def elsewhere(self) -> str:
        return "elsewhere"

    @message_mapping("/{room}/say")
    @send_to("/topic/chat.{room}", "/topic/log")
    def say(self, room: str, text: str) -> str:
        self.said.append(text)
        return f"{room}: {text}"

    @message_mapping("/shout")
    def shout(self, text: str) -> str:
        return text.upper()

    @message_mapping("/fail/{kind}")
    async def fail(self, kind: str) -> str:
        match kind:
            case "odd":
                raise Odd("odd")
            case "value":
                raise ValueError("value")
            case "cause":
                raise RuntimeError("outer") from Odd("inner")
            case "key":
                raise KeyError("key")
            case "index":
                raise IndexError(kind)
            case _:
                raise ZeroDivisionError(kind)

    @message_exception_handler(ValueError)
    @send_to_user("/topic/errors")
    def any_value(self, error: ValueError) -> str:
        return f"value {error}"

    @message_exception_handler()
    @send_to_user("/topic/errors", broadcast=False)
    async def odd(self, error: Odd, kind: str | None) -> str:
        return f"odd {error}"


@message_exception_handler(LookupError)
@send_to_user("/topic/errors")
def everybodys(error: LookupError) -> str:
    return f"lookup {error}"


@message_exception_handler(IndexError)
@send_to_user("/topic/errors")
def unannotated(error: object) -> str:
    return f"index {error!r}"


# Without an annotation the only thing that an exception handler can mean is the exception.
del unannotated.__annotations__["error"]


@message_exception_handler(ZeroDivisionError)
def fails_itself(error: ZeroDivisionError) -> str:
    raise RuntimeError("again") from error


ALL: tuple[object, ...] = (everybodys, fails_itself, unannotated)


async def test_patterns_of_class_and_method_are_combined() -> None:
    async with (
        one_instance(handlers=[Chat(), *ALL]) as instance,
        joined(instance.url, "joe", "/topic/chat.a") as joe,
    ):
        await joe.subscribe("/topic/chat.all", "s1")
        await joe.send("SEND", {"destination": "/app/talk/a/say"}, b"hi")
        message = await joe.expect("MESSAGE")
        assert (message.headers["destination"], message.body) == ("/topic/chat.a", b"a: hi")
        await joe.send("SEND", {"destination": "/app/chat/shout"}, b"hi")
        message = await joe.expect("MESSAGE")
        assert (message.headers["destination"], message.body) == ("/topic/chat.all", b"HI")


async def test_a_subscription_is_answered_in_order_with_what_was_sent_before() -> None:
    async with one_instance(handlers=[Chat(), *ALL]) as instance, raw_stomp(instance.url) as joe:
        await joe.connect()
        await joe.send("SEND", {"destination": "/app/chat/a/say"}, b"first")
        await joe.send("SUBSCRIBE", {"id": "h", "destination": "/app/chat/a/history", "receipt": "r"})
        await joe.send("SUBSCRIBE", {"id": "g", "destination": "/app/chat/b/history"})
        message = await joe.expect("MESSAGE")
        assert message.body == b'["a","before","first"]'
        assert message.headers["subscription"] == "h"
        assert message.headers["destination"] == "/app/chat/a/history"
        assert (await joe.expect("RECEIPT")).headers["receipt-id"] == "r"
        assert (await joe.expect("MESSAGE")).headers["subscription"] == "g"


async def test_a_subscription_may_be_answered_elsewhere() -> None:
    async with (
        one_instance(handlers=[Chat(), *ALL]) as instance,
        joined(instance.url, "joe", "/topic/elsewhere") as joe,
    ):
        await joe.send("SUBSCRIBE", {"id": "e", "destination": "/app/chat/elsewhere"})
        assert (await joe.expect("MESSAGE")).headers["destination"] == "/topic/elsewhere"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("odd", b"odd odd"),
        ("value", b"value value"),
        ("cause", b"odd inner"),
        ("key", b"lookup 'key'"),
        ("index", b"index IndexError('index')"),
    ],
)
async def test_the_closest_handler_of_an_exception_takes_it(kind: str, said: bytes) -> None:
    async with (
        one_instance(handlers=[Chat(), *ALL]) as instance,
        joined(instance.url, "joe", "/user/topic/errors") as joe,
    ):
        await joe.send("SEND", {"destination": f"/app/chat/fail/{kind}", "receipt": "r"}, b"x")
        frames = [await joe.frame(), await joe.frame()]
        assert {frame.command: frame.body for frame in frames} == {"MESSAGE": said, "RECEIPT": b""}


async def test_an_exception_at_a_subscription_is_handled_too() -> None:
    async with (
        one_instance(handlers=[Chat(), *ALL]) as instance,
        joined(instance.url, "joe", "/user/topic/errors") as joe,
    ):
        await joe.send("SUBSCRIBE", {"id": "h", "destination": "/app/chat/none/history"})
        assert (await joe.expect("MESSAGE")).body == b"odd no such room"


async def test_an_exception_handler_s_own_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with one_instance(handlers=[Chat(), *ALL]) as instance, raw_stomp(instance.url) as joe:
        await joe.connect()
        with caplog.at_level(logging.ERROR, "pushscope.server"):
            await joe.send("SEND", {"destination": "/app/chat/fail/zero"}, b"x")
            await joe.subscribe("/topic/alive")
            await joe.send("SEND", {"destination": "/app/chat/a/say", "receipt": "done"}, b"x")
            await joe.expect("RECEIPT")
        assert [record.message for record in caplog.records] == ["the handler of /app/chat/fail/zero failed"]


async def test_dots_separate_where_that_is_set() -> None:
    @message_mapping("room.{id}")
    class Room:
        @message_mapping("say")
        def say(self, text: str, id: str) -> str:
            return f"{id} {text}"

    async with (
        one_instance(handlers=[Room()], path_separator=".") as instance,
        joined(instance.url, "joe", "/topic/room.7.say") as joe,
    ):
        await joe.send("SEND", {"destination": "/app/room.7.say"}, b"x")
        assert (await joe.expect("MESSAGE")).body == b"7 x"


async def test_a_client_s_path_leads_no_reply_to_what_belongs_to_the_instances(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @message_mapping("/{name}")
    def echo(text: str) -> str:
        return text

    async with one_instance(handlers=[echo]) as instance, raw_stomp(instance.url) as joe:
        await joe.connect()
        await joe.send("SEND", {"destination": "/app/pushscope.web-socket.peers"}, b"forged")
        await joe.send("SEND", {"destination": "/app/fine", "receipt": "done"}, b"x")
        await joe.expect("RECEIPT")
    assert "cannot be sent to '/topic/pushscope.web-socket.peers'" in caplog.text


def test_what_is_no_handler_is_told() -> None:
    @message_mapping()
    def without_path(text: str) -> None: ...

    @message_mapping("/a")
    @send_to("/topic/{b}")
    def unknown_variable(text: str) -> None: ...

    class Nothing:
        def method(self) -> None: ...

    for item, words in (
        (Chat, "is a class"),
        (Nothing(), "nor are its methods"),
        (Nothing.method, "is no handler"),
        (without_path, "has no path"),
        (unknown_variable, "no 'b'"),
    ):
        with pytest.raises(UsageError, match=words):
            Handlers([item])
    with pytest.raises(UsageError, match="two handlers for /chat"):
        Handlers([Chat(), Chat()])
    with pytest.raises(UsageError, match="two exception handlers"):
        Handlers([everybodys, everybodys])
    with pytest.raises(UsageError, match="takes strings"):
        message_mapping(lambda text: text)  # type: ignore[arg-type]

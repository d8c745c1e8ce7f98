"""Where arguments come from: every annotation, over a real connection; and mistakes told at start."""

from __future__ import annotations

import enum
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest

from core.errors import UsageError
from server.handlers import (
    Handlers,
    Header,
    Headers,
    MessageContext,
    MessagingTemplate,
    Payload,
    SessionId,
    User,
    Variable,
    message_exception_handler,
    message_mapping,
    send_to_user,
)

from ...support.instances import one_instance
from ...support.raw_stomp import RawStomp, joined

ANSWERS = "/topic/answers"


class Colour(enum.Enum):
    RED = "red"


@message_mapping("/headers")
@send_to_user(ANSWERS)
def of_headers(
    count: Annotated[int, Header("x-count")],
    content_type: Annotated[str, Header()] = "none",
    colour: Annotated[Colour | None, Header("x-colour")] = None,
    many: Annotated[list[int], Header("x-many")] = [],  # noqa: B006
    *,
    maybe: Annotated[bool | None, Header("x-maybe")],
) -> list[Any]:
    return [count, content_type, colour, many, maybe]


@message_mapping("/vars/{room}/{id}", "/vars/{room}")
@send_to_user(ANSWERS)
def of_variables(
    room: str,
    number: Annotated[int, Variable("id")] = 0,
) -> list[Any]:
    return [room, number]


@message_mapping("/uuid/{key}")
@send_to_user(ANSWERS)
def of_uuid(key: UUID, text: Annotated[str, Payload()]) -> list[Any]:
    return [key, text]


@message_mapping("/who")
@send_to_user(ANSWERS)
def of_sender(
    user: User | None,
    session: SessionId,
    headers: Headers,
    context: MessageContext,
    template: MessagingTemplate,
) -> dict[str, object]:
    context.attributes["seen"] = context.attributes.get("seen", 0) + 1
    return {
        "user": user,
        "same": session == context.session_id,
        "headers": dict(headers),
        "twice": headers.all("x-twice"),
        "none": headers.all("x-none"),
        "body": context.body.decode(),
        "seen": context.attributes["seen"],
        "template": type(template).__name__,
    }


@message_mapping("/needs-user")
@send_to_user(ANSWERS)
def needs_user(user: User) -> str:
    return user


@message_mapping("/optional")
@send_to_user(ANSWERS)
def optional(text: str | None) -> str:
    return repr(text)


@message_mapping("/default")
@send_to_user(ANSWERS)
def default(text: str = "nothing") -> str:
    return text


@message_mapping("/required")
@send_to_user(ANSWERS)
def required(text: str) -> str:
    return text


@message_exception_handler()
@send_to_user(ANSWERS)
def failed(error: Exception) -> str:
    return f"failed: {error}"


ALL = (of_headers, of_variables, of_uuid, of_sender, needs_user, optional, default, required, failed)


async def answer(client: RawStomp, path: str, body: bytes = b"", **headers: str) -> Any:
    await client.send(
        "SEND", {"destination": f"/app{path}", **{k.replace("_", "-"): v for k, v in headers.items()}}, body
    )
    message = await client.expect("MESSAGE")
    text = message.body.decode()
    return msgspec.json.decode(text) if message.headers["content-type"] == "application/json" else text


async def test_headers_are_converted() -> None:
    async with one_instance(handlers=ALL) as instance, joined(instance.url, "joe", f"/user{ANSWERS}") as joe:
        assert await answer(joe, "/headers", x_count="7") == [7, "none", None, [], None]
        assert await answer(
            joe, "/headers", x_count="7", content_type="a/b", x_colour="red", x_many="3", x_maybe="true"
        ) == [7, "a/b", "red", [3], True]
        assert "needs the header 'x-count'" in await answer(joe, "/headers")
        assert "'x-count'" in await answer(joe, "/headers", x_count="seven")
        await joe.raw("SEND\ndestination:/app/headers\nx-count:1\nx-many:1\nx-many:2\n\n\0")
        assert msgspec.json.decode((await joe.expect("MESSAGE")).body)[3] == [1, 2]


async def test_variables_are_converted() -> None:
    async with one_instance(handlers=ALL) as instance, joined(instance.url, "joe", f"/user{ANSWERS}") as joe:
        assert await answer(joe, "/vars/a/7") == ["a", 7]
        assert await answer(joe, "/vars/a") == ["a", 0]
        assert "variable 'id'" in await answer(joe, "/vars/a/b")
        key = "9b2d5c3e-0000-4000-8000-000000000001"
        assert await answer(joe, f"/uuid/{key}", b"text") == [key, "text"]


async def test_who_sent_it() -> None:
    async with one_instance(handlers=ALL, default_user="") as instance:
        async with joined(instance.url, "joe", f"/user{ANSWERS}") as joe:
            await joe.raw("SEND\ndestination:/app/who\nx-twice:1\nx-twice:2\n\nbody\0")
            found = msgspec.json.decode((await joe.expect("MESSAGE")).body)
            assert found == {
                "user": "joe",
                "same": True,
                "headers": {"destination": "/app/who", "x-twice": "1"},
                "twice": ["1", "2"],
                "none": [],
                "body": "body",
                "seen": 1,
                "template": "MessagingTemplate",
            }
            assert (await answer(joe, "/who"))["seen"] == 2
            assert await answer(joe, "/needs-user") == "joe"
        async with joined(instance.url, "", f"/user{ANSWERS}") as nobody:
            assert (await answer(nobody, "/who"))["user"] is None
            assert "anonymous" in await answer(nobody, "/needs-user")


async def test_an_empty_payload_needs_a_handler_that_takes_none() -> None:
    async with one_instance(handlers=ALL) as instance, joined(instance.url, "joe", f"/user{ANSWERS}") as joe:
        assert await answer(joe, "/optional") == "None"
        assert await answer(joe, "/optional", b"a") == "'a'"
        assert await answer(joe, "/default") == "nothing"
        assert "Payload value must not be empty" in await answer(joe, "/required")


def test_mistakes_are_told_at_start() -> None:
    @message_mapping("/a/{x}")
    def two_payloads(y: str, z: str) -> None: ...

    @message_mapping("/a/{x}", "/b")
    def not_everywhere(x: str) -> None: ...

    @message_mapping("/a")
    def error_without_reason(error: ValueError) -> None: ...

    @message_mapping("/a")
    def any_number(*words: str) -> None: ...

    @message_mapping("/a")
    def unknown_name(x: str) -> None: ...

    unknown_name.__annotations__["x"] = "Nowhere"  # as with a name that is imported for type checkers only

    mistakes: tuple[tuple[object, str], ...] = (
        (two_payloads, "both get the payload"),
        (not_everywhere, "not every pattern"),
        (error_without_reason, "is an exception"),
        (any_number, "can get nothing"),
        (unknown_name, "cannot be read"),
    )
    for function, words in mistakes:
        with pytest.raises(UsageError, match=words):
            Handlers([function])

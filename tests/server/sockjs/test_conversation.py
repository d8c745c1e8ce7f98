"""Applications as coroutines."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import pytest

from server.sockets.listener import Listener
from server.sockjs import Conversation, Conversations, SockJsService
from tests.support.processes import until
from tests.support.raw_http import request


def served(run: Callable[[Conversation], Awaitable[None]]) -> Listener:
    return Listener(SockJsService(Conversations(run)))


async def test_an_echo_is_three_lines() -> None:
    ended: list[tuple[int, str] | None] = []

    async def echo(conversation: Conversation) -> None:
        async for message in conversation:
            conversation.send(message)
            await conversation.drain()
        ended.append(conversation.ended)

    async with served(echo) as listener:
        assert (await request(listener.url, "POST", "/0/a/xhr?user=joe")).body == b"o\n"
        await request(listener.url, "POST", "/0/a/xhr_send", body=b'["x","y"]')
        answer = (await request(listener.url, "POST", "/0/a/xhr")).body
        while answer.count(b'"') < 4:  # the coroutine may not have had its turn for the second one
            answer += (await request(listener.url, "POST", "/0/a/xhr")).body
        assert answer.replace(b'"]\na["', b'","') == b'a["x","y"]\n'


async def test_a_session_ends_with_its_coroutine() -> None:
    async def greet(conversation: Conversation) -> None:
        request = conversation.request
        conversation.send(f"{conversation.transport} {request.query.decode()} {request.header(b'x-a')}")

    async with served(greet) as listener:
        await request(listener.url, "POST", "/0/a/xhr?q=1", {"X-A": "b"})
        assert (await request(listener.url, "POST", "/0/a/xhr")).body == b'a["xhr q=1 b"]\n'
        assert (await request(listener.url, "POST", "/0/a/xhr")).body == b'c[1000,"Normal closure"]\n'


async def test_an_error_is_logged_and_ends_the_session(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(conversation: Conversation) -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR, "pushscope.sockjs"):
        async with served(fail) as listener:
            await request(listener.url, "POST", "/0/a/xhr")
            assert (await request(listener.url, "POST", "/0/a/xhr")).body == b'c[1011,"the server failed"]\n'
    assert "ZeroDivisionError" in caplog.text


async def test_a_coroutine_that_takes_nothing_is_not_flooded() -> None:
    conversations: list[Conversation] = []

    async def busy(conversation: Conversation) -> None:
        conversations.append(conversation)
        await until(lambda: conversation.ended is not None, "the session ends")

    async with served(busy) as listener:
        await request(listener.url, "POST", "/0/a/xhr")
        body = b'["' + b"x" * 200_000 + b'"]'
        for _ in range(6):
            await request(listener.url, "POST", "/0/a/xhr_send", body=body)
        answer = (await request(listener.url, "POST", "/0/a/xhr")).body
        assert answer == b'c[4500,"more messages than the server takes"]\n'
        assert len(conversations) == 1
